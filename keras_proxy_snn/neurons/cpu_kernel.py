"""Kernel of neurons on processors, which Numba compiles and keeps on disk."""

from typing import Any

import numpy as np

from ..basics.compiled import compiled
from ..basics.types import Tensor

__all__ = ["advance"]


@compiled
def advance(
    current: Tensor,
    bias: Tensor,
    v: Tensor,
    v_threshold: Any,
    subtracts: bool,
    pool: tuple[int, int],
    spikes: Tensor,
) -> Any:
    """Advance potentials in place, fill `spikes`, and return how often the neurons fired.

    One pass over the currents: the potentials of a pixel stay in the first cache for all steps, and
    spikes that are pooled are never written. The equations are those of
    `keras_proxy_snn.neurons.equations.fire`, operation by operation.

    Args:
        current: `(batch, time, height, width, channels)`; with a time axis of 1, constant.
        bias: `(channels,)`, added to the currents.
        v: Potentials `(batch, height, width, channels)`.
        v_threshold: Threshold, of the dtype of `v`.
        subtracts: Whether the reset subtracts the threshold.
        pool: Rows and columns of windows that lie side by side; a window spikes if a neuron in it
            does. `(1, 1)`: no pooling.
        spikes: `(batch, time, height of windows, width of windows, channels)`, of the dtype of `v`.
            Neurons below and to the right of the last windows are in no window.
    """
    images, height, width, channels = v.shape
    steps, rows, columns = spikes.shape[1:4]
    count: Any = 0
    one, none = np.float32(1), np.float32(0)
    nowhere = np.empty(channels, np.float32)
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
                        out[:] = none
                    fired = np.int32(0)
                    for k in range(channels):
                        u = potential[k] + (flow[k] + bias[k])
                        spike = one if u >= v_threshold else none
                        potential[k] = u - spike * (v_threshold if subtracts else u)
                        fired += np.int32(spike)
                        out[k] = max(out[k], spike)
                    count += fired
    return count
