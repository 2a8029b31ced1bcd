"""Data sets of tensorflow-datasets."""

import importlib

from ._info import DatasetError, DatasetInfo, RawSplits

__all__ = ["read_tfds"]


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
