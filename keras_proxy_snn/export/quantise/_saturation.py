"""Limits of the scales so that potentials fit 16 bits, and the proof that they do."""

from typing import Any, NamedTuple

import numpy as np

from ...basics.types import Verbose
from ..program import Conv, Dense, Program
from ._bounds import INT16, Range, input_tops, meeting_sums, potential_range, threshold
from ._scales import LARGEST_THRESHOLD, Limit
from ._simulation import observe

__all__ = ["Proof", "prove", "scale_limits"]

# For a proof by the sums of the weights, weights may become coarser, but not below these levels.
_FEWEST_LEVELS = 8
# A filter with small weights may get a larger scale than its layer, up to this integer threshold.
_WEAK_THRESHOLD = 2**12
# Share of int16 for observed potentials, because rounding changes potentials a little.
_OBSERVED_SHARE = 0.9


class Proof(NamedTuple):
    """Result of the proof for one layer.

    Attributes:
        facts: Facts for the metadata.
        room: Largest int16 value divided by the largest potential or current of each filter,
            `(filters,)`; a filter with room below 1 saturates.
    """

    facts: dict[str, Any]
    room: np.ndarray


def scale_limits(
    program: Program, images: np.ndarray, levels: int, safety_factor: float, verbose: Verbose
) -> list[Limit]:
    """Largest scales of each layer of neurons.

    Args:
        program: A float program.
        images: Calibration images; used only if the sums of the weights would need too low scales.
        levels: Largest size of an integer weight.
        safety_factor: Factor of the observed potentials that must fit.
        verbose: As in `quantise`.
    """
    seen: list[Range] | None = None
    # The first layer has a constant current and needs no limit; see `quantise`.
    limits = [Limit(np.full(program.neurons[0].kernel.shape[-1], np.inf), False)]
    tops = input_tops(program)
    for index, layer in enumerate(program.neurons[1:], start=1):
        bound = potential_range(layer, tops[index], program.time_steps)
        least = np.maximum(threshold(layer), meeting_sums(layer))
        scale = INT16 / np.maximum(bound.size(), least)
        strongest, weak = _weight_limits(layer, levels)
        by_sums = bool((scale >= np.minimum(min(levels, _FEWEST_LEVELS) * strongest, weak)).all())
        if not by_sums:
            seen = seen or observe(program, images, verbose)
            needed = np.maximum(safety_factor * seen[index].size(), least)
            scale = np.maximum(scale, _OBSERVED_SHARE * INT16 / needed)
        limits.append(Limit(np.minimum(scale, weak), by_sums))
    return limits


def _weight_limits(layer: Conv | Dense, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Scale that makes each filter's largest weight 1, and the largest useful scale."""
    largest = np.abs(layer.weights).astype("float64").max(axis=0)
    with np.errstate(divide="ignore"):
        per_level = 1 / largest
        return per_level, np.maximum(_WEAK_THRESHOLD / threshold(layer), levels * per_level.min())


def prove(
    program: Program, images: np.ndarray, safety_factor: float, verbose: Verbose
) -> list[Proof]:
    """Bound the potentials before the reset, and the currents, of every layer of neurons.

    Args:
        program: An integer program.
        images: Calibration images; used only if the sums of the weights prove nothing.
        safety_factor: Factor of the observed potentials that must fit.
        verbose: As in `quantise`.

    Returns:
        A proof for each layer of neurons. `quantise` describes the kinds of proofs.
    """
    pairs = list(zip(program.neurons, input_tops(program), strict=True))
    bounds = [potential_range(layer, top, program.time_steps) for layer, top in pairs]
    seen: list[Range] | None = None
    proofs = []
    for index, (layer, bound) in enumerate(zip(program.neurons, bounds, strict=True)):
        extra, meeting = {}, meeting_sums(layer)
        # A score by potential must be exact itself, not only the spikes that it decides.
        scores = program.readout == "potential" and layer is program.neurons[-1]
        if (np.maximum(bound.size(), meeting) <= INT16).all():
            kind, shown, needed = "weight sums", bound, bound.size()
        elif index == 0 and not scores and threshold(layer).max() <= LARGEST_THRESHOLD:
            kind, shown, needed = "constant current", bound, threshold(layer)
        else:
            seen = seen or observe(program, images, verbose)
            kind, shown = "observed", seen[index]
            needed = np.minimum(bound.size(), safety_factor * shown.size())
            extra = {"safety_factor": float(safety_factor)}
        facts = {"proof": kind, "low": int(shown.low.min()), "high": int(shown.high.max())}
        facts |= {"limit": INT16, "time_steps": program.time_steps, **extra}
        needed = np.maximum(needed, meeting)
        proofs.append(Proof(facts, INT16 / np.maximum(needed, 1)))
    return proofs
