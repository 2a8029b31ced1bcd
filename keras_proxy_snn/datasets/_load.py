"""`load`: find a set, read it, check it, scale it."""

import os
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from . import _cifar, _idx, _images
from ._digits import DIGITS, read_digits
from ._info import DatasetError, DatasetInfo, Labels, RawSplits, check_labels, info_of
from ._locate import ENVIRONMENT_VARIABLE, search
from ._source import Source
from ._tfds import read_tfds

__all__ = ["load"]

Images = NDArray[np.float32]

_READERS: dict[str, Callable[[DatasetInfo, Source], RawSplits]] = {
    "idx": _idx.read,
    "python": _cifar.read,
    "binary": _cifar.read,
    "png": _images.read,
    "jpeg": _images.read,
}


def load(
    name: str, *, data_dir: str | os.PathLike[str] | None = None
) -> tuple[tuple[Images, Labels], tuple[Images, Labels]]:
    """Load a set of images as NumPy arrays.

    - `"fashion_mnist"`: 60,000 + 10,000 images of clothes, (28, 28, 1). Xiao, Rasul & Vollgraf
      2017, https://arxiv.org/abs/1708.07747; MIT licence.
    - `"cifar10"`: 50,000 + 10,000 photographs, (32, 32, 3). Krizhevsky 2009, "Learning Multiple
      Layers of Features from Tiny Images", https://www.cs.toronto.edu/~kriz/cifar.html; published
      without a licence.
    - `"digits"`: 1,437 + 360 handwritten digits, (8, 8, 1). Alpaydin & Kaynak 1998,
      https://doi.org/10.24432/C50P49; CC BY 4.0.

    Fashion-MNIST and CIFAR-10 are searched in these places, in this order:

    1. `data_dir`. If it is given, no other place is searched.
    2. The environment variable `KERAS_PROXY_SNN_DATA`.
    3. For Fashion-MNIST: `/usr/share/datasets/fashion-mnist`, where Debian's package
       `dataset-fashion-mnist` installs it.
    4. tensorflow-datasets, which downloads the set the first time. It needs TensorFlow, with any
       backend of Keras. Without a network it tries for some minutes before it gives up.

    Places 1 and 2 are a directory or an archive (.tar, .tar.gz, .tgz, .tar.xz, .zip). The directory
    holds the set itself, a subfolder with a usual name (`fashion-mnist`, `cifar-10-batches-py`,
    ...), or an archive with such a name. The files are IDX files, gzipped or not; CIFAR-10's Python
    or binary batches; or images `train/<class>/*.jpg` (or `.png`) and `test/<class>/...`. If a
    place has the published pixels and JPEG files, the published pixels are read. `locate` tells
    which files `load` would read. Nothing in a file is ever executed, and nothing is unpacked to
    disk.

    The digits come with the package, so `data_dir` does not matter. The set has 1,797 images.
    Of each class, every fifth image is a test image, so the split is stratified and always the
    same.

    Examples keep the order of their source. For images in class folders the classes take turns, so
    that the first n images are balanced for any n.

    Args:
        name: One of `NAMES`.
        data_dir: A directory or an archive that holds the set.

    Returns:
        `(x_train, y_train), (x_test, y_test)`. x has the shape `(n, height, width, channels)` and
        the type float32; its pixels are in [0, 1]: value / 255, for digits value / 16. y has the
        shape `(n,)` and the type int64; its labels are 0 to 9, see `class_names`.

    Raises:
        ValueError: If the name is not known.
        DatasetError: If the set is not found, or one of its files is damaged, has the wrong size or
            has other content than its name says. This error is a `ValueError` too.
        ImportError: If Pillow is missing. Images in class folders need it.

    Example:

    >>> from keras_proxy_snn import datasets
    >>> (x_train, y_train), (x_test, y_test) = datasets.load("digits")
    >>> x_train.shape, x_test.shape, y_train.shape, y_test.shape
    ((1437, 8, 8, 1), (360, 8, 8, 1), (1437,), (360,))
    >>> str(x_train.dtype), float(x_train.min()), float(x_train.max())
    ('float32', 0.0, 1.0)
    """
    info = info_of(name)
    if name == "digits":
        where, raw = str(DIGITS), read_digits()
    else:
        source, missed = search(info, data_dir)
        if source is not None and source.format in _READERS:
            where, raw = str(source.path), _READERS[source.format](info, source)
        elif data_dir is not None:
            raise DatasetError(
                f"`data_dir` must be a directory that holds {info.title}, with or without one of "
                f"the subfolders {', '.join(info.folders)}; or an archive. Received: "
                f"{'; '.join(missed)}."
            )
        else:
            where, raw = "tensorflow-datasets", _downloaded(info, missed)
    train, test = (
        _checked(info, split, *arrays, where) for split, arrays in zip(info.sizes, raw, strict=True)
    )
    return train, test


def _downloaded(info: DatasetInfo, missed: list[str]) -> RawSplits:
    try:
        return read_tfds(info)
    except DatasetError as error:
        looked = "; ".join([*missed, f"tensorflow-datasets ({error})"])
        debian = "`apt-get install dataset-fashion-mnist`, " if info.system_folder else ""
        raise DatasetError(
            f"{info.title} was not found. Pass `data_dir` (`--data-dir`), set the environment "
            f"variable {ENVIRONMENT_VARIABLE} to a directory that holds the set, {debian}or, with "
            f'a network, `pip install "keras-proxy-snn[tfds]"`. Looked in: {looked}.'
        ) from error


def _checked(
    info: DatasetInfo, split: str, pixels: NDArray[np.uint8], labels: Labels, where: str
) -> tuple[Images, Labels]:
    """Check that a split is whole, and return it scaled to [0, 1]."""
    shape = (info.sizes[split], *info.shape)
    if pixels.shape != shape or labels.shape != shape[:1] or pixels.dtype != np.uint8:
        raise DatasetError(
            f"{where} must hold {split} images {shape} uint8 and labels {shape[:1]} of "
            f"{info.title}. Received: {pixels.shape} {pixels.dtype} and {labels.shape}."
        )
    check_labels(labels, info, where)
    counts = np.bincount(labels, minlength=len(info.classes))
    # Files of MNIST and Fashion-MNIST have the same names and sizes; MNIST's classes have unequal
    # numbers of images.
    if info.balanced and counts.min() != counts.max():
        raise DatasetError(
            f"{where} must hold {len(labels) // len(info.classes):,} {split} images of each class "
            f"of {info.title}. Received: {counts.tolist()} of the classes 0 to {len(counts) - 1}."
        )
    # One pass without a second array, because CIFAR-10 takes 600 MB in float32.
    scaled = np.divide(pixels, np.float32(info.white), dtype=np.float32, order="C")
    return scaled, labels.astype(np.int64)
