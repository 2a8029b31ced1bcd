"""Labelled images of Hugging Face's `datasets` and of tensorflow-datasets, as streams."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..basics.checks import require
from ._folder import FRACTION, checked_size
from ._info import DatasetError
from ._stream import PARTS, ImageStream
from .names import HUB_NAME
from .pictures import pixels_of

__all__ = ["from_hub"]

_HELD_OUT = ("test", "validation")  # names of parts; the first that exists is held out


class _Part(NamedTuple):
    """One part of a data set: reader of an image by its number, labels and names of classes."""

    read: Callable[[int], np.ndarray]
    labels: np.ndarray
    class_names: list[str]


def from_hub(
    name: str,
    *,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    held_out: float | None = None,
    seed: int = 0,
    **options: Any,
) -> tuple[ImageStream, ImageStream]:
    """Read labelled images from a hub: images for training, and images held out.

    - `"hf:beans"`: a data set of Hugging Face with a column of images and one of class labels.
      Needs `pip install datasets`.
    - `"tfds:beans"`: a data set of tensorflow-datasets with `image` and `label`. Needs
      `pip install tensorflow-datasets array_record pillow`.

    The library downloads the data the first time. Images are read one by one from the disk, so
    memory does not grow with the data set.

    Args:
        name: As above.
        image_size: `(height, width)` to which all images are resized. An image of other proportions
            is stretched, not cut. `None`: the size of the first image; an image of another size is
            an error when it is read.
        channels: 1 (grey) or 3 (colour). `None`: as the first image.
        held_out: Fraction of the images of each class that is held out. `None`: the part `test` or
            `validation` of the data set, or else 0.2.
        seed: Seed of the choice and of the order in training.
        **options: `batch_size` and further arguments of `ImageStream`.

    Returns:
        `(train, test)`, as of `from_folder`.

    Raises:
        DatasetError: If the data set has no part `train`, no images or no class labels.
        ValueError: If an argument is out of range.
        ImportError: If the library is missing; the error says how to install it.

    Example:

    >>> from keras_proxy_snn import datasets
    >>> datasets.from_hub("beans")
    Traceback (most recent call last):
    ValueError: `name` must be 'hf:NAME' or 'tfds:NAME'. Received: 'beans'.
    """
    match = HUB_NAME.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        raise ValueError(f"`name` must be 'hf:NAME' or 'tfds:NAME'. Received: {name!r}.")
    parts, open_part = (_hugging_face if match[1] == "hf" else _tensorflow)(match[2])
    if "train" not in parts:
        raise DatasetError(f"A data set must have a part 'train'. Received: {name} with {parts}.")
    options |= {"image_size": image_size, "channels": channels}
    train = _stream(name, open_part("train"), **options)
    other = next((part for part in _HELD_OUT if part in parts), None)
    if held_out is not None or other is None:
        return train.split(FRACTION if held_out is None else held_out, seed)
    test = _stream(name, open_part(other), **options)
    train.seed, train.epoch = seed, 0
    train.part, test.part = PARTS
    return train, test


def _stream(
    name: str,
    part: _Part,
    image_size: tuple[int, int] | None,
    channels: int | None,
    **options: Any,
) -> ImageStream:
    order = _in_turn(part.labels)
    first = part.read(int(order[0]))
    size = first.shape[:2] if image_size is None else checked_size(image_size)
    if channels is None:
        channels = 1 if first.ndim == 2 or first.shape[-1] == 1 else 3

    def read(number: int) -> np.ndarray:
        pixels = part.read(int(order[number]))
        if image_size is None and pixels.shape[:2] != size:
            raise DatasetError(
                f"Images must have one size, or give `image_size`. Received: {name} with {size} "
                f"and {pixels.shape[:2]}, height and width."
            )
        return pixels

    shape = (size[0], size[1], channels)
    return ImageStream(read, part.labels[order], part.class_names, shape, **options)


def _in_turn(labels: np.ndarray) -> np.ndarray:
    """An order of images in which the classes take turns."""
    by_class = np.argsort(labels, kind="stable")
    rank = np.empty(len(labels), int)
    rank[by_class] = np.arange(len(labels)) - np.searchsorted(labels[by_class], labels[by_class])
    return np.lexsort((labels, rank))


def _hugging_face(name: str) -> tuple[list[str], Callable[[str], _Part]]:
    parts = require("datasets", "datasets").load_dataset(name)

    def open_part(part: str) -> _Part:
        data = parts[part]
        kinds = {type(kind).__name__: column for column, kind in data.features.items()}
        if not {"Image", "ClassLabel"} <= set(kinds):
            raise DatasetError(
                "A data set must have a column of images and one of class labels. Received: "
                f"{name} with {dict(data.features)}."
            )
        image, label = kinds["Image"], kinds["ClassLabel"]
        labels = np.asarray(data[label], np.int64)
        return _Part(lambda i: pixels_of(data[i][image]), labels, data.features[label].names)

    return list(parts), open_part


def _tensorflow(name: str) -> tuple[list[str], Callable[[str], _Part]]:
    library = require("tensorflow_datasets", "tensorflow-datasets array_record pillow")
    builder = library.builder(name, file_format="array_record")  # it can be read in any order
    if not {"image", "label"} <= set(builder.info.features):
        raise DatasetError(
            "A data set must have `image` and `label`. Received: "
            f"{name} with {list(builder.info.features)}."
        )
    builder.download_and_prepare()

    def open_part(part: str) -> _Part:
        data = builder.as_data_source(split=part)
        raw = builder.as_data_source(split=part, decoders={"image": library.decode.SkipDecoding()})
        labels = np.array([raw[i]["label"] for i in range(len(raw))], np.int64)
        return _Part(lambda i: data[i]["image"], labels, builder.info.features["label"].names)

    return list(builder.info.splits), open_part
