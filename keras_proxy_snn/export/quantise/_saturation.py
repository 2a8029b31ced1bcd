"""The proof that 16 bits hold the potentials of an integer program."""

from typing import Any, NamedTuple

import numpy as np

from ..program import Program
from ._bounds import Range, input_ranges, potential_range
from ._scales import LARGEST_THRESHOLD
from ._simulation import batches, simulate

__all__ = ["LIMIT", "Proof", "prove"]

LIMIT = 2**15 - 1


class Proof(NamedTuple):
    """What is known of one layer's potentials.

    Attributes:
        facts: For the metadata.
        room: How much each filter's potentials are to shrink, `(filters,)`; 1 where they fit.
    """

    facts: dict[str, Any]
    room: np.ndarray


def prove(program: Program, images: np.ndarray, safety_factor: float) -> dict[str, Proof]:
    """Bound the potentials before the reset, and the currents, of every layer of neurons.

    Args:
        program: An integer program.
        images: Calibration images, looked at only if the sums of the weights prove too little.
        safety_factor: How many times the observed potentials must fit.

    Returns:
        A proof for each layer of neurons, by name. See `quantise` for the kinds of proof.
    """
    layers = program.neurons
    bounds = [
        potential_range(layer, top, program.time_steps)
        for layer, top in zip(layers, input_ranges(program), strict=True)
    ]
    seen = [None] * len(layers)
    if any(not _fits(bound).all() for bound in bounds[1:]):
        seen = observe(program, images)
    proofs = {}
    for index, (layer, bound) in enumerate(zip(layers, bounds, strict=True)):
        if _fits(bound).all():
            kind, shown, needed = "weight sums", bound, bound
        elif index == 0 and np.max(layer.v_threshold) <= LARGEST_THRESHOLD:
            kind, shown, needed = "constant current", bound, Range(*np.zeros((2, 1)))
        else:
            kind, shown = "observed", seen[index]
            wide = Range(*(np.rint(safety_factor * end) for end in shown))
            needed = Range(np.maximum(wide.low, bound.low), np.minimum(wide.high, bound.high))
        facts = {
            "proof": kind,
            "low": int(shown.low.min()),
            "high": int(shown.high.max()),
            "limit": LIMIT,
        }
        if kind == "observed":
            facts["safety_factor"] = safety_factor
        size = np.maximum(needed.high, -needed.low)
        proofs[layer.name] = Proof(facts, np.minimum(1, LIMIT / np.maximum(size, 1)))
    return proofs


def observe(program: Program, images: np.ndarray) -> list[Range]:
    """Extremes of potentials before the reset and of currents, for each filter."""
    ranges = [Range(*np.zeros((2, layer.kernel.shape[-1]))) for layer in program.neurons]
    for batch in batches(program, images):
        for moment in simulate(program, batch):
            pairs = zip(moment.carried, moment.potentials, strict=True)
            ranges = [_widen(r, v, v - u) for r, (u, v) in zip(ranges, pairs, strict=True)]
    return ranges


def _widen(known: Range, *arrays: np.ndarray) -> Range:
    low, high = known
    for array in arrays:
        axes = tuple(range(array.ndim - 1))
        low, high = np.minimum(low, array.min(axis=axes)), np.maximum(high, array.max(axis=axes))
    return Range(low, high)


def _fits(bound: Range) -> np.ndarray:
    return (bound.high <= LIMIT) & (bound.low >= -LIMIT)
