"""The file of a `Program`: a zip archive of a JSON description and NumPy arrays."""

import json
import zipfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..basics.archives import read_array, read_json
from ..basics.files import replacing
from .layers import Conv, Dense, Flatten, Layer, Pool, Shortcut

__all__ = ["read_archive", "write_archive"]

_HEAD = {"format": "keras_proxy_snn program", "version": 1}
_KINDS = {kind.__name__: kind for kind in (Conv, Dense, Pool, Flatten, Shortcut)}


def write_archive(path: str | Path, facts: dict[str, Any], layers: Iterable[Layer]) -> None:
    """Write a program's facts and layers; an existing file is replaced.

    Args:
        path: The file.
        facts: JSON values by name.
        layers: The layers in order.
    """
    arrays: dict[str, np.ndarray] = {}
    entries = [_packed(layer, str(i), arrays) for i, layer in enumerate(layers)]
    head = {**_HEAD, **facts, "layers": entries}
    with replacing(path) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("program.json", json.dumps(head, indent=1))
        for name, array in arrays.items():
            buffer = BytesIO()
            np.save(buffer, array, allow_pickle=False)
            file.writestr(f"{name}.npy", buffer.getvalue())


def read_archive(stream: IO[bytes]) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """Read facts and layers of an opened file that `write_archive` wrote.

    Raises:
        Exception: `OSError` or one of `keras_proxy_snn.basics.archives.UNREADABLE` if the file is
            anything else.
    """
    with zipfile.ZipFile(stream) as file:
        head = read_json(file, "program.json")
        if {name: head.pop(name, None) for name in _HEAD} != _HEAD:
            raise ValueError("not of version 1")
        unread = set(file.namelist())
        layers = tuple(_unpacked(entry, file, unread) for entry in head.pop("layers"))
    return head, layers


def _packed(part: object, name: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """A layer or shortcut as JSON values; its arrays are added to `arrays`."""
    entry: dict[str, Any] = {"type": type(part).__name__}
    for key, value in vars(part).items():
        if isinstance(value, np.ndarray):
            arrays[f"{name}.{key}"] = value
            value = {"array": f"{name}.{key}"}
        elif key == "shortcuts":
            value = [_packed(s, f"{name}.shortcut{i}", arrays) for i, s in enumerate(value)]
        entry[key] = value
    return entry


def _unpacked(entry: dict[str, Any], file: zipfile.ZipFile, unread: set[str]) -> Any:
    """The layer or shortcut of an entry; the inverse of `_packed`.

    An array that is read leaves `unread`: if many layers could read one array, a small file could
    take any memory.
    """
    values = dict(entry)
    kind = _KINDS[values.pop("type")]
    for key, value in values.items():
        if isinstance(value, dict):
            member = f"{value['array']}.npy"
            if member not in unread:
                raise ValueError(f"an array must be in the file, and in one layer: {member!r}")
            unread.remove(member)
            values[key] = read_array(file, member)
        elif isinstance(value, list):
            shortcuts = key == "shortcuts"
            values[key] = (
                tuple(_unpacked(v, file, unread) for v in value) if shortcuts else _tuple(value)
            )
    return kind(**values)


def _tuple(value: Any) -> Any:
    """Lists of lists, which JSON has, as tuples of tuples."""
    return tuple(map(_tuple, value)) if isinstance(value, list) else value
