"""`check_heaps`: texts of an HDF5 file that the library can read to their end."""

import re
import struct

__all__ = ["check_heaps"]

# HDF5 File Format Specification 3.0, III.E: a collection starts with "GCOL", version 1, three zeros
# and its size. Each object in it has an index, a count of uses, four zeros and its size.
_START = re.compile(b"GCOL\x01\0\0\0")
_HEAD, _OBJECT = 16, struct.Struct("<HH4xQ")


def check_heaps(data: bytes) -> None:
    r"""Raise a `ValueError` if the texts of an HDF5 file do not lie one after another.

    Texts of any length lie in collections. The space that is left in a collection is an object,
    too, with index 0. Where a size is 0, or so large that a sum of sizes overflows, HDF5 reads an
    object again and again, without an end.

    Args:
        data: The bytes of the file.

    Example:

    >>> from keras_proxy_snn.export.nir.heaps import check_heaps
    >>> left = bytes(8) + (16).to_bytes(8, "little")
    >>> check_heaps(b"GCOL\x01\0\0\0" + (32).to_bytes(8, "little") + left)
    >>> check_heaps(b"GCOL\x01\0\0\0" + (32).to_bytes(8, "little") + bytes(16))
    Traceback (most recent call last):
    ValueError: Texts must lie one after another. Received: 0 bytes, at byte 16.
    """
    for found in _START.finditer(data):
        at = found.start() + _HEAD
        end = found.start() + int.from_bytes(data[at - 8 : at], "little")
        while at + _OBJECT.size <= min(end, len(data)):
            index, _, size = _OBJECT.unpack_from(data, at)
            whole = size if index == 0 else _OBJECT.size + -(-size // 8) * 8
            if not _OBJECT.size <= whole <= end - at:
                raise ValueError(
                    f"Texts must lie one after another. Received: {size} bytes, at byte {at}."
                )
            at += whole
