"""`Mapper`: makes the stage for each part of a CNN and records the value of its spikes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np

from ..cnn.graph import INPUT, Graph
from ..layers import (
    OF_TWINS,
    AtEachStep,
    CurrentSum,
    IFActivation,
    SpikeConcatenate,
    SpikeFlatten,
    SpikePool2D,
    Stage,
    Synapses,
)
from ..layers.activations import activation_kind
from ..layers.at_each_step import AVERAGES, KEEP_CHANNELS, MAXIMA, MOVES
from ..neurons.neuron import Neuron
from ..simulation.nodes import IMAGE, Node
from .parts import FIXED_PREPARING, Part, is_identity
from .refusals import advice, check_float32, maximum_of_currents, refusal
from .signs import is_never_negative

__all__ = ["Mapper"]


@dataclass(frozen=True)
class _Signal:
    """Signal of the spiking network for the result of a call of the CNN.

    Attributes:
        name: Name of the stage that gives the signal.
        kind: `"image"` (constant in time), `"spikes"` (zeros and ones) or `"currents"`.
        unit: Value of 1 in units of the CNN: a number, or one number per channel.
    """

    name: str
    kind: str
    unit: float | tuple[float, ...] = 1.0


class Mapper:
    """Makes the nodes of a graph, part by part.

    Args:
        graph: The CNN's calls.
        neurons: Neuron of each layer with neurons, by name.
        spike_height: As in `keras_proxy_snn.mapping.twin.spiking_twin`.

    Attributes:
        nodes: Nodes that have been made.
        gains: As in `keras_proxy_snn.mapping.twin.SpikingTwin`.
        sources: As in `keras_proxy_snn.mapping.twin.SpikingTwin`.
    """

    def __init__(
        self,
        graph: Graph,
        neurons: Mapping[str, Neuron],
        spike_height: str,
    ):
        self._graph = graph
        self._neurons = neurons
        self._scaled = spike_height == "threshold"
        self._signals = {INPUT: _Signal(IMAGE, "image")}
        self.nodes: list[Node] = []
        self.gains: dict[str, float] = {}
        self.sources: dict[str, int] = {}

    def prepare(self, place: int) -> None:
        """Add the stage of a layer that prepares images."""
        layer = self._graph.calls[place].layer
        source = self._signals[place - 1]
        stage = AtEachStep(layer, prepares_images=True, name=f"image_{layer.name}")
        self._put(place, stage, [source], "image")

    def add(self, part: Part, current_dtype: str = "float32") -> None:
        """Add the stage of a part.

        Args:
            part: The part.
            current_dtype: Dtype in which weights sum spikes. Weights that read the image sum only
                once, in float32.
        """
        layer = part.layer
        sources = [self._signals[place] for place in part.inputs]
        kind = activation_kind(getattr(layer, "activation", None))
        if kind == "softmax" and part.last != len(self._graph.calls) - 1:
            raise refusal(layer, "A softmax can be only the last layer, where it is left out.")
        if type(layer) in OF_TWINS or part.neurons:
            self._add_synapses(part, sources[0], current_dtype)
        elif is_identity(layer):
            self._signals[part.last] = sources[0]
        elif getattr(layer, "data_format", "channels_last") != "channels_last":
            raise refusal(layer, "It must have data_format='channels_last'.")
        elif type(layer) in MAXIMA and sources[0].kind != "image":
            self._add_maximum(part, sources[0])
        elif type(layer) is keras.layers.Add:
            self._add_sum(part, sources)
        elif type(layer) is keras.layers.Concatenate:
            self._add_concatenation(part, sources)
        elif type(layer) in (*AVERAGES, *MAXIMA, *MOVES):
            self._add_at_each_step(part, sources[0])
        elif sources[0].kind == "image" and isinstance(layer, FIXED_PREPARING):
            self._put(part.last, AtEachStep(layer, name=f"image_{layer.name}"), sources, "image")
        else:
            raise refusal(layer, advice(layer))

    def _put(
        self,
        place: int,
        stage: Stage,
        sources: list[_Signal],
        kind: str,
        unit: float | tuple[float, ...] = 1.0,
    ) -> None:
        """Add a node whose signal is the result of a call."""
        names = {node.name for node in self.nodes}
        if stage.name in names:
            raise ValueError(
                "Layers of the ANN must have different names, and be used once: "
                f"make a new layer for each use. Received: two layers that become {stage.name!r}."
            )
        self.nodes.append(Node(stage, tuple(source.name for source in sources)))
        self._signals[place] = _Signal(stage.name, kind, unit)

    def _add_synapses(self, part: Part, source: _Signal, current_dtype: str) -> None:
        layer = part.layer
        check_float32(layer)
        neuron = self._neurons.get(layer.name, Neuron())
        learned = {**asdict(neuron), "v_threshold": part.learned}
        stage = OF_TWINS.get(type(layer), IFActivation)(
            twin=layer,
            batch_norm=part.norm,
            current_dtype="float32" if source.kind == "image" else current_dtype,
            input_scale=source.unit,
            name=f"if_{layer.name}",
            **(learned if part.learned else {"neuron": neuron}),
        )
        if part.neurons:
            # The ANN divides by a learned threshold, so one spike stands for an activation of 1.
            gain = part.scale if part.learned else part.scale * stage.v_threshold
            self.gains[layer.name] = gain
            self._put(part.last, stage, [source], "spikes", gain if self._scaled else 1.0)
        else:
            stage = Synapses(stage, name=f"synapses_{layer.name}")
            kind = "image" if source.kind == "image" else "currents"
            self._put(part.last, stage, [source], kind)
        self.sources[stage.name] = part.inputs[0]

    def _add_maximum(self, part: Part, source: _Signal) -> None:
        layer = part.layer
        if source.kind != "spikes":
            raise maximum_of_currents(layer, self._maker_of_currents(source))
        name = f"spike_{layer.name}"
        if type(layer) is keras.layers.MaxPooling2D:
            window = (layer.pool_size, layer.strides, layer.padding)
            stage = SpikePool2D(*window, name=name)
        else:
            stage = AtEachStep(layer, name=name)
        self._put(part.last, stage, [source], "spikes", source.unit)

    def _maker_of_currents(self, source: _Signal) -> tuple[keras.layers.Layer, bool] | None:
        """The layer after ReLUs that makes currents of spikes, and whether these are never < 0.

        `None` if no such layer is the cause.
        """
        nodes = {node.name: node for node in self.nodes}
        node = nodes[source.name]
        while isinstance(node.stage, AtEachStep) and type(node.stage.layer) in MOVES:
            node = nodes[node.inputs[0]]
        place = next(place for place, one in self._signals.items() if one.name == node.name)
        layer: keras.layers.Layer = self._graph.calls[place].layer
        if is_never_negative(nodes, node.name):
            return layer, True
        of_spikes = is_never_negative(nodes, node.inputs[0])
        normalises = type(layer) is keras.layers.BatchNormalization and of_spikes
        joins = type(layer) in (keras.layers.Add, keras.layers.Concatenate)
        return (layer, False) if normalises or joins else None

    def _add_at_each_step(self, part: Part, source: _Signal) -> None:
        layer, unit, kind = part.layer, source.unit, source.kind
        if type(layer) in AVERAGES and kind == "spikes":
            kind = "currents"
        if isinstance(unit, tuple) and type(layer) not in KEEP_CHANNELS:
            if type(layer) is keras.layers.Flatten:
                unit = tuple(np.tile(unit, int(np.prod(self._shape(part.inputs[0])[1:-1]))))
            else:
                source = self._in_units_of_the_ann(part.inputs[0])
                unit, kind = 1.0, "currents"
        name = f"spike_{layer.name}"
        flat = type(layer) is keras.layers.Flatten
        stage = SpikeFlatten(name=name) if flat else AtEachStep(layer, name=name)
        self._put(part.last, stage, [source], kind, unit)

    def _add_sum(self, part: Part, sources: list[_Signal]) -> None:
        if len({len(self._shape(place)) for place in part.inputs}) > 1 or len(sources) < 2:
            raise refusal(
                part.layer, "It must have two or more inputs with the same number of axes."
            )
        stage = CurrentSum([source.unit for source in sources], name=f"sum_{part.layer.name}")
        image = all(source.kind == "image" for source in sources)
        self._put(part.last, stage, sources, "image" if image else "currents")

    def _add_concatenation(self, part: Part, sources: list[_Signal]) -> None:
        axis = part.layer.axis
        shapes = [self._shape(place) for place in part.inputs]
        unit: float | tuple[float, ...] = sources[0].unit
        if len({source.unit for source in sources}) > 1 or isinstance(unit, tuple):
            if axis in (-1, len(shapes[0]) - 1):
                unit = tuple(
                    float(value)
                    for source, shape in zip(sources, shapes, strict=True)
                    for value in np.broadcast_to(source.unit, shape[-1])
                )
            else:
                sources = [self._in_units_of_the_ann(place) for place in part.inputs]
                unit = 1.0
        kinds = {source.kind for source in sources}
        stage = SpikeConcatenate(axis, name=f"spike_{part.layer.name}")
        self._put(part.last, stage, sources, kinds.pop() if len(kinds) == 1 else "currents", unit)

    def _in_units_of_the_ann(self, place: int) -> _Signal:
        """The signal in units of the ANN: a value of 1 means 1 there too."""
        source = self._signals[place]
        if source.unit == 1.0:
            return source
        name = f"scaled_{source.name}"
        if name not in {node.name for node in self.nodes}:
            self.nodes.append(Node(CurrentSum([source.unit], name=name), (source.name,)))
        return _Signal(name, "currents")

    def _shape(self, place: int) -> tuple[Any, ...]:
        if place == INPUT:
            return (None, *self._graph.input_shape)
        return self._graph.calls[place].shape
