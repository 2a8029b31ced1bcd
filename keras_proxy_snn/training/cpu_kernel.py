"""Kernels of the `"qcfs"` response on processors, which Numba compiles and keeps on disk.

Numbers come as their bits, because NumPy has no bfloat16: unsigned integers of 32 bits for float32
and of 16 bits for bfloat16, whose bits are the upper half of those of a float32.
"""

from typing import Any

import numpy as np

from ..basics.compiled import compiled
from ..basics.types import Tensor

__all__ = ["quantise", "select"]


@compiled
def quantise(
    a: Tensor, gain: Any, time_steps: Any, v_0: Any, result: Tensor, follows: Tensor
) -> None:
    """Fill `result` with the response, and `follows` with whether its derivative is 1.

    The equation is that of `keras_proxy_snn.training.responses.response`, operation by operation.

    Args:
        a: Bits of the activations `(numbers,)`.
        gain: As in `response`; this and the next two are of float32.
        time_steps: As in `response`.
        v_0: As in `response`.
        result: Bits of the responses, as `a`.
        follows: Booleans `(numbers,)`.
    """
    lower = np.uint32(32 - 8 * a.itemsize)  # bits that a float32 has and `a` has not
    for i in range(a.size):
        level = np.uint32(np.uint32(a[i]) << lower).view(np.float32) * time_steps / gain + v_0
        follows[i] = np.float32(0) <= level <= time_steps
        if level < np.float32(0):
            level = np.float32(0)
        elif level > time_steps:
            level = time_steps
        rate = np.floor(level) / time_steps
        bits = np.float32(gain * rate).view(np.uint32)
        if lower and rate == rate:  # To the nearest number, to the even one of two; not for NaN.
            bits += np.uint32(0x7FFF) + ((bits >> lower) & np.uint32(1))
        result[i] = bits >> lower


@compiled
def select(numbers: Tensor, chosen: Tensor, result: Tensor) -> None:
    """Fill `result` with those of the numbers that are chosen, and zeros.

    Args:
        numbers: Bits `(numbers,)`.
        chosen: Booleans `(numbers,)`.
        result: As `numbers`.
    """
    for i in range(numbers.size):
        result[i] = numbers[i] if chosen[i] else 0
