"""Kernel of neurons on processors, which Numba compiles and keeps on disk."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from ..basics.compiled import compiled
from ..basics.types import Tensor

__all__ = ["advance"]


def _number(x: Any) -> Any:
    """A float32, or a bfloat16 from its bits, which are the upper half of those of a float32."""


@overload(_number, inline="always")
def _number_of(x: Any) -> Callable[[Any], Any]:
    def whole(x: Any) -> Any:
        return x

    def upper_half(x: Any) -> Any:
        return np.uint32(np.uint32(x) << np.uint32(16)).view(np.float32)

    return whole if isinstance(x, types.Float) else upper_half


@compiled
def advance(
    current: Tensor,
    bias: Tensor,
    v: Tensor,
    v_threshold: Any,
    subtracts: bool,
    pool: tuple[int, int],
    spikes: Tensor,
    silence: Any,
    spike: Any,
) -> Any:
    """Advance potentials in place, fill `spikes`, and return how often the neurons fired.

    One pass over the currents: the potentials of a pixel stay in the first cache for all steps, and
    spikes that are pooled are never written. The equations are those of
    `keras_proxy_snn.neurons.equations.fire`, operation by operation.

    Args:
        current: `(batch, time, height, width, channels)`; with a time axis of 1, constant. Float32,
            or the bits of bfloat16.
        bias: `(channels,)`, added to the currents.
        v: Potentials `(batch, height, width, channels)`.
        v_threshold: Threshold, of the dtype of `v`.
        subtracts: Whether the reset subtracts the threshold.
        pool: Rows and columns of windows that lie side by side; a window spikes if a neuron in it
            does. `(1, 1)`: no pooling.
        spikes: `(batch, time, height of windows, width of windows, channels)`, as `current`.
            Neurons below and to the right of the last windows are in no window.
        silence: What stands for no spike in `spikes`.
        spike: What stands for a spike.
    """
    images, height, width, channels = v.shape
    steps, rows, columns = spikes.shape[1:4]
    count: Any = 0
    one, none = np.float32(1), np.float32(0)
    nowhere = np.empty(channels, spikes.dtype)
    for image in range(images):
        for y in range(height):
            row = y // pool[0]
            for x in range(width):
                column, potential = x // pool[1], v[image, y, x]
                inside = row < rows and column < columns
                first = y % pool[0] == 0 and x % pool[1] == 0
                for step in range(steps):
                    flow = current[image, min(step, current.shape[1] - 1), y, x]
                    out = spikes[image, step, row, column] if inside else nowhere
                    if first:
                        out[:] = silence
                    fired = np.int32(0)
                    for k in range(channels):
                        u = potential[k] + (_number(flow[k]) + bias[k])
                        fires = one if u >= v_threshold else none
                        potential[k] = u - fires * (v_threshold if subtracts else u)
                        fired += np.int32(fires)
                        out[k] = max(out[k], spike if u >= v_threshold else silence)
                    count += fired
    return count
