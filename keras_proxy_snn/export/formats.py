"""Table of the file formats, for the exporter and the command line.

Each format has an entry in this table, and a folder beside this file that defines `write`,
`add_facts`, `run` and `node_count`, and, where there is such a thing, `latency` and `memory`. The
table is read before a writer is imported, so it needs no NumPy.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..basics.checks import check_choice, check_installed

__all__ = [
    "FORMATS",
    "Format",
    "Memory",
    "check_libraries",
    "check_suffix",
    "checked_form",
    "writer",
]


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        suffix: Suffix of the file's name.
        forms: Forms of the graph; the first is the default.
        runtime: Name of the runtime in which the format's own `run` runs a file.
        libraries: Modules that the format needs: the first to write a file, all to run it.
        weights: Number formats in which a file can hold the weights of a float network.
        numbers: Number formats that a file can hold, see `Program.number_format`.
        runner: Whether `on_device.py` runs its files.
        converter: Module in `converters` that writes the format through TensorFlow, or `None`.
    """

    suffix: str
    forms: tuple[str, ...]
    runtime: str
    libraries: tuple[str, ...] = ()
    weights: tuple[str, ...] = ("float32",)
    numbers: tuple[str, ...] = ("float32", "int8")
    runner: bool = False
    converter: str | None = None

    @property
    def contents(self) -> tuple[str, ...]:
        """What its files can hold: a float network by its weights' formats, an integer network.

        Example:

        >>> from keras_proxy_snn.export.formats import FORMATS
        >>> FORMATS["litert"].contents
        ('float32', 'float16', 'int8')
        """
        floats = self.weights if "float32" in self.numbers else ()
        return (*floats, *(number for number in self.numbers if number != "float32"))


@dataclass(frozen=True)
class Memory:
    """Memory that a network without a runtime needs on a device.

    Attributes:
        flash: Bytes of constant tables: weights and connections. The code, of some KiB, is not
            among them, because its size depends on the processor and its compiler.
        ram: Bytes that change while the network runs.

    Example:

    >>> from keras_proxy_snn.export.formats import Memory
    >>> print(Memory(flash=42_000, ram=9_000))
    flash 41.0 KiB of tables besides code, RAM 8.8 KiB
    """

    flash: int
    ram: int

    def __str__(self) -> str:
        flash, ram = self.flash / 1024, self.ram / 1024
        return f"flash {flash:.1f} KiB of tables besides code, RAM {ram:.1f} KiB"


FORMATS = {
    "onnx": Format(
        ".onnx",
        ("unrolled", "step", "loop"),
        "ONNX Runtime",
        ("onnx", "onnxruntime"),
        runner=True,
        converter="tf2onnx",
    ),
    "litert": Format(
        ".tflite",
        ("unrolled", "step", "stateful"),
        "LiteRT",
        ("ai_edge_litert",),
        weights=("float32", "float16"),
        runner=True,
        converter="tflite",
    ),
    "nir": Format(".nir", ("graph",), "NumPy", ("nir",)),
    "c": Format(".c", ("event_driven",), "C99", numbers=("int8",)),
}


def check_libraries(format: str, verify: bool) -> None:
    """Raise an `ImportError` unless the libraries of a format are installed.

    Args:
        format: One of `FORMATS`.
        verify: Whether the written file will run.

    Example:

    >>> from keras_proxy_snn.export.formats import check_libraries
    >>> check_libraries("c", verify=True)
    """
    for library in FORMATS[format].libraries[: None if verify else 1]:
        check_installed(library)


def check_suffix(format: str, path: Path) -> None:
    """Raise a `ValueError` unless a file's name ends as its format's files do.

    Runtimes and `on_device.py` choose by the suffix.

    Example:

    >>> from pathlib import Path
    >>> from keras_proxy_snn.export.formats import check_suffix
    >>> check_suffix("c", Path("net.c"))
    >>> check_suffix("c", Path("net.tflite"))
    Traceback (most recent call last):
    ValueError: A file of the format 'c' must end in '.c'. Received: 'net.tflite'.
    """
    suffix = FORMATS[format].suffix
    if path.suffix.lower() != suffix:
        raise ValueError(
            f"A file of the format {format!r} must end in {suffix!r}. Received: {path.name!r}."
        )


def writer(format: str) -> Any:
    """Module that writes and runs files of a format.

    Raises:
        ValueError: If the format is unknown.
    """
    check_choice("format", format, FORMATS)
    return importlib.import_module(f"{__package__}.{format}")


def checked_form(format: str, form: str | None) -> str:
    """The form, by default the first of a format.

    Raises:
        ValueError: If the format does not have the form.

    Example:

    >>> from keras_proxy_snn.export.formats import checked_form
    >>> checked_form("onnx", None)
    'unrolled'
    """
    check_choice("format", format, FORMATS)
    forms = FORMATS[format].forms
    if form is not None and form not in forms:
        raise ValueError(f"`form` must be one of {forms} for {format}. Received: {form!r}.")
    return forms[0] if form is None else form
