"""Event-driven sums of spikes on processors.

Their time depends on the number of spikes, not on the number of synapses. Each sum is made in one
order, which depends only on the spikes of its own image and step, for any number of threads and any
batch.
"""

import math
from typing import Any

import numpy as np

from ..basics.threads import in_threads
from ..basics.types import Tensor
from . import event_kernels

__all__ = ["WIDTHS", "convolve", "multiply"]

# Numbers of outputs summed at once, of two spikes: 8 registers of 512 bits, or 16 of 256 bits.
WIDTHS = (64, 32, 16)
# Taps in a row are added in one go if their weights fit into this part of the first cache.
_CACHE_BYTES = 32 * 1024


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
    width, taps = _widest(kernel), kernel.shape[1]
    by_block = np.moveaxis(kernel.reshape(*kernel.shape[:-1], -1, width), 3, 0)
    blocks = _empty(by_block.shape)
    blocks[:] = by_block
    fits = taps * kernel.shape[2] * width * kernel.itemsize <= _CACHE_BYTES
    joined = taps if fits and dilation[1] == 1 else 1
    sums, spikes = _empty((len(spikes), *shape)), np.ascontiguousarray(spikes)
    rest = padding, strides, dilation, joined, _vectors(width)
    in_threads(
        lambda part: event_kernels.convolve(spikes[part], blocks, sums[part], *rest), len(spikes)
    )
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
    vectors = _vectors(_widest(kernel))
    in_threads(
        lambda part: event_kernels.multiply(spikes[part], kernel, sums[part], vectors), len(spikes)
    )
    return sums


def _vectors(width: int) -> tuple[int, ...]:
    return (0,) * (width // event_kernels.LANES)


def _empty(shape: tuple[int, ...]) -> Any:
    """A float32 array at a multiple of 64 bytes.

    TensorFlow does not copy it, and no vector of it lies in two lines of the cache.
    """
    size = math.prod(shape)
    room = np.empty(size + 16, np.float32)
    start = -room.ctypes.data % 64 // room.itemsize
    return room[start : start + size].reshape(shape)


def _widest(kernel: Tensor) -> int:
    return next(width for width in WIDTHS if kernel.shape[-1] % width == 0)
