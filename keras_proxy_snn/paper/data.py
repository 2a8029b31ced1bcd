"""Images of an experiment: for training, held out, and for the test."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .. import datasets
from ..presets import PRESETS

__all__ = ["Data", "Split", "load"]

Split = tuple[np.ndarray, np.ndarray]

_SUBSET = "cifar10-lossless-subset/cifar10-lossless-subset.npz"


@dataclass(frozen=True)
class Data:
    """A data set, divided into its parts.

    Attributes:
        title: Name in tables; it states if the copy has lossy compression.
        train: Images and labels to train on.
        held_out: The last 5,000 training images, or the last tenth of fewer than 50,000. All
            choices are made with these images. None after `undivided`.
        test: Test images and labels, used once, at the end of a training.
        lossless: For a compressed copy: some test images with original pixels, and the same
            images from the copy, by name. Empty if there are no original pixels.
    """

    title: str
    train: Split
    held_out: Split
    test: Split
    lossless: dict[str, Split]

    def undivided(self) -> "Data":
        """The same with all training images to train on, and none held out."""
        parts = zip(self.train, self.held_out, strict=True)
        x, y = (np.concatenate(part) for part in parts)
        return replace(self, train=(x, y), held_out=(x[:0], y[:0]))


def load(preset: str, data_dir: str | os.PathLike[str] | None) -> Data:
    """The data set with images of a preset's shape, see `keras_proxy_snn.datasets.load`.

    Raises:
        ValueError: If there is no such data set.
    """
    name = datasets.name_by_shape(PRESETS[preset].input_shape)
    if name is None:
        raise ValueError(f"No data set has images of the preset's shape. Received: {preset!r}.")
    (x, y), test = datasets.load(name, data_dir=data_dir)
    source = datasets.locate(name, data_dir)
    cut = len(x) - min(5000, len(x) // 10)
    copy = source is not None and source.format == "jpeg"
    return Data(
        title="CIFAR-10 (JPEG copy)" if copy else _title(name),
        train=(x[:cut], y[:cut]),
        held_out=(x[cut:], y[cut:]),
        test=test,
        lossless=_lossless(test, data_dir) if copy else {},
    )


def _title(name: str) -> str:
    return {"fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}.get(name, name)


def _lossless(test: Split, data_dir: str | os.PathLike[str] | None) -> dict[str, Split]:
    """The first test images with original pixels, if the folder of the copy has them."""
    root = data_dir or os.environ.get("KERAS_PROXY_SNN_DATA")
    if root is None or not (Path(root) / _SUBSET).is_file():
        return {}
    with np.load(Path(root) / _SUBSET, allow_pickle=False) as file:
        x, y = file["x_test"].astype("float32") / 255, file["y_test"].astype("int64")
    # Within a class the copy keeps the original order, so these are its first images per class.
    first = [np.flatnonzero(test[1] == label)[: np.sum(y == label)] for label in range(10)]
    same = np.concatenate(first)
    return {"lossless": (x, y), "copy": (test[0][same], test[1][same])}
