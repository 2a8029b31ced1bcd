"""ONNX files of programs: a writer without a training framework, and two runtimes."""

from ._runtime import latency, node_count, run
from ._write import FORMS, metadata, refuse, write

__all__ = ["FORMS", "latency", "metadata", "node_count", "refuse", "run", "write"]
