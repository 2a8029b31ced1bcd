"""Checks of labels and of the names of classes, without Keras."""

from collections.abc import Sequence

import numpy as np

from .checks import check_plain

__all__ = ["ROUNDING", "check_labels", "checked_names"]

ROUNDING = 0.01
"""How far the sum of a row of shares may be from 1: such rows may have half precision."""


def check_labels(y: object, classes: int, *, shares: bool = True) -> None:
    """Check labels in an array.

    Args:
        y: Whole numbers `(batch,)` or `(batch, 1)`, or rows `(batch, classes)`.
        classes: Number of classes.
        shares: Whether rows must be one-hot, smoothed or mixed: numbers from 0 to 1 whose sum is 1.
            If not, rows hold any finite numbers, as losses of a user's own may need.

    Raises:
        ValueError: If the shape does not fit, or a label is not a class.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.basics.labels import check_labels
    >>> check_labels(np.array([0, 2, 1]), classes=3)
    >>> check_labels(np.array([0, 3, 1]), classes=3)
    Traceback (most recent call last):
    ValueError: Labels must be whole numbers from 0 to 2, or one-hot rows of 3. Received: 3 at 1.
    """
    kind = type(y).__name__
    check_plain("Labels", y)
    y = np.asarray(y)
    rule = f"Labels must be whole numbers from 0 to {classes - 1}, or one-hot rows of {classes}."
    if y.dtype.kind not in "biuf":
        raise ValueError(f"{rule} Received: a {kind} of {y.dtype}.")
    rows = y.ndim == 2 and y.shape[1] == classes
    if not rows and not (y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1)):
        raise ValueError(f"{rule} Received: an array of shape {y.shape}.")
    if not len(y):
        raise ValueError(f"{rule} Received: an empty array.")
    flat = y.reshape(len(y), -1)
    if rows and shares:
        total = flat.sum(axis=1, keepdims=True, dtype="float64")
        right = (flat >= 0) & (flat <= 1) & (np.abs(total - 1) <= ROUNDING)
    elif rows:
        right = np.isfinite(flat)
    else:
        right = (flat >= 0) & (flat < classes) & (np.floor(flat) == flat)
    if not right.all():
        place = int(np.argmin(right.all(axis=1)))
        raise ValueError(f"{rule} Received: {y[place].tolist()!r} at {place}.")


def checked_names(names: Sequence[str], classes: int) -> tuple[str, ...]:
    """Names of classes as a tuple.

    Args:
        names: A name per class, in the order of the labels.
        classes: Number of classes.

    Raises:
        ValueError: If these are not `classes` different texts.

    Example:

    >>> from keras_proxy_snn.basics.labels import checked_names
    >>> checked_names(["cat", "dog"], 2)
    ('cat', 'dog')
    """
    found = tuple(names) if isinstance(names, Sequence) and not isinstance(names, str) else ()
    texts = all(isinstance(name, str) for name in found)
    if not texts or len(found) != classes or len(set(found)) != classes:
        raise ValueError(
            f"`class_names` must be {classes} different texts, one per class. Received: {names!r}."
        )
    return found
