"""The work of a C file per image: how many spikes there are, and how many additions they cause."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...basics.types import Images
from ..interpreter import _apply, _convolve, _linear, initial_state, prepare_images, step
from ..program import Conv, Dense, Program, Shortcut

__all__ = ["Activity", "activity"]


class Activity(NamedTuple):
    """The work of all time steps for one image, averaged over images.

    Attributes:
        spikes: Number of spikes of all neurons.
        additions: Number of weights that are added to potentials. The constant current of the first
            layer is not counted, because it is computed once per image.
        multiply_adds: Number of multiply-adds of the ANN with the same weights, for comparison.
    """

    spikes: float
    additions: float
    multiply_adds: int


def activity(program: Program, images: Images) -> Activity:
    """Count spikes and additions of a program on images.

    Args:
        program: The network.
        images: `(batch, height, width, channels)`, pixels in `program.input_range`.

    Returns:
        An `Activity`.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, c
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> hidden = Dense("hidden", np.int8([[64, 64]]), None, 128, "zero")
    >>> readout = Dense("readout", np.int8([[64, 64, 64], [64, 64, 64]]), None, 128, "zero")
    >>> program = Program((Flatten("flatten"), hidden, readout), (1, 1, 1), 4, "int8")
    >>> c.activity(program, np.ones((1, 1, 1, 1)))  # 2 neurons spike twice, 3 others twice
    Activity(spikes=10.0, additions=12.0, multiply_adds=8)
    """
    x = prepare_images(program, images)
    state = initial_state(program, len(x))
    first = program.layers.index(program.neurons[0])
    for layer in program.layers[:first]:
        x = _apply(layer, x)
    current = _linear(program.neurons[0], x)
    spikes = additions = 0
    for _ in range(program.time_steps):
        _, state, before = step(program, current, state)
        fired = [
            (v >= layer.firing_level).astype("int64")
            for layer, v in zip(program.neurons, before, strict=True)
        ]
        spikes += sum(int(spike.sum()) for spike in fired)
        additions += _additions(program, fired)
    return Activity(spikes / len(x), additions / len(x), _multiply_adds(program))


def _additions(program: Program, fired: list[np.ndarray]) -> int:
    """Number of weights that the spikes of one time step add to potentials."""
    first = program.layers.index(program.neurons[0])
    done, neurons = 0, iter(fired)
    signal = next(neurons)
    signals = {program.neurons[0].name: signal}
    for layer in program.layers[first + 1 :]:
        if isinstance(layer, Conv | Dense):
            done += _reached(layer, signal)
            for shortcut in layer.shortcuts:
                done += _reached(shortcut, signals[shortcut.source])
            signal = next(neurons)
        else:
            signal = _apply(layer, signal)
        signals[layer.name] = signal
    return done


def _reached(layer: Conv | Dense | Shortcut, x: np.ndarray) -> int:
    """Number of neurons that each spike reaches, summed over all spikes."""
    filters = layer.kernel.shape[-1]
    if isinstance(layer, Dense):
        return int(x.sum()) * filters
    ones = replace(layer, kernel=np.ones((*layer.kernel.shape[:-1], 1), "int64"))
    return int(_convolve(ones, x).sum()) * filters


def _multiply_adds(program: Program) -> int:
    """Number of multiply-adds of one pass of the ANN; multiplications by padding are left out."""
    total = 0
    shape: tuple[int, ...] = program.input_shape
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, output in zip(program.layers, program.shapes(), strict=True):
        if isinstance(layer, Conv | Dense):
            total += _reached(layer, np.ones((1, *shape), "int64"))
            for shortcut in layer.shortcuts:
                total += _reached(shortcut, np.ones((1, *shapes[shortcut.source]), "int64"))
        shape = output
        shapes[layer.name] = output
    return total
