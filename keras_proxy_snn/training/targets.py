"""Labels as integers or one-hot rows: conversion, and a check inside a step."""

from typing import Any

import keras
from keras import ops

from ..basics.labels import ROUNDING
from ..basics.types import Tensor

__all__ = ["check_targets", "one_hot", "wrong_labels"]


def check_targets(y_true: Tensor, y_pred: Tensor) -> None:
    """Check the shape and the dtype of labels, also in traced code; see `wrong_labels` for values.

    Args:
        y_true: As in `one_hot`.
        y_pred: Predictions `(batch, classes)`.

    Raises:
        ValueError: If labels are not a tensor of numbers, or have a wrong shape.

    Example:

    >>> import keras
    >>> from keras_proxy_snn.training.targets import check_targets
    >>> check_targets(keras.ops.ones((2, 2)), keras.ops.ones((4, 3)))
    Traceback (most recent call last):
    ValueError: Labels must be (4,), (4, 1) or (4, 3). Received: float32 of shape (2, 2).
    """
    images, classes = y_pred.shape
    number = "images" if images is None else images
    rule = f"Labels must be ({number},), ({number}, 1) or ({number}, {classes})."
    if not hasattr(y_true, "shape") or not hasattr(y_true, "dtype"):
        raise ValueError(f"{rule} Received: a {type(y_true).__name__}.")
    dtype = _dtype_of(y_true)
    if getattr(y_true.shape, "rank", 0) is None:  # of TensorFlow
        raise ValueError(
            f"{rule} Received: {dtype} of unknown shape; state it where the dataset is made."
        )
    shape = tuple(y_true.shape)
    fits = len(shape) == 1 or (len(shape) == 2 and shape[1] in (1, classes))
    fits = fits and (images is None or shape[0] in (None, images))
    if not fits or dtype.startswith(("complex", "str")):
        raise ValueError(f"{rule} Received: {dtype} of shape {shape}.")


def _dtype_of(y: Tensor) -> str:
    try:
        return str(keras.backend.standardize_dtype(y.dtype))
    except ValueError:  # complex numbers and text
        return str(getattr(y.dtype, "name", y.dtype)).removeprefix("torch.")


def one_hot(y_true: Tensor, y_pred: Tensor) -> Any:
    """Targets as one-hot `(batch, classes)` in the dtype of the predictions.

    Args:
        y_true: Integer labels `(batch,)` or `(batch, 1)`, or one-hot `(batch, classes)` already.
        y_pred: Predictions `(batch, classes)`.

    Raises:
        ValueError: As `check_targets`.
    """
    check_targets(y_true, y_pred)
    if _is_one_hot(y_true, y_pred.shape[-1]):
        return ops.cast(y_true, y_pred.dtype)
    # A label that is not a class gives a row of zeros on every backend. PyTorch's `one_hot` would
    # read the labels to check them.
    labels = ops.reshape(ops.cast(y_true, "float32"), (-1, 1))
    classes = ops.arange(y_pred.shape[-1], dtype="float32")
    return ops.cast(ops.equal(labels, classes), y_pred.dtype)


def wrong_labels(y_true: Tensor, classes: int, shares: bool = True) -> Any:
    """Number of labels that are not a class: out of range, not a whole number, or NaN. A scalar.

    Args:
        y_true: As in `one_hot`; a tensor, also in traced code.
        classes: Number of classes.
        shares: Whether rows must be shares, see `keras_proxy_snn.basics.labels.check_labels`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn.training.targets import wrong_labels
    >>> int(wrong_labels(keras.ops.convert_to_tensor([0.0, 2.0, 1.5, -1.0]), 3))
    2
    """
    y = ops.cast(y_true, "float32")
    if _is_one_hot(y_true, classes) and not shares:
        right = ops.all(ops.isfinite(y), axis=-1)
    elif _is_one_hot(y_true, classes):
        # Comparisons with NaN are false. Rows may be smoothed or mixed.
        shares = ops.all(ops.logical_and(y >= 0, y <= 1), axis=-1)
        right = ops.logical_and(shares, ops.abs(ops.sum(y, axis=-1) - 1.0) <= ROUNDING)
    else:
        right = ops.logical_and(ops.logical_and(y >= 0, y < classes), ops.equal(y, ops.floor(y)))
    return ops.sum(ops.cast(ops.logical_not(right), "int32"))


def _is_one_hot(y: Tensor, classes: int) -> bool:
    return len(y.shape) == 2 and y.shape[-1] == classes
