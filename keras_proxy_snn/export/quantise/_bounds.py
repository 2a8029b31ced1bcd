"""Bounds of currents and potentials from the sums of weights, one for each filter."""

from typing import NamedTuple

import numpy as np

from ..program import Conv, Dense, Program

__all__ = ["Range", "current_range", "input_ranges", "largest_sum", "potential_range"]


class Range(NamedTuple):
    """Closed intervals, one for each filter.

    Attributes:
        low: Lower ends, `(filters,)`.
        high: Upper ends, `(filters,)`.
    """

    low: np.ndarray
    high: np.ndarray


def input_ranges(program: Program) -> list[int]:
    """Largest input of each layer of neurons; the smallest is 0."""
    return [round(program.input_scale), *(1 for _ in program.neurons[1:])]


def current_range(layer: Conv | Dense, largest_input: int) -> Range:
    """Currents of an integer layer: all positive weights meet the largest input, or all others."""
    kernel = layer.kernel.astype("int64").reshape(-1, layer.kernel.shape[-1]) * largest_input
    bias = np.zeros(1, "int64") if layer.bias is None else layer.bias.astype("int64")
    return Range(np.minimum(kernel, 0).sum(0) + bias, np.maximum(kernel, 0).sum(0) + bias)


def potential_range(layer: Conv | Dense, largest_input: int, time_steps: int) -> Range:
    """Potentials of an integer layer before the reset, at every step, and its currents.

    Without a spike a potential falls by at most the lowest current at every step. It rises by at
    most the highest; what is carried to the next step is `theta - 1`, or with reset by
    subtraction what the threshold leaves.
    """
    current = current_range(layer, largest_input)
    theta = np.asarray(layer.v_threshold).astype("int64")
    low = np.minimum(current.low, 0) * time_steps
    carried = np.zeros_like(current.high)
    high = carried
    for _ in range(time_steps):
        before = carried + current.high
        high = np.maximum(high, before)
        carried = np.maximum(np.minimum(before, theta - 1), 0)
        if layer.reset == "subtract":
            carried = np.maximum(carried, before - theta)
    return Range(low, high)


def largest_sum(program: Program) -> int:
    """Bound of the size of every partial sum and potential of an integer program."""
    largest = 0
    for layer, top in zip(program.neurons, input_ranges(program), strict=True):
        magnitude = np.abs(layer.kernel.astype("int64")).reshape(-1, layer.kernel.shape[-1]).sum(0)
        bias = 0 if layer.bias is None else np.abs(layer.bias.astype("int64"))
        current = (magnitude * top + bias).max()
        theta = np.abs(np.asarray(layer.v_threshold, "int64")).max()
        largest = max(largest, int(current) * program.time_steps + int(theta))
    return largest
