"""LiteRT (TensorFlow Lite) files: a writer without TensorFlow, and the runtimes."""

from ._file import add_facts, node_count, read_metadata, with_facts, write
from ._limits import FORMS, refuse
from ._micro import arena_bytes, run_micro
from ._runtime import latency, run
from ._twin import write_twin

__all__ = [
    "FORMS",
    "add_facts",
    "arena_bytes",
    "latency",
    "node_count",
    "read_metadata",
    "refuse",
    "run",
    "run_micro",
    "with_facts",
    "write",
    "write_twin",
]
