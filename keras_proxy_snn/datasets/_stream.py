"""`ImageStream`: labelled images that are read batch by batch."""

import copy
import math
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from textwrap import shorten
from typing import Any

import keras
import numpy as np

from ..basics.checks import positive_integer, positive_integers
from ..basics.labels import check_labels, checked_names
from ..basics.pixel_range import UNIT, check_range
from ._info import Labels
from .pictures import prepare

__all__ = ["PARTS", "ImageStream"]

PARTS = ("training", "held-out")
"""What the two parts of a split are for."""


class ImageStream(keras.utils.PyDataset):
    """Labelled images for `fit`, `evaluate` and `predict`, read batch by batch on every backend.

    Only one batch of pixels is in memory at a time. `from_folder`, `open_folder` and `from_hub`
    make streams. Images are resized, converted to grey or colour and scaled as by the command
    `predict` and by `on_device.py`, so a network gets the same pixels in training and
    later.

    Args:
        read: Function from the number of an image to its pixels, as for
            `keras_proxy_snn.datasets.pictures.prepare`.
        labels: Number of the class of each image `(images,)`, in an order in which the classes
            take turns.
        class_names: Names of the classes; `fit` keeps them in the model.
        image_shape: `(height, width, channels)` of the images.
        batch_size: Images per batch.
        input_range: Values of black and white.
        files: Name of each image, such as `"cat/1.png"`; `None` if they have none.
        **kwargs: Arguments of `keras.utils.PyDataset`: with `workers=4`, four threads read ahead.

    Attributes:
        labels: As the argument, int64.
        class_names: As the argument, a tuple.
        image_shape: As the argument.
        numbers: Numbers of the images of this part, for `read`.
        part: What the images are for, `"training"` or `"held-out"`; `""` if there is no split.
        seed: Seed of the order of the images; each epoch has another order. `None`: every epoch
            has the order of `labels`. It can be set at any time.

    Raises:
        ValueError: If labels are not whole numbers from 0, one below the number of `class_names`
            at most; or another argument is out of range.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn import datasets
    >>> grey = np.full((4, 4), 51, "uint8")
    >>> stream = datasets.ImageStream(lambda i: grey, [0, 1, 0], ["cat", "dog"], (2, 2, 1))
    >>> x, y = stream[0]
    >>> x.shape, round(float(x.max()), 6), y.tolist(), stream.images
    ((3, 2, 2, 1), 0.2, [0, 1, 0], 3)
    """

    def __init__(
        self,
        read: Callable[[int], np.ndarray],
        labels: Any,
        class_names: Sequence[str],
        image_shape: tuple[int, int, int],
        *,
        batch_size: int = 32,
        input_range: tuple[float, float] = (0.0, 1.0),
        files: Sequence[str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.class_names = checked_names(class_names, len(class_names))
        check_labels(labels, len(self.class_names))
        if np.ndim(labels) != 1:
            raise ValueError(
                f"`labels` must be (images,). Received: an array of shape {np.shape(labels)}."
            )
        self.labels: Labels = np.asarray(labels).astype(np.int64)
        if files is not None and len(files) != len(self.labels):
            raise ValueError(
                f"`files` must have one name for each of the {len(self.labels)} images. "
                f"Received: {len(files)} names."
            )
        self.image_shape = _checked_shape(image_shape)
        self._files, self.part = files, ""
        self._read, self._range = read, check_range(input_range) or UNIT
        self._seed: int | None = None
        self._epoch = 0
        self.numbers = np.arange(len(self.labels))
        self._order = self.numbers
        self.batch_size = batch_size

    @property
    def batch_size(self) -> int:
        """Images per batch; can be set between epochs."""
        return self._batch_size

    @batch_size.setter
    def batch_size(self, value: int) -> None:
        self._batch_size = positive_integer("batch_size", value)

    @property
    def seed(self) -> int | None:
        """Seed of the order of the images, or `None`; can be set at any time."""
        return self._seed

    @seed.setter
    def seed(self, value: int | None) -> None:
        self._seed = None if value is None else _checked_seed(value)
        self.epoch = self._epoch

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.numbers)

    @property
    def files(self) -> list[str] | None:
        """Names of the images of this part, in the order of `arrays`; `None` if not known."""
        return None if self._files is None else [self._files[i] for i in self.numbers.tolist()]

    @property
    def epoch(self) -> int:
        """Number of the epoch, from 0, which with `seed` decides the order of the images."""
        return self._epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        self._epoch = value
        self._order = self.numbers if self.seed is None else self.at(value).numbers

    def __len__(self) -> int:
        return math.ceil(self.images / self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, Labels]:
        """A batch: images `(batch, height, width, channels)`, float32, and labels `(batch,)`."""
        start = index * self.batch_size
        return self._batch(self._order[start : start + self.batch_size])

    def on_epoch_end(self) -> None:
        """Take the order of the next epoch."""
        self.epoch += 1

    def first(self, images: int | None) -> "ImageStream":
        """A stream of the first images, in which the classes take turns; `None` for all."""
        return self._part(self.numbers[:images], self.seed)

    def at(self, epoch: int) -> "ImageStream":
        """A stream of the same images, always in the order of one epoch.

        Keras may take a batch to build a model, and counts that as an epoch. A training that
        resumes from a file needs orders that do not depend on this count.
        """
        order = self.numbers
        if self.seed is not None:
            rng = np.random.default_rng([self.seed, epoch])
            order = order[rng.permutation(self.images)]
        return self._part(order, None)

    def arrays(self) -> tuple[np.ndarray, Labels]:
        """All images and labels, as arrays in memory, in the order of `labels`."""
        return self._batch(self.numbers)

    def split(self, held_out: float, seed: int = 0) -> tuple["ImageStream", "ImageStream"]:
        """Two streams: images for training, in a new order in each epoch, and images held out.

        Args:
            held_out: Fraction of the images of each class that is held out: at least one image,
                and at most all but one.
            seed: Seed of the choice and of the orders.

        Raises:
            ValueError: If `held_out` is not between 0 and 1, or a class has a single image.
        """
        if not isinstance(held_out, Real) or not 0 < held_out < 1:
            raise ValueError(f"`held_out` must be above 0 and below 1. Received: {held_out!r}.")
        rng = np.random.default_rng(_checked_seed(seed))
        mine = self.labels[self.numbers]
        out = np.zeros(self.images, bool)
        for label, name in enumerate(self.class_names):
            places = np.flatnonzero(mine == label)
            if len(places) < 2:
                raise ValueError(
                    "A class needs two images or more, one for training and one that is held "
                    f"out. Received: {len(places)} of class {name!r}."
                )
            number = min(max(1, round(held_out * len(places))), len(places) - 1)
            out[rng.permutation(places)[:number]] = True
        train, test = self._part(self.numbers[~out], seed), self._part(self.numbers[out], None)
        train.part, test.part = PARTS
        return train, test

    def _part(self, numbers: np.ndarray, seed: int | None) -> "ImageStream":
        part = copy.copy(self)
        # The seed before the epoch, whose order follows from it.
        part.numbers, part.seed, part.epoch = numbers, seed, 0
        return part

    def __repr__(self) -> str:
        kind = f"{self.part} images" if self.part else "images"
        return (
            f"<{type(self).__name__} of {self.images} {kind} {self.image_shape}, "
            f"{len(self.class_names)} classes: {shorten(', '.join(self.class_names), 60)}; "
            f"batch_size={self.batch_size}>"
        )

    def _batch(self, numbers: np.ndarray) -> tuple[np.ndarray, Labels]:
        shape = self.image_shape
        x = [prepare(self._read(int(i)), shape, False, self._range) for i in numbers]
        return np.stack(x), self.labels[numbers]


def _checked_shape(value: Any) -> tuple[int, int, int]:
    names = ("height", "width", "channels")
    height, width, channels = positive_integers("image_shape", value, names)
    return height, width, channels


def _checked_seed(value: object) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 0:
        raise ValueError(f"`seed` must be a whole number, 0 or more. Received: {value!r}.")
    return int(value)
