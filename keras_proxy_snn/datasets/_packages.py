"""Sets that another package brings: scikit-learn's digits, and what tensorflow-datasets has."""

import importlib

import numpy as np

from ._info import DatasetError, DatasetInfo, RawSplits

__all__ = ["read_scikit_learn", "read_tfds"]


def read_scikit_learn(info: DatasetInfo) -> RawSplits:
    """The digits that lie in scikit-learn, every fifth of each class for testing."""
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
    # No random numbers: the split is the same with every version of every library.
    test = np.sort(np.argsort(labels, kind="stable")[::5])
    train = np.setdiff1d(np.arange(len(labels)), test)
    return (pixels[train], labels[train]), (pixels[test], labels[test])


def read_tfds(info: DatasetInfo) -> RawSplits:
    """What tensorflow-datasets has prepared, or downloads now."""
    try:
        tfds = importlib.import_module("tensorflow_datasets")
        # It does not depend on TensorFlow, but cannot unpack or read these two sets without.
        importlib.import_module("tensorflow")
    except ImportError as error:
        raise DatasetError(f"not available: {error}") from error
    try:
        train, test = tfds.as_numpy(
            tfds.load(info.name, split=["train", "test"], batch_size=-1, as_supervised=True)
        )
    # Without a network this is an error of requests; its others, TensorFlow's and its own share
    # no base class.
    except Exception as error:
        raise DatasetError(f"failed: {type(error).__name__}: {error}") from error
    return train, test
