"""`obstacle`: the order of layers that no exported file can have, known before any training."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeGuard

import keras
import numpy as np

from ..layers import (
    AtEachStep,
    CurrentSum,
    IFBatchNormalization,
    IFDense,
    SpikeConcatenate,
    SpikeFlatten,
    Stage,
    Synapses,
)
from ..layers.at_each_step import AVERAGES, MAXIMA
from ..simulation.nodes import IMAGE, Node
from .names import layer_of, named
from .parts import PREPARING, is_relu

__all__ = ["Obstacle", "image_factor", "is_normalisation", "obstacle"]

_ORDER = (
    "Put it between the convolution and its ReLU: Conv2D without activation, BatchNormalization, "
    "ReLU, pooling"
)

_CONCATENATION = (
    "Add maps in its place, with a ReLU after the sum, and train again; or deploy the Keras model."
)


class Obstacle(NamedTuple):
    """A layer that keeps a network from being exported.

    Attributes:
        layer: The layer of the CNN.
        reason: Why, a clause.
        cure: What to do, sentences.
    """

    layer: keras.layers.Layer
    reason: str
    cure: str


def is_normalisation(stage: Stage) -> TypeGuard[Synapses]:
    """Whether a stage normalises the values that the next weights read, without neurons."""
    return isinstance(stage, Synapses) and isinstance(stage.layer, IFBatchNormalization)


def image_factor(stage: Stage, shape: tuple[Any, ...]) -> float | None:
    """Factor of a stage that only multiplies images; `None` if it does anything else.

    Args:
        stage: A stage.
        shape: Shape of its input, `(batch, time, height, width, channels)`.
    """
    if not isinstance(stage, AtEachStep):
        return None
    layer = stage.layer
    if type(layer) is keras.layers.Rescaling:  # of a subclass, `call` may be another
        plain = np.ndim(layer.scale) == 0 and not np.any(np.asarray(layer.offset))
        return float(layer.scale) if plain else None
    if not stage.prepares_images:
        return None
    image = np.random.default_rng(0).random((1, *shape[2:]), "float32")
    prepared = keras.ops.convert_to_numpy(layer(image, training=False))
    return 1.0 if np.array_equal(prepared, image) else None


def obstacle(nodes: Sequence[Node], image_shape: tuple[int, ...]) -> Obstacle | None:
    """The first layer that, where it stands, keeps a network from being exported.

    Neurons of a file read convolutions, `Dense` layers, or sums of convolutions. So each batch
    normalisation must be folded into weights. After a convolution, its kernel takes the
    normalisation. Before a convolution, the next kernel can take it; but zeros at the borders are
    not normalised, and no kernel can tell them from spikes that are 0.

    Other reasons against a file, such as a layer that it cannot have, are found at the export.

    Args:
        nodes: Nodes of a spiking network.
        image_shape: Shape of its images.

    Returns:
        `Obstacle`; `None` if the order of layers can be exported.

    Example:

    >>> import keras
    >>> from keras_proxy_snn.mapping.exportable import obstacle
    >>> from keras_proxy_snn.mapping.twin import spiking_twin
    >>> stack = [keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, activation="relu")]
    >>> stack += [keras.layers.BatchNormalization(name="norm")]
    >>> stack += [keras.layers.Conv2D(4, 3, padding="same", activation="relu")]
    >>> stack += [keras.layers.Flatten(), keras.layers.Dense(3)]
    >>> obstacle(spiking_twin(keras.Sequential(stack)).nodes, (8, 8, 1)).layer.name
    'norm'
    """
    for node in nodes:
        if isinstance(node.stage, SpikeConcatenate):
            return Obstacle(node.stage, "no file can have a concatenation", _CONCATENATION)
    order = _Order(nodes, image_shape)
    return next((found for node in nodes if (found := order.obstacle(node)) is not None), None)


class _Hindrance(NamedTuple):
    """Why no weights can take a normalisation, and whether the padding of a convolution is why."""

    clause: str
    padded: bool = False


class _Order:
    """The stages around each stage, and the shapes of their results."""

    def __init__(self, nodes: Sequence[Node], image_shape: tuple[int, ...]):
        self._nodes = {node.name: node for node in nodes}
        self._readers: dict[str, list[Node]] = {name: [] for name in (IMAGE, *self._nodes)}
        self._shapes: dict[str, Any] = {IMAGE: (None, 1, *image_shape)}
        for node in nodes:
            shapes = [self._shapes[name] for name in node.inputs]
            self._shapes[node.name] = node.stage.compute_output_shape(*shapes)
            for name in set(node.inputs):
                self._readers[name].append(node)

    def obstacle(self, node: Node) -> Obstacle | None:
        """The stage as an obstacle, or `None`."""
        stage = node.stage
        before = self._nodes.get(node.inputs[0])
        if self._changes_images(node):
            reason = "before the first weights a file can multiply its images, and nothing else"
            cure = (
                "Take a Rescaling without an offset and train again, or prepare images outside of "
                "the network."
            )
            return Obstacle(node.stage.layer, reason, cure)
        if isinstance(stage, IFBatchNormalization):
            reason = "no convolution or Dense stands before this batch normalisation"
            return Obstacle(stage.twin, reason, f"{_ORDER}.")
        if is_relu(getattr(stage, "twin", None)) and before is not None:
            return self._order_of_relu(stage.twin, before)
        if not is_normalisation(stage) or self._is_sum(before):
            return None
        if (hindrance := self._hindrance(node)) is None:
            return None
        cures = ["Leave it out" if before is None else _ORDER]
        cures += ['give the next convolution padding="valid"'] if hindrance.padded else []
        reason = f"the next weights cannot take this batch normalisation: {hindrance.clause}"
        return Obstacle(stage.twin, reason, f"{', or '.join(cures)}.")

    def _changes_images(self, node: Node) -> bool:
        """Whether a stage prepares images in another way than by a factor."""
        prepares = isinstance(getattr(node.stage, "layer", None), PREPARING)
        return prepares and image_factor(node.stage, self._shapes[node.inputs[0]]) is None

    @staticmethod
    def _is_sum(node: Node | None) -> bool:
        """Whether a stage sums currents, so that a ReLU must come before all else."""
        if node is None or is_normalisation(node.stage):
            return False
        return isinstance(node.stage, CurrentSum | SpikeConcatenate | Synapses)

    def _order_of_relu(self, relu: keras.layers.Layer, before: Node) -> Obstacle | None:
        """A ReLU without weights that reads no sum."""
        if self._carries_spikes(before):
            cure = (
                "Remove this ReLU: its inputs are never negative. If it has a `max_value`, set it "
                "in the ReLU before."
            )
            return Obstacle(relu, "a ReLU comes before this ReLU, and no weights", cure)
        layer = getattr(before.stage, "layer", None)
        if type(layer) not in (*AVERAGES, *MAXIMA):
            return None
        cure = "Put the ReLU before the pooling"
        same = type(layer) in MAXIMA
        end = "; this does not change the results of the CNN." if same else " and train again."
        return Obstacle(layer, "this pooling comes before the ReLU of its convolution", cure + end)

    def _carries_spikes(self, node: Node) -> bool:
        """Whether a signal is spikes, or averages of spikes."""
        while node.stage.passes_spikes or node.stage.averages:
            if node.inputs[0] == IMAGE:
                return False
            node = self._nodes[node.inputs[0]]
        return node.has_neurons

    def _hindrance(self, node: Node) -> _Hindrance | None:
        """Why no weights after a normalisation can take it; `None` if they can."""
        if zeros := self._zero_padding(self._nodes.get(node.inputs[0])):
            return _Hindrance(f"{zeros} stands before it")
        while True:
            if len(self._readers[node.name]) != 1:
                return _Hindrance("several layers read it")
            before, (node,) = self._shapes[node.name], self._readers[node.name]
            stage = node.stage
            # The next weights take a factor of images too; the export refuses a `Rescaling` that
            # does more.
            factor = type(getattr(stage, "layer", None)) is keras.layers.Rescaling
            flat = isinstance(stage, SpikeFlatten)
            if factor or flat or node.stage.averages or is_normalisation(stage):
                continue
            if zeros := self._zero_padding(node):
                return _Hindrance(f"the zeros of {zeros} are not normalised")
            layer = layer_of(stage)
            if not stage.has_neurons or not (isinstance(stage, IFDense) or stage.window):
                return _Hindrance(f"{named(layer)} reads it")
            if stage.window is not None and any(map(sum, stage.window.pads(before[2:4]))):
                clause = f"the zeros around the maps that {layer.name!r} reads are not normalised"
                return _Hindrance(clause, padded=True)
            return None

    @staticmethod
    def _zero_padding(node: Node | None) -> str | None:
        """Name and kind of the layer, if it is a zero padding."""
        layer = None if node is None else getattr(node.stage, "layer", None)
        if not isinstance(layer, keras.layers.ZeroPadding2D):
            return None
        return f"{layer.name!r} (ZeroPadding2D)"
