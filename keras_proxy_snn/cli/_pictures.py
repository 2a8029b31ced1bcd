"""Images that a command is given by paths, as input of its network.

`find` does what `find_images` of `on_device.py` does. That script must run alone, so the function
is written twice, and a test compares the results.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..datasets.pictures import PICTURES, prepare, read

__all__ = ["find", "prepared"]

_SUFFIXES = {".npy", *PICTURES.split()}


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


def prepared(
    path: Path, shape: tuple[int, int, int], invert: bool, input_range: tuple[float, float]
) -> list[np.ndarray]:
    """The images of a file, in the network's shape and range; `read` and `prepare` tell more."""
    return [prepare(pixels, shape, invert, input_range) for pixels in read(path)]
