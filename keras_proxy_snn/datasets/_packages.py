"""Data sets from other packages: scikit-learn's digits, and sets of tensorflow-datasets."""

import importlib

import numpy as np

from ._info import DatasetError, DatasetInfo, RawSplits

__all__ = ["read_scikit_learn", "read_tfds"]


def read_scikit_learn(info: DatasetInfo) -> RawSplits:
    """scikit-learn's digits; sorted by class, every fifth image is a test image."""
    try:
        sets = importlib.import_module("sklearn.datasets")
    except ImportError as error:
        raise ImportError(
            f"The set {info.name!r} is part of scikit-learn, which is not installed. "
            "Try: pip install keras-proxy-snn[datasets]"
        ) from error
    bunch = sets.load_digits()
    pixels = bunch.images.astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.int64)
    # The split uses no random numbers, so it is the same with every version of every library.
    test = np.sort(np.argsort(labels, kind="stable")[::5])
    train = np.setdiff1d(np.arange(len(labels)), test)
    return (pixels[train], labels[train]), (pixels[test], labels[test])


def read_tfds(info: DatasetInfo) -> RawSplits:
    """The set that tensorflow-datasets has already prepared, or downloads now."""
    try:
        tfds = importlib.import_module("tensorflow_datasets")
        # tensorflow-datasets can be installed without TensorFlow, but cannot read these sets then.
        importlib.import_module("tensorflow")
    except ImportError as error:
        raise DatasetError(f"not available: {error}") from error
    try:
        train, test = tfds.as_numpy(
            tfds.load(info.name, split=["train", "test"], batch_size=-1, as_supervised=True)
        )
    # Without a network the error is from requests. Errors of requests, TensorFlow and
    # tensorflow-datasets have no common base class.
    except Exception as error:
        raise DatasetError(f"failed: {type(error).__name__}: {error}") from error
    return train, test
