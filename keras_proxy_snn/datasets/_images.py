"""Folders of JPEG or PNG images: `train/<class>/<file>` and `test/<class>/<file>`."""

import io
import struct
from types import ModuleType

import numpy as np

from ..basics.checks import require
from ._files import Member, members
from ._info import DatasetError, DatasetInfo, Labels, Pixels, RawSplits
from ._source import Source

__all__ = ["jpeg_key", "png_key", "read"]

_MAX_BYTES = 1 << 20  # far more than an image of 32 x 32 pixels takes in either format

_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error)


def jpeg_key(info: DatasetInfo, name: str) -> tuple[str, int] | None:
    """The split and the label of a JPEG file by its path, or None for any other file."""
    return _key(info, name) if name.lower().endswith((".jpg", ".jpeg")) else None


def png_key(info: DatasetInfo, name: str) -> tuple[str, int] | None:
    """The split and the label of a PNG file by its path, or None for any other file."""
    return _key(info, name) if name.lower().endswith(".png") else None


def _key(info: DatasetInfo, name: str) -> tuple[str, int] | None:
    *_, split, folder, file = ("", "", *name.split("/"))
    label = info.class_index(folder)
    # For each 0001.jpg, macOS adds "._0001.jpg" to an archive, which is not an image.
    if split not in info.sizes or label is None or file.startswith("."):
        return None
    return split, label


def read(info: DatasetInfo, source: Source) -> RawSplits:
    """Read every image, and order the images so that the classes take turns.

    The files are stored class by class, so without this order the first thousand images would all
    have the same class. With it, the first n images are balanced for any n. Within a class, images
    are in the order of their file names.
    """
    pillow = require("PIL.Image", "keras-proxy-snn[datasets]")
    pixels = {split: np.empty((n, *info.shape), np.uint8) for split, n in info.sizes.items()}
    names: dict[str, list[tuple[int, str]]] = {split: [] for split in info.sizes}
    for member in members(source.path, info):
        found = jpeg_key(info, member.name) or png_key(info, member.name)
        if found is None:
            continue
        split, label = found
        row = len(names[split])
        if row == info.sizes[split]:
            raise DatasetError(
                f"{source.path} must hold {row:,} {split} images of {info.title}. Received: more."
            )
        pixels[split][row] = _decoded(pillow, member, info)
        names[split].append((label, member.name))
    for split, size in info.sizes.items():
        if len(names[split]) != size:
            raise DatasetError(
                f"{source.path} must hold {size:,} {split} images of {info.title}. Received: "
                f"{len(names[split]):,}."
            )
    return (
        _in_turn(pixels["train"], names["train"]),
        _in_turn(pixels["test"], names["test"]),
    )


def _in_turn(pixels: Pixels, names: list[tuple[int, str]]) -> tuple[Pixels, Labels]:
    by_name = sorted(range(len(names)), key=names.__getitem__)
    labels = np.array([names[i][0] for i in by_name], np.int64)
    rank = np.arange(len(labels)) - np.searchsorted(labels, labels)  # within the class
    order = np.lexsort((labels, rank))
    return pixels[np.array(by_name)[order]], labels[order]


def _decoded(pillow: ModuleType, member: Member, info: DatasetInfo) -> Pixels:
    height, width, channels = info.shape
    mode, modes = ("RGB", ("RGB", "L")) if channels == 3 else ("L", ("L",))
    try:
        with pillow.open(io.BytesIO(member.read(_MAX_BYTES)), formats=("JPEG", "PNG")) as image:
            # Checked before the pixels are decoded, so that a huge image costs nothing.
            if image.size != (width, height) or image.mode not in modes:
                raise DatasetError(
                    f"{member} must be an image of {width} x {height} pixels, mode {mode}. "
                    f"Received: {image.size[0]} x {image.size[1]}, mode {image.mode}."
                )
            decoded = np.asarray(image.convert(mode), np.uint8)
    except DatasetError:
        raise
    # Pillow raises one of these errors for a damaged file; the format and the damage decide which.
    except (*_DAMAGE, pillow.DecompressionBombError) as error:
        raise DatasetError(
            f"{member} must be a JPEG or PNG image. Received: a file that cannot be read ({error})."
        ) from error
    return decoded.reshape(info.shape)
