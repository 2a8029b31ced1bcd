"""ONNX files of programs: a writer without a training framework, and three runtimes."""

from ._node import has_onnxruntime_node
from ._runtime import latency, node_count, run
from ._write import FORMS, add_facts, metadata, refuse, write

__all__ = [
    "FORMS",
    "add_facts",
    "has_onnxruntime_node",
    "latency",
    "metadata",
    "node_count",
    "refuse",
    "run",
    "write",
]
