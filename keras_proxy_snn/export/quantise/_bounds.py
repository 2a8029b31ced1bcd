"""Bounds of currents and potentials from the sums of weights."""

from typing import NamedTuple

import numpy as np

from ..program import Conv, Dense, Pool, Program

__all__ = [
    "INT16",
    "INT32",
    "MOST_SPIKES",
    "Range",
    "input_tops",
    "largest_sum",
    "meeting_sums",
    "potential_range",
    "threshold",
]

INT16 = 2**15 - 1
INT32 = 2**31 - 1
MOST_SPIKES = 128
"""Largest sum of spikes before weights.

On x86 processors without VNNI, sums of two products uint8 x int8 saturate at 16 bits in ONNX
Runtime; those of 128 and 127 do not.
"""


class Range(NamedTuple):
    """Closed intervals around 0, one for each filter.

    Attributes:
        low: Lower ends, `(filters,)`.
        high: Upper ends, `(filters,)`.
    """

    low: np.ndarray
    high: np.ndarray

    def size(self) -> np.ndarray:
        """The larger of the two ends' sizes, `(filters,)`."""
        return np.maximum(self.high, -self.low)


def threshold(layer: Conv | Dense) -> np.ndarray:
    """Thresholds in float64, one for each filter."""
    return np.broadcast_to(np.asarray(layer.v_threshold, "float64"), layer.kernel.shape[-1:])


def input_tops(program: Program) -> list[float]:
    """Largest input of each layer of neurons; the smallest is 0."""
    top = round(program.largest_input) if program.is_integer else program.largest_input
    tops = []
    for layer in program.layers:
        if isinstance(layer, Conv | Dense):
            tops.append(top)
            top = 1
        elif isinstance(layer, Pool):
            top *= layer.largest
    return tops


def potential_range(layer: Conv | Dense, top: float, time_steps: int) -> Range:
    """Potentials before the reset at every step, and currents, whatever the image.

    Positive weights meet the largest input and negative ones none, or the other way round.
    Counted from `v_0`, a potential is at 0 before the first step and at `-v_0` at least after a
    spike. Without another it falls by the lowest current at every step. It rises by the highest
    above what is carried from the step before: less than the firing level, or with reset by
    subtraction what the threshold leaves.

    Args:
        layer: Of an integer or a float program.
        top: Largest input; the smallest is 0.
        time_steps: T.
    """
    weights = layer.weights.astype("float64") * top
    bias = 0.0 if layer.bias is None else layer.bias.astype("float64")
    lowest = np.minimum(weights, 0).sum(axis=0) + bias
    highest = np.maximum(weights, 0).sum(axis=0) + bias
    level = layer.firing_level.astype("float64")
    most_carried = level - 1 if layer.kernel.dtype.kind == "i" else level
    carried = high = np.zeros_like(highest)
    for _ in range(time_steps):
        v = carried + highest
        high = np.maximum(high, v)
        carried = np.maximum(np.minimum(v, most_carried), 0)
        if layer.reset == "subtract":
            carried = np.maximum(carried, v - threshold(layer))
    fall = np.minimum(lowest, 0)
    return Range(fall * (time_steps - 1) + np.minimum(lowest, layer.v_reset), high)


def meeting_sums(layer: Conv | Dense) -> np.ndarray:
    """Bound of the sizes of all partial sums of currents that meet, `(filters,)`; else 0.

    A convolution by itself can reach further than all together, and its result has 16 bits too.
    """
    if not layer.shortcuts:
        return np.zeros(layer.kernel.shape[-1])
    weights = layer.weights.astype("float64")
    bias = np.zeros(weights.shape[1]) if layer.bias is None else layer.bias.astype("float64")
    highest = np.maximum(weights, 0).sum(axis=0) + np.maximum(bias, 0)
    lowest = np.minimum(weights, 0).sum(axis=0) + np.minimum(bias, 0)
    return np.maximum(highest, -lowest)


def largest_sum(program: Program) -> int:
    """Bound of the size of every partial sum and potential of an integer program."""
    largest = 0
    for layer, top in zip(program.neurons, input_tops(program), strict=True):
        sizes = np.abs(layer.weights.astype("float64"))
        bias = 0.0 if layer.bias is None else np.abs(layer.bias.astype("float64"))
        current = sizes.sum(axis=0) * top + bias
        largest = max(largest, int((current * program.time_steps + threshold(layer)).max()))
    return largest
