"""ONNX files of programs: written without a training framework, run in two runtimes."""

from ._runtime import latency, node_count, run
from ._write import FORMS, metadata, refuse, write

__all__ = ["FORMS", "latency", "metadata", "node_count", "refuse", "run", "write"]
