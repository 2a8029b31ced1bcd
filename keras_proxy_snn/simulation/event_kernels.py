"""Event-driven sums of spikes on processors: kernels that Numba compiles.

Their time depends on the number of spikes, not on the number of synapses. Each sum is taken in
the order of the inputs, for any number of threads and any batch.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.base import BaseContext
from numba.core.typing.templates import Signature
from numba.extending import intrinsic

from ..basics.types import Tensor

__all__ = ["WIDTHS", "convolve", "multiply"]

# Numbers of outputs summed at once. Eight registers of 256 bits, or sixteen of 128, hold 64.
WIDTHS = (64, 32, 16)
_LANES = 8
_INT = ir.IntType(64)
_VECTOR = ir.VectorType(ir.FloatType(), _LANES)


def _adder(width: int) -> Any:
    """Make a function that adds rows of weights to `width` sums, which stay in registers.

    In Python this function would be

        for place in places[begin:end]:
            sums[at : at + width] += kernel[first + place * stride :][:width]

    Numba would compile this code to a loop that reads and writes the sums for every row, because
    Numba cannot know that the arrays do not overlap. Such a loop takes twice the time.
    """

    @intrinsic
    def add(
        context: BaseContext,
        sums: types.Type,
        at: types.Type,
        kernel: types.Type,
        first: types.Type,
        stride: types.Type,
        places: types.Type,
        begin: types.Type,
        end: types.Type,
    ) -> Any:
        signature = types.void(sums, at, kernel, first, stride, places, begin, end)
        return signature, _generate

    def _generate(
        context: BaseContext,
        builder: ir.IRBuilder,
        signature: Signature,
        values: Sequence[ir.Value],
    ) -> ir.Value:
        def data(i: int) -> ir.Value:
            return context.make_array(signature.args[i])(context, builder, values[i]).data

        def whole(i: int) -> ir.Value:
            return context.cast(builder, values[i], signature.args[i], types.int64)

        def vectors(base: ir.Value, offset: ir.Value) -> list[ir.Value]:
            offsets = (builder.add(offset, _INT(lane)) for lane in range(0, width, _LANES))
            pointers = [builder.gep(base, [offset]) for offset in offsets]
            return [builder.bitcast(pointer, _VECTOR.as_pointer()) for pointer in pointers]

        def read(pointer: ir.Value) -> ir.Value:
            vector = builder.load(pointer)
            vector.align = 4
            return vector

        kernel, places = data(2), data(5)
        first, stride, begin, end = map(whole, (3, 4, 6, 7))
        targets = vectors(data(0), whole(1))
        initial = [read(target) for target in targets]
        before = builder.block
        each = builder.append_basic_block("each_spike")
        done = builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed("<", begin, end), each, done)

        builder.position_at_end(each)
        i = builder.phi(_INT)
        totals = [builder.phi(_VECTOR) for _ in initial]
        place = builder.zext(builder.load(builder.gep(places, [i])), _INT)
        row = vectors(kernel, builder.add(builder.mul(place, stride), first))
        added = [builder.fadd(total, read(part)) for total, part in zip(totals, row, strict=True)]
        following = builder.add(i, _INT(1))
        builder.cbranch(builder.icmp_signed("<", following, end), each, done)

        builder.position_at_end(done)
        results = [builder.phi(_VECTOR) for _ in initial]
        for phi, start, next_one in [
            (i, begin, following),
            *zip(totals, initial, added, strict=True),
        ]:
            phi.add_incoming(start, before)
            phi.add_incoming(next_one, each)
        for result, start, last, target in zip(results, initial, added, targets, strict=True):
            result.add_incoming(start, before)
            result.add_incoming(last, each)
            builder.store(result, target).align = 4
        return context.get_dummy_value()

    return add


@numba.njit(inline="always")
def _list(spikes: Tensor, places: Tensor, end: int) -> int:
    """Append the places of spikes to the list, and return its new end."""
    for place in range(spikes.size):
        places[end] = place
        end += spikes[place] != 0
    return end


def _convolver(width: int) -> Callable[..., None]:
    add = _adder(width)

    @numba.njit
    def add_tap(
        spikes: Tensor,
        weights: Tensor,
        sums: Tensor,
        first: int,
        offset: Any,
        strides: Any,
        block: int,
    ) -> None:
        """Add one tap of the kernel for all pixels of an image and a block of maps."""
        places, starts, height, columns_in = spikes
        rows, columns, filters = sums.shape
        totals = sums.reshape(-1)
        for row in range(rows):
            y = row * strides[0] + offset[0]
            if y < 0 or y >= height:
                continue
            for column in range(columns):
                x = column * strides[1] + offset[1]
                if x < 0 or x >= columns_in:
                    continue
                at = (row * columns + column) * filters + block * width
                begin, end = starts[y * columns_in + x], starts[y * columns_in + x + 1]
                add(totals, at, weights, first, width, places, begin, end)

    @numba.njit(parallel=True)
    def convolve(
        spikes: Tensor, kernel: Tensor, sums: Tensor, padding: Any, strides: Any, dilation: Any
    ) -> None:
        images, height, columns, channels = spikes.shape
        blocks, taps_y, taps_x = kernel.shape[:3]
        weights = kernel.reshape(-1)
        for image in numba.prange(images):
            pixels = spikes[image].reshape(height * columns, channels)
            places = np.empty(pixels.size + 1, np.uint32)
            starts = np.zeros(len(pixels) + 1, np.int64)
            for pixel in range(len(pixels)):
                starts[pixel + 1] = _list(pixels[pixel], places, starts[pixel])
            listed = (places, starts, height, columns)
            sums[image] = 0
            # Tap after tap, because the weights of one tap stay in the cache.
            for tap in range(blocks * taps_y * taps_x):
                tap_y, tap_x = tap // taps_x % taps_y, tap % taps_x
                offset = (tap_y * dilation[0] - padding[0], tap_x * dilation[1] - padding[1])
                first, block = tap * channels * width, tap // (taps_x * taps_y)
                add_tap(listed, weights, sums[image], first, offset, strides, block)

    return convolve


def _multiplier(width: int) -> Callable[..., None]:
    add = _adder(width)

    @numba.njit(parallel=True)
    def multiply(spikes: Tensor, kernel: Tensor, sums: Tensor) -> None:
        images, size = spikes.shape
        outputs = kernel.shape[1]
        places = np.empty((images, size + 1), np.uint32)
        ends = np.empty(images, np.int64)
        for image in numba.prange(images):
            ends[image] = _list(spikes[image], places[image], 0)
        sums[:] = 0
        weights, totals, listed = kernel.reshape(-1), sums.reshape(-1), places.reshape(-1)
        for block in numba.prange(outputs // width):
            first = block * width
            for image in range(images):
                at, begin = image * outputs + first, image * (size + 1)
                add(totals, at, weights, first, outputs, listed, begin, begin + ends[image])

    return multiply


_CONVOLVERS = {width: _convolver(width) for width in WIDTHS}
_MULTIPLIERS = {width: _multiplier(width) for width in WIDTHS}


def convolve(
    spikes: Tensor,
    kernel: Tensor,
    shape: tuple[int, ...],
    padding: tuple[int, int],
    strides: tuple[int, int],
    dilation: tuple[int, int],
) -> Any:
    """Convolve maps of spikes.

    Args:
        spikes: `(batch, height, width, channels)`, zeros and ones in any dtype.
        kernel: `(rows, columns, channels, filters)`, float32; filters are a multiple of one of
            `WIDTHS`.
        shape: `(height, width, filters)` of the sums.
        padding: Zeros above and to the left of the maps.
        strides: Of rows and columns.
        dilation: Of rows and columns.

    Returns:
        Sums `(batch, height, width, filters)`.
    """
    width = _widest(kernel)
    blocks = kernel.reshape(*kernel.shape[:-1], -1, width)
    blocks = np.ascontiguousarray(np.moveaxis(blocks, 3, 0))
    sums = _empty((len(spikes), *shape))
    _CONVOLVERS[width](np.ascontiguousarray(spikes), blocks, sums, padding, strides, dilation)
    return sums


def multiply(spikes: Tensor, kernel: Tensor) -> Any:
    """Multiply spikes with a kernel.

    Args:
        spikes: `(batch, inputs)`, zeros and ones in any dtype.
        kernel: `(inputs, outputs)`, float32; outputs are a multiple of one of `WIDTHS`.

    Returns:
        Sums `(batch, outputs)`.
    """
    sums = _empty((len(spikes), kernel.shape[1]))
    spikes, kernel = map(np.ascontiguousarray, (spikes, kernel))
    _MULTIPLIERS[_widest(kernel)](spikes, kernel, sums)
    return sums


def _empty(shape: tuple[int, ...]) -> Any:
    """A float32 array at a multiple of 64 bytes, so that TensorFlow does not copy it."""
    size = math.prod(shape)
    room = np.empty(size + 16, np.float32)
    start = -room.ctypes.data % 64 // room.itemsize
    return room[start : start + size].reshape(shape)


def _widest(kernel: Tensor) -> int:
    return next(width for width in WIDTHS if kernel.shape[-1] % width == 0)
