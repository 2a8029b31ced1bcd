"""Pictures that a command is given by paths, as input of its network."""

import warnings
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..datasets.new_pictures import find, from_files
from ..datasets.pictures import prepare, read, white_of
from ._shared import reading

__all__ = ["new_pictures", "spread_pictures"]


def new_pictures(
    paths: tuple[Path, ...], network: Any, invert: bool
) -> tuple[np.ndarray, list[str]]:
    """Pixels and names of all pictures; unreadable files in a folder are reported and left out."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            return from_files(paths, network, invert=invert)
        finally:
            for warning in caught:
                click.echo(str(warning.message), err=True)


def spread_pictures(
    folder: str, most: int, shape: tuple[int, int, int], input_range: tuple[float, float]
) -> np.ndarray:
    """Pictures of a folder and its subfolders, evenly spread, up to a number of files.

    Raises:
        BadInput: If a file cannot be read.
    """
    files = [file for file, _ in find((Path(folder),))]
    images = []
    for file in files[:: -(-len(files) // most)]:
        with reading(f"image {file}"):
            found = read(file)
            top = white_of(found, input_range)
            images += [prepare(pixels, shape, False, input_range, top) for pixels in found]
    return np.stack(images)
