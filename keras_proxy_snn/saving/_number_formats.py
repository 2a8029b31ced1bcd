"""Weights as they stand in a file: in float16, or kernels in int8 with a scale for each channel."""

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["NUMBER_FORMATS", "decoded", "encoded"]

NUMBER_FORMATS = ("float16", "int8")
_SCALE = ":scale"
_LARGEST = 127


def encoded(arrays: Mapping[str, np.ndarray], number_format: str) -> dict[str, Any]:
    """Arrays as they are written to a file.

    With `"int8"`, an array of at least two axes becomes whole numbers from -127 to 127. The scale
    of each channel, the last axis, is its largest magnitude over 127. All other arrays are float16.

    Args:
        arrays: Weights by name.
        number_format: One of `NUMBER_FORMATS`.

    Raises:
        ValueError: If a weight is not finite, or too large for float16.
    """
    found = {}
    for name, array in arrays.items():
        with np.errstate(over="ignore"):  # the error below names the weight
            half = array.astype("float16")
        if not np.isfinite(half).all():
            raise ValueError(
                f"Weights must be finite and within float16's 65504. Received: {name!r} up to "
                f"{np.abs(array).max():g}."
            )
        if number_format == "int8" and array.ndim > 1:
            largest = np.abs(array).max(axis=tuple(range(array.ndim - 1)))
            scale = np.where(largest > 0, largest / _LARGEST, 1.0).astype("float32")
            found[name] = np.rint(array / scale).astype("int8")
            found[f"{name}{_SCALE}"] = scale
        else:
            found[name] = half
    return found


def decoded(stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights in float32, from the arrays of a file.

    Raises:
        ValueError: If an array is neither floats nor int8 with a scale for each channel.
    """
    found = {}
    for name, array in stored.items():
        if name.endswith(_SCALE) and name.removesuffix(_SCALE) in stored:
            continue
        scale = stored.get(f"{name}{_SCALE}")
        if array.dtype == np.int8 and scale is not None and scale.shape == array.shape[-1:]:
            array = array * scale.astype("float32")
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError(
                f"Weights must be finite floats, or int8 with a finite scale for each channel. "
                f"Received: {name!r}, {array.dtype}."
            )
        found[name] = array.astype("float32")
    return found
