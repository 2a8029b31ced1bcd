"""Tensors of any backend as NumPy arrays, a check of arrays, and the highest scores."""

import numpy as np
from keras import ops

from .types import Tensor

__all__ = ["as_float32", "check_finite", "highest_scores"]


def check_finite(images: Tensor) -> None:
    """Raise a `ValueError` if images in a NumPy array have a pixel that is not a finite number.

    Tensors are not looked at: in a compiled step they have no values.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.basics.arrays import check_finite
    >>> check_finite(np.array([0.5, np.inf]))
    Traceback (most recent call last):
    ValueError: Pixels must be finite numbers. Received: nan or inf among them.
    """
    floats = isinstance(images, np.ndarray) and images.dtype.kind == "f"
    if floats and not np.isfinite(images).all():
        raise ValueError("Pixels must be finite numbers. Received: nan or inf among them.")


def as_float32(tensor: Tensor) -> np.ndarray:
    """A tensor of any dtype as an array of float32, which NumPy knows and bfloat16 it does not."""
    return np.asarray(ops.convert_to_numpy(ops.cast(tensor, "float32")))


def highest_scores(scores: np.ndarray) -> np.ndarray:
    """Where each image's highest score is, `(images, classes)`; nowhere if all scores are 0.

    More than one place in a row is a tie, and none is a readout without a spike.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.basics.arrays import highest_scores
    >>> highest_scores(np.float32([[2, 2, 1], [0, 0, 0]])).tolist()
    [[True, True, False], [False, False, False]]
    """
    highest: np.ndarray = scores == scores.max(axis=1, keepdims=True)
    return highest & scores.any(axis=1, keepdims=True)
