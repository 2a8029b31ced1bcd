"""Tensors of any backend as NumPy arrays, and a check of arrays."""

import numpy as np
from keras import ops

from .types import Tensor

__all__ = ["as_float32", "check_finite"]


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
