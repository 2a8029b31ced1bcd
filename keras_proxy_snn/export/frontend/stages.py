"""`layers_of`: turn the stages of a spiking network into layers of a program."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from ...basics.window import Padding, Window
from ...layers import (
    AtEachStep,
    CurrentSum,
    IFActivation,
    SpikeFlatten,
    SpikePool2D,
    Synapses,
)
from ...mapping.exportable import image_factor, is_normalisation, obstacle
from ...simulation.nodes import IMAGE, Node
from ..layers import Conv, Dense, Flatten, Layer, Pool, Shortcut
from .currents import Currents, conv, dense, pool, scaled, shortcut
from .kernels import Normalisation, weights_of
from .refusals import no_relu_after, no_spikes, refusal, refusal_of, second_reader

__all__ = ["check_layers", "layers_of"]

_AVERAGE = keras.layers.GlobalAveragePooling2D
_MAXIMUM = keras.layers.GlobalMaxPooling2D
# Reason and cure for a layer that changes images.
_PREPARES = (
    "this layer stands before all weights",
    "Prepare images in this way outside of the network, or deploy the Keras model.",
)


def layers_of(nodes: Sequence[Node], input_shape: tuple[int, ...]) -> list[Layer]:
    """Layers of a program in order.

    Args:
        nodes: Nodes of a spiking network.
        input_shape: `(height, width, channels)` of its images.

    Raises:
        InexpressibleError: If a program cannot express a stage. The message names the layer and a
            cure.
    """
    for builder in _built(nodes, input_shape):
        layers = builder.layers
    return layers


def check_layers(nodes: Sequence[Node], input_shape: tuple[int, ...]) -> None:
    """Raise what `layers_of` raises; layers are not kept."""
    for builder in _built(nodes, input_shape):
        del builder.layers[:-1]


def _built(nodes: Sequence[Node], input_shape: tuple[int, ...]) -> Iterator["_Builder"]:
    """The builder after each node."""
    if (found := obstacle(nodes, input_shape)) is not None:
        raise refusal_of(found)
    builder = _Builder(nodes, input_shape)
    for node in nodes:
        builder.add(node)
        yield builder
    if not builder.layers or not isinstance(builder.layers[-1], Dense):
        raise refusal(nodes[-1], "the readout must be a Dense")


class _Builder:
    """The layers so far, and the effect of stages that have no layer of their own.

    Attributes:
        layers: Layers in order.
    """

    def __init__(self, nodes: Sequence[Node], input_shape: tuple[int, ...]):
        self.layers: list[Layer] = []
        self._nodes = {node.name: node for node in nodes}
        self._shapes: dict[str, Any] = {IMAGE: (None, 1, *input_shape)}
        self._below = IMAGE  # name of the stage that the next layer reads
        self._spikes: dict[str, str] = {}  # from a stage to the layer that gives its spikes
        self._currents: dict[str, Currents] = {}
        self._scale = 1.0  # factor of the next weights, from the image or an average pooling
        self._norm: Normalisation | None = None  # of what the next weights read
        self._zeros: Padding = "valid"  # around the maps that the next convolution reads
        self._averaged = 1  # number of pixels that a global average before the next Dense covers

    def add(self, node: Node) -> None:
        """Add a stage to the program."""
        shapes = [self._shapes[name] for name in node.inputs]
        self._shapes[node.name] = node.stage.compute_output_shape(*shapes)
        if isinstance(node.stage, Synapses) and not is_normalisation(node.stage):
            self._currents[node.name] = self._synapses(node)
        elif isinstance(node.stage, CurrentSum):
            self._currents[node.name] = self._sum(node)
        elif isinstance(node.stage, IFActivation) and node.inputs[0] in self._currents:
            self._put(node, self._meeting(node))
        else:
            self._check_follows(node)
            self._follow(node)

    def _follow(self, node: Node) -> None:
        """Add a stage that reads only the stage before it."""
        stage, before = node.stage, self._shapes[node.inputs[0]]
        factor = image_factor(stage, before)
        if self._zeros != "valid":
            self._put(node, self._padded(node))
        elif _is_zero_padding(stage):
            self._zeros = stage.layer.padding
            self._below = node.name
        elif is_normalisation(stage):
            own = Normalisation.of(stage)
            self._norm = own if self._norm is None else self._norm.then(own)
            self._below = node.name
        elif factor is not None and not self.layers:
            self._scale *= factor
            self._norm = self._norm and self._norm.times(factor)
            self._below = node.name
        elif stage.averages and stage.window is not None:
            self._add_average(node, stage.window, before)
        elif _is_global(stage, _AVERAGE):
            self._averaged *= int(np.prod(before[2:4]))
            self._put(node, Flatten(stage.name))
        elif _is_global(stage, _MAXIMUM) and self._averaged == 1 and self.layers:
            self._put(node, Pool(f"{stage.name}_pool", before[2:4], before[2:4]))
            self._put(node, Flatten(stage.name))
        elif isinstance(stage, SpikeFlatten) and self._averaged > 1:
            self._below = node.name
        elif isinstance(stage, SpikeFlatten):
            self._put(node, Flatten(stage.name))
        elif isinstance(stage, SpikePool2D) and self._averaged == 1 and self.layers:
            self._put(node, pool(stage))
        elif (layer := self._neurons(node)) is not None:
            self._put(node, layer)
            self._averaged = 1
        else:
            of_images = not self.layers and isinstance(stage, AtEachStep)
            raise refusal(node, *(_PREPARES if of_images else ["a program has no such layer"]))

    def _padded(self, node: Node) -> Layer:
        """Neurons of a convolution of maps that zeros surround."""
        layer = self._neurons(node)
        if not isinstance(layer, Conv) or layer.padding != "valid":
            reason = 'zeros around maps are for a convolution with padding "valid"'
            raise refusal(self._nodes[node.inputs[0]], reason)
        zeros, self._zeros = self._zeros, "valid"
        return replace(layer, padding=zeros)

    def _neurons(self, node: Node) -> Layer | None:
        """Neurons with weights; `None` if a program has no such layer."""
        stage = node.stage
        scale = self._scale / self._averaged
        weights = weights_of(stage, 1.0 if self._norm else scale) if stage.has_neurons else None
        if weights is None:
            return None
        weights = weights if self._norm is None else self._norm.folded(weights, scale)
        if stage.window is not None:
            own = shortcut("", weights.kernel, stage.window)
            return conv(stage, Currents((own,), weights.bias)) if self._averaged == 1 else None
        return dense(stage, weights, self._averaged) if len(self._shapes[node.name]) == 3 else None

    def _add_average(self, node: Node, window: Window, before: tuple[Any, ...]) -> None:
        """Add the sum of each window's spikes, and divide the next weights."""
        if not self.layers:
            raise refusal(node, *_PREPARES)
        if self._averaged > 1:
            raise refusal(node, "averages must be of maps of spikes")
        if any(map(sum, window.pads(before[2:4]))):
            raise refusal(node, "a window that reaches over the edge averages fewer spikes")
        self._put(node, Pool(node.name, window.size, window.strides, "valid", "sum"))
        self._scale /= math.prod(window.size)

    def _put(self, node: Node, layer: Layer) -> None:
        self.layers.append(layer)
        self._below = node.name
        if not (isinstance(layer, Pool) and layer.kind == "sum"):
            self._spikes[node.name] = layer.name
        if isinstance(layer, Conv | Dense):
            self._scale, self._norm = 1.0, None

    def _check_follows(self, node: Node) -> None:
        name = node.inputs[0]
        if node.inputs == (self._below,):
            return
        if name in self._currents:
            raise no_relu_after(self._nodes, name)
        raise second_reader(self._nodes, node)

    def _synapses(self, node: Node) -> Currents:
        """Currents of a convolution without neurons."""
        (name,), window = node.inputs, node.stage.window
        weights = weights_of(node.stage)
        if weights is None or window is None:
            raise refusal(
                node,
                "without a ReLU after it, it must be a convolution whose results are added to "
                "others before a ReLU",
                "Put a ReLU after it and train again, or deploy the Keras model.",
            )
        if name in self._currents:
            raise no_relu_after(self._nodes, name)
        if name not in self._spikes:
            raise no_spikes(self._nodes, node, name)
        return Currents((shortcut(self._spikes[name], weights.kernel, window),), weights.bias)

    def _sum(self, node: Node) -> Currents:
        """Currents of all terms of a sum, each times its scale."""
        terms: list[Shortcut] = []
        biases = []
        for name, scale in zip(node.inputs, node.stage.scales, strict=True):
            factor = np.asarray(scale, "float32")
            if name in self._currents:
                added = self._currents[name]
                terms += [scaled(term, factor) for term in added.terms]
                biases += [] if added.bias is None else [added.bias * factor]
            elif name in self._spikes and len(self._shapes[name]) == 5:
                identity = np.eye(self._shapes[name][-1], dtype="float32") * factor
                terms.append(Shortcut(self._spikes[name], identity[None, None]))
            else:
                raise no_spikes(self._nodes, node, name)
        return Currents(tuple(terms), sum(biases) if biases else None)

    def _meeting(self, node: Node) -> Conv:
        """Neurons of several currents: the layer before gives the kernel, others shortcuts."""
        currents = self._currents[node.inputs[0]]
        own = [term for term in currents.terms if term.source == self.layers[-1].name]
        if not own:
            raise refusal(node, "its inputs must include the layer before it")
        terms = (own[0], *(term for term in currents.terms if term is not own[0]))
        scale = np.asarray(node.stage.input_scale, "float32")
        bias = None if currents.bias is None else currents.bias * scale
        return conv(node.stage, Currents(tuple(scaled(term, scale) for term in terms), bias))


def _is_zero_padding(stage: keras.layers.Layer) -> bool:
    return type(getattr(stage, "layer", None)) is keras.layers.ZeroPadding2D


def _is_global(stage: keras.layers.Layer, kind: type[keras.layers.Layer]) -> bool:
    layer: Any = getattr(stage, "layer", None)
    return isinstance(layer, kind) and not layer.keepdims
