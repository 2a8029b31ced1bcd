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

On x86 processors without VNNI, ONNX Runtime saturates sums of two products uint8 x int8 at 16
bits. Two products 128 x 127 still fit.
"""


class Range(NamedTuple):
    """Closed intervals that contain 0, one interval per filter.

    Attributes:
        low: Lower ends, `(filters,)`.
        high: Upper ends, `(filters,)`.
    """

    low: np.ndarray
    high: np.ndarray

    def size(self) -> np.ndarray:
        """Largest absolute value in each interval, `(filters,)`."""
        return np.maximum(self.high, -self.low)


def threshold(layer: Conv | Dense) -> np.ndarray:
    """Thresholds in float64, one threshold per filter."""
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
    """Range of the potentials before the reset, and of the currents, for every possible image.

    The highest current has the largest input at all positive weights and 0 at all negative
    weights; the lowest current has the opposite. A potential, counted from `v_0`, is 0 before the
    first step, and at least `-v_0` after a spike. Lower end: from there the potential falls by the
    lowest current at every step without a spike. Upper end: the highest current is added to the
    potential carried from the step before. Without a spike, the carried potential is below the
    firing level; after a spike with reset by subtraction, it is the potential minus the threshold.

    Args:
        layer: Layer of an integer or a float program.
        top: Largest input; the smallest input is 0.
        time_steps: Number T of time steps.
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
    """Bound of the size of all partial sums of a layer with shortcuts, `(filters,)`; else 0.

    One convolution alone can give larger values than the sum of all, and its result must also fit
    16 bits.
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
