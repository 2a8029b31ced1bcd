"""Spike counts and potentials of every layer; floats are wide enough for exact integer sums."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...basics.progress import Progress
from ...basics.types import Verbose
from ..interpreter import _apply, _linear, prepare_images, step
from ..program import Program
from ._bounds import Range, largest_sum

__all__ = ["layer_counts", "observe", "spikes_and_potentials"]

_POTENTIALS = 2**22  # number simulated at once, over all layers and images
_EXACT_FLOAT32 = 2**24  # integers below this number, and their sums, are exact in float32


class _Step(NamedTuple):
    """Potentials of one time step, one array per layer of neurons.

    Attributes:
        carried: Potentials after the resets of the step before.
        before: Potentials before the resets of this step.
        after: Potentials after the resets of this step.
    """

    carried: tuple[np.ndarray, ...]
    before: list[np.ndarray]
    after: tuple[np.ndarray, ...]


def layer_counts(program: Program, images: np.ndarray, progress: Progress) -> list[np.ndarray]:
    """Spike counts of every neuron, one integer array `(batch, ...)` per layer of neurons.

    Args:
        program: The network; its last layer need not be a `Dense`.
        images: `(batch, height, width, channels)`, pixels in `program.input_range`.
        progress: The images are noted here.
    """
    return spikes_and_potentials(program, images, progress)[0]


def spikes_and_potentials(
    program: Program, images: np.ndarray, progress: Progress
) -> tuple[list[np.ndarray], np.ndarray]:
    """`layer_counts`, and the potentials of the last layer after the last step."""
    parts, potentials = [], []
    for batch in progress.batches(images, _batch_size(program)):
        counts = [np.zeros((len(batch), *shape), "int32") for shape in program.state_shapes()]
        for moment in _simulate(program, batch):
            for count, layer, v in zip(counts, program.neurons, moment.before, strict=True):
                count += v >= layer.firing_level.astype(v.dtype)
        parts.append(counts)
        potentials.append(moment.after[-1])
    layers = [np.concatenate(layer) for layer in zip(*parts, strict=True)]
    return layers, np.concatenate(potentials)


def observe(program: Program, images: np.ndarray, verbose: Verbose) -> list[Range]:
    """Lowest and highest value of potentials before the reset, and of currents, per filter."""
    ranges = [Range(*np.zeros((2, layer.kernel.shape[-1]))) for layer in program.neurons]
    with Progress("observing potentials", len(images), verbose) as progress:
        for batch in progress.batches(images, _batch_size(program)):
            for moment in _simulate(program, batch):
                for index, (v, u) in enumerate(zip(moment.before, moment.carried, strict=True)):
                    ranges[index] = _widen(_widen(ranges[index], v), v - u)
    return ranges


def _widen(known: Range, x: np.ndarray) -> Range:
    axes = tuple(range(x.ndim - 1))
    low, high = x.min(axis=axes), x.max(axis=axes)
    return Range(np.minimum(known.low, low), np.maximum(known.high, high))


def _batch_size(program: Program) -> int:
    return max(1, _POTENTIALS // sum(int(np.prod(shape)) for shape in program.state_shapes()))


def _simulate(program: Program, images: np.ndarray) -> Iterator[_Step]:
    """The steps of `interpreter.run` in floats.

    Integer programs run many times faster this way, because BLAS computes with floats only.
    """
    x = prepare_images(program, images)
    if program.is_integer:
        x = x.astype("float32" if largest_sum(program) < _EXACT_FLOAT32 else "float64")
    first = program.layers.index(program.neurons[0])
    for layer in program.layers[:first]:
        x = _apply(layer, x)
    current = _linear(program.neurons[0], x)
    state = tuple(np.zeros((len(x), *shape), x.dtype) for shape in program.state_shapes())
    for _ in range(program.time_steps):
        _, after, before = step(program, current, state)
        yield _Step(state, before, after)
        state = after
