"""Training images that are not the same in any two epochs."""

from typing import Any

import keras
import numpy as np

__all__ = ["Augmented", "augment"]

SHARE = 8
"""Images are shifted by up to this part of their side."""


def augment(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Images shifted by up to an eighth of their side, zeros moving in, half of them mirrored.

    Args:
        images: `(batch, height, width, channels)`.
        rng: Where shifts and mirrors come from.

    Returns:
        As many images of the same shape and dtype.
    """
    batch, height, width, _ = images.shape
    margins = height // SHARE, width // SHARE
    padded = np.pad(images, ((0, 0), *((margin, margin) for margin in margins), (0, 0)))
    down, right = (rng.integers(0, 2 * margin + 1, (batch, 1)) for margin in margins)
    columns = np.arange(width)
    columns = np.where(rng.random((batch, 1)) < 0.5, columns[::-1], columns) + right
    rows = np.arange(height) + down
    return padded[np.arange(batch)[:, None, None], rows[:, :, None], columns[:, None, :]]


class Augmented(keras.utils.PyDataset):
    """Batches of augmented images and their labels, in another order in each epoch.

    Args:
        x: Images `(images, height, width, channels)`.
        y: Labels `(images,)`.
        batch_size: Images a batch; the last may have fewer.
        seed: Of the order, and of what `augment` does.
    """

    def __init__(self, x: Any, y: Any, batch_size: int, seed: int):
        super().__init__()
        self._x, self._y = np.asarray(x), np.asarray(y)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = -1
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self._x) // self._batch_size)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        start = number * self._batch_size
        chosen = self._order[start : start + self._batch_size]
        rng = np.random.default_rng((self._seed, self._epoch, number))
        return augment(self._x[chosen], rng), self._y[chosen]

    def on_epoch_end(self) -> None:
        """Another order."""
        self._epoch += 1
        self._order = np.random.default_rng((self._seed, self._epoch)).permutation(len(self._x))
