"""Image files as input of a network, with the same results as `on_device.py`.

That script must run alone on a device, so it cannot import this module. The shared steps are
therefore written twice, and a test compares the results.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..basics.checks import require
from ..basics.pixel_range import ROUNDING, WHITES, in_range

__all__ = [
    "PICTURES",
    "is_scaled",
    "pixels_of",
    "prepare",
    "read",
    "read_array",
    "size",
    "unit",
    "white_of",
]

PICTURES = ".png .jpg .jpeg .jpe .jfif .bmp .gif .webp .pgm .ppm .pnm .tif .tiff"
"""Endings of the names of picture files, with spaces."""

# Pillow holds a picture several times while it is turned and converted: in less than 1 GiB.
_MOST_PIXELS = 50_000_000
_ORIENTATION = 0x0112  # the EXIF tag; 5 to 8 stand for pictures on their side
_LUMINANCE = np.array([[0.299], [0.587], [0.114]], "float32")
# Bits per pixel of grey pictures, by Pillow's name of the format. Pillow scales few bits to 255.
_BITS = {"1": 1, "L;2": 2, "L;4": 4, "L": 8, "I;16B": 16, "I;16": 16}


def read(path: Path) -> list[np.ndarray]:
    """The images of a picture file or of a `.npy` array.

    A picture is read as grey, or as RGB with opacity, 8 bits each. An animated picture, or a file
    with several pages, gives one image per frame or page.

    Raises:
        OSError: If there is no such file, or the system cannot read it.
        ValueError: If the picture is too large, or its pixels are 32-bit integers, whose value of
            white is not known. Broken files may raise errors of many other kinds.
    """
    if path.suffix.lower() == ".npy":
        array = read_array(path)
        many = array.ndim == 4 or (array.ndim == 3 and array.shape[-1] > 4)
        return list(array) if many else [array]
    with _opened(path) as (picture, frames):
        from PIL import ImageOps, ImageSequence

        tile: Any = picture.tile[0][3] if picture.tile else ""
        pages = ImageSequence.Iterator(picture) if frames > 1 else [picture]
        return [
            pixels_of(ImageOps.exif_transpose(page), picture.format, str(tile)) for page in pages
        ]


def size(path: Path) -> tuple[int, int, int]:
    """Height, width and channels (1 or 3) of a picture file with one picture, from its head alone.

    Raises:
        OSError: As `read`.
        ValueError: As `read`, or if the file has several pictures.
    """
    with _opened(path) as (picture, frames):
        if frames > 1:
            raise ValueError(f"it has {frames} pictures; a class has one picture per file")
        width, height = picture.size
        if picture.getexif().get(_ORIENTATION, 1) >= 5:
            width, height = height, width
        grey = picture.mode in ("1", "L", "LA", "F") or picture.mode.startswith("I")
        return height, width, 1 if grey else 3


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, int]]:
    """A picture file, and the number of its pictures."""
    _check_file(path)
    pillow = require("PIL.Image", "keras-proxy-snn[datasets]")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tags of the file that do not matter
        warnings.simplefilter("error", pillow.DecompressionBombWarning)
        with pillow.open(path) as picture:
            # In a JPEG file of a camera, all pictures but the first are previews.
            frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
            if (pixels := frames * picture.width * picture.height) > _MOST_PIXELS:
                raise ValueError(f"it has {pixels:,} pixels; at most {_MOST_PIXELS:,} are read")
            yield picture, frames


def pixels_of(picture: Any, format: str | None = None, tile: str = "") -> np.ndarray:
    """Pixels of a Pillow picture; `tile` is Pillow's name of the pixel format in the file."""
    level = picture.info.get("transparency")
    if picture.mode == "F":
        return np.asarray(picture)
    if picture.mode.startswith("I"):
        if not picture.mode.startswith("I;16") and format not in ("PNG", "PPM"):
            raise ValueError(
                "its pixels are integers of 32 bits, whose value of white is not known"
            )
        grey = np.asarray(picture).astype("uint16")
    elif picture.mode == "RGB" and level is not None and "16" in tile:
        raise ValueError("it has colours of 16 bits, one of them transparent, but is read in 8")
    elif picture.mode in ("L", "1"):
        grey = np.asarray(picture.convert("L"))
    else:
        return np.asarray(picture.convert("RGBA"))
    if not isinstance(level, int):
        return grey
    white = np.iinfo(grey.dtype).max
    bits = _BITS.get(tile, 8 * grey.itemsize)
    opacity = np.where(grey == level * (white // (2**bits - 1)), 0, white).astype(grey.dtype)
    return np.stack([grey, grey, grey, opacity], axis=-1)


def read_array(path: Path) -> np.ndarray:
    """The array of a `.npy` file; its size is checked against the file before memory is allocated.

    Raises:
        OSError: If there is no such file.
        ValueError: If the file is not an array, is too short, or holds Python objects.
    """
    _check_file(path)
    with path.open("rb") as file:
        head = np.lib.format
        version = head.read_magic(file)
        reads = head.read_array_header_1_0 if version == (1, 0) else head.read_array_header_2_0
        shape, _, dtype = reads(file)
        left = path.stat().st_size - file.tell()
        size = dtype.itemsize
        for length in shape:
            size *= length
        if min(shape, default=0) < 0 or size > left:
            raise ValueError(f"an array {shape} of {dtype} needs {size} bytes, the file has {left}")
        file.seek(0)
        array: np.ndarray = head.read_array(file, allow_pickle=False)
    return array


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"An image must be a file. Received: {path}, which does not exist.")


def prepare(
    pixels: np.ndarray,
    shape: tuple[int, int, int],
    invert: bool,
    input_range: tuple[float, float] = (0.0, 1.0),
    top: float = 1.0,
) -> np.ndarray:
    """Bring an image to the network's shape and range; transparent pixels become black.

    Args:
        pixels: `(height, width[, channels])`, integers of 8 or 16 bits or numbers from 0 to `top`.
        shape: `(height, width, channels)` of the network's input.
        invert: Whether to exchange dark and light.
        input_range: The network's values of black and white.
        top: White in pixels of other types, see `white_of`: 1, or white of the network.

    Returns:
        The image, float32, in `shape`.

    Raises:
        ValueError: If `pixels` is not an image, or the number of channels does not fit.
    """
    x = pixels[..., None] if pixels.ndim == 2 else pixels
    if x.ndim != 3 or x.size == 0 or x.dtype.kind not in "buif":
        raise ValueError(f"not an image: an array {pixels.shape} of {pixels.dtype}")
    x, top = (unit(x), 1.0) if is_scaled(x.dtype) else (x.astype("float32"), top)
    beyond = ROUNDING * top
    if not ((x >= -beyond) & (x <= top + beyond)).all():
        raise ValueError(
            f"pixels must be bytes, or numbers from 0 to 1{_also(*input_range)}. "
            f"Received: {pixels.dtype} from {pixels.min():.9g} to {pixels.max():.9g}"
        )
    colour, opacity = (x[..., :3], x[..., 3:] / top) if x.shape[-1] == 4 != shape[-1] else (x, 1)
    x = (top - colour if invert else colour) * opacity
    if x.shape[-1] == 3 and shape[-1] == 1:
        x = x @ _LUMINANCE
    if x.shape[-1] not in (1, shape[-1]):
        raise ValueError(f"it has {x.shape[-1]} channels, the network {shape[-1]}")
    x = np.einsum("ih,jw,hwc->ijc", *map(_resampling, x.shape, shape[:2]), x, optimize=True)
    x = np.clip(x, np.float32(0), np.float32(top))  # sums of weights can exceed 1 by rounding
    return np.broadcast_to(in_range(x, input_range) if top == 1 else x, shape).copy()


def white_of(images: list[np.ndarray], input_range: tuple[float, float]) -> float:
    """Value of white in the images of a file: 1, or white of a network for pixels from 0 to 255.

    No picture has all its pixels below 1 of 255. So if a pixel of the file exceeds 1, the pixels
    are those of the network's own range. A range that begins below 0, or ends at a small number,
    has pictures with all pixels from 0 to 1, which could mean both.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.datasets.pictures import white_of
    >>> white_of([np.array([[0.0, 200.5]])], (0.0, 255.0))
    255.0
    >>> white_of([np.array([[0.0, 0.8]])], (0.0, 255.0))
    1.0
    """
    black, white = input_range
    plain = [x for x in images if x.dtype.kind in "iuf" and not is_scaled(x.dtype)]
    brightest = max((float(x.max(initial=0)) for x in plain), default=0)
    return float(white) if _takes_own(black, white) and brightest > 1 + ROUNDING else 1.0


def _takes_own(black: float, white: float) -> bool:
    return black == 0 and white >= WHITES[1]


def _also(black: float, white: float) -> str:
    """What a message says of the network's own range beside numbers from 0 to 1."""
    if _takes_own(black, white):
        return f", or from 0 to {white:g}"
    return "" if (black, white) == (0, 1) else f", which become {black:g} to {white:g}"


def is_scaled(dtype: np.dtype[Any]) -> bool:
    """Whether pixels of a type have a known white: integers of 8 or 16 bits without a sign."""
    return dtype.kind == "u" and dtype.itemsize <= 2


def unit(pixels: np.ndarray) -> np.ndarray:
    """Pixels of such a type as numbers from 0 to 1, float32."""
    scaled: np.ndarray = pixels / np.float32(np.iinfo(pixels.dtype).max)
    return scaled


def _resampling(old: int, new: int) -> np.ndarray:
    """Weights `(new, old)` of linear interpolation, with averaging if the image gets smaller."""
    centres = (np.arange(new)[:, None] + 0.5) * old / new
    weights = np.maximum(0, 1 - np.abs(np.arange(old) + 0.5 - centres) / max(1, old / new))
    scaled: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return scaled.astype("float32")
