"""The spiking network: layers of IF neurons advanced through time in chunks."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import keras
from keras import ops

from ._loop import State, in_chunks, repeat
from .layers import AtEachStep, Synapses
from .layers._tied import SynapticWeights, TiedIF
from .layers._time import over_time
from .layers.integrate_and_fire import check_time_steps
from .nodes import IMAGE, Node, Readers, as_nodes

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


class _Prepared(NamedTuple):
    """What does not change with time.

    Attributes:
        weights: By stage with weights.
        signals: Signals of stages before the first neurons, `(batch, 1, ...)`.
        currents: Currents `(batch, ...)` of neurons that only such stages feed.
        batch: Number of images.
        source: Name of the stage that `frames` come from, or `IMAGE`.
        frames: Of event data all steps `(batch, time, ...)`, else `None`.
    """

    weights: dict[str, SynapticWeights]
    signals: dict[str, Any]
    currents: dict[str, Any]
    batch: Any
    source: str
    frames: Any | None


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class SpikingNetwork(keras.Model):
    """IF layers, spike pooling and a readout, run for T time steps on a constant image.

    The stages are a chain, or a graph without loops in which each names what it reads. What
    only the image feeds, up to the currents of the first neurons, is computed once (direct
    coding, Eq. 6 of Kheradpisheh et al., "Spiking neural networks trained via proxy"). Time
    then advances in chunks of `chunk_steps` steps: inside a chunk the steps are folded into the
    batch, so each layer is one large operation; between chunks only the potentials are carried.
    Memory does not grow with T. The simulation is never differentiated.

    Args:
        stages: Spiking layers in order, each reading the one before it; or
            `keras_proxy_snn.nodes.Node`, which say what each reads, as
            `keras_proxy_snn.mapping.spiking_twin` makes them. The last is the readout.
        input_shape: `(height, width, channels)` of the images, in pixels.
        time_steps: Number T of time steps.
        chunk_steps: Number k of steps simulated at once. It changes speed and memory, never
            a spike.
        events: Whether inputs are not images but one frame of spikes (or of other values) for
            each time step, as event cameras give them.
        **kwargs: Arguments of `keras.Model`, such as `name`.

    Call arguments:
        inputs: Images `(batch, height, width, channels)`; with `events` frames
            `(batch, time, height, width, channels)`, T of them.
        return_simulation: Whether to return the whole `Simulation`, as `simulate` does.

    Output shape:
        Spike counts `(batch, classes)`, float32.

    Raises:
        ValueError: If `time_steps` or `chunk_steps` is not a positive integer, or layers augment
            `events`, which they would do to each frame in another way.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn import build_ann, parse_spec
    >>> from keras_proxy_snn.mapping import spiking_twin
    >>> from keras_proxy_snn.network import SpikingNetwork
    >>> ann = build_ann(parse_spec("4C3-P2-10F"), (8, 8, 1))
    >>> snn = SpikingNetwork(spiking_twin(ann).nodes, (8, 8, 1), time_steps=6)
    >>> snn(np.zeros((2, 8, 8, 1), "float32")).shape == (2, 10)
    True
    """

    def __init__(
        self,
        stages: Sequence[keras.layers.Layer | Node],
        input_shape: tuple[int, ...],
        time_steps: int,
        chunk_steps: int = 2,
        events: bool = False,
        **kwargs: Any,
    ):
        super().__init__(dtype="float32", **kwargs)
        nodes = as_nodes(stages)
        self.stages = [node.stage for node in nodes]
        self._inputs = tuple(node.inputs for node in nodes)
        self.events = events
        self._readers = Readers(nodes, events)
        if events:
            _check_no_augmentation(self.preprocessing)
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

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Stages with the names of what they read, in order."""
        pairs = zip(self.stages, self._inputs, strict=True)
        return tuple(Node(stage, inputs) for stage, inputs in pairs)

    @property
    def constant_stages(self) -> set[str]:
        """Names of stages whose signals do not change with time, and of the image."""
        return set(self._readers.constant)

    @property
    def preprocessing(self) -> list[AtEachStep]:
        """Stages at the input whose layers prepare images, see `preprocess`."""
        found = []
        for node, before in zip(self.nodes, [IMAGE, *(s.name for s in self.stages)], strict=False):
            stage = node.stage
            prepares = isinstance(stage, AtEachStep) and stage.prepares_images
            if not prepares or node.inputs != (before,):
                break
            found.append(stage)
        return found

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build all stages and note the shapes of their potentials."""
        shapes: dict[str, Any] = {IMAGE: (None, 1, *input_shape[1:])}
        self._state_shapes = []
        for node in self.nodes:
            shape = [shapes[name] for name in node.inputs]
            if not node.stage.built:
                node.stage.build(*shape)
            shapes[node.name] = node.stage.compute_output_shape(*shape)
            if node.has_neurons:
                self._state_shapes.append(shapes[node.name][2:])
        self.built = True

    def call(self, inputs: Any, return_simulation: bool = False, preprocessed: bool = False) -> Any:
        """Spike counts of the readout; see the class."""
        simulation = self._run(inputs, preprocessed)
        return simulation if return_simulation else simulation.spike_counts

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(batch, classes)`."""
        return (input_shape[0], *self._state_shapes[-1])

    def preprocess(self, inputs: Any, training: bool = False) -> Any:
        """Images as the layers after scaling, augmentation and the like see them.

        Args:
            inputs: Images `(batch, height, width, channels)`.
            training: Whether augmentation layers augment.

        Returns:
            Images for `simulate(..., preprocessed=True)`; the same if there are no such layers.
        """
        if self.events:
            return self._image_signals(inputs, False)[1]
        for stage in self.preprocessing:
            inputs = stage.layer(inputs, training=training)
        return inputs

    def simulate(self, inputs: Any, preprocessed: bool = False) -> Simulation:
        """Run all T steps from the initial potentials.

        Args:
            inputs: Images `(batch, height, width, channels)`.
            preprocessed: Whether they come from `preprocess`.

        Returns:
            `Simulation`: spike counts, remaining potentials and firing rates.
        """
        # Through `__call__`, because there Keras leaves the dtype scope of a mixed-precision
        # caller, in which the weights would be read in half precision.
        simulation: Simulation = self(inputs, return_simulation=True, preprocessed=preprocessed)
        return simulation

    def _run(self, inputs: Any, preprocessed: bool) -> Simulation:
        prepared = self._prepare(inputs, preprocessed)
        state = State(
            self._initial_potentials(prepared.batch),
            ops.zeros((prepared.batch, *self._state_shapes[-1])),
            tuple(ops.zeros(()) for _ in self._state_shapes),
        )

        def chunk(state: State, steps: int, frames: Any | None) -> State:
            potentials, rates, spikes = [], [], None
            for stage, spikes, v in self._advance(prepared, state.potentials, steps, frames):
                if isinstance(stage, TiedIF):
                    potentials.append(v)
                    rates.append(ops.mean(spikes) * steps)
            sums = zip(state.spike_sums, rates, strict=True)
            return State(
                tuple(potentials),
                state.spike_counts + ops.sum(spikes, axis=1),
                tuple(total + rate for total, rate in sums),
            )

        whole, rest = divmod(self.time_steps, self.chunk_steps)
        frames = in_chunks(prepared.frames, whole, self.chunk_steps)
        state = repeat(lambda s, i: chunk(s, self.chunk_steps, frames(i)), whole, state)
        if rest:
            last = None if prepared.frames is None else prepared.frames[:, -rest:]
            state = chunk(state, rest, last)
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
            Stage name to a pair, in order: spikes (or currents) `(batch, steps, ...)`, and
            potentials `(batch, ...)` after the chunk's last step, `None` of a stage without
            neurons. Stages that only the image feeds are left out.

        Raises:
            ValueError: If `chunk_steps` is not a positive integer.
        """
        chunk_steps = self.chunk_steps if chunk_steps is None else _check_chunk_steps(chunk_steps)
        prepared = self._prepare(inputs)
        potentials = self._initial_potentials(prepared.batch)
        for start in range(0, self.time_steps, chunk_steps):
            steps = min(chunk_steps, self.time_steps - start)
            frames = prepared.frames
            frames = None if frames is None else frames[:, start : start + steps]
            stages = self._advance(prepared, potentials, steps, frames)
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
        spikes = {name: _join([chunk[name][0] for chunk in chunks]) for name in chunks[0]}
        if not return_potentials:
            return spikes
        potentials = {
            layer.name: ops.stack([chunk[layer.name][1] for chunk in chunks], axis=1)
            for layer in self.if_layers
        }
        return spikes, potentials

    def _prepare(self, inputs: Any, preprocessed: bool = False) -> _Prepared:
        """Weights, and what only the image feeds: taken once for all steps."""
        weights = {}
        for stage in self.stages:
            if isinstance(stage, TiedIF | Synapses):
                # The SNN is outside the differentiated part in whatever loop it runs.
                synaptic = map(_stop_gradient, stage.synaptic_weights())
                weights[stage.name] = SynapticWeights(*synaptic)
        source, image = self._image_signals(inputs, preprocessed)
        batch = ops.shape(image)[0]
        if self.events:
            return _Prepared(weights, {}, {}, batch, source, image)
        signals, currents = {source: image}, {}
        for node in self.nodes:
            if node.name in signals or not set(node.inputs) <= set(signals):
                continue
            arguments = [signals[name] for name in node.inputs]
            if node.has_neurons:
                current = node.stage.linear(arguments[0][:, 0], weights[node.name])
                currents[node.name] = current
            else:
                signals[node.name] = _pass_on(node.stage, arguments, weights)
        kept = {name: signals[name] for name in self._readers.needed_later}
        return _Prepared(weights, kept, currents, batch, source, None)

    def _image_signals(self, inputs: Any, preprocessed: bool) -> tuple[str, Any]:
        """Name under which the image is read, and what is read, `(batch, 1 or time, ...)`."""
        stages = self.preprocessing
        if not preprocessed:
            self._check_images(inputs)
        image = ops.cast(inputs, self.compute_dtype)
        image = image if self.events else ops.expand_dims(image, 1)
        for stage in [] if preprocessed else stages:
            image = stage.call(image)
        return stages[-1].name if stages else IMAGE, image

    def _check_images(self, images: Any) -> None:
        shape = (self.time_steps, *self.image_shape) if self.events else self.image_shape
        if tuple(images.shape[1:]) != shape:
            name = "Frames, one for each time step," if self.events else "Images"
            raise ValueError(
                f"{name} must have shape (batch, {', '.join(map(str, shape))}). "
                f"Received: an input of shape {tuple(images.shape)}."
            )

    def _initial_potentials(self, batch: Any) -> tuple[Any, ...]:
        pairs = zip(self.if_layers, self._state_shapes, strict=True)
        return tuple(layer.initial_potentials((batch, *shape)) for layer, shape in pairs)

    def _advance(
        self, prepared: _Prepared, potentials: tuple[Any, ...], steps: int, frames: Any | None
    ) -> Iterator[tuple[keras.layers.Layer, Any, Any]]:
        """Each stage with its spikes `(batch, steps, ...)` and, of neurons, the potentials after.

        One stage at a time, so that only signals that are still to be read are ever held.
        """
        signals = dict(prepared.signals)
        if frames is not None:
            signals[prepared.source] = frames
        ready = {*self._readers.constant, *(stage.name for stage in self.preprocessing)}
        weights, neurons = prepared.weights, iter(potentials)
        for node, done in zip(self.nodes, self._readers.done, strict=True):
            if node.name in ready:
                continue
            stage, v = node.stage, None
            if node.name in prepared.currents:
                spikes, v = stage.fire(prepared.currents[node.name], next(neurons), steps)
            else:
                arguments = [signals[name] for name in node.inputs]
                if node.has_neurons:
                    linear = partial(stage.linear, weights=weights[node.name])
                    spikes, v = stage.fire(over_time(linear, arguments.pop()), next(neurons))
                else:
                    spikes = _pass_on(stage, arguments, weights)
                del arguments
                for name in done:
                    del signals[name]
            signals[node.name] = spikes
            yield stage, spikes, v

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, the stages serialised whole."""
        return {
            "stages": [keras.saving.serialize_keras_object(stage) for stage in self.stages],
            "inputs": self._inputs,
            "input_shape": self.image_shape,
            "time_steps": self.time_steps,
            "chunk_steps": self.chunk_steps,
            "events": self.events,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SpikingNetwork":
        """Recreate the network from its configuration."""
        config = dict(config)
        inputs = config.pop("inputs")
        stages = [keras.saving.deserialize_keras_object(stage) for stage in config["stages"]]
        pairs = zip(stages, inputs, strict=True)
        return cls(**{**config, "stages": [Node(stage, tuple(names)) for stage, names in pairs]})


def _pass_on(
    stage: keras.layers.Layer, arguments: list[Any], weights: dict[str, SynapticWeights]
) -> Any:
    """What a stage without neurons makes of its inputs."""
    if isinstance(stage, Synapses):
        return over_time(partial(stage.linear, weights=weights[stage.name]), arguments[0])
    # Not through `__call__`, whose records keep spikes alive until the next collection.
    return stage.call(*arguments)


def _check_no_augmentation(stages: list[AtEachStep]) -> None:
    fixed = (keras.layers.Rescaling, keras.layers.Normalization, keras.layers.Resizing)
    for stage in stages:
        if not isinstance(stage.layer, fixed):
            raise ValueError(
                "Of layers that prepare images event data can have Rescaling, Normalization and "
                "Resizing: others would augment each frame in another way. Augment frames before. "
                f"Received: layer {stage.layer.name!r} ({type(stage.layer).__name__})."
            )


def _check_chunk_steps(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`chunk_steps` must be a positive integer. Received: {value!r}.")
    return value


def _join(chunks: list[Any]) -> Any:
    return chunks[0] if len(chunks) == 1 else ops.concatenate(chunks, axis=1)


def _stop_gradient(weights: Any) -> Any:
    return None if weights is None else ops.stop_gradient(weights)
