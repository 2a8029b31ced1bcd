"""`Wiring`: signals through all stages, once for the image and then for the steps of a chunk."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import keras
from keras import ops

from ..basics.types import Images, Shape, Tensor
from ..layers import AtEachStep, Stage
from ..layers.base import SynapticWeights
from ..layers.time_axis import over_time
from ..neurons import fastest
from .event_driven import EventDriven, faster, summers
from .nodes import IMAGE, Node, Readers, pools, spike_dtypes

__all__ = ["Prepared", "Wiring"]


_NO_POOL = None, None


class Prepared(NamedTuple):
    """Weights and signals that do not change with time.

    Attributes:
        weights: Weights of each stage that has weights, by name.
        signals: Signals of stages before the first neurons, `(batch, 1, ...)`.
        currents: Currents `(batch, ...)` of neurons that read such stages only.
        batch: Number of images.
        source: Name of the stage that gives `frames`, or `IMAGE`.
        frames: For event data, all steps `(batch, time, ...)`; otherwise `None`.
    """

    weights: dict[str, SynapticWeights]
    signals: dict[str, Any]
    currents: dict[str, Any]
    batch: Tensor
    source: str
    frames: Images | None

    def parts(self, images: int) -> Iterator["Prepared"]:
        """Split a batch of known length into parts with this number of images."""
        for start in range(0, self.batch, images):
            part = slice(start, start + images)
            yield self._replace(
                signals={name: signal[part] for name, signal in self.signals.items()},
                currents={name: current[part] for name, current in self.currents.items()},
                batch=min(images, self.batch - start),
                frames=None if self.frames is None else self.frames[part],
            )


class Wiring:
    """The graph of stages, with the flow of signals through it.

    Args:
        nodes: Nodes in order; the last is the readout.
        events: As in `SpikingNetwork`.

    Attributes:
        nodes: The nodes.
        events: As above.
        constant: Names of stages whose signals do not change with time; `IMAGE` for the image.
        preprocessing: Stages at the input whose layers prepare images.
        changing: Names of the other stages, whose signals change with time, in order.

    Raises:
        ValueError: If layers augment `events`; each frame would be augmented differently.
    """

    def __init__(self, nodes: tuple[Node, ...], events: bool):
        self.nodes = nodes
        self.events = events
        self._readers = Readers(nodes, events)
        self.constant = frozenset(self._readers.constant)
        self.preprocessing = _preprocessing(nodes)
        ready = {*self.constant, *(stage.name for stage in self.preprocessing)}
        self.changing = tuple(node.name for node in nodes if node.name not in ready)
        self._pools = pools(nodes)
        self._fire = {
            name: partial(fastest.fire, spike_dtype=dtype, pool=self._pools.get(name, _NO_POOL)[1])
            for name, dtype in spike_dtypes(nodes).items()
        }
        self._summers = summers(nodes)
        if events:
            _check_no_augmentation(self.preprocessing)

    def build(self, input_shape: Shape) -> list[Shape]:
        """Build all stages that are not built.

        Args:
            input_shape: Shape of the images, `(batch, height, width, channels)`.

        Returns:
            Shape of the potentials of one image, for each stage with neurons.
        """
        shapes: dict[str, Shape] = {IMAGE: (None, 1, *input_shape[1:])}
        potentials = []
        for node in self.nodes:
            inputs = [shapes[name] for name in node.inputs]
            if not node.stage.built:
                node.stage.build(*inputs)
            shapes[node.name] = node.stage.compute_output_shape(*inputs)
            if node.has_neurons:
                potentials.append(shapes[node.name][2:])
        return potentials

    def image_signal(self, image: Images, preprocessed: bool) -> tuple[str, Any]:
        """Name of the signal that the first stages read, and the signal `(batch, 1 or time, ...)`.

        Args:
            image: Images or frames as input of the network, in its compute dtype.
            preprocessed: Whether `image` has passed the `preprocessing` stages.
        """
        stages = self.preprocessing
        image = image if self.events else ops.expand_dims(image, 1)
        for stage in [] if preprocessed else stages:
            image = stage.call(image)
        return stages[-1].name if stages else IMAGE, image

    def prepare(self, source: str, image: Images) -> Prepared:
        """Compute weights and all signals that depend only on the image, once for all steps.

        Args:
            source: Name of the signal, from `image_signal`.
            image: The signal, from `image_signal`.
        """
        weights = {}
        for node in self.nodes:
            if node.stage.tied() is not None:
                # The SNN is never differentiated, whatever training loop runs it.
                synaptic = map(_stop_gradient, node.stage.synaptic_weights())
                weights[node.name] = SynapticWeights(*synaptic)
        batch = ops.shape(image)[0]
        if self.events:
            return Prepared(weights, {}, {}, batch, source, image)
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
        return Prepared(weights, kept, currents, batch, source, None)

    def advance(
        self,
        prepared: Prepared,
        potentials: tuple[Any, ...],
        steps: int,
        frames: Images | None,
        fused: bool = False,
        event_driven: EventDriven = False,
    ) -> Iterator[tuple[Stage, Any, Any, Any]]:
        """Yield each stage of `changing` with its spikes, its potentials and its firing rate.

        Spikes are `(batch, steps, ...)`, potentials the values after the chunk, and the rate is a
        scalar. A stage without neurons has no potentials and no rate. The stages run one at a time,
        and a signal is dropped after its last reader.

        Args:
            prepared: Weights and signals that do not change with time.
            potentials: Potentials `(batch, ...)` before the chunk, one per stage with neurons.
            steps: Number of steps of the chunk.
            frames: For event data, the frames of these steps, `(batch, steps, ...)`.
            fused: Whether neurons run in the backend's fastest way, with the same values. Spikes
                that are read by a pooling alone may then be missing (`None`). Otherwise there are
                no rates.
            event_driven: Whether layers add weights spike by spike, where possible; `"auto"`: where
                that is faster.
        """
        signals = dict(prepared.signals)
        if frames is not None:
            signals[prepared.source] = frames
        weights, neurons = prepared.weights, iter(potentials)
        for node, done in zip(self.nodes, self._readers.done, strict=True):
            if node.name not in self.changing:
                continue
            stage, v, rate = node.stage, None, None
            run = fastest.in_one_program if not fused else self._fire[node.name]
            if node.name in prepared.currents:
                current = prepared.currents[node.name]
                spikes, v = stage.fire(current, next(neurons), steps, run)
            elif node.name in signals:
                spikes = signals[node.name]  # pooled with the neurons that it reads
            else:
                arguments = [signals[name] for name in node.inputs]
                if node.has_neurons:
                    of_node, total = weights[node.name], stage.sum_inputs
                    if event_driven and node.name in self._summers:
                        by_events = self._summers[node.name]
                        choice = partial(faster, stage, by_events)
                        total = by_events if event_driven is True else choice
                    sums = over_time(partial(total, weights=of_node), arguments.pop())
                    spikes, v = stage.fire(sums, next(neurons), None, run, of_node.bias)
                else:
                    spikes = _pass_on(stage, arguments, weights)
                del arguments
                for name in done:
                    del signals[name]
            if isinstance(spikes, fastest.Fired):
                spikes, rate, pooled = spikes
                if pooled:
                    signals[self._pools[node.name][0]] = spikes
                    spikes = None
            if spikes is not None:
                signals[node.name] = spikes
            yield stage, spikes, v, rate


def _preprocessing(nodes: tuple[Node, ...]) -> list[AtEachStep]:
    found = []
    for node, before in zip(nodes, [IMAGE, *(node.name for node in nodes)], strict=False):
        stage = node.stage
        prepares = isinstance(stage, AtEachStep) and stage.prepares_images
        if not prepares or node.inputs != (before,):
            break
        found.append(stage)
    return found


def _pass_on(stage: Stage, arguments: list[Any], weights: dict[str, SynapticWeights]) -> Any:
    """Output of a stage without neurons."""
    if (tied := stage.tied()) is not None:
        return over_time(partial(tied.linear, weights=weights[stage.name]), arguments[0])
    # `__call__` would record spikes and keep them in memory until the next garbage collection.
    return stage.call(*arguments)


def _check_no_augmentation(stages: list[AtEachStep]) -> None:
    fixed = (keras.layers.Rescaling, keras.layers.Normalization, keras.layers.Resizing)
    for stage in stages:
        if not isinstance(stage.layer, fixed):
            raise ValueError(
                "With event data, layers that prepare images must be Rescaling, Normalization or "
                "Resizing; other layers would augment each frame differently. Augment frames "
                f"before. Received: layer {stage.layer.name!r} ({type(stage.layer).__name__})."
            )


def _stop_gradient(weights: Tensor | None) -> Any:
    return None if weights is None else ops.stop_gradient(weights)
