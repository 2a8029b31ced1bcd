"""Group the calls of a CNN into layers of neurons: weights, normalisation and ReLU."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from ..cnn.graph import Graph, LinearPart
from ..layers import OF_TWINS, LearnedThreshold
from ..layers.activations import activation_kind

__all__ = [
    "FIXED_PREPARING",
    "PREPARING",
    "Part",
    "find_parts",
    "is_identity",
    "is_relu",
    "preprocessing_length",
]

_TRAINING_ALONE = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.GaussianNoise,
    keras.layers.GaussianDropout,
    keras.layers.AlphaDropout,
    keras.layers.ActivityRegularization,
    keras.layers.Identity,
)

# Names instead of classes, because newer versions of Keras have more such layers.
_NAMES = (
    "Rescaling",
    "Normalization",
    "Resizing",
    "CenterCrop",
    "AugMix",
    "AutoContrast",
    "Equalization",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomErasing",
    "RandomElasticTransform",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Solarization",
)
PREPARING = tuple(getattr(keras.layers, name) for name in _NAMES if hasattr(keras.layers, name))
# Those that do the same in training and in prediction.
FIXED_PREPARING = (
    keras.layers.Rescaling,
    keras.layers.Normalization,
    keras.layers.Resizing,
    keras.layers.CenterCrop,
)


class Part(NamedTuple):
    """Calls that become one stage.

    Attributes:
        layer: Layer of the first call.
        inputs: Positions of the calls that the first call reads.
        last: Position of the last call.
        norm: The `BatchNormalization` that is folded into the layer, or `None`.
        scale: Factor of a `Rescaling` before the ReLU; 1 without a `Rescaling`.
        learned: The `LearnedThreshold` before the ReLU, or `None`.
        neurons: Whether the part has neurons: it ends with a ReLU, or it is the readout.
    """

    layer: keras.layers.Layer
    inputs: tuple[int, ...]
    last: int
    norm: keras.layers.BatchNormalization | None = None
    scale: float = 1.0
    learned: LearnedThreshold | None = None
    neurons: bool = False


def preprocessing_length(graph: Graph) -> int:
    """Number of consecutive layers at the input that prepare images."""
    readers = graph.readers()
    length = 0
    for place, call in enumerate(graph.calls):
        follows = call.inputs == (place - 1,) and readers[place - 1] == [place]
        if not follows or not isinstance(call.layer, PREPARING):
            break
        length += 1
    return length


def find_parts(graph: Graph, start: int) -> list[Part]:
    """Parts of a graph from a position on; the last one is the readout.

    Raises:
        ValueError: If two layers with neurons have the same name.
    """
    parts: list[Part] = []
    taken: set[int] = set()
    for place in range(start, len(graph.calls)):
        if place not in taken:
            chain = _Chain(graph, place)
            parts.append(_part(chain))
            taken.update(chain.places)
    end = len(graph.calls) - 1
    if not parts or not parts[-1].neurons:
        readout = keras.layers.Activation("linear", name="readout")
        parts.append(Part(readout, (end,), end, neurons=True))
    names = [part.layer.name for part in parts if part.neurons]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(
            "Layers with neurons must have different names, and be used once: "
            f"make a new layer for each use. Received: layers {repeated} more than once."
        )
    return parts


class _Chain:
    """Consecutive calls; only the next call reads the result of each."""

    def __init__(self, graph: Graph, place: int):
        self._graph = graph
        self._readers = graph.readers()
        self.places = [place]

    @property
    def call(self) -> Any:
        """The call at the start of the chain."""
        return self._graph.calls[self.places[0]]

    @property
    def ends(self) -> bool:
        """Whether only identities follow between the chain and the output."""
        last = self.places[-1]
        rest = self._graph.calls[last + 1 :]
        return all(
            call.inputs == (place,) and is_identity(call.layer)
            for place, call in enumerate(rest, last)
        )

    def take(self, wanted: Callable[[Any], bool]) -> Any:
        """Move to the next layer and return it, if `wanted` accepts it; otherwise `None`."""
        found: list[int] = []
        while True:
            readers = self._readers[([*self.places, *found])[-1]]
            if len(readers) != 1:
                return None
            found.append(readers[0])
            layer = _layer(self._graph.calls[readers[0]].layer)
            if not is_identity(layer):
                break
        if not wanted(layer):
            return None
        self.places += found
        return layer


def _part(chain: _Chain) -> Part:
    layer = _layer(chain.call.layer)
    inputs = chain.call.inputs
    norm, scale, learned, neurons = None, 1.0, None, is_relu(layer)
    if type(layer) in OF_TWINS:
        is_norm = _is(keras.layers.BatchNormalization)
        neurons = activation_kind(getattr(layer, "activation", None)) == "relu"
        if not neurons and not is_norm(layer):
            norm = chain.take(is_norm)
        if not neurons:
            scale, learned, relu = _take_activation(chain)
            neurons = relu is not None
        neurons = neurons or chain.ends
    elif is_scale(layer) or _is(LearnedThreshold)(layer):
        before = (layer.scale, None) if is_scale(layer) else (1.0, layer)
        scale, learned, relu = _take_activation(chain, *before)
        layer, neurons = relu or layer, relu is not None
    return Part(layer, inputs, chain.places[-1], norm, scale, learned, neurons)


def _take_activation(
    chain: _Chain, scale: float = 1.0, learned: LearnedThreshold | None = None
) -> tuple[float, LearnedThreshold | None, Any]:
    """Factor, learned threshold and ReLU, if the chain leads to a ReLU; otherwise 1 and `None`."""
    places = list(chain.places)
    if learned is None:
        rescaling = chain.take(is_scale)
        scale = scale if rescaling is None else scale * float(rescaling.scale)
        learned = chain.take(_is(LearnedThreshold))
    relu = chain.take(is_relu)
    if relu is None:
        chain.places = places
        return 1.0, None, None
    return scale, learned, relu


def is_identity(layer: keras.layers.Layer) -> bool:
    """Whether a layer has no effect outside training."""
    if type(layer) is keras.layers.Activation:
        return activation_kind(layer) == "linear"
    return type(layer) in _TRAINING_ALONE


def is_relu(layer: keras.layers.Layer) -> bool:
    """Whether a layer is a ReLU, bounded or not, but not leaky."""
    return activation_kind(layer) == "relu"


def is_scale(layer: keras.layers.Layer) -> bool:
    """Whether a layer multiplies its input by a positive number."""
    if type(layer) is not keras.layers.Rescaling or np.ndim(layer.scale):
        return False
    return float(layer.scale) > 0 and not np.any(np.asarray(layer.offset))


def _is(kind: type) -> Callable[[Any], bool]:
    """A test for exactly this class; a subclass may have another `call`."""
    return lambda layer: type(layer) is kind


def _layer(operation: Any) -> Any:
    return operation.layer if isinstance(operation, LinearPart) else operation
