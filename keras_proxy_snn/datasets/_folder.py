"""The user's own pictures in class folders."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..basics.checks import positive_integers
from ..basics.warn import warn
from ._info import DatasetError
from ._stream import PARTS, ImageStream
from .class_folders import (
    check_held_out,
    class_folders,
    existing_folder,
    folder_name,
    is_seen,
    parts_of,
    pictures_in,
    several,
    without_pictures,
)
from .pictures import read, size

__all__ = ["FRACTION", "checked_size", "from_folder", "open_folder"]

FRACTION = 0.2
"""Share of the images that is held out if nobody says otherwise."""


def from_folder(
    path: str | os.PathLike[str],
    *,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    held_out: float | None = None,
    seed: int = 0,
    **options: Any,
) -> tuple[ImageStream, ImageStream]:
    """Read your own pictures from class folders: images for training, and images held out.

    The folder has one subfolder per class, `my_images/cat/1.png`; the subfolder's name is the name
    of the class. Or it has `train` and `test` (or `val`, `validation`) with such subfolders each.
    The function finds size, channels and classes. Pixels are read batch by batch, so memory does
    not grow with the folder. `keras.utils.image_dataset_from_directory` is for TensorFlow or Grain,
    skips files of unknown kinds, and resizes in another way than this package's `predict`.

    No picture is left out in silence. A warning names the files that are not pictures. An empty
    class, a damaged picture, and a class that only one part has are errors. Damage after the head
    of a file is found only when the picture is read, so in the first epoch. Hidden files and
    folders are ignored.

    Args:
        path: The folder.
        image_size: `(height, width)` to which all pictures are resized. A picture of other
            proportions is stretched, not cut. `None`: the size of the pictures, which must be the
            same for all.
        channels: 1 (grey) or 3 (colour), to which all pictures are converted. `None`: 1 if all
            are grey, else 3.
        held_out: Fraction of the pictures of each class that is held out. `None`: the folder's own
            `test`, or else 0.2.
        seed: Seed of the choice and of the order in training.
        **options: `batch_size` and further arguments of `ImageStream`.

    Returns:
        `(train, test)`, two `ImageStream`. Train with `model.fit(train, validation_data=test)`.

    Raises:
        DatasetError: If the folder does not hold such pictures.
        ValueError: If an argument is out of range.
        ImportError: If Pillow is missing.

    Example:

    >>> import pathlib, tempfile
    >>> import keras, numpy as np
    >>> from keras_proxy_snn import datasets
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name, level in (("bright", 250), ("dark", 5)):
    ...     (folder / name).mkdir()
    ...     for i in range(5):
    ...         keras.utils.save_img(folder / name / f"{i}.png", np.full((8, 8, 1), level))
    >>> train, test = datasets.from_folder(folder)
    >>> train.class_names, train.image_shape, train.images, test.images
    (('bright', 'dark'), (8, 8, 1), 8, 2)
    """
    place = existing_folder(path)
    options = {"image_size": image_size, "channels": channels, **options}
    training, *tests = parts_of(place)
    if not tests:
        fraction = FRACTION if held_out is None else held_out
        stream = open_folder(place, **options)
        several(stream.class_names, place)
        return stream.split(fraction, seed)
    check_held_out(place, held_out)
    if tests[1:]:
        _left_out(place, tests[1:], f"{tests[0].name!r} is held out")
    train = open_folder(training, **options)
    several(train.class_names, place)
    options |= {"image_size": train.image_shape[:2], "channels": train.image_shape[2]}
    test = open_folder(tests[0], class_names=train.class_names, **options)
    train.seed, train.epoch = seed, 0
    train.part, test.part = PARTS
    return train, test


def open_folder(
    path: str | os.PathLike[str],
    *,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    class_names: Sequence[str] | None = None,
    **options: Any,
) -> ImageStream:
    """Read all pictures in class folders, without a split: see `from_folder`.

    Use it to evaluate a trained model on further pictures.

    Args:
        path: The folder, with one subfolder per class.
        image_size: As of `from_folder`.
        channels: As of `from_folder`.
        class_names: Names of the classes in the order of their labels. The subfolders must be
            these; for a character that no folder can have, as in "T-shirt/top", a hyphen stands.
            `None`: the names of the subfolders, sorted.
        **options: `batch_size` and further arguments of `ImageStream`.

    Returns:
        `ImageStream`, in which the classes take turns.

    Raises:
        DatasetError: If the folder does not hold such pictures.
        ValueError: If an argument is out of range.
        ImportError: If Pillow is missing.

    Example:

    >>> import pathlib, tempfile
    >>> import keras, numpy as np
    >>> from keras_proxy_snn import datasets
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (folder / "cat").mkdir()
    >>> keras.utils.save_img(folder / "cat" / "1.png", np.zeros((6, 9, 3)))
    >>> stream = datasets.open_folder(folder, image_size=(8, 8))
    >>> stream.class_names, stream.image_shape
    (('cat',), (8, 8, 3))
    """
    place = existing_folder(path)
    folders = {folder.name: folder for folder in class_folders(place)}
    classes = list(folders) if class_names is None else list(class_names)
    names = [name if name in folders else folder_name(name) for name in classes]
    if sorted(names) != sorted(folders):
        lacking, unknown = sorted({*names} - {*folders}), sorted({*folders} - {*names})
        faults = [*(f"without {name!r}" for name in lacking)]
        faults += [f"with {name!r}, which is no class" for name in unknown]
        raise DatasetError(
            f"The folders of classes must be {names}, each with pictures. Received: {place} "
            f"{', '.join(faults)}."
        )
    others = [path for path in sorted(place.iterdir()) if is_seen(path) and not path.is_dir()]
    files: list[tuple[int, int, Path]] = []
    for label, name in enumerate(names):
        pictures, strangers = pictures_in(folders[name])
        others += strangers
        if not pictures:
            raise without_pictures(folders[name])
        files += [(turn, label, file) for turn, file in enumerate(pictures)]
    if others:
        _left_out(place, others, "only pictures in the folder of a class are taken")
    files.sort()
    paths = [file for _, _, file in files]
    shape = _shape(paths, image_size, channels)
    labels = [label for _, label, _ in files]
    options["files"] = [file.relative_to(place).as_posix() for file in paths]
    return ImageStream(lambda i: _read(paths[i]), labels, classes, shape, **options)


def _left_out(place: Path, paths: list[Path], reason: str) -> None:
    named = ", ".join(str(path.relative_to(place)) for path in paths[:3])
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    warn(f"{place}: left out {named}{more}; {reason}.")


def checked_size(value: Any) -> tuple[int, int]:
    """`image_size` as two positive integers, or a `ValueError`."""
    height, width = positive_integers("image_size", value, ("height", "width"))
    return height, width


def _shape(
    paths: list[Path], image_size: tuple[int, int] | None, channels: int | None
) -> tuple[int, int, int]:
    """The shape of the images; the head of each file is read, whatever is given."""
    if channels not in (None, 1, 3) or isinstance(channels, bool | float):
        raise ValueError(f"`channels` must be 1, 3 or None. Received: {channels!r}.")
    if image_size is not None:
        image_size = checked_size(image_size)
    found: dict[tuple[int, int], Path] = {}
    most = 1
    for path in paths:
        with _named(path):
            height, width, depth = size(path)
        found.setdefault((height, width), path)
        most = max(most, depth)
    if image_size is None and len(found) > 1:
        sizes = [f"{h} x {w} ({path})" for (h, w), path in found.items()]
        raise DatasetError(
            "Pictures must have one size, or a size must be given to which all are resized: "
            'image_size=(64, 64), and in a command --set "input_shape=(64, 64, 3)". '
            f"Received: height x width {', '.join(sizes[:3])}{', ...' if sizes[3:] else ''}."
        )
    height, width = next(iter(found)) if image_size is None else image_size
    return height, width, most if channels is None else channels


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn every error of a picture's reader into one that names the file."""
    try:
        yield
    except ImportError:
        raise
    except Exception as error:  # a damaged file can make its reader raise any error
        reason = str(error) or type(error).__name__
        raise DatasetError(f"A picture must be whole. Received: {path} ({reason}).") from error


def _read(path: Path) -> np.ndarray:
    with _named(path):
        return read(path)[0]
