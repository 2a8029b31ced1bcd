"""`load`: read a file of `Program.save`, and refuse any other file."""

import zipfile
from pathlib import Path
from typing import Any

from .._archives import UNREADABLE, read_array, read_json
from .layers import Conv, Dense, Flatten, Pool, Shortcut
from .program import Program
from .validity import check_program

__all__ = ["load"]


def load(path: str | Path) -> Program:
    """Read a program that `Program.save` wrote.

    Raises:
        OSError: If there is no such file, or the file cannot be opened.
        ValueError: If the file is not a program that can run, see
            `keras_proxy_snn.export.validity.check_program`.
    """
    try:
        with zipfile.ZipFile(path) as file:
            head = read_json(file, "program.json")
            if head.pop("format", None) != "keras_proxy_snn program" or head.pop("version") != 1:
                raise ValueError("not of version 1")
            layers = tuple(_unpacked(entry, file) for entry in head.pop("layers"))
        head["input_shape"] = tuple(head["input_shape"])
        return check_program(Program(layers=layers, **head))
    except UNREADABLE as error:
        raise ValueError(
            f"A program file of version 1 is expected. Received: {path} ({error})."
        ) from error


def _unpacked(entry: dict[str, Any], file: zipfile.ZipFile) -> Any:
    """The layer or shortcut of an entry; the inverse of `_packed`."""
    kinds = {kind.__name__: kind for kind in (Conv, Dense, Pool, Flatten, Shortcut)}
    values = dict(entry)
    kind = kinds[values.pop("type")]
    for key, value in values.items():
        if isinstance(value, dict):
            values[key] = read_array(file, f"{value['array']}.npy")
        elif isinstance(value, list):
            values[key] = tuple(_unpacked(v, file) if key == "shortcuts" else v for v in value)
    return kind(**values)
