"""Where the class folders of a user's pictures are; needs no Keras, so that commands ask early."""

import hashlib
import os
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from ..basics.files import user_path
from ._info import DatasetError
from .pictures import PICTURES

__all__ = [
    "check_filled",
    "check_held_out",
    "class_folders",
    "classes_in",
    "existing_folder",
    "file_note",
    "fingerprint",
    "folder_name",
    "is_seen",
    "parts_of",
    "pictures_in",
    "several",
    "without_pictures",
]

_TRAINING = ("train", "training")
_HELD_OUT = ("test", "testing", "val", "valid", "validation")


def existing_folder(path: str | os.PathLike[str]) -> Path:
    """The folder of a path, or a `DatasetError`."""
    place = user_path(path)
    if not place.is_dir():
        raise DatasetError(f"A folder of pictures must exist. Received: {place}{file_note(place)}.")
    return place


def file_note(place: Path) -> str:
    """What is there in place of a folder, in words, or nothing."""
    if place.is_file():
        return ", which is a file"
    parent = place.parent
    readable = parent.is_dir() and os.access(parent, os.R_OK | os.X_OK)
    names = [folder.name for folder in _folders(parent)] if readable else []
    near = get_close_matches(place.name, names, 1)
    return f"; there is a folder {place.with_name(near[0])}" if near else ""


def parts_of(place: Path) -> list[Path]:
    """The folder for training, then the folders to hold out; `place` alone if it has no parts."""
    parts = {folder.name.lower(): folder for folder in _folders(place)}
    training = [parts[name] for name in _TRAINING if name in parts]
    tests = [parts[name] for name in _HELD_OUT if name in parts]
    if len(training) == 1 and tests and len(parts) == 1 + len(tests):
        return [*training, *tests]
    return [place]


def pictures_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """Pictures in a folder and its subfolders, sorted; and the other files."""
    pictures: list[Path] = []
    others: list[Path] = []
    for where, inner, names in os.walk(folder):
        inner[:] = [name for name in inner if not name.startswith(".")]
        # `os.walk` does not follow links to folders, which can lead in circles.
        others += [Path(where, name) for name in inner if Path(where, name).is_symlink()]
        for path in (Path(where, name) for name in names if not name.startswith(".")):
            (pictures if path.suffix.lower() in PICTURES.split() else others).append(path)
    return sorted(pictures), sorted(others)


def fingerprint(path: str | os.PathLike[str]) -> str:
    """What a folder and its copies have in common: a hash of names and bytes of its pictures.

    `from_folder` splits folders with the same fingerprint in the same way. No picture is read, so
    one that was changed without a change of its size is not seen.

    Raises:
        DatasetError: If there is no such folder.

    Example:

    >>> import pathlib, shutil, tempfile
    >>> from keras_proxy_snn.datasets.class_folders import fingerprint
    >>> here = pathlib.Path(tempfile.mkdtemp())
    >>> (here / "my" / "cat").mkdir(parents=True)
    >>> before = (here / "my" / "cat" / "1.png").write_bytes(b"a picture")
    >>> copy = shutil.copytree(here / "my", here / "copy")
    >>> fingerprint(here / "my") == fingerprint(copy)
    True
    """
    place = existing_folder(path)
    found = hashlib.sha256()
    for part in parts_of(place)[:2]:  # a third part is left out
        for folder in _folders(part):
            for picture in pictures_in(folder)[0]:
                name = picture.relative_to(place).as_posix()
                found.update(os.fsencode(f"{name}/{picture.stat().st_size}\n"))
    return found.hexdigest()


def is_seen(path: Path) -> bool:
    """Whether a file or folder is not a hidden one."""
    return not path.name.startswith(".")


def class_folders(place: Path) -> list[Path]:
    """The folders of the classes, sorted; or a `DatasetError` if there is none."""
    folders = _folders(place)
    if not folders:
        raise DatasetError(
            f"A folder of pictures must have a subfolder per class. Received: {place} without any."
        )
    return folders


def several(names: Sequence[str], place: Path) -> list[str]:
    """Names of classes, if they are enough to train with; else a `DatasetError`."""
    if len(names) < 2:
        raise DatasetError(
            "Pictures to train with must be of at least two classes, each in a subfolder of its "
            f"own. Received: {place} with {list(names)}."
        )
    return list(names)


def check_held_out(place: Path, held_out: float | None) -> None:
    """Raise a `ValueError` if a share is to be held out of a folder that has such a part."""
    training, *tests = parts_of(place)
    if tests and held_out is not None:
        raise ValueError(
            "A share to hold out (`held_out`, or --validation-split of a command) must not be "
            f"given if the folder itself has such a part. Received: {held_out!r}, and {place} with "
            f"{training.name!r} and {tests[0].name!r}."
        )


def check_filled(place: Path) -> None:
    """Raise a `DatasetError` if a class to train with has no picture."""
    for folder in class_folders(parts_of(place)[0]):
        if not pictures_in(folder)[0]:
            raise without_pictures(folder)


def without_pictures(folder: Path) -> DatasetError:
    """The error for the folder of a class that has no picture."""
    return DatasetError(f"A class must have pictures ({PICTURES}). Received: {folder} without any.")


def folder_name(class_name: str) -> str:
    """Name of a class as that of a folder: what no system allows in one becomes a hyphen.

    Example:

    >>> from keras_proxy_snn.datasets.class_folders import folder_name
    >>> folder_name("T-shirt/top")
    'T-shirt-top'
    """
    return re.sub(r'[\\/:*?"<>|]', "-", class_name)


def classes_in(path: str | os.PathLike[str]) -> list[str]:
    """Names of the classes that `from_folder` finds, without a look at the pictures.

    Raises:
        DatasetError: If there is no such folder, or it has not two classes.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_proxy_snn.datasets.class_folders import classes_in
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("train/dog", "train/cat", "test/dog"):
    ...     (folder / name).mkdir(parents=True)
    >>> classes_in(folder)
    ['cat', 'dog']
    """
    place = existing_folder(path)
    return several([folder.name for folder in class_folders(parts_of(place)[0])], place)


def _folders(place: Path) -> list[Path]:
    return [path for path in sorted(place.iterdir()) if path.is_dir() and is_seen(path)]
