"""Facts about each data set: size, classes, usual names of folders and archives."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "INFOS",
    "NAMES",
    "DatasetError",
    "DatasetInfo",
    "Labels",
    "Pixels",
    "RawSplits",
    "check_labels",
    "class_names",
    "image_shape",
    "info_of",
    "name_by_shape",
]

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]
RawSplits = tuple[tuple[Pixels, Labels], tuple[Pixels, Labels]]


class DatasetError(ValueError):
    """A data set is missing, or one of its files is damaged or wrong.

    The message names the file and states the expected and the received content.

    Example:

    >>> from keras_proxy_snn import datasets
    >>> issubclass(datasets.DatasetError, ValueError)
    True
    """


@dataclass(frozen=True)
class DatasetInfo:
    """Facts about one data set.

    Attributes:
        name: Its name in `load`.
        title: The name that its authors gave it.
        shape: `(height, width, channels)` of an image, in pixels.
        sizes: Number of examples of each split.
        classes: Names of the classes, in the order of the labels.
        balanced: Whether each class has the same number of examples.
        white: The largest pixel value, which becomes 1.
        folders: Usual names of subfolders that hold the set.
        archives: Pattern for the start of the name of an archive of the set.
        system_folder: Folder in which a package of a Linux distribution installs the set.
    """

    name: str
    title: str
    shape: tuple[int, int, int]
    sizes: dict[str, int]
    classes: tuple[str, ...]
    balanced: bool = True
    white: int = 255
    folders: tuple[str, ...] = ()
    archives: str = ""
    system_folder: str = ""

    def class_index(self, folder: str) -> int | None:
        """Label of the class that a folder is named after, or None.

        Case and punctuation do not matter.
        """
        plain = [_letters(name) for name in self.classes]
        return plain.index(_letters(folder)) if _letters(folder) in plain else None

    def names_archive(self, file_name: str) -> bool:
        """Whether a file of this name is an archive of this set."""
        return bool(self.archives) and re.match(self.archives, file_name, re.I) is not None


@functools.lru_cache(1024)
def _letters(text: str) -> str:
    # "T-shirt/top" cannot name a folder, so "T-shirt_top" and "tshirt top" are accepted for it.
    return re.sub(r"[^a-z0-9]", "", text.lower())


INFOS = {
    info.name: info
    for info in (
        DatasetInfo(
            name="fashion_mnist",
            title="Fashion-MNIST",
            shape=(28, 28, 1),
            sizes={"train": 60_000, "test": 10_000},
            classes=(
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
            folders=("fashion-mnist", "fashion_mnist", "FashionMNIST/raw", "FashionMNIST"),
            archives=r"fashion[-_]?mnist(?![a-z0-9])",
            system_folder="/usr/share/datasets/fashion-mnist",  # Debian: dataset-fashion-mnist
        ),
        DatasetInfo(
            name="cifar10",
            title="CIFAR-10",
            shape=(32, 32, 3),
            sizes={"train": 50_000, "test": 10_000},
            classes=(
                "airplane",
                "automobile",
                "bird",
                "cat",
                "deer",
                "dog",
                "frog",
                "horse",
                "ship",
                "truck",
            ),
            folders=(
                "cifar-10-batches-py",
                "cifar-10-batches-bin",
                "cifar-10-batches-py-target/cifar-10-batches-py",  # where Keras unpacks it
                "cifar10",
                "cifar-10",
                "cifar10-jpeg",
            ),
            archives=r"cifar[-_]?10(?!\d)",
        ),
        DatasetInfo(
            name="digits",
            title="digits",
            shape=(8, 8, 1),
            sizes={"train": 1_437, "test": 360},
            classes=tuple("0123456789"),
            balanced=False,
            white=16,
        ),
    )
}
NAMES = tuple(INFOS)


def info_of(name: str) -> DatasetInfo:
    """Facts about a set; an unknown name raises a ValueError that lists the known names."""
    if name not in INFOS:
        known = ", ".join(repr(known) for known in NAMES)
        raise ValueError(f"The name of a data set must be one of {known}. Received: {name!r}.")
    return INFOS[name]


def class_names(name: str) -> tuple[str, ...]:
    """Names of the classes of a set, in the order of their labels 0 to 9.

    Args:
        name: One of `NAMES`.

    Returns:
        Ten strings; `class_names(name)[y]` is the class of label `y`.

    Raises:
        ValueError: If the name is not known.

    Example:

    >>> from keras_proxy_snn import datasets
    >>> datasets.class_names("cifar10")[:3]
    ('airplane', 'automobile', 'bird')
    """
    return info_of(name).classes


def image_shape(name: str) -> tuple[int, int, int]:
    """Shape of the images of a set, `(height, width, channels)` in pixels.

    Args:
        name: One of `NAMES`.

    Raises:
        ValueError: If the name is not known.

    Example:

    >>> from keras_proxy_snn import datasets
    >>> datasets.image_shape("cifar10")
    (32, 32, 3)
    """
    return info_of(name).shape


def name_by_shape(
    shape: tuple[int, ...],
    classes: int | None = None,
    class_names: Sequence[str] | None = None,
) -> str | None:
    """Name of the set whose images have the given shape, or None.

    Args:
        shape: `(height, width, channels)`, in pixels.
        classes: Number of classes that the set must have; `None` for any number.
        class_names: Names of classes that the set must have, in this order; `None` for any names.

    Example:

    >>> from keras_proxy_snn import datasets
    >>> datasets.name_by_shape((8, 8, 1)), datasets.name_by_shape((8, 8, 1), classes=3)
    ('digits', None)
    """
    fitting = (
        name
        for name, info in INFOS.items()
        if info.shape == tuple(shape)
        and classes in (None, len(info.classes))
        and (class_names is None or tuple(class_names) == info.classes)
    )
    return next(fitting, None)


def check_labels(labels: Labels, info: DatasetInfo, where: object) -> None:
    """Raise a DatasetError with the name of the file if a label is not the number of a class."""
    wrong = labels[(labels < 0) | (labels >= len(info.classes))]
    if wrong.size:
        raise DatasetError(
            f"{where} must have labels of {info.title}, from 0 to {len(info.classes) - 1}. "
            f"Received: {int(wrong[0])} ({wrong.size:,} such labels)."
        )
