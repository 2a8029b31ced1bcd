"""`Graph`: a builder of ONNX graphs."""

import itertools
import string
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..._checks import require

__all__ = ["Graph", "split"]


class Graph:
    """Nodes and initializers of a graph; every tensor has a unique name.

    Names of inner tensors are as short as possible. An unrolled graph has new names for every time
    step, and they take half of the bytes of a step.

    Attributes:
        nodes: `NodeProto`s in order.
        initializers: Name to `TensorProto`; equal constants are stored once.
    """

    def __init__(self) -> None:
        self._helper = require("onnx.helper")
        self._numpy_helper = require("onnx.numpy_helper")
        self._names = _short_names()
        self._constants: dict[tuple[Any, ...], str] = {}
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}

    def body(self) -> "Graph":
        """A subgraph with its own nodes; names and initializers are shared with this graph.

        No name in the subgraph repeats an outer name: OpenVINO would refuse that.
        """
        inner = Graph()
        inner._names, inner._constants = self._names, self._constants
        inner.initializers = self.initializers
        return inner

    def fresh(self) -> str:
        """A new name."""
        return next(self._names)

    def add(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node with one output; return the output's name (a new name unless given)."""
        return self.add_many(op, inputs, (output or self.fresh(),), **attributes)[0]

    def add_many(
        self, op: str, inputs: tuple[str, ...], outputs: tuple[str, ...], **attributes: Any
    ) -> tuple[str, ...]:
        """Append a node with named outputs; return their names."""
        self.nodes.append(self._helper.make_node(op, inputs, outputs, **attributes))
        return outputs

    def weights(self, name: str, array: np.ndarray) -> str:
        """Store an array under a readable name; return the name."""
        # `ascontiguousarray` would turn a scalar into a vector.
        contiguous = np.asarray(array, order="C")
        self.initializers[name] = self._numpy_helper.from_array(contiguous, name)
        return name

    def constant(self, value: Any, dtype: str) -> str:
        """Store a number or a small array, equal constants once; return its name."""
        array = np.asarray(value, dtype)
        key = (dtype, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.weights(self.fresh(), array)
        return self._constants[key]

    def prune(self, *outputs: str) -> None:
        """Remove nodes and initializers that the outputs do not need."""
        needed, kept = set(outputs), []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        self.nodes = kept[::-1]
        self.initializers = {k: v for k, v in self.initializers.items() if k in needed}


def split(graph: Graph, x: str, parts: int) -> tuple[str, ...]:
    """Cut a tensor into equal parts along its first axis."""
    if parts == 1:
        return (x,)
    names = tuple(graph.fresh() for _ in range(parts))
    return graph.add_many("Split", (x,), names, axis=0, num_outputs=parts)


def _short_names() -> Iterator[str]:
    """Names `a`, `b`, ... `9`, `aa`, ... without `_` and `.`, which all readable names have."""
    alphabet = string.ascii_letters + string.digits
    for length in itertools.count(1):
        for letters in itertools.product(alphabet, repeat=length):
            yield "".join(letters)
