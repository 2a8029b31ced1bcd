"""Arrays and JSON in ZIP archives of unknown origin: sizes are checked before reading."""

import json
import lzma
import struct
import tokenize
import zipfile
import zlib
from typing import Any

import numpy as np

__all__ = ["UNREADABLE", "read_array", "read_json"]

UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""Errors of reading an archive, an array or JSON of unknown origin, beside `OSError`.

`RuntimeError` includes `NotImplementedError` and `RecursionError`.
"""

_LARGEST_JSON = 2**26  # bytes
_KINDS = "fiub"  # floats, integers, booleans


def read_array(file: zipfile.ZipFile, member: str) -> np.ndarray:
    """An array of numbers that is a member of an archive.

    Args:
        file: The archive.
        member: Name, which ends in `.npy`.

    Raises:
        ValueError: If it declares more or less than it holds, or no numbers. Beside it any of
            `UNREADABLE`.

    Example:

    >>> import io, zipfile
    >>> import numpy as np
    >>> from keras_proxy_snn.basics.archives import read_array
    >>> buffer = io.BytesIO()
    >>> np.savez(buffer, kernel=np.eye(2))
    >>> read_array(zipfile.ZipFile(buffer), "kernel.npy").tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    with file.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        shape, fortran_order, dtype = readers[version](stream)
        declared = dtype.itemsize * int(np.prod([int(n) for n in shape], dtype=object))
        held = file.getinfo(member).file_size - stream.tell()
        if dtype.kind not in _KINDS or any(n < 0 for n in shape) or declared != held:
            raise ValueError(
                f"{member} must be an array of numbers. Received: {dtype} of shape {shape}, which "
                f"needs {declared} bytes; the file holds {held}."
            )
        content = stream.read()
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran_order else "C")
    return array.copy()


def read_json(file: zipfile.ZipFile, member: str) -> Any:
    """JSON that is a member of an archive.

    Args:
        file: The archive.
        member: Name.

    Raises:
        ValueError: If it is no JSON or absurdly long. Beside it any of `UNREADABLE`.

    Example:

    >>> import io, zipfile
    >>> from keras_proxy_snn.basics.archives import read_json
    >>> file = zipfile.ZipFile(io.BytesIO(), "w")
    >>> file.writestr("facts.json", '{"T": 4}')
    >>> read_json(file, "facts.json")
    {'T': 4}
    """
    size = file.getinfo(member).file_size
    if size > _LARGEST_JSON:
        raise ValueError(f"{member} must have at most {_LARGEST_JSON} bytes. Received: {size}.")
    return json.loads(file.read(member))
