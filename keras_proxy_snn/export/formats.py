"""The formats that a network can be written in, for the exporter and the command line.

Each is a line here, and a folder beside this file with `FORMS`, `write`, `run` and `node_count`.
"""

from dataclasses import dataclass

__all__ = ["FORMATS", "Format"]


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        suffix: Of the file's name.
        numbers: Number formats that it has, see `Program.number_format`.
        converter: TensorFlow's converter beside the own writer, if there is one.
    """

    suffix: str
    numbers: tuple[str, ...] = ("float32", "int8")
    converter: str | None = None


FORMATS = {
    "onnx": Format(".onnx", converter="tf2onnx"),
    "litert": Format(".tflite", converter="tflite"),
    "nir": Format(".nir"),
    "c": Format(".c", numbers=("int8",)),
}
