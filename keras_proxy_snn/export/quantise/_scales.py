"""Rounding a layer to integers, with scales that keep its spike counts on real images.

A neuron gives the same spikes if its weights, bias, threshold and `v_0` are multiplied by the same
positive scale. Only the rounding after this changes spikes:

    w_int = round(w * scale)    b_int = round(b * scale * gain)    theta_int = theta * scale * gain

Here `gain` is the scale of the layer's input: the scale of the pixels in the first layer, and 1 in
all others. With reset to zero the threshold is rounded up: an integer potential reaches
`theta * scale * gain` exactly when it reaches the next integer. With reset by subtraction the
threshold is rounded to the nearest integer. The firing level theta - v_0 is always rounded up. The
integer `v_0` is the integer threshold minus the integer firing level.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...basics.progress import Progress
from ..program import Conv, Dense, Program, Shortcut, with_shortcuts
from ._bounds import INT16, INT32, input_tops, potential_range, threshold
from ._simulation import layer_counts

__all__ = ["LARGEST_THRESHOLD", "Limit", "Rounded", "Rounding", "integer_layer", "search"]

# Half of int16's range, because a neuron below the threshold can rise by the threshold once more.
LARGEST_THRESHOLD = 2**14
_CANDIDATES = 12
_TOLERANCE = 1e-6  # relative excess over an integer that is taken for a float error


class Rounding(NamedTuple):
    """Settings of the rounding.

    Attributes:
        levels: Largest size of an integer weight; larger weights are clipped.
        per_filter: Whether each filter has its own scale, or a layer has one scale.
    """

    levels: int
    per_filter: bool


class Limit(NamedTuple):
    """Largest scales of a layer, so that its potentials fit 16 bits.

    Attributes:
        scale: Largest scale of each filter, `(filters,)`.
        by_sums: Whether the sums of the integer weights must prove that potentials fit.
    """

    scale: np.ndarray
    by_sums: bool


class Rounded(NamedTuple):
    """A rounded layer.

    Attributes:
        program: The integer layers up to this layer.
        scale: Scales of the layer, `(filters,)`.
        error: Sum of the absolute differences between its spike counts and the wanted counts.
    """

    program: Program
    scale: np.ndarray
    error: int


def integer_layer(layer: Conv | Dense, scale: np.ndarray, gain: float, levels: int) -> Conv | Dense:
    """Round a layer with given scales.

    Args:
        layer: Layer of a float program.
        scale: A scale per filter, `(filters,)`.
        gain: Scale of the layer's input.
        levels: Largest size of an integer weight.

    Returns:
        The layer with int8 kernels, int32 bias, int32 thresholds and `v_0`, each `(filters,)`.
    """

    def rounded(kernel: np.ndarray) -> np.ndarray:
        return np.clip(np.rint(kernel * scale), -levels, levels).astype("int8")

    shortcuts = (replace(s, kernel=rounded(s.kernel)) for s in layer.shortcuts)
    bias = None if layer.bias is None else np.rint(layer.bias * scale * gain)
    if bias is not None:
        bias = np.clip(bias, -INT32, INT32).astype("int32")
    theta = threshold(layer) * scale * gain
    if layer.reset == "subtract":
        theta = np.rint(theta)
    level = _ceil(theta - np.asarray(layer.v_0, "float64") * scale * gain)
    theta = np.clip(_ceil(theta), 1, LARGEST_THRESHOLD).astype("int32")
    level = np.clip(level, 1, theta).astype("int32")
    layer = replace(
        layer, kernel=rounded(layer.kernel), bias=bias, v_threshold=theta, v_0=theta - level
    )
    return with_shortcuts(layer, shortcuts)


def _ceil(x: np.ndarray) -> np.ndarray:
    return np.ceil(x * (1 - _TOLERANCE))


def search(
    before: Program,
    layer: Conv | Dense,
    images: np.ndarray,
    wanted: np.ndarray,
    gain: float,
    limit: Limit,
    rounding: Rounding,
    progress: Progress,
) -> Rounded:
    """Round a layer with the scales that change its spike counts least.

    Args:
        before: The integer layers before the layer.
        layer: Layer of the float program.
        images: Images for which spikes are counted.
        wanted: Spike counts of the float layer, `(batch, ..., filters)`.
        gain: Scale of the layer's input.
        limit: Largest scales.
        rounding: Settings of the rounding.
        progress: The images are noted here.

    Returns:
        The layer with the best scales.
    """
    scales = _candidates(layer, gain, limit, rounding)
    options = [integer_layer(layer, scale, gain, rounding.levels) for scale in scales]
    merged = replace(before, layers=(*before.layers, _merge(options)))
    counts = layer_counts(merged, images, progress)[-1].reshape(-1, *scales.shape)
    errors = np.abs(counts - wanted.reshape(-1, 1, scales.shape[1])).sum(axis=0)
    badness = errors + _tie_break(layer, options, scales)
    if limit.by_sums:
        top = input_tops(merged)[-1]
        ranges = [potential_range(option, top, before.time_steps) for option in options]
        badness[np.stack([r.size() for r in ranges]) > INT16] = np.inf
    if not rounding.per_filter:
        badness = np.broadcast_to(badness.sum(axis=1, keepdims=True), badness.shape)
    best = badness.argmin(axis=0)[np.newaxis]
    scale = np.take_along_axis(scales, best, axis=0)[0]
    chosen = integer_layer(layer, scale, gain, rounding.levels)
    error = np.take_along_axis(errors, best, axis=0).sum()
    return Rounded(replace(before, layers=(*before.layers, chosen)), scale, int(error))


def _candidates(layer: Conv | Dense, gain: float, limit: Limit, rounding: Rounding) -> np.ndarray:
    """Scales to try, `(candidates, filters)`: large ones clip weights, small ones waste levels."""
    largest = np.abs(layer.weights).astype("float64").max(axis=0)
    most = np.minimum(limit.scale, LARGEST_THRESHOLD / (threshold(layer) * gain))
    with np.errstate(divide="ignore"):
        full = np.minimum(rounding.levels / largest, most)
    if not rounding.per_filter:
        full, most = np.full_like(full, full.min()), np.full_like(most, most.min())
    # With fewer levels, clipping gains more.
    factors = np.geomspace(1 + 6 / rounding.levels, 0.6, _CANDIDATES)
    # A power of two keeps weights exact that another tool has quantised to such a grid.
    power = 2.0 ** np.floor(np.log2(full))
    return np.minimum(np.stack([power, full, *np.outer(factors, full)]), most)


def _tie_break(layer: Conv | Dense, options: list[Conv | Dense], scales: np.ndarray) -> np.ndarray:
    """Rounding errors of the weights as a number below one spike, summed over all filters."""
    pairs = zip(options, scales, strict=True)
    squares = np.stack([((o.weights / s - layer.weights) ** 2).sum(axis=0) for o, s in pairs])
    shares = squares / (squares + np.square(layer.weights).sum(axis=0) + 1e-30)
    return shares / len(shares[0])


def _merge(options: list[Conv | Dense]) -> Conv | Dense:
    """One layer that has the filters of all options."""
    biases = [option.bias for option in options if option.bias is not None]
    shortcuts = zip(*(option.shortcuts for option in options), strict=True)
    merged = replace(
        options[0],
        kernel=_side_by_side(options),
        bias=np.concatenate(biases) if biases else None,
        v_threshold=np.concatenate([option.v_threshold for option in options]),
        v_0=np.concatenate([option.v_0 for option in options]),
    )
    return with_shortcuts(merged, (replace(s[0], kernel=_side_by_side(s)) for s in shortcuts))


def _side_by_side(parts: Sequence[Conv | Dense | Shortcut]) -> np.ndarray:
    return np.concatenate([part.kernel for part in parts], axis=-1)
