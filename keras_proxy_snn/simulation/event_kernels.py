"""Kernels of `event_sums`, which Numba compiles and keeps on disk.

Numba compiles again when this file changes, and ignores other files. So all compiled code is here.
"""

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.base import BaseContext
from numba.core.typing.templates import Signature
from numba.extending import intrinsic

from ..basics.compiled import compiled
from ..basics.types import Tensor

__all__ = ["LANES", "convolve", "multiply"]

LANES = 16
"""Sums in one vector; a compiler takes several registers where they are shorter."""

# Inputs of a matrix product whose weights, for up to 64 outputs, stay in the first cache.
_PART = 128
_INT = ir.IntType(64)
_VECTOR = ir.VectorType(ir.FloatType(), LANES)


def _typed(
    context: BaseContext,
    sums: types.Type,
    at: types.Type,
    kernel: types.Type,
    first: types.Type,
    stride: types.Type,
    places: types.Type,
    begin: types.Type,
    end: types.Type,
    vectors: types.Type,
) -> Any:
    """Add rows of weights to `len(vectors) * LANES` sums, which stay in registers.

    In Python this function would be

        def row(place):
            return kernel[first + place * stride :][:width]

        even, odd, i = sums[at : at + width], 0, begin
        while i < end - 1:
            even, odd, i = even + row(places[i]), odd + row(places[i + 1]), i + 2
        sums[at : at + width] = even + odd
        if i < end:
            sums[at : at + width] += row(places[i])

    It adds two spikes at a time, because each addition waits for the previous addition. Numba would
    compile this code to a loop that reads and writes the sums for every row, because Numba cannot
    know that the arrays do not overlap. The length of a tuple gives the width, because this length
    is a part of the tuple's type.
    """
    signature = types.void(sums, at, kernel, first, stride, places, begin, end, vectors)
    return signature, _generate


def _generate(
    context: BaseContext,
    builder: ir.IRBuilder,
    signature: Signature,
    values: Sequence[ir.Value],
) -> ir.Value:
    width = LANES * signature.args[8].count

    def data(i: int) -> ir.Value:
        return context.make_array(signature.args[i])(context, builder, values[i]).data

    def whole(i: int) -> ir.Value:
        return context.cast(builder, values[i], signature.args[i], types.int64)

    def parts(base: ir.Value, offset: ir.Value) -> list[ir.Value]:
        offsets = (builder.add(offset, _INT(lane)) for lane in range(0, width, LANES))
        pointers = [builder.gep(base, [offset]) for offset in offsets]
        return [builder.bitcast(pointer, _VECTOR.as_pointer()) for pointer in pointers]

    def read(pointers: list[ir.Value]) -> list[ir.Value]:
        vectors = [builder.load(pointer) for pointer in pointers]
        for vector in vectors:
            vector.align = 4
        return vectors

    def plus_row(sums: list[ir.Value], i: ir.Value) -> list[ir.Value]:
        place = builder.zext(builder.load(builder.gep(places, [i])), _INT)
        row = read(parts(kernel, builder.add(builder.mul(place, stride), first)))
        return [builder.fadd(total, part) for total, part in zip(sums, row, strict=True)]

    def merged(*ways: tuple[ir.Block, list[ir.Value]]) -> list[ir.Value]:
        """The values with which the block is entered."""
        phis = [builder.phi(value.type) for value in ways[0][1]]
        for block, entering in ways:
            for phi, value in zip(phis, entering, strict=True):
                phi.add_incoming(value, block)
        return phis

    kernel, places = data(2), data(5)
    first, stride, begin, end = map(whole, (3, 4, 6, 7))
    targets = parts(data(0), whole(1))
    start = [begin, *read(targets), *(ir.Constant(_VECTOR, None) for _ in targets)]
    pairs_end, count, before = builder.sub(end, _INT(1)), len(targets), builder.block
    pair, rest, last, done = map(builder.append_basic_block, ("pair", "rest", "last", "done"))
    builder.cbranch(builder.icmp_signed("<", begin, pairs_end), pair, rest)

    builder.position_at_end(pair)
    i, *sums = entered = merged((before, start))
    even = plus_row(sums[:count], i)
    odd = plus_row(sums[count:], builder.add(i, _INT(1)))
    turned = [builder.add(i, _INT(2)), *even, *odd]
    for phi, value in zip(entered, turned, strict=True):
        phi.add_incoming(value, pair)
    builder.cbranch(builder.icmp_signed("<", turned[0], pairs_end), pair, rest)

    builder.position_at_end(rest)
    i, *sums = merged((before, start), (pair, turned))
    both = [builder.fadd(*halves) for halves in zip(sums[:count], sums[count:], strict=True)]
    builder.cbranch(builder.icmp_signed("<", i, end), last, done)

    builder.position_at_end(last)
    more = plus_row(both, i)
    builder.branch(done)

    builder.position_at_end(done)
    for result, target in zip(merged((rest, both), (last, more)), targets, strict=True):
        builder.store(result, target).align = 4
    return context.get_dummy_value()


_add: Any = intrinsic(_typed)


@numba.njit(inline="always")
def _list(spikes: Tensor, places: Tensor, end: int, first: int) -> int:
    """Append the places of spikes to the list, and return its new end."""
    for place in range(spikes.size):
        places[end] = first + place
        end += spikes[place] != 0
    return end


@compiled
def convolve(
    spikes: Tensor,
    kernel: Tensor,
    sums: Tensor,
    padding: Any,
    strides: Any,
    dilation: Any,
    joined: int,
    vectors: Any,
) -> None:
    """Fill `sums`; `kernel` is `(blocks, rows, columns, inputs, width)`.

    `joined` is the number of taps of a row that are added together: 1, or all without dilation.
    """
    images, height, columns_in, inputs = spikes.shape
    blocks, taps_y, taps_x, _, width = kernel.shape
    rows, columns, filters = sums.shape[1:]
    weights, totals = kernel.reshape(-1), sums.reshape(-1)
    places = np.empty(height * columns_in * inputs + 1, np.uint32)
    starts = np.zeros(height * columns_in + 1, np.int64)
    for image in range(images):
        for y in range(height):
            for x in range(columns_in):
                pixel, listed = y * columns_in + x, spikes[image, y, x]
                starts[pixel + 1] = _list(listed, places, starts[pixel], x * inputs)
        sums[image] = 0
        # Tap after tap, because the weights of one tap stay in the cache.
        for tap in range(0, blocks * taps_y * taps_x, joined):
            block, tap_y, tap_x = tap // (taps_x * taps_y), tap // taps_x % taps_y, tap % taps_x
            for row in range(rows):
                y = row * strides[0] + tap_y * dilation[0] - padding[0]
                if y < 0 or y >= height:
                    continue
                for column in range(columns):
                    x = column * strides[1] + tap_x * dilation[1] - padding[1]
                    left, right = max(x, 0), min(x + joined, columns_in)
                    if left >= right:
                        continue
                    at = ((image * rows + row) * columns + column) * filters + block * width
                    first = (tap - x) * inputs * width
                    begin, end = starts[y * columns_in + left], starts[y * columns_in + right]
                    _add(totals, at, weights, first, width, places, begin, end, vectors)


@compiled
def multiply(spikes: Tensor, kernel: Tensor, sums: Tensor, vectors: Any) -> None:
    """Fill `sums` with the product of spikes and kernel."""
    images, size = spikes.shape
    outputs = kernel.shape[1]
    parts = (size + _PART - 1) // _PART
    places = np.empty((images, size + 1), np.uint32)
    starts = np.zeros((images, parts + 1), np.int64)
    for image in range(images):
        for part in range(parts):
            first, begin = part * _PART, starts[image, part]
            some = spikes[image, first : first + _PART]
            starts[image, part + 1] = _list(some, places[image], begin, first)
    sums[:] = 0
    weights, totals, listed = kernel.reshape(-1), sums.reshape(-1), places.reshape(-1)
    # Some outputs of some inputs for all images, because these weights stay in the cache.
    for first in range(0, outputs, len(vectors) * LANES):
        for part in range(parts):
            for image in range(images):
                at, before = image * outputs + first, image * (size + 1)
                begin, end = before + starts[image, part], before + starts[image, part + 1]
                _add(totals, at, weights, first, outputs, listed, begin, end, vectors)
