"""That 16 bits hold the potentials of an integer program: the scales it takes, and the proof."""

from typing import Any, NamedTuple

import numpy as np

from ..program import Conv, Dense, Program
from ._bounds import INT16, Range, input_tops, meeting_sums, potential_range, threshold
from ._scales import LARGEST_THRESHOLD, Limit
from ._simulation import observe

__all__ = ["Proof", "prove", "scale_limits"]

# A proof by the sums of the weights is worth coarser weights, but not coarser than this.
_FEWEST_LEVELS = 8
# A filter with small weights gets a larger scale than the layer's only up to this threshold.
_WEAK_THRESHOLD = 2**12
# Of the room, because rounding moves the potentials a little from those of the float program.
_OBSERVED_SHARE = 0.9


class Proof(NamedTuple):
    """What is known of one layer's potentials.

    Attributes:
        facts: For the metadata.
        room: int16 divided by what each filter needs, `(filters,)`: below 1 it saturates.
    """

    facts: dict[str, Any]
    room: np.ndarray


def scale_limits(
    program: Program, images: np.ndarray, levels: int, safety_factor: float
) -> list[Limit]:
    """How large the scales of each layer of neurons may be.

    Args:
        program: A float program.
        images: Calibration images, looked at only where the sums of the weights ask too much.
        levels: Largest size of an integer weight.
        safety_factor: How many times the observed potentials must fit.
    """
    seen: list[Range] | None = None
    # The constant current of the first layer needs nothing; see `quantise`.
    limits = [Limit(np.full(program.neurons[0].kernel.shape[-1], np.inf), False)]
    tops = input_tops(program)
    for index, layer in enumerate(program.neurons[1:], start=1):
        bound = potential_range(layer, tops[index], program.time_steps)
        least = np.maximum(threshold(layer), meeting_sums(layer))
        scale = INT16 / np.maximum(bound.size(), least)
        strongest, weak = _weight_limits(layer, levels)
        by_sums = bool((scale >= np.minimum(min(levels, _FEWEST_LEVELS) * strongest, weak)).all())
        if not by_sums:
            seen = seen or observe(program, images)
            needed = np.maximum(safety_factor * seen[index].size(), least)
            scale = np.maximum(scale, _OBSERVED_SHARE * INT16 / needed)
        limits.append(Limit(np.minimum(scale, weak), by_sums))
    return limits


def _weight_limits(layer: Conv | Dense, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Scale a level of each filter's largest weight, and the largest scale worth having."""
    largest = np.abs(layer.weights).astype("float64").max(axis=0)
    with np.errstate(divide="ignore"):
        per_level = 1 / largest
        return per_level, np.maximum(_WEAK_THRESHOLD / threshold(layer), levels * per_level.min())


def prove(program: Program, images: np.ndarray, safety_factor: float) -> list[Proof]:
    """Bound the potentials before the reset, and the currents, of every layer of neurons.

    Args:
        program: An integer program.
        images: Calibration images, looked at only where the sums of the weights ask too much.
        safety_factor: How many times the observed potentials must fit.

    Returns:
        A proof for each layer of neurons. `quantise` says what kinds there are.
    """
    pairs = list(zip(program.neurons, input_tops(program), strict=True))
    bounds = [potential_range(layer, top, program.time_steps) for layer, top in pairs]
    seen: list[Range] | None = None
    proofs = []
    for index, (layer, bound) in enumerate(zip(program.neurons, bounds, strict=True)):
        extra, meeting = {}, meeting_sums(layer)
        if (np.maximum(bound.size(), meeting) <= INT16).all():
            kind, shown, needed = "weight sums", bound, bound.size()
        elif index == 0 and threshold(layer).max() <= LARGEST_THRESHOLD:
            kind, shown, needed = "constant current", bound, threshold(layer)
        else:
            seen = seen or observe(program, images)
            kind, shown = "observed", seen[index]
            needed = np.minimum(bound.size(), safety_factor * shown.size())
            extra = {"safety_factor": float(safety_factor)}
        facts = {"proof": kind, "low": int(shown.low.min()), "high": int(shown.high.max())}
        facts |= {"limit": INT16, "time_steps": program.time_steps, **extra}
        needed = np.maximum(needed, meeting)
        proofs.append(Proof(facts, INT16 / np.maximum(needed, 1)))
    return proofs
