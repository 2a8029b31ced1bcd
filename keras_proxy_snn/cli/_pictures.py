"""Image files as a network takes them, in the very way of `examples/on_device.py`.

That script stands alone on a device, so what the two share is written twice, and a test holds
one against the other.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["find", "prepare", "read"]

_SUFFIXES = {".npy", ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".pgm", ".ppm", ".tif"}
_LUMINANCE = np.array([[0.299], [0.587], [0.114]], "float32")


def find(paths: tuple[Path, ...]) -> Iterator[Path]:
    """Files, and the images in folders."""
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else []
        yield from [file for file in inside if file.suffix.lower() in _SUFFIXES] or [path]


def read(path: Path) -> list[np.ndarray]:
    """The images of a file: one, or those of a `.npy` array; pictures come grey or with opacity."""
    if path.suffix.lower() == ".npy":
        with path.open("rb") as file:
            array: np.ndarray = np.lib.format.read_array(file)
        many = array.ndim == 4 or (array.ndim == 3 and array.shape[-1] > 4)
        return list(array) if many else [array]
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ImportError("Image files need Pillow: pip install pillow") from error

    with Image.open(path) as picture:
        upright: Any = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I"):  # 16 bits
        return [np.asarray(upright).astype("uint16")]
    return [np.asarray(upright if upright.mode == "L" else upright.convert("RGBA"))]


def prepare(pixels: np.ndarray, shape: tuple[int, int, int], invert: bool) -> np.ndarray:
    """An image in the network's shape, from 0 to 1; what is transparent becomes 0.

    Args:
        pixels: `(height, width[, channels])`, of unsigned integers or numbers from 0 to 1.
        shape: `(height, width, channels)` of the network.
        invert: Exchange dark and light.

    Returns:
        The image, float32.

    Raises:
        ValueError: If it is no image, or has channels that the network cannot take.
    """
    x = pixels[..., None] if pixels.ndim == 2 else pixels
    if x.ndim != 3 or x.size == 0 or x.dtype.kind not in "buif":
        raise ValueError(f"not an image: an array {pixels.shape} of {pixels.dtype}")
    x = x / np.float32(np.iinfo(x.dtype).max) if x.dtype.kind == "u" else x.astype("float32")
    if not ((x >= 0) & (x <= 1)).all():
        raise ValueError("pixels must be bytes, or numbers from 0 to 1")
    colour, opacity = (x[..., :3], x[..., 3:]) if x.shape[-1] == 4 != shape[-1] else (x, 1)
    x = (1 - colour if invert else colour) * opacity
    if x.shape[-1] == 3 and shape[-1] == 1:
        x = x @ _LUMINANCE
    if x.shape[-1] not in (1, shape[-1]):
        raise ValueError(f"it has {x.shape[-1]} channels, the network {shape[-1]}")
    x = np.einsum("ih,jw,hwc->ijc", *map(_resampling, x.shape, shape[:2]), x, optimize=True)
    return np.broadcast_to(x, shape).astype("float32")


def _resampling(old: int, new: int) -> np.ndarray:
    """Weights `(new, old)` of linear interpolation that averages what it makes smaller."""
    centres = (np.arange(new)[:, None] + 0.5) * old / new
    weights = np.maximum(0, 1 - np.abs(np.arange(old) + 0.5 - centres) / max(1, old / new))
    scaled: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return scaled.astype("float32")
