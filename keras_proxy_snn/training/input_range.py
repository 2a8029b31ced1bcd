"""The range of a network's images: from the user, from its first layers, or from `fit`.

The command line, the example for devices and data sets for calibration bring pictures to a network
without code of the user. They scale black and white to the two ends of this range.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from ..basics.pixel_range import UNIT, WHITES, holds, seen_range
from ..basics.types import Images
from ..basics.warn import warn
from ..cnn.graph import Graph
from ..mapping.parts import preprocessing_length

__all__ = [
    "agreed_range",
    "layers_range",
    "peek",
    "range_of",
]

_SAMPLE = 1024  # number of images that are inspected


def layers_range(graph: Graph) -> tuple[float, float] | None:
    """The range of images that a `Rescaling` at the network's input expects; `None` if unknown.

    Example:

    >>> import keras
    >>> from keras_proxy_snn.cnn.graph import read_graph
    >>> from keras_proxy_snn.training.input_range import layers_range
    >>> x = keras.Input((2, 2, 1))
    >>> layers_range(read_graph(keras.Model(x, keras.layers.Rescaling(1 / 255)(x))))
    (0.0, 255.0)
    """
    for call in graph.calls[: preprocessing_length(graph)]:
        if type(call.layer) is keras.layers.Rescaling and np.ndim(call.layer.scale) == 0:
            for white in WHITES[1:]:
                # The layer scales to (0, 1) or to (-1, 1).
                if np.isclose(call.layer.scale * white, (1.0, 2.0), rtol=1e-3).any():
                    return 0.0, white
    return None


def peek(x: Any) -> tuple[Any, Any]:
    """Some of the training images, and an `x` from which nothing has been taken.

    Args:
        x: Arrays, or a data set of batches of any kind that Keras accepts.

    Returns:
        Images or `None`; and `x`, or an equal replacement if reading from `x` uses it up.
    """
    if isinstance(x, keras.utils.PyDataset):
        return (None if x.num_batches == 0 else _images(x[0])), x
    if hasattr(x, "shape") and hasattr(x, "__getitem__"):
        return (x[:: max(1, len(x) // _SAMPLE)] if len(x.shape) else None), x
    if hasattr(x, "element_spec") and hasattr(x, "take"):  # `tf.data.Dataset`
        return _images(next(iter(x.take(1)), None)), x
    if hasattr(x, "dataset") and hasattr(x, "batch_size"):  # PyTorch's `DataLoader`
        # An iterator of the loader would draw from the random generator of the user.
        items = x.dataset
        if not hasattr(items, "__getitem__") or not hasattr(items, "__len__"):
            return None, x
        return [_images(items[i]) for i in range(min(len(items), x.batch_size or 1))], x
    if type(x).__module__.startswith("grain"):
        return _images(next(iter(x), None)), x
    if isinstance(x, Iterator):
        first = next(x, None)
        return (None, x) if first is None else (_images(first), _again(first, x))
    return None, x


def range_of(images: Images) -> tuple[float, float] | None:
    """`seen_range` of the images of `peek`: an array, a list of images, or `None`."""
    parts = images if isinstance(images, list) else [images]
    if not parts or any(isinstance(part, dict) or part is None for part in parts):
        return None
    return seen_range(np.stack([ops.convert_to_numpy(part) for part in parts]))


def _images(batch: Any) -> Any:
    return batch[0] if isinstance(batch, tuple | list) and batch else batch


def _again(first: Any, rest: Iterable[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def agreed_range(
    known: tuple[float, float] | None, graph: Graph, images: Images
) -> tuple[float, float] | None:
    """The input range after a look at training images; warn if it contradicts them.

    Args:
        known: The model's range, or `None`.
        graph: The ANN.
        images: Some training images, or `None`.

    Returns:
        `known`, or the range of the images.
    """
    seen = range_of(images)
    expected = known or layers_range(graph)
    if seen is None or seen == expected:
        return known
    if expected is not None and holds(expected, seen):
        return known
    layers = (call.layer for call in graph.calls[: preprocessing_length(graph)])
    scaled = any(
        isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization) for layer in layers
    )
    if expected is not None or (seen != UNIT and not scaled):
        warn(_advice(expected, seen))
    return seen


def _advice(expected: tuple[float, float] | None, seen: tuple[float, float]) -> str:
    text = f"Training images go from {seen[0]:g} to {seen[1]:g}, "
    if expected is not None:
        text += f"and this network is for images from {expected[0]:g} to {expected[1]:g}. "
        text += "Give images of this range. "
    else:
        text += "and the usual thresholds and learning rates are for 0 to 1. "
        cure = "Divide them" if seen[0] == 0 else "Bring them there"
        text += f"{cure}, or put `keras.layers.Rescaling` first in the network. "
    return text + (
        f"If this range is intended, set `model.input_range = {seen}`, or give `input_range` to "
        "`build`. The model keeps the range: the command line's `predict`, calibration and "
        "exported files scale black and white of pictures to it."
    )
