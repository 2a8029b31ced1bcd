"""An ONNX graph under construction."""

import itertools
import string
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..._checks import require

__all__ = ["Graph", "split"]


class Graph:
    """Nodes and initializers of a graph, each tensor under a unique name.

    Names of inner tensors are as short as can be, because an unrolled graph repeats them for
    every time step: they are half of the bytes that a step costs.

    Attributes:
        nodes: `NodeProto`s in order.
        initializers: Name to `TensorProto`; stored once however often it is asked for.
    """

    def __init__(self) -> None:
        self._helper = require("onnx.helper")
        self._numpy_helper = require("onnx.numpy_helper")
        self._names = _short_names()
        self._constants: dict[tuple[Any, ...], str] = {}
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}

    def body(self) -> "Graph":
        """A subgraph: own nodes, and names and initializers shared with this graph.

        No name in it shadows an outer one, which ONNX Runtime would accept but OpenVINO not.
        """
        inner = Graph()
        inner._names, inner._constants = self._names, self._constants
        inner.initializers = self.initializers
        return inner

    def fresh(self) -> str:
        """A new name."""
        return next(self._names)

    def add(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node with one output; returns the output's name, new unless given."""
        return self.add_many(op, inputs, (output or self.fresh(),), **attributes)[0]

    def add_many(
        self, op: str, inputs: tuple[str, ...], outputs: tuple[str, ...], **attributes: Any
    ) -> tuple[str, ...]:
        """Append a node with named outputs; returns their names."""
        self.nodes.append(self._helper.make_node(op, inputs, outputs, **attributes))
        return outputs

    def weights(self, name: str, array: np.ndarray) -> str:
        """Store an array under a readable name; returns the name."""
        # Not `ascontiguousarray`, which makes a vector of a scalar.
        contiguous = np.asarray(array, order="C")
        self.initializers[name] = self._numpy_helper.from_array(contiguous, name)
        return name

    def constant(self, value: Any, dtype: str) -> str:
        """Store a number or a small array, equal ones once; returns its name."""
        array = np.asarray(value, dtype)
        key = (dtype, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.weights(self.fresh(), array)
        return self._constants[key]

    def prune(self, *outputs: str) -> None:
        """Remove the nodes and the initializers on which none of the outputs depends."""
        needed, kept = set(outputs), []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        self.nodes = kept[::-1]
        self.initializers = {k: v for k, v in self.initializers.items() if k in needed}


def split(graph: Graph, x: str, parts: int) -> tuple[str, ...]:
    """Cut a tensor into equal parts of its first axis."""
    if parts == 1:
        return (x,)
    names = tuple(graph.fresh() for _ in range(parts))
    return graph.add_many("Split", (x,), names, axis=0, num_outputs=parts)


def _short_names() -> Iterator[str]:
    """`a`, `b`, ... `9`, `aa`, ...: letters and digits only, so never a name with `_` or `.`."""
    alphabet = string.ascii_letters + string.digits
    for length in itertools.count(1):
        for letters in itertools.product(alphabet, repeat=length):
            yield "".join(letters)
