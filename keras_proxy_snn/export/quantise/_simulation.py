"""Spikes of every layer, in floats wide enough that the sums of integers in them are exact."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..interpreter import _apply, _linear, prepare_images, step
from ..program import Conv, Dense, Program
from ._bounds import largest_sum

__all__ = ["Step", "batches", "layer_counts", "simulate"]

_POTENTIALS = 2**22  # simulated at once, of all layers
_EXACT_FLOAT32 = 2**24  # below it every integer, and so every sum of integers, is exact


class Step(NamedTuple):
    """One time step.

    Attributes:
        carried: Potentials of the step before, after its resets, one array a layer of neurons.
        potentials: Before the reset, one array a layer of neurons.
    """

    carried: tuple[np.ndarray, ...]
    potentials: list[np.ndarray]


def simulate(program: Program, images: np.ndarray) -> Iterator[Step]:
    """Steps of `interpreter.run`, many times faster for integers, because BLAS has only floats.

    Args:
        program: The network, whose last layer can be any.
        images: `(batch, height, width, channels)`, pixels in [0, 1].
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
        yield Step(state, before)
        state = after


def layer_counts(program: Program, images: np.ndarray) -> list[np.ndarray]:
    """Spike counts of every neuron, one array `(batch, ...)` a layer of neurons."""
    parts = [_counts(program, batch) for batch in batches(program, images)]
    return [np.concatenate(layer) for layer in zip(*parts, strict=True)]


def batches(program: Program, images: np.ndarray) -> Iterator[np.ndarray]:
    """Images in batches that fit memory."""
    size = max(1, _POTENTIALS // sum(int(np.prod(shape)) for shape in program.state_shapes()))
    for start in range(0, len(images), size):
        yield images[start : start + size]


def _counts(program: Program, images: np.ndarray) -> list[np.ndarray]:
    shapes = program.state_shapes()
    counts = [np.zeros((len(images), *shape), "int32") for shape in shapes]
    for moment in simulate(program, images):
        for count, layer, v in zip(counts, program.neurons, moment.potentials, strict=True):
            count += v >= threshold(layer).astype(v.dtype)
    return counts


def threshold(layer: Conv | Dense) -> np.ndarray:
    """Thresholds, one for each filter."""
    return np.broadcast_to(np.asarray(layer.v_threshold), layer.kernel.shape[-1:])
