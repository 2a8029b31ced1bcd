"""Checks of weights of images and of classes, which `fit` multiplies into the loss."""

from numbers import Real
from typing import Any

import keras
import numpy as np
from keras import ops

from ..basics.types import Tensor

__all__ = ["check_class_weight", "check_sample_weight"]


def check_sample_weight(weights: Any) -> None:
    """Raise a `ValueError` unless weights of images are `None` or an array of finite numbers.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.training.importance import check_sample_weight
    >>> check_sample_weight(np.array([1.0, np.nan]))
    Traceback (most recent call last):
    ValueError: `sample_weight` must hold finite numbers. Received: nan or inf among them.
    """
    if weights is None:
        return
    rule = "`sample_weight` must hold finite numbers"
    if not hasattr(weights, "shape") or not hasattr(weights, "dtype"):
        raise ValueError(f"{rule} in an array (images,). Received: a {type(weights).__name__}.")
    found = ops.convert_to_numpy(weights) if ops.is_tensor(weights) else np.asarray(weights)
    if found.dtype.kind not in "biuf":
        found = _as_numbers(weights, rule)
    if not np.isfinite(found).all():
        raise ValueError(f"{rule}. Received: nan or inf among them.")


def _as_numbers(weights: Tensor, rule: str) -> np.ndarray:
    """Numbers of a type that NumPy does not know, such as bfloat16."""
    if not ops.is_tensor(weights) or not keras.backend.is_float_dtype(weights.dtype):
        raise ValueError(f"{rule}. Received: an array of {weights.dtype}.")
    found: np.ndarray = ops.convert_to_numpy(ops.cast(weights, "float32"))
    return found


def check_class_weight(weights: object, classes: int) -> None:
    """Raise a `ValueError` unless weights are `None`, or finite numbers by class number.

    Keras ignores weights of classes that do not exist.

    Example:

    >>> from keras_proxy_snn.training.importance import check_class_weight
    >>> check_class_weight({0: 1.0, 2: 0.5}, classes=3)
    >>> check_class_weight({3: 0.5}, classes=3)
    Traceback (most recent call last):
    ValueError: `class_weight` must map classes from 0 to 2 to finite numbers. Received: {3: 0.5}.
    """
    if weights is None:
        return
    if not isinstance(weights, dict) or not all(
        key in range(classes) and isinstance(value, Real) and np.isfinite(float(value))
        for key, value in weights.items()
    ):
        raise ValueError(
            f"`class_weight` must map classes from 0 to {classes - 1} to finite numbers. "
            f"Received: {weights!r}."
        )
