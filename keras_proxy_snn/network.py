"""The spiking network: layers of IF neurons advanced through time in chunks."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import keras
from keras import ops

from .layers import IFDense
from .layers._tied import SynapticWeights, TiedIF
from .layers._time import over_time
from .layers.integrate_and_fire import check_time_steps

__all__ = ["Simulation", "SpikingNetwork"]


class Simulation(NamedTuple):
    """What a simulation over T time steps leaves.

    Attributes:
        spike_counts: Output spikes summed over time (Eq. 11), `(batch, classes)`.
        potential: Remaining membrane potentials of the readout, `(batch, classes)`.
        firing_rates: Spikes per neuron and step, one scalar for each IF layer, averaged over
            batch, neurons and time.
    """

    spike_counts: Any
    potential: Any
    firing_rates: tuple[Any, ...]


class _State(NamedTuple):
    potentials: tuple[Any, ...]
    spike_counts: Any
    spike_sums: tuple[Any, ...]


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class SpikingNetwork(keras.Model):
    """IF layers, spike pooling and a readout, run for T time steps on a constant image.

    The first layer's currents are computed once (direct coding, Eq. 6 of Kheradpisheh et
    al., "Spiking neural networks trained via proxy"). Time then advances in chunks of
    `chunk_steps` steps: inside a chunk the steps are folded into the batch, so each layer is
    one large operation; between chunks only the potentials are carried. Memory does not
    grow with T. The simulation is never differentiated.

    Args:
        stages: Spiking layers in order, such as `spiking_layers` makes. The last is the readout.
        input_shape: `(height, width, channels)` of the images, in pixels.
        time_steps: Number T of time steps.
        chunk_steps: Number k of steps simulated at once. It changes speed and memory, never
            a spike.
        **kwargs: Arguments of `keras.Model`, such as `name`.

    Call arguments:
        inputs: Images `(batch, height, width, channels)`.
        return_simulation: Whether to return the whole `Simulation`, as `simulate` does.

    Output shape:
        Spike counts `(batch, classes)`, float32.

    Raises:
        ValueError: If `time_steps` or `chunk_steps` is not a positive integer.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn import build_ann, parse_spec
    >>> from keras_proxy_snn.network import SpikingNetwork
    >>> from keras_proxy_snn.twins import spiking_layers
    >>> ann = build_ann(parse_spec("4C3-P2-10F"), (8, 8, 1))
    >>> snn = SpikingNetwork(spiking_layers(ann), (8, 8, 1), time_steps=6)
    >>> snn(np.zeros((2, 8, 8, 1), "float32")).shape == (2, 10)
    True
    """

    def __init__(
        self,
        stages: list[keras.layers.Layer],
        input_shape: tuple[int, int, int],
        time_steps: int,
        chunk_steps: int = 2,
        **kwargs: Any,
    ):
        super().__init__(dtype="float32", **kwargs)
        self.stages = list(stages)
        self.image_shape = tuple(input_shape)
        self.time_steps = time_steps
        self.chunk_steps = chunk_steps
        self.build((None, *input_shape))

    @property
    def time_steps(self) -> int:
        """Number T of time steps; can be set at any time."""
        return self._time_steps

    @time_steps.setter
    def time_steps(self, value: int) -> None:
        self._time_steps = check_time_steps(value)
        # A graph traced for another T is of no use.
        self.predict_function = None

    @property
    def chunk_steps(self) -> int:
        """Number k of steps simulated at once."""
        return self._chunk_steps

    @chunk_steps.setter
    def chunk_steps(self, value: int) -> None:
        self._chunk_steps = _check_chunk_steps(value)
        self.predict_function = None

    @property
    def if_layers(self) -> list[TiedIF]:
        """Layers with neurons, in order."""
        return [stage for stage in self.stages if isinstance(stage, TiedIF)]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build all stages and note the shapes of their potentials."""
        shape: tuple[int | None, ...] = (None, 1, *input_shape[1:])
        if isinstance(self.stages[0], IFDense):
            shape = (None, 1, math.prod(self.image_shape))
        self._state_shapes = []
        for stage in self.stages:
            if not stage.built:
                stage.build(shape)
            shape = stage.compute_output_shape(shape)
            if isinstance(stage, TiedIF):
                self._state_shapes.append(shape[2:])
        self.built = True

    def call(self, inputs: Any, return_simulation: bool = False) -> Any:
        """Spike counts of the readout; see the class."""
        simulation = self._run(inputs)
        return simulation if return_simulation else simulation.spike_counts

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(batch, classes)`."""
        return (input_shape[0], *self._state_shapes[-1])

    def simulate(self, inputs: Any) -> Simulation:
        """Run all T steps from the initial potentials.

        Args:
            inputs: Images `(batch, height, width, channels)`.

        Returns:
            `Simulation`: spike counts, remaining potentials and firing rates.
        """
        # Through `__call__`, because there Keras leaves the dtype scope of a mixed-precision
        # caller, in which the weights would be read in half precision.
        simulation: Simulation = self(inputs, return_simulation=True)
        return simulation

    def _run(self, inputs: Any) -> Simulation:
        current, weights = self._prepare(inputs)
        state = _State(
            self._initial_potentials(current),
            ops.zeros((ops.shape(current)[0], *self._state_shapes[-1])),
            tuple(ops.zeros(()) for _ in self._state_shapes),
        )

        def chunk(state: _State, steps: int) -> _State:
            potentials, rates, spikes = [], [], None
            for stage, spikes, v in self._advance(current, weights, state.potentials, steps):
                if isinstance(stage, TiedIF):
                    potentials.append(v)
                    rates.append(ops.mean(spikes) * steps)
            sums = zip(state.spike_sums, rates, strict=True)
            return _State(
                tuple(potentials),
                state.spike_counts + ops.sum(spikes, axis=1),
                tuple(total + rate for total, rate in sums),
            )

        whole, rest = divmod(self.time_steps, self.chunk_steps)
        state = _repeat(lambda s: chunk(s, self.chunk_steps), whole, state)
        if rest:
            state = chunk(state, rest)
        rates = tuple(total / self.time_steps for total in state.spike_sums)
        return Simulation(state.spike_counts, state.potentials[-1], rates)

    def walk(
        self, inputs: Any, chunk_steps: int | None = None
    ) -> Iterator[dict[str, tuple[Any, Any]]]:
        """Spikes and potentials of every stage, chunk after chunk, for a look inside.

        Only one chunk is held at a time, so memory does not grow with T.

        Args:
            inputs: Images `(batch, height, width, channels)`.
            chunk_steps: Number of steps of a chunk; the network's own if `None`. The last
                chunk may be shorter.

        Yields:
            Stage name to a pair, in order: spikes `(batch, steps, ...)`, and potentials
            `(batch, ...)` after the chunk's last step, `None` of a stage without neurons.

        Raises:
            ValueError: If `chunk_steps` is not a positive integer.
        """
        chunk_steps = self.chunk_steps if chunk_steps is None else _check_chunk_steps(chunk_steps)
        current, weights = self._prepare(inputs)
        potentials = self._initial_potentials(current)
        for start in range(0, self.time_steps, chunk_steps):
            steps = min(chunk_steps, self.time_steps - start)
            stages = self._advance(current, weights, potentials, steps)
            seen = {stage.name: (spikes, v) for stage, spikes, v in stages}
            potentials = tuple(seen[layer.name][1] for layer in self.if_layers)
            yield seen

    def record(self, inputs: Any, return_potentials: bool = False) -> Any:
        """Spikes of every stage at every step, for a look inside.

        Unlike `simulate` it keeps them all, so memory grows with T: use few images.

        Args:
            inputs: Images `(batch, height, width, channels)`.
            return_potentials: Whether to return membrane potentials too. Time then
                advances one step at a time.

        Returns:
            Stage name to spikes `(batch, time, ...)`, in order. With `return_potentials` a pair
            of it and of names of the stages with neurons to potentials `(batch, time, ...)` after
            each step.
        """
        # Without potentials all steps are one chunk: a graph traced from this has no loop.
        chunks = list(self.walk(inputs, 1 if return_potentials else self.time_steps))
        spikes = {
            stage.name: _join([chunk[stage.name][0] for chunk in chunks]) for stage in self.stages
        }
        if not return_potentials:
            return spikes
        potentials = {
            layer.name: ops.stack([chunk[layer.name][1] for chunk in chunks], axis=1)
            for layer in self.if_layers
        }
        return spikes, potentials

    def _prepare(self, inputs: Any) -> tuple[Any, list[SynapticWeights]]:
        """The first layer's current, and all weights: taken once for all steps."""
        self._check_images(inputs)
        weights = [layer.synaptic_weights() for layer in self.if_layers]
        # The SNN is outside the differentiated part in whatever loop it runs.
        weights = [SynapticWeights(*map(_stop_gradient, w)) for w in weights]
        image = ops.cast(inputs, self.compute_dtype)
        if isinstance(self.stages[0], IFDense):
            image = ops.reshape(image, (-1, math.prod(self.image_shape)))
        return self.if_layers[0].linear(image, weights[0]), weights

    def _check_images(self, images: Any) -> None:
        if tuple(images.shape[1:]) != self.image_shape:
            raise ValueError(
                f"Images must have shape (batch, {', '.join(map(str, self.image_shape))}). "
                f"Received: an input of shape {tuple(images.shape)}."
            )

    def _initial_potentials(self, current: Any) -> tuple[Any, ...]:
        batch = ops.shape(current)[0]
        pairs = zip(self.if_layers, self._state_shapes, strict=True)
        return tuple(layer.initial_potentials((batch, *shape)) for layer, shape in pairs)

    def _advance(
        self, current: Any, weights: list[SynapticWeights], potentials: tuple[Any, ...], steps: int
    ) -> Iterator[tuple[keras.layers.Layer, Any, Any]]:
        """Each stage with its spikes `(batch, steps, ...)` and, of neurons, the potentials after.

        One stage at a time, so that only the spikes between two stages are ever held.
        """
        spikes = None
        neurons = zip(weights, potentials, strict=True)
        for stage in self.stages:
            v = None
            if isinstance(stage, TiedIF):
                w, v = next(neurons)
                if spikes is None:
                    spikes, v = stage.fire(current, v, time_steps=steps)
                else:
                    spikes, v = stage.fire(over_time(partial(stage.linear, weights=w), spikes), v)
            else:
                # Not through `__call__`, whose records keep spikes alive until the next collection.
                spikes = stage.call(spikes)
            yield stage, spikes, v

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, the stages serialised whole."""
        return {
            "stages": [keras.saving.serialize_keras_object(stage) for stage in self.stages],
            "input_shape": self.image_shape,
            "time_steps": self.time_steps,
            "chunk_steps": self.chunk_steps,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SpikingNetwork":
        """Recreate the network from its configuration."""
        stages = [keras.saving.deserialize_keras_object(stage) for stage in config["stages"]]
        return cls(**{**config, "stages": stages})


def _repeat(chunk: Callable[[_State], _State], times: int, state: _State) -> _State:
    """Apply a chunk several times, as a loop in the graph, so its size does not grow with T."""
    if times <= 1:
        return chunk(state) if times else state

    def body(done: Any, state: _State) -> tuple[Any, _State]:
        state = chunk(state)
        # TensorFlow starts an iteration once the counter is known, up to ten at a time, and the
        # first layer would run far ahead of the last, holding the spikes of all these chunks.
        # A counter that waits for the readout (whose counts are never negative) prevents that.
        step = 1 - ops.cast(ops.any(state.spike_counts < 0), "int32")
        return done + step, state

    _, state = ops.while_loop(lambda done, _: done < times, body, (ops.zeros((), "int32"), state))
    return state


def _check_chunk_steps(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`chunk_steps` must be a positive integer. Received: {value!r}.")
    return value


def _join(chunks: list[Any]) -> Any:
    return chunks[0] if len(chunks) == 1 else ops.concatenate(chunks, axis=1)


def _stop_gradient(weights: Any) -> Any:
    return None if weights is None else ops.stop_gradient(weights)
