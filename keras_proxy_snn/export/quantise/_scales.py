"""Rounding a layer to integers, with the scales that keep its spike counts on real images.

A neuron's spikes stay what they are when its weights, bias and threshold are multiplied by one
positive scale. Rounding after it is the only error:

    w_int = round(w * scale)    theta_int = theta * scale * gain, rounded    b_int likewise

where `gain` is the scale of the layer's input: that of the pixels in the first layer, 1 after it.
With reset to zero the threshold is rounded up: integer potentials reach `theta * scale * gain`
exactly when they reach the next integer.
"""

from dataclasses import replace

import numpy as np

from ..program import Conv, Dense, Layer, Program
from ._simulation import layer_counts, threshold

__all__ = ["LARGEST_THRESHOLD", "integer_layer", "search"]

# Half of the potentials' int16, because a neuron below the threshold can rise by as much again.
LARGEST_THRESHOLD = 2**14
_CANDIDATES = 12
_TOLERANCE = 1e-6  # a threshold this little above an integer, relatively, is that integer


def integer_layer(layer: Conv | Dense, scale: np.ndarray, gain: float, levels: int) -> Conv | Dense:
    """Round a layer.

    Args:
        layer: Of a float program.
        scale: One for each filter, `(filters,)`.
        gain: Scale of the input.
        levels: Largest size of an integer weight; larger ones are clipped to it.

    Returns:
        The layer with an int8 kernel and int32 bias and thresholds.
    """
    kernel = np.clip(np.rint(layer.kernel * scale), -levels, levels).astype("int8")
    bias = None if layer.bias is None else np.rint(layer.bias * scale * gain).astype("int32")
    theta = threshold(layer) * scale * gain
    theta = np.rint(theta) if layer.reset == "subtract" else np.ceil(theta * (1 - _TOLERANCE))
    theta = np.clip(theta, 1, LARGEST_THRESHOLD).astype("int32")
    return replace(layer, kernel=kernel, bias=bias, v_threshold=theta)


def search(
    program: Program,
    layer: Conv | Dense,
    images: np.ndarray,
    wanted: np.ndarray,
    *,
    levels: int,
    gain: float,
    room: np.ndarray,
    per_filter: bool,
) -> tuple[Conv | Dense, int]:
    """Round a layer with the scales that change the fewest spikes.

    Args:
        program: The integer layers before.
        layer: Of the float program.
        images: Images to count spikes on.
        wanted: Spike counts of the float layer, `(batch, ..., filters)`.
        levels: Largest size of an integer weight.
        gain: Scale of the layer's input.
        room: Factors that lower the scales, `(filters,)`, so that potentials have room.
        per_filter: Whether each filter may have its own scale.

    Returns:
        The integer layer, and the sum of the differences of its counts from those wanted.
    """
    scales = _candidates(layer, gain, levels, per_filter) * room
    options = [integer_layer(layer, scale, gain, levels) for scale in scales]
    counts = layer_counts(replace(program, layers=(*program.layers, _merge(options))), images)[-1]
    filters = layer.kernel.shape[-1]
    counts = counts.reshape(-1, len(options), filters)
    errors = np.abs(counts - wanted.reshape(-1, 1, filters)).sum(axis=0)
    rounding = _rounding_errors(layer, options, scales)
    # A fraction of one spike, so that it decides among equals only.
    badness = errors + 0.5 * rounding / (rounding.max() + 1e-30)
    if per_filter:
        best = badness.argmin(axis=0)
    else:
        best = np.full(filters, badness.sum(axis=1).argmin())
    everyone = np.arange(filters)
    chosen = integer_layer(layer, scales[best, everyone], gain, levels)
    return chosen, int(errors[best, everyone].sum())


def _candidates(layer: Conv | Dense, gain: float, levels: int, per_filter: bool) -> np.ndarray:
    """Scales `(candidates, filters)`, from those that clip to those that leave levels unused."""
    largest = np.abs(layer.kernel).astype("float64").max(axis=tuple(range(layer.kernel.ndim - 1)))
    limit = (LARGEST_THRESHOLD if gain > 1 else 4096) / (threshold(layer).astype("float64") * gain)
    with np.errstate(divide="ignore"):
        full = np.minimum(levels / largest, limit)
    if not per_filter:
        full = np.full_like(full, full.min())
    # The fewer levels there are, the more is gained by clipping.
    factors = np.geomspace(1 + 6 / levels, 0.6, _CANDIDATES)
    powers = 2.0 ** np.floor(np.log2(full))
    return np.minimum(np.concatenate([[full, powers], np.outer(factors, full)]), limit)


def _rounding_errors(
    layer: Conv | Dense, options: list[Conv | Dense], scales: np.ndarray
) -> np.ndarray:
    axes = tuple(range(layer.kernel.ndim - 1))
    pairs = zip(options, scales, strict=True)
    return np.stack([((o.kernel / s - layer.kernel) ** 2).sum(axis=axes) for o, s in pairs])


def _merge(options: list[Conv | Dense]) -> Layer:
    """One layer with the filters of all."""
    biases = [option.bias for option in options if option.bias is not None]
    return replace(
        options[0],
        kernel=np.concatenate([option.kernel for option in options], axis=-1),
        bias=np.concatenate(biases) if biases else None,
        v_threshold=np.concatenate([option.v_threshold for option in options]),
    )
