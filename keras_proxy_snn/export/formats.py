"""Table of the file formats, for the exporter and the command line.

Each format has an entry in this table, and a folder beside this file that defines `FORMS`, `write`,
`run` and `node_count`.
"""

from dataclasses import dataclass

__all__ = ["FORMATS", "Format"]


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        suffix: Suffix of the file's name.
        numbers: Number formats that a file can hold, see `Program.number_format`.
        runner: Whether `on_device.py` runs its files.
        converter: Module in `converters` that writes the format through TensorFlow, or `None`.
    """

    suffix: str
    numbers: tuple[str, ...] = ("float32", "int8")
    runner: bool = False
    converter: str | None = None


FORMATS = {
    "onnx": Format(".onnx", runner=True, converter="tf2onnx"),
    "litert": Format(".tflite", runner=True, converter="tflite"),
    "nir": Format(".nir"),
    "c": Format(".c", numbers=("int8",)),
}
