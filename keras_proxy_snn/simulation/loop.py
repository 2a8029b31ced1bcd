"""Time as a loop over chunks of steps."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from .._types import Images, Tensor

__all__ = ["State", "in_chunks", "repeat"]


class State(NamedTuple):
    """State that is carried from chunk to chunk.

    Attributes:
        potentials: Membrane potentials of each layer with neurons.
        spike_counts: Spikes of the readout so far.
        spike_sums: Mean number of spikes per neuron so far, for each layer with neurons.
    """

    potentials: tuple[Any, ...]
    spike_counts: Tensor
    spike_sums: tuple[Any, ...]


def in_chunks(frames: Images | None, whole: int, steps: int) -> Callable[[Any], Any]:
    """A function that gives the frames of a chunk, by its number, which may be a tensor."""
    if frames is None:
        return lambda _: None
    shape = (-1, whole, steps, *frames.shape[2:])
    chunks = ops.reshape(frames[:, : whole * steps], shape) if whole else frames
    return lambda number: ops.take(chunks, number, axis=1)


def repeat(chunk: Callable[[State, Any], State], times: int, state: State) -> State:
    """Apply a chunk several times. A loop in the graph keeps the graph's size independent of T."""
    backend = keras.config.backend()
    if backend == "torch" or times <= 1:
        for number in range(times):
            state = chunk(state, number)
        return state
    if backend == "jax":
        # The number of turns is known, so the host does not wait for the device after each turn.
        done: State = ops.fori_loop(0, times, lambda number, state: chunk(state, number), state)
        return done

    def body(done: Any, state: State) -> tuple[Any, State]:
        state = chunk(state, done)
        # TensorFlow starts up to ten iterations as soon as the counter is known. The first layer
        # would run far ahead of the last one, and memory would hold the spikes of all these
        # chunks. So the counter waits for the readout, whose counts are never negative.
        step = 1 - ops.cast(ops.any(state.spike_counts < 0), "int32")
        return done + step, state

    _, state = ops.while_loop(lambda done, _: done < times, body, (ops.zeros((), "int32"), state))
    return state
