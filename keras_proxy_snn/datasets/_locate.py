"""`locate`: find a data set on this machine only by the names of files."""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

from ..basics.files import user_path
from . import _cifar, _idx, _images
from ._digits import DIGITS
from ._files import ARCHIVE_SUFFIXES, is_archive, members
from ._info import DatasetInfo, info_of
from ._source import Source

__all__ = ["ENVIRONMENT_VARIABLE", "locate", "search"]

ENVIRONMENT_VARIABLE = "KERAS_PROXY_SNN_DATA"

# In order of preference: published pixels first, copies with lossy compression last.
_FORMATS: dict[str, Callable[[DatasetInfo, str], object]] = {
    "idx": _idx.key,
    "python": _cifar.python_key,
    "binary": _cifar.binary_key,
    "png": _images.png_key,
    "jpeg": _images.jpeg_key,
}


def locate(name: str, data_dir: str | os.PathLike[str] | None = None) -> Source | None:
    """Tell from which place `load` would read a set, or None if it is not on this machine.

    The function reads only the names of files and of members of archives. It opens no file of the
    set and uses no network. A set that tensorflow-datasets has already prepared is found; a set
    that it would have to download is not.

    Args:
        name: One of `NAMES`.
        data_dir: A directory or an archive. If given, no other place is searched, as in `load`.

    Returns:
        A `Source` with `name`, `format`, `path` and `title`, or None.

    Raises:
        ValueError: If the name is not known.
        DatasetError: If an archive of the set is too damaged to list.

    Example:

    >>> from keras_proxy_snn import datasets
    >>> datasets.locate("digits").format
    'embedded'
    >>> datasets.locate("cifar10", data_dir="no such directory") is None
    True
    """
    return search(info_of(name), data_dir)[0]


def search(
    info: DatasetInfo, data_dir: str | os.PathLike[str] | None
) -> tuple[Source | None, list[str]]:
    """The first place that holds the set, and a message for each place that does not."""
    if info.name == "digits":
        return Source(info.name, "embedded", DIGITS), []
    places: list[tuple[str, Path]] = []
    missed: list[str] = []
    if data_dir is not None:
        places.append(("data_dir", user_path(data_dir)))
    else:
        variable = os.environ.get(ENVIRONMENT_VARIABLE)
        if variable:
            places.append((ENVIRONMENT_VARIABLE, user_path(variable)))
        else:
            missed.append(f"{ENVIRONMENT_VARIABLE} (not set)")
        if info.system_folder:
            places.append(("Debian's package", Path(info.system_folder)))
    for role, path in places:
        source = _in_place(info, path)
        if source is not None:
            return source, missed
        missed.append(f"{role} = {path} ({_why_not(path)})")
    return (None if data_dir is not None else _prepared(info)), missed


def _in_place(info: DatasetInfo, path: Path) -> Source | None:
    places = [path] if is_archive(path) else []
    for folder in (path, *(path / name for name in info.folders)):
        if folder.is_dir():
            archives = (file for file in sorted(folder.iterdir()) if is_archive(file))
            places += [folder, *(file for file in archives if info.names_archive(file.name))]
    formats = [(_format(info, place), place) for place in places]
    sources = [Source(info.name, form, place) for form, place in formats if form is not None]
    return min(sources, key=lambda source: list(_FORMATS).index(source.format), default=None)


def _format(info: DatasetInfo, place: Path) -> str | None:
    """Format of the first file in `place` that belongs to the set."""
    for member in members(place, info):
        for form, key in _FORMATS.items():
            if key(info, member.name) is not None:
                return form
    return None


def _why_not(path: Path) -> str:
    if not path.exists():
        return "which does not exist"
    if path.is_dir() or is_archive(path):
        return "which does not hold it"
    return f"which is neither a directory nor an archive, {', '.join(ARCHIVE_SUFFIXES)}"


def _prepared(info: DatasetInfo) -> Source | None:
    """The set that tensorflow-datasets has on disk, by default in `~/tensorflow_datasets`."""
    root = user_path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")
    for path in sorted(root.glob(f"{info.name}/*/dataset_info.json")):
        if importlib.util.find_spec("tensorflow_datasets") is not None:
            return Source(info.name, "tfds", path.parent)
    return None
