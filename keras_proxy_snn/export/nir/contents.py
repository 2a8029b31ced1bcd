"""`check_contents`: an HDF5 file of which `nir` can read everything, at no cost of memory."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...basics.checks import require
from .heaps import check_heaps

if TYPE_CHECKING:
    from h5py import Dataset, Group

__all__ = ["check_contents"]

# `nir` may compress with zlib, whose largest ratio is 1,032 to 1.
_LARGEST_RATIO, _SMALL = 1100, 2**16


def check_contents(path: str | Path) -> None:
    """Raise a `ValueError` if a group is linked twice or an array declares too many bytes.

    Arrays and groups in other files are refused too, and arrays of neither numbers nor text.
    """
    h5py = require("h5py")
    data = Path(path).read_bytes()
    check_heaps(data)
    seen = set()

    def walk(group: "Group") -> None:
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            raise ValueError(f"group {group.name!r} is linked to more than once")
        seen.add(address)
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{name!r} in group {group.name!r} is a link to elsewhere")
            item = group[name]
            if isinstance(item, h5py.Group):
                walk(item)
            else:
                _check_array(item, data)

    with h5py.File(path, "r") as file:
        walk(file)


def _check_array(array: "Dataset", data: bytes) -> None:
    h5t = require("h5py").h5t
    kind, stored = array.id.get_type(), array.id.get_storage_size()
    # HDF5 ends the whole process where a damaged type makes it follow lists of any length.
    if kind.get_class() not in {h5t.INTEGER, h5t.FLOAT, h5t.STRING, h5t.ENUM}:
        raise ValueError(f"array {array.name!r} holds neither real numbers nor text")
    if array.is_virtual or array.external:
        raise ValueError(f"array {array.name!r} is in another file")
    declared = array.nbytes
    if kind.get_class() == h5t.STRING and kind.is_variable_str():
        declared = max(declared, _longest_text(array, data))
    if declared > _LARGEST_RATIO * min(stored, len(data)) + _SMALL:
        raise ValueError(f"array {array.name!r} must have {declared} bytes, and the file has fewer")


def _longest_text(array: "Dataset", data: bytes) -> int:
    """Length of the longest text, as an array in one piece states it; 0 for an array in pieces.

    Each text is stated by its length (4 bytes), the address of its collection and its index there.
    """
    start, stored = array.id.get_offset(), array.id.get_storage_size()
    if start is None or not array.size or start + stored > len(data):
        return 0
    stated = np.frombuffer(data, "u1", stored, start).reshape(array.size, -1)
    return int(stated[:, :4].copy().view("<u4").max())
