"""The range of pixels: what images show of it, and whether they fit the range of a network."""

from numbers import Real

import numpy as np

from .types import Images
from .warn import warn

__all__ = [
    "ROUNDING",
    "UNIT",
    "WHITES",
    "check_range",
    "holds",
    "in_range",
    "seen_range",
    "warn_of_range",
]

UNIT = (0.0, 1.0)
"""The range of the package's data sets, and the default of a network."""

WHITES = (1.0, 255.0, 65535.0)
"""Values of white with one bit or as a float, with 8 bits, with 16 bits."""

ROUNDING = 1e-6
"""Part of white by which resized or scaled pixels may exceed their range."""

_TOLERANCE = 1e-3
_FAR = 4.0  # times as bright or as dark; standardised images differ by less


def check_range(value: object) -> tuple[float, float] | None:
    """`input_range` as two floats, or None.

    Raises:
        ValueError: If it is not `(low, high)` with finite numbers and low < high.

    Example:

    >>> from keras_proxy_snn.basics.pixel_range import check_range
    >>> check_range([0, 255])
    (0.0, 255.0)
    """
    if value is None:
        return None
    # A set has no order, and `float` would read text.
    ends = list(value) if isinstance(value, tuple | list | np.ndarray) else []
    fits = len(ends) == 2 and all(isinstance(end, Real) for end in ends)
    try:
        low, high = map(float, ends) if fits else (0.0, 0.0)
    except OverflowError:
        fits = False
    if not fits or not np.isfinite([low, high]).all() or not low < high:
        raise ValueError(
            "`input_range` must be (low, high), two finite numbers with low < high, or None. "
            f"Received: {value!r}."
        )
    return low, high


def in_range(pixels: Images, expected: tuple[float, float]) -> np.ndarray:
    """Scale pixels from [0, 1] to a network's range, float32.

    Example:

    >>> from keras_proxy_snn.basics.pixel_range import in_range
    >>> in_range([0.0, 0.5, 1.0], (0, 255)).tolist()
    [0.0, 127.5, 255.0]
    """
    black, white = map(np.float32, expected)
    scaled: np.ndarray = np.asarray(pixels, "float32") * (white - black) + black
    return scaled


def seen_range(images: Images) -> tuple[float, float] | None:
    """The range of images: the usual range that contains them, or else their minimum and maximum.

    Args:
        images: `(batch, ...)`.

    Returns:
        `(low, high)`; `None` without images, for a single colour, and for values that are not
        finite or not numbers.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.basics.pixel_range import seen_range
    >>> seen_range(np.array([0.0, 0.9])), seen_range(np.array([3, 250])), seen_range([-0.8, 1])
    ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0))
    """
    pixels = np.asarray(images)
    if not pixels.size or pixels.dtype.kind not in "buif":
        return None
    low, high = float(pixels.min()), float(pixels.max())
    if not np.isfinite([low, high]).all() or low == high:
        return None
    if -1 - _TOLERANCE <= low < -_TOLERANCE and high <= 1 + _TOLERANCE:
        return -1.0, 1.0
    if low < -_TOLERANCE:
        return low, high
    for white in WHITES:
        if high <= white * (1 + _TOLERANCE) and (white == 1 or high > white / 2):
            return 0.0, white
    return 0.0, high


def warn_of_range(known: tuple[float, float], seen: tuple[float, float] | None) -> None:
    """Warn of images that a trained network takes for far darker or far brighter ones.

    Args:
        known: The model's range.
        seen: `seen_range` of the images.
    """
    if seen is None or seen == known or holds(known, seen):
        return
    ratio = max(map(abs, seen)) / max(map(abs, known))
    if ratio > _FAR or ratio < 1 / _FAR:
        warn(
            f"Images go from {seen[0]:g} to {seen[1]:g}, and this network was trained with images "
            f"from {known[0]:g} to {known[1]:g}: its answers are of no use. Give images of its "
            f"range, or set `model.input_range = {seen}` if this is intended."
        )


def holds(expected: tuple[float, float], seen: tuple[float, float]) -> bool:
    """Whether images fit a range; images up to 1 do not fit a range up to 255."""
    inside = expected[0] <= seen[0] and seen[1] <= expected[1]
    return inside and not (seen[1] == 1 and expected[1] in WHITES[1:])
