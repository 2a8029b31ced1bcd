"""Checks of images before a model sees them."""

import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from ..basics.checks import check_plain, check_shape
from ..basics.types import Tensor

__all__ = ["check_floatx", "check_images", "is_array", "is_finite"]

# Images that are looked at together, so that a copy of them is small.
_TOGETHER = 1024


def check_images(x: Any, shape: tuple[int, ...]) -> None:
    """Check images that are an array, and the declared shape of a `tf.data.Dataset`.

    Args:
        x: What a user gives to `fit`: an array or a tensor `(batch, ...)`; or a dataset or a
            generator, whose batches are checked in the step.
        shape: Of one image.

    Raises:
        ValueError: If `x` is `None`, a dictionary, a list or a path, no image, of another shape,
            or a pixel is not a finite number.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.training.images import check_images
    >>> check_images(np.zeros((2, 8, 8, 1)), (8, 8, 1))
    >>> check_images(np.full((1, 8, 8, 1), np.nan), (8, 8, 1))
    Traceback (most recent call last):
    ValueError: Pixels must be finite numbers. Received: nan or inf in image 0.
    """
    wanted = f"(batch, {', '.join(map(str, shape))})"
    if x is None or isinstance(x, dict | list | tuple | str | os.PathLike):
        received = f"a {type(x).__name__}" if isinstance(x, dict | list | tuple) else repr(x)
        raise ValueError(
            f"Images must be one array of shape {wanted}, or a dataset of batches (images, "
            f"labels). Received: {received}."
        )
    if not is_array(x):
        return
    check_shape("Images", x, shape)
    if not x.shape[0]:
        raise ValueError(f"At least one image is needed, {wanted}. Received: an empty array.")
    _check_pixels(x)


def _check_pixels(x: Tensor) -> None:
    if not ops.is_tensor(x):
        check_plain("Images", x)
        x = np.asarray(x)
        if x.dtype.kind not in "biuf":
            raise ValueError(f"Pixels must be real numbers. Received: an array of {x.dtype}.")
        if x.dtype.kind != "f":
            # JAX would read the lower half of their bits.
            if x.dtype.itemsize == 8 and (x.min() < -(2**31) or x.max() >= 2**31):
                raise ValueError(
                    "Whole numbers as pixels must have at most 32 bits. "
                    f"Received: from {x.min()} to {x.max()}."
                )
            return
    elif not keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype)):
        return
    look: Callable[[Tensor], Tensor] = ops.isfinite if ops.is_tensor(x) else np.isfinite
    for start in range(0, x.shape[0], _TOGETHER):
        finite = look(x[start : start + _TOGETHER])
        if not bool(finite.all() if hasattr(finite, "all") else ops.all(finite)):
            finite = np.asarray(ops.convert_to_numpy(finite))
            place = start + int(np.argmin(finite.reshape(len(finite), -1).all(axis=1)))
            raise ValueError(
                f"Pixels must be finite numbers. Received: nan or inf in image {place}."
            )


def is_finite(images: Tensor) -> Tensor:
    """Whether all pixels of each image are finite numbers: `(batch,)`, booleans."""
    finite = ops.isfinite(ops.cast(images, "float32"))
    # One axis after the other: Keras 3.12 with PyTorch cannot reduce several at once.
    for _ in range(len(finite.shape) - 1):
        finite = ops.all(finite, axis=-1)
    return finite


def check_floatx() -> None:
    """Raise a `ValueError` where Keras would round images before a model sees them."""
    if keras.config.floatx() in ("float16", "bfloat16"):
        raise ValueError(
            "Keras rounds images to `keras.config.floatx()`, which must be 'float32': for half "
            "precision use keras.config.set_dtype_policy('mixed_float16') or 'mixed_bfloat16'. "
            f"Received: {keras.config.floatx()!r}."
        )


def is_array(x: object) -> bool:
    """Whether something is an array or a tensor."""
    return ops.is_tensor(x) or (hasattr(x, "shape") and hasattr(x, "dtype"))
