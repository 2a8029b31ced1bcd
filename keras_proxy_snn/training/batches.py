"""Batches of images from whatever `fit` takes, for functions that look at images.

Arrays are cut into batches. `tf.data`, PyTorch, Grain and `keras.utils.PyDataset` are read batch by
batch, so no function that uses this module holds a data set in memory.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

from ..basics.arrays import as_float32
from ..basics.checks import positive_integer
from ..basics.types import Images
from .images import check_images, is_array

__all__ = ["ImageBatches", "rereadable"]

_INFINITE = -1  # `tf.data.INFINITE_CARDINALITY`


class ImageBatches:
    """Images in batches of float32, checked; labels and weights beside them are left out.

    Each loop over the object reads the data again.

    Args:
        x: An array or a tensor `(images, ...)`; or batches, alone or first in a tuple: a
            `tf.data.Dataset`, a `DataLoader` of PyTorch, a data set or loader of Grain, a
            `keras.utils.PyDataset`, a generator. They must end.
        shape: Of one image.
        batch_size: Most images of a batch `(batch, *shape)`; larger batches are cut.

    Raises:
        ValueError: If there is no image, the data do not end, `batch_size` is not a positive
            integer, or `keras_proxy_snn.training.images.check_images` refuses images; for batches,
            when they are read.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.training.batches import ImageBatches
    >>> given = iter([(np.zeros((3, 8, 8, 1)), np.zeros(3)), (np.zeros((1, 8, 8, 1)), np.zeros(1))])
    >>> [len(images) for images in ImageBatches(given, (8, 8, 1), 2)]
    [2, 1, 1]
    """

    def __init__(self, x: Images, shape: tuple[int, ...], batch_size: int):
        check_images(x, shape)
        self._batch_size = positive_integer("batch_size", batch_size)
        self._given, self._shape = _batches(x), shape
        self._known = int(x.shape[0]) if is_array(x) else None

    def __iter__(self) -> Iterator[np.ndarray]:
        for images in self._checked():
            for start in range(0, images.shape[0], self._batch_size):
                yield as_float32(images[start : start + self._batch_size])

    def known_number(self) -> int | None:
        """Number of images of an array; `None` for batches, which would have to be read first."""
        return self._known

    def number(self) -> int:
        """Number of images; all batches are read for it."""
        return sum(int(images.shape[0]) for images in self._checked())

    def _checked(self) -> Iterator[Any]:
        """Images of each batch as the data give them."""
        empty = True
        for batch in self._given:
            images, empty = _images(batch), False
            check_images(images, self._shape)
            yield images
        if empty:
            raise ValueError("At least one image is needed. Received: data without a batch.")


def rereadable(x: Images) -> Images:
    """`x`; for an iterator, which can be read once, its images in memory.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.training.batches import ImageBatches, rereadable
    >>> batches = ImageBatches(rereadable(np.zeros((2, 4)) for _ in range(3)), (4,), 5)
    >>> batches.number(), batches.number()
    (6, 6)
    """
    return _Kept(x) if isinstance(x, Iterator) else x


class _InOrder:
    """The batches of a `PyDataset`, which itself does not say when to stop."""

    def __init__(self, data: keras.utils.PyDataset):
        self._data = data

    def __iter__(self) -> Iterator[Any]:
        return (self._data[index] for index in range(self._data.num_batches))


class _Kept(keras.utils.PyDataset):
    """The batches of an iterator."""

    def __init__(self, batches: Iterator[Any]):
        super().__init__()
        self._batches = [_images(batch) for batch in batches]

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Any:
        return self._batches[index]


def _batches(x: Images) -> Iterable[Any]:
    """Batches as a user's data gives them; an array is one batch."""
    if is_array(x):
        return [x]
    endless = hasattr(x, "cardinality") and int(x.cardinality()) == _INFINITE
    if isinstance(x, keras.utils.PyDataset):
        endless = x.num_batches is None
        x = _InOrder(x)
    if endless:
        raise ValueError("Batches of images must come to an end. Received: endless data.")
    if not isinstance(x, Iterable):
        raise ValueError(
            "Images must be an array, or batches of images as `fit` takes them. "
            f"Received: a {type(x).__name__}."
        )
    return x


def _images(batch: Any) -> Any:
    return batch[0] if isinstance(batch, tuple | list) and batch else batch
