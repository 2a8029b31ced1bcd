"""Pictures without classes, given by paths, as input of a network.

`find` does what `find_images` of `on_device.py` does. That script must run alone, so the function
is written twice, and a test compares the results.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from ..basics.warn import warn
from ._info import DatasetError
from .pictures import PICTURES, prepare, read, white_of

__all__ = ["find", "from_files"]

_SUFFIXES = {".npy", *PICTURES.split()}


class _Network(Protocol):
    """What must be known of a network: `ProxyModel` has it."""

    @property
    def image_shape(self) -> tuple[int, ...]: ...

    @property
    def input_range(self) -> tuple[float, float]: ...

    @property
    def events(self) -> bool: ...


def from_files(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    model: _Network,
    *,
    invert: bool = False,
) -> tuple[np.ndarray, list[str]]:
    """Read new pictures as the input of a model, to classify them.

    The command `predict` reads pictures with this function, so both give the same spike counts.
    Pictures are resized to the model's images (one of other proportions is stretched, not cut),
    converted to grey or colour, and scaled to the model's input range.

    Args:
        paths: Picture files, folders (searched with their subfolders), or `.npy` arrays of one
            image or many, with bytes or numbers from 0 to 1; one of these or several. If the
            model's range goes from 0 to 255 or more, arrays may have numbers of that range too.
        model: The `ProxyModel`.
        invert: Whether to exchange dark and light, for dark drawings on a light background.

    Returns:
        `(x, names)`: images `(images, height, width, channels)`, float32, and the path of each. A
        file in a folder that cannot be read is left out with a warning.

    Raises:
        TypeError: If the model is not a `ProxyModel`.
        DatasetError: If a file that is named cannot be read, or no file can.
        ValueError: If the model takes no images, or a folder has none.
        ImportError: If Pillow is missing.

    Example:

    >>> import pathlib, tempfile
    >>> import keras, numpy as np
    >>> import keras_proxy_snn as kps
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> keras.utils.save_img(folder / "three.png", np.zeros((20, 30, 3)))
    >>> model = kps.build("digits", weights="pretrained")
    >>> x, names = kps.datasets.from_files(folder, model)
    >>> x.shape, [pathlib.Path(name).name for name in names]
    ((1, 8, 8, 1), ['three.png'])
    """
    if not hasattr(model, "image_shape"):
        raise TypeError(f"`model`, the second argument, must be a ProxyModel. Received: {model!r}.")
    shape = model.image_shape
    if model.events or len(shape) != 3:
        raise ValueError(
            f"The model must take images. Received: a model with inputs of shape {shape}."
        )
    several = (paths,) if isinstance(paths, str | os.PathLike) else tuple(paths)
    names: list[str] = []
    x: list[np.ndarray] = []
    for path, in_folder in find(tuple(map(Path, several))):
        try:
            found, ends = read(path), model.input_range
            top = white_of(found, ends)
            images = [prepare(pixels, shape, invert, ends, top) for pixels in found]
        except ImportError:
            raise
        except Exception as error:  # a damaged file can make its reader raise any error
            reason = " ".join(str(error).split()) or type(error).__name__
            if not in_folder:
                raise DatasetError(f"image {path}: {reason}") from error
            warn(f"left out: image {path}: {reason}")
            continue
        x += images
        names += [str(path) if len(images) == 1 else f"{path}[{i}]" for i in range(len(images))]
    if not x:
        raise DatasetError("At least one image must be readable. Received: no readable image.")
    return np.stack(x), names


def find(paths: tuple[Path, ...]) -> Iterator[tuple[Path, bool]]:
    """Yield the named files and the images in named folders; `True` for images from a folder.

    Hidden files in folders are left out; this includes the `._` files of macOS.

    Raises:
        ValueError: If a folder has no image.
    """
    for path in paths:
        if not path.is_dir():
            yield path, False
            continue
        inside = sorted(
            Path(folder, name)
            for folder, _, names in os.walk(path)
            for name in names
            if Path(name).suffix.lower() in _SUFFIXES and not name.startswith(".")
        )
        if not inside:
            raise ValueError(f"A folder must have images ({PICTURES} .npy). Received: {path}.")
        yield from ((file, True) for file in inside)
