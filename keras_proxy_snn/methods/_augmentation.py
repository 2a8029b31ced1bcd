"""Random augmentation of training images: shifts, mirrors and erased rectangles."""

import keras
import numpy as np

from ..basics.types import Images, Tensor

__all__ = ["Augmented", "augment", "erase"]

SHARE = 8
"""Images are shifted by at most this fraction of their side."""

ERASED_AREAS = (0.02, 0.4)
"""Smallest and largest fraction of an image that is erased (s_l and s_h of the publication)."""

ERASED_ASPECT = 0.3
"""Smallest height over width of an erased rectangle, r_1; the largest is r_2 = 1 / r_1."""


def augment(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shift images by up to an eighth of their side and mirror half of them, at random.

    Zeros fill the free border.

    Args:
        images: `(batch, height, width, channels)`.
        rng: Random generator.

    Returns:
        The augmented images, in the same shape and dtype.
    """
    batch, height, width, _ = images.shape
    margins = height // SHARE, width // SHARE
    padded = np.pad(images, ((0, 0), *((margin, margin) for margin in margins), (0, 0)))
    down, right = (rng.integers(0, 2 * margin + 1, (batch, 1)) for margin in margins)
    columns = np.arange(width)
    columns = np.where(rng.random((batch, 1)) < 0.5, columns[::-1], columns) + right
    rows = np.arange(height) + down
    return padded[np.arange(batch)[:, None, None], rows[:, :, None], columns[:, None, :]]


def erase(images: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Replace a rectangle of some images by noise, uniform in [0, 1).

    (Zhong et al., "Random erasing data augmentation", 2017, arXiv:1708.04896. There, a rectangle
    that does not fit is drawn again; here, its sides are cut to the image's.)

    Args:
        images: `(batch, height, width, channels)`, pixels in [0, 1].
        share: Probability that an image gets a rectangle.
        rng: Random generator.

    Returns:
        The images, in the same shape and dtype.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.methods._augmentation import erase
    >>> rng = np.random.default_rng(0)
    >>> noise = erase(np.full((100, 8, 8, 1), 2.0), 1.0, rng) < 1
    >>> bool(noise.any(axis=(1, 2, 3)).all()), bool(noise.all(axis=(1, 2, 3)).any())
    (True, False)
    """
    batch, *sides, _ = images.shape
    area = rng.uniform(*ERASED_AREAS, batch)
    aspect = np.exp(rng.uniform(np.log(ERASED_ASPECT), -np.log(ERASED_ASPECT), batch))
    erased = rng.random((batch, 1, 1, 1)) < share
    covered = []
    for side, shape in zip(sides, (aspect, 1 / aspect), strict=True):
        length = np.sqrt(area * shape * sides[0] * sides[1]).round().clip(1, side).astype(int)
        start = rng.integers(0, side - length + 1)[:, None]
        place = np.arange(side)
        covered.append((place >= start) & (place < start + length[:, None]))
    rows, columns = covered
    inside = erased & rows[:, :, None, None] & columns[:, None, :, None]
    noise = rng.random(images.shape, "float32").astype(images.dtype)
    return np.where(inside, noise, images)


class Augmented(keras.utils.PyDataset):
    """Batches of augmented images and their labels, in a new order in each epoch.

    Args:
        x: Images `(images, height, width, channels)`.
        y: Labels `(images,)`.
        batch_size: Images per batch; the last batch may have fewer.
        seed: Seed of the order, of `augment` and of `erase`.
        erasing: Fraction of the images that `erase` changes.
    """

    def __init__(self, x: Images, y: Tensor, batch_size: int, seed: int, erasing: float = 0.0):
        super().__init__()
        self._x, self._y = np.asarray(x), np.asarray(y)
        self._batch_size = batch_size
        self._seed = seed
        self._erasing = erasing
        self._epoch = -1
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self._x) // self._batch_size)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        start = number * self._batch_size
        chosen = self._order[start : start + self._batch_size]
        rng = np.random.default_rng((self._seed, self._epoch, number))
        images = augment(self._x[chosen], rng)
        if self._erasing:
            images = erase(images, self._erasing, rng)
        return images, self._y[chosen]

    def on_epoch_end(self) -> None:
        """Draw a new order."""
        self._epoch += 1
        self._order = np.random.default_rng((self._seed, self._epoch)).permutation(len(self._x))
