"""Labels as integers or one-hot rows: conversion and checks."""

from typing import Any

import numpy as np
from keras import ops

from .._types import Tensor

__all__ = ["check_labels", "one_hot", "wrong_labels"]


def one_hot(y_true: Tensor, y_pred: Tensor) -> Any:
    """Targets as one-hot `(batch, classes)` in the dtype of the predictions.

    Args:
        y_true: Integer labels `(batch,)` or `(batch, 1)`, or one-hot `(batch, classes)` already.
        y_pred: Predictions `(batch, classes)`.
    """
    if _is_one_hot(y_true, y_pred.shape[-1]):
        return ops.cast(y_true, y_pred.dtype)
    # A label that is not a class gives a row of zeros on every backend. PyTorch's `one_hot` would
    # read the labels to check them.
    labels = ops.reshape(ops.cast(y_true, "float32"), (-1, 1))
    classes = ops.arange(y_pred.shape[-1], dtype="float32")
    return ops.cast(ops.equal(labels, classes), y_pred.dtype)


def wrong_labels(y_true: Tensor, classes: int) -> Any:
    """Number of labels that are not a class: out of range, not a whole number, or NaN. A scalar.

    Args:
        y_true: As in `one_hot`; a tensor, also in traced code.
        classes: Number of classes.

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn.training.targets import wrong_labels
    >>> int(wrong_labels(keras.ops.convert_to_tensor([0.0, 2.0, 1.5, -1.0]), 3))
    2
    """
    y = ops.cast(y_true, "float32")
    if _is_one_hot(y_true, classes):
        # Comparisons with NaN are false. Rows may be smoothed or mixed, but not empty.
        shares = ops.all(ops.logical_and(y >= 0, y <= 1), axis=-1)
        right = ops.logical_and(shares, ops.any(y > 0, axis=-1))
    else:
        right = ops.logical_and(ops.logical_and(y >= 0, y < classes), ops.equal(y, ops.floor(y)))
    return ops.sum(ops.cast(ops.logical_not(right), "int32"))


def check_labels(y: Tensor, classes: int) -> None:
    """Check labels in an array.

    Args:
        y: Labels as in `one_hot`.
        classes: Number of classes.

    Raises:
        ValueError: If the shape does not fit, or a label is not a class.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.training.targets import check_labels
    >>> check_labels(np.array([0, 2, 1]), classes=3)
    >>> check_labels(np.array([0, 3, 1]), classes=3)
    Traceback (most recent call last):
    ValueError: Labels must be whole numbers from 0 to 2, or one-hot rows of 3. Received: 3 at 1.
    """
    kind = type(y).__name__
    y = np.asarray(ops.convert_to_numpy(y))
    rule = f"Labels must be whole numbers from 0 to {classes - 1}, or one-hot rows of {classes}."
    if y.dtype.kind not in "biuf":
        raise ValueError(f"{rule} Received: a {kind} of {y.dtype}.")
    rows = _is_one_hot(y, classes)
    if not rows and not (y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1)):
        raise ValueError(f"{rule} Received: an array of shape {y.shape}.")
    flat = y.reshape(len(y), -1)
    if rows:
        right = (flat >= 0) & (flat <= 1) & (flat > 0).any(axis=1, keepdims=True)
    else:
        right = (flat >= 0) & (flat < classes) & (np.floor(flat) == flat)
    if not right.all():
        place = int(np.argmin(right.all(axis=1)))
        raise ValueError(f"{rule} Received: {y[place].tolist()!r} at {place}.")


def _is_one_hot(y: Tensor, classes: int) -> bool:
    return len(y.shape) == 2 and y.shape[-1] == classes
