"""From a Keras CNN to its spiking twin, built around the CNN's own layers."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ._parts import PREPARING, WITH_WEIGHTS, Part, find_parts, is_identity, preprocessing_length
from .graph import INPUT, Graph, read_graph
from .layers import (
    AtEachStep,
    CurrentSum,
    IFActivation,
    IFBatchNormalization,
    IFConv2D,
    IFDense,
    IFDepthwiseConv2D,
    IFSeparableConv2D,
    SpikeConcatenate,
    SpikeFlatten,
    SpikePool2D,
    Synapses,
)
from .nodes import IMAGE, Node
from .twins import Threshold, check_choice, layer_thresholds

__all__ = ["SPIKE_HEIGHTS", "SpikingTwin", "spiking_twin"]

SPIKE_HEIGHTS = ("one", "threshold")


@dataclass(frozen=True)
class SpikingTwin:
    """The stages of a spiking network, and the CNN that they were made of.

    Attributes:
        nodes: Stages in order; the last one is the readout.
        graph: The CNN up to its logits.
        start: Number of its first calls that prepare images, for both networks.
        activations: By name of its layers with neurons, the position of the call whose result
            their rates follow.
        gains: By the same names, the activation that stands for one spike a step of a current in
            its own units: the threshold times a `Rescaling` before the ReLU; without the threshold
            after a `LearnedThreshold`, which divides by it.
        sources: By name of each stage with weights, the position of the call whose result enters
            the same weights of the CNN.
    """

    nodes: tuple[Node, ...]
    graph: Graph
    start: int
    activations: dict[str, int]
    gains: dict[str, float]
    sources: dict[str, int]


def spiking_twin(
    ann: keras.Model,
    v_threshold: Threshold = 1.0,
    reset: str = "zero",
    v_0: float = 0.0,
    spike_height: str = "one",
) -> SpikingTwin:
    """Make the spiking stages of a CNN around that CNN's own layers.

    ============================================  =================================================
    layers of the CNN                             stage
    ============================================  =================================================
    `Conv2D`, `DepthwiseConv2D`,                  neurons (`IFConv2D`, ...) with this very layer as
    `SeparableConv2D`, `Dense`; with the          the twin, the normalisation folded into the
    `BatchNormalization` and the ReLU after it    weights
    one of these without a ReLU                   `Synapses`: currents
    ReLU by itself, after a sum or a pooling      neurons without weights, `IFActivation`
    `BatchNormalization` by itself                a weight and a bias of each channel, with
                                                  neurons if a ReLU follows (`IFBatchNormalization`)
    `MaxPooling2D`                                `SpikePool2D`, the OR of the spikes in a window
    `AveragePooling2D`,                           the mean of the spikes in a window, a current that
    `GlobalAveragePooling2D`                      the next weights see (`AtEachStep`)
    `Add`                                         `CurrentSum`, where currents or spikes meet
    `Concatenate`                                 `SpikeConcatenate`
    `Flatten`, `Reshape`, `Permute`,              the same at each step
    `ZeroPadding2D`, `Cropping2D`
    `Dropout`, noise, `ActivityRegularization`    nothing: they act in training alone
    `Rescaling`, `Normalization`, `Resizing`,     run once, before the first weights; what they
    `RandomFlip` and other augmentation, first    give, in training too, is the image of both
    ============================================  =================================================

    A softmax at the end stands for nothing: the readout's neurons get the currents before it. A
    ReLU with `max_value` is one whose neurons saturate, at one spike a step, so their threshold
    should not stand for more than that value.

    Args:
        ann: A built `keras.Sequential` or functional model of these layers, with one input
            and an output `(batch, classes)`. A `Rescaling` or a `LearnedThreshold` may stand before
            a ReLU (see `build_ann`).
        v_threshold: Threshold of the IF neurons; see `layer_thresholds`. A layer with a
            `LearnedThreshold` has that one.
        reset: `"zero"` or `"subtract"`.
        v_0: Potential before the first step as a fraction of the threshold, in [0, 1).
        spike_height: `"one"`: each spike enters the next layer as 1. `"threshold"`: as the
            threshold of its neuron, so that rates times thresholds follow the CNN's activations
            whatever the thresholds are. Spikes stay zeros and ones; the weights that they meet
            are multiplied (`input_scale` of the stages).

    Returns:
        `SpikingTwin`.

    Raises:
        ValueError: If the model is not built or has a layer that has no spiking
            counterpart. It gives that layer's name and type, and what to do.

    Example:

    >>> from keras_proxy_snn import build_ann, parse_spec
    >>> from keras_proxy_snn.mapping import spiking_twin
    >>> ann = build_ann(parse_spec("4C3-P2-10F"), (8, 8, 1))
    >>> nodes = spiking_twin(ann).nodes
    >>> [node.name for node in nodes]
    ['if_conv1', 'spike_pool1', 'spike_flatten', 'if_readout']
    >>> nodes[0].stage.twin is ann.get_layer("conv1")
    True
    """
    check_choice("spike_height", spike_height, SPIKE_HEIGHTS)
    graph = read_graph(ann).without_softmax()
    start = preprocessing_length(graph)
    parts = find_parts(graph, start)
    names = [part.layer.name for part in parts if part.neurons]
    mapper = _Mapper(graph, layer_thresholds(v_threshold, names), reset, v_0, spike_height)
    for place in range(start):
        mapper.prepare(place)
    for part in parts:
        mapper.add(part)
    if len(graph.calls[-1].shape) != 2:
        raise ValueError(
            "The output of the ANN must be (batch, classes). "
            f"Received: {graph.calls[-1].shape} of {ann!r}."
        )
    activations = {part.layer.name: part.last for part in parts if part.neurons}
    nodes = tuple(mapper.nodes)
    return SpikingTwin(nodes, graph, start, activations, mapper.gains, mapper.sources)


@dataclass(frozen=True)
class _Signal:
    """What a call's result is in the spiking network.

    Attributes:
        name: Name of the stage that gives it.
        kind: `"image"`: constant in time. `"spikes"`: zeros and ones. `"currents"`.
        unit: What 1 stands for in the CNN: a number, or one for each channel.
    """

    name: str
    kind: str
    unit: float | tuple[float, ...] = 1.0


class _Mapper:
    """Nodes of one graph."""

    def __init__(
        self,
        graph: Graph,
        thresholds: dict[str, float],
        reset: str,
        v_0: float,
        spike_height: str,
    ):
        self._graph = graph
        self._thresholds = thresholds
        self._neurons = {"reset": reset, "v_0": v_0}
        self._scaled = spike_height == "threshold"
        self._signals = {INPUT: _Signal(IMAGE, "image")}
        self.nodes: list[Node] = []
        self.gains: dict[str, float] = {}
        self.sources: dict[str, int] = {}

    def prepare(self, place: int) -> None:
        """Add a layer that prepares images."""
        layer = self._graph.calls[place].layer
        source = self._signals[place - 1]
        stage = AtEachStep(layer, prepares_images=True, name=f"image_{layer.name}")
        self._put(place, stage, [source], "image")

    def add(self, part: Part) -> None:
        """Add what a part becomes."""
        layer = part.layer
        sources = [self._signals[place] for place in part.inputs]
        if type(layer) in WITH_WEIGHTS or part.neurons:
            self._add_synapses(part, sources[0])
        elif is_identity(layer):
            self._signals[part.last] = sources[0]
        elif getattr(layer, "data_format", "channels_last") != "channels_last":
            raise _refusal(layer, "It must have data_format='channels_last'.")
        elif isinstance(layer, _MAXIMA) and sources[0].kind != "image":
            self._add_maximum(part, sources[0])
        elif isinstance(layer, keras.layers.Add):
            self._add_sum(part, sources)
        elif isinstance(layer, keras.layers.Concatenate):
            self._add_concatenation(part, sources)
        elif isinstance(layer, _AT_EACH_STEP):
            self._add_at_each_step(part, sources[0])
        elif sources[0].kind == "image" and isinstance(layer, _FIXED_PREPARING):
            self._put(part.last, AtEachStep(layer, name=f"image_{layer.name}"), sources, "image")
        else:
            raise _refusal(layer, _advice(layer))

    def _put(
        self,
        place: int,
        stage: keras.layers.Layer,
        sources: list[_Signal],
        kind: str,
        unit: float | tuple[float, ...] = 1.0,
    ) -> None:
        """Add a node, whose signal is the result of a call."""
        names = {node.name for node in self.nodes}
        if stage.name in names:
            raise ValueError(
                "Layers of the ANN must have different names, and each stands in one place: use a "
                f"new layer for each. Received: two that become {stage.name!r}."
            )
        self.nodes.append(Node(stage, tuple(source.name for source in sources)))
        self._signals[place] = _Signal(stage.name, kind, unit)

    def _add_synapses(self, part: Part, source: _Signal) -> None:
        layer = part.layer
        threshold = part.learned or self._thresholds.get(layer.name, 1.0)
        stage = _NEURONS.get(type(layer), IFActivation)(
            twin=layer,
            batch_norm=part.norm,
            input_scale=source.unit,
            v_threshold=threshold,
            name=f"if_{layer.name}",
            **self._neurons,
        )
        if part.neurons:
            # The ANN divides by a learned threshold, so its activation is 1 there.
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
            raise _refusal(
                layer,
                "The maximum of currents is no current: let it follow a ReLU, which does not "
                "change an ANN whose next layer is that ReLU.",
            )
        name = f"spike_{layer.name}"
        if isinstance(layer, keras.layers.MaxPooling2D):
            window = (layer.pool_size, layer.strides, layer.padding)
            stage = SpikePool2D(*window, name=name)
        else:
            stage = AtEachStep(layer, name=name)
        self._put(part.last, stage, [source], "spikes", source.unit)

    def _add_at_each_step(self, part: Part, source: _Signal) -> None:
        layer, unit, kind = part.layer, source.unit, source.kind
        if isinstance(layer, _AVERAGES) and kind == "spikes":
            kind = "currents"
        if isinstance(unit, tuple) and not isinstance(layer, _KEEP_CHANNELS):
            if isinstance(layer, keras.layers.Flatten):
                unit = tuple(np.tile(unit, int(np.prod(self._shape(part.inputs[0])[1:-1]))))
            else:
                source = self._in_units_of_the_ann(part.inputs[0])
                unit, kind = 1.0, "currents"
        name = f"spike_{layer.name}"
        flat = isinstance(layer, keras.layers.Flatten)
        stage = SpikeFlatten(name=name) if flat else AtEachStep(layer, name=name)
        self._put(part.last, stage, [source], kind, unit)

    def _add_sum(self, part: Part, sources: list[_Signal]) -> None:
        if len({len(self._shape(place)) for place in part.inputs}) > 1 or len(sources) < 2:
            raise _refusal(part.layer, "Its inputs must be two or more layers of as many axes.")
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
        """A signal whose 1 stands for 1."""
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


_NEURONS: dict[type, Any] = {
    keras.layers.Conv2D: IFConv2D,
    keras.layers.DepthwiseConv2D: IFDepthwiseConv2D,
    keras.layers.SeparableConv2D: IFSeparableConv2D,
    keras.layers.Dense: IFDense,
    keras.layers.BatchNormalization: IFBatchNormalization,
}
_MAXIMA = (keras.layers.MaxPooling2D, keras.layers.GlobalMaxPooling2D)
_AVERAGES = (keras.layers.AveragePooling2D, keras.layers.GlobalAveragePooling2D)
_KEEP_CHANNELS = (*_AVERAGES, keras.layers.ZeroPadding2D, keras.layers.Cropping2D)
_AT_EACH_STEP = (
    *_MAXIMA,
    *_KEEP_CHANNELS,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Permute,
)
_FIXED_PREPARING = (
    keras.layers.Rescaling,
    keras.layers.Normalization,
    keras.layers.Resizing,
    keras.layers.CenterCrop,
)


def _advice(layer: Any) -> str:
    if isinstance(layer, _FIXED_PREPARING):
        return "It may stand at the input, before all weights, or scale before a ReLU."
    if isinstance(layer, PREPARING):
        return "Layers that prepare images stand first, one after the other."
    if "relu" in type(layer).__name__.lower() or "activation" in vars(layer):
        return "IF neurons approximate ReLU: train the CNN with that activation."
    return "Replace it and train the CNN again, or leave it out of the CNN."


def _refusal(layer: Any, advice: str) -> ValueError:
    return ValueError(
        "A spiking twin can be made of the layers that keras_proxy_snn.mapping.spiking_twin "
        f"lists. {advice} Received: layer {layer.name!r} ({type(layer).__name__})."
    )
