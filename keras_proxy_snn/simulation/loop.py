"""Time as a loop over chunks of steps."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import keras
from keras import ops

from ..basics.types import Images, Shape, Tensor
from .chunks import Chunks, chosen
from .event_driven import EventDriven
from .wiring import Prepared, Wiring

__all__ = ["Loop", "Simulation", "State"]


class Simulation(NamedTuple):
    """Result of a simulation over T time steps.

    Attributes:
        spike_counts: Output spikes summed over time (Eq. 11), `(batch, classes)`.
        potential: Remaining membrane potentials of the readout, `(batch, classes)`.
        firing_rates: Spikes per neuron and step, one scalar per IF layer: a mean over batch,
            neurons and time.
    """

    spike_counts: Tensor
    potential: Tensor
    firing_rates: tuple[Any, ...]


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


class Loop:
    """The stages of a network, run over time.

    Args:
        wiring: The stages.
        shapes: Shape of the potentials of one image, for each stage with neurons.
    """

    def __init__(self, wiring: Wiring, shapes: Sequence[Shape]):
        self._wiring = wiring
        self._shapes = shapes
        self._neurons = [node.stage for node in wiring.nodes if node.has_neurons]

    def run(
        self,
        prepared: Prepared,
        images: int | None,
        time_steps: int,
        chunk_steps: int | None,
        event_driven: EventDriven,
    ) -> Simulation:
        """Simulate all steps.

        Args:
            prepared: Weights and signals that do not change with time.
            images: Number of images that are simulated at once; `None` for all.
            time_steps: Number T of time steps.
            chunk_steps: Number of steps per chunk; `None` if it is chosen.
            event_driven: Whether layers add weights spike by spike, where possible; `"auto"`: where
                that is faster.
        """
        settings = time_steps, chunk_steps, event_driven
        if images is None:
            return self._run(prepared, *settings)
        parts = list(prepared.parts(images))
        done = [self._run(part, *settings) for part in parts]
        counts, potentials, rates = zip(*done, strict=True)
        shares = [part.batch / prepared.batch for part in parts]
        return Simulation(
            ops.concatenate(counts),
            ops.concatenate(potentials),
            tuple(
                sum(rate * share for rate, share in zip(of_layer, shares, strict=True))
                for of_layer in zip(*rates, strict=True)
            ),
        )

    def _run(
        self,
        prepared: Prepared,
        time_steps: int,
        chunk_steps: int | None,
        event_driven: EventDriven,
    ) -> Simulation:
        def chunk(state: State, steps: int, frames: Images | None) -> State:
            done: State = self._call(self._advance, prepared, state, frames, steps, event_driven)
            return done

        state = State(
            self._initial_potentials(prepared.batch),
            ops.zeros((prepared.batch, *self._shapes[-1]), "float32"),
            tuple(ops.zeros((), "float32") for _ in self._shapes),
        )
        chunks = Chunks(
            time_steps, chunk_steps or chosen(time_steps, state.potentials), prepared.frames
        )
        done = 0
        if chunks.whole > 1 and _loops_in_graph(state):
            frames_of, done = chunks.frames_of_whole(), chunks.whole
            state = _repeat(lambda s, i: chunk(s, chunks.steps, frames_of(i)), done, state)
        for steps, frames in chunks.since(done):
            state = chunk(state, steps, frames)
        rates = tuple(total / time_steps for total in state.spike_sums)
        return Simulation(state.spike_counts, state.potentials[-1], rates)

    def _advance(
        self,
        prepared: Prepared,
        state: State,
        frames: Images | None,
        steps: int,
        event_driven: EventDriven,
    ) -> State:
        """The state after a chunk of steps."""
        potentials, rates, readout = [], [], None
        advanced = self._wiring.advance(
            prepared, state.potentials, steps, frames, fused=True, event_driven=event_driven
        )
        for _, spikes, v, rate in advanced:
            readout = spikes  # of the last stage, at the end
            if v is not None:
                potentials.append(v)
                rates.append(rate * steps)
        sums = zip(state.spike_sums, rates, strict=True)
        return State(
            tuple(potentials),
            state.spike_counts + ops.sum(readout, axis=1),
            tuple(total + rate for total, rate in sums),
        )

    def _see(
        self,
        prepared: Prepared,
        potentials: tuple[Any, ...],
        frames: Images | None,
        steps: int,
        until: str | None,
    ) -> list[tuple[Any, Any]]:
        """Spikes and potentials of each stage up to a last one, in a chunk of steps."""
        seen = []
        for stage, spikes, v, _ in self._wiring.advance(prepared, potentials, steps, frames):
            seen.append((spikes, v))
            if stage.name == until:
                break
        return seen

    def walk(
        self, prepared: Prepared, time_steps: int, chunk_steps: int | None, until: str | None
    ) -> Iterator[dict[str, tuple[Tensor, Tensor]]]:
        """Yield spikes and potentials of each stage, chunk by chunk; see `SpikingNetwork.walk`."""
        potentials = self._initial_potentials(prepared.batch)
        chunk_steps = chunk_steps or chosen(time_steps, potentials)
        for steps, frames in Chunks(time_steps, chunk_steps, prepared.frames).since(0):
            found = self._call(self._see, prepared, potentials, frames, steps, until)
            seen = dict(zip(self._wiring.changing, found, strict=False))
            before = zip(self._neurons, potentials, strict=True)
            potentials = tuple(seen.get(layer.name, (None, v))[1] for layer, v in before)
            yield seen

    def _call(
        self,
        method: Callable[..., Any],
        prepared: Prepared,
        state: Tensor,
        frames: Images | None,
        *settings: Any,
    ) -> Any:
        """Call a method of this loop; outside of a graph, JAX compiles it as one program.

        Otherwise JAX would compile each operation for each shape.
        """
        if keras.config.backend() != "jax" or _in_graph(state):
            return method(prepared, state, frames, *settings)
        arrays = prepared.weights, prepared.signals, prepared.currents
        variables = [variable.value for variable in self._variables]
        fixed = method, prepared.batch, prepared.source, *settings
        return self._program(variables, arrays, state, frames, fixed)

    @cached_property
    def _program(self) -> Callable[..., Any]:
        import jax

        def call(
            variables: list[Any],
            arrays: tuple[Any, Any, Any],
            state: Tensor,
            frames: Images | None,
            fixed: tuple[Any, ...],
        ) -> Any:
            method, batch, source, *settings = fixed
            prepared = Prepared(*arrays, batch=batch, source=source, frames=None)
            # A learned threshold would otherwise stay what it was when this was compiled.
            with keras.StatelessScope(zip(self._variables, variables, strict=True)):
                return method(prepared, state, frames, *settings)

        return jax.jit(call, static_argnames="fixed")

    @property
    def _variables(self) -> list[keras.Variable]:
        return [variable for node in self._wiring.nodes for variable in node.stage.variables]

    def _initial_potentials(self, batch: Tensor) -> tuple[Tensor, ...]:
        pairs = zip(self._neurons, self._shapes, strict=True)
        return tuple(layer.initial_potentials((batch, *shape)) for layer, shape in pairs)


def _in_graph(state: State | tuple[Tensor, ...]) -> bool:
    import jax

    return any(isinstance(array, jax.core.Tracer) for array in jax.tree.leaves(state))


def _loops_in_graph(state: State) -> bool:
    """Whether time is a loop in the graph, which keeps the graph's size independent of T."""
    backend = keras.config.backend()
    # Outside of a graph, JAX would compile the loop anew at every call.
    return backend == "tensorflow" or (backend == "jax" and _in_graph(state))


def _repeat(chunk: Callable[[State, Any], State], times: int, state: State) -> State:
    """Apply a chunk several times, by a loop in the graph."""
    if keras.config.backend() == "jax":
        # The number of turns is known, so the host does not wait for the device after each turn.
        done: State = ops.fori_loop(0, times, lambda number, state: chunk(state, number), state)
        return done

    def body(done: Tensor, state: State) -> tuple[Any, State]:
        state = chunk(state, done)
        # TensorFlow starts up to ten iterations as soon as the counter is known. The first layer
        # would run far ahead of the last one, and memory would hold the spikes of all these
        # chunks. So the counter waits for the readout, whose counts are never negative.
        step = 1 - ops.cast(ops.any(state.spike_counts < 0), "int32")
        return done + step, state

    _, state = ops.while_loop(lambda done, _: done < times, body, (ops.zeros((), "int32"), state))
    return state
