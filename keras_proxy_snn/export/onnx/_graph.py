"""`Graph`: a builder of ONNX graphs."""

from collections import Counter
from typing import Any

import numpy as np

from ...basics.checks import require

__all__ = ["Graph", "split"]


class Graph:
    """Nodes and initializers of a graph; every tensor has a unique name.

    A name says layer and role: `conv2/current`, `conv2/v`. The tensor of a role at the n-th time
    step has `/n` behind its name, from n = 2 on. A node has the name of its first output.

    Attributes:
        nodes: `NodeProto`s in order.
        initializers: Name to `TensorProto`.
    """

    def __init__(self) -> None:
        self._helper = require("onnx.helper")
        self._numpy_helper = require("onnx.numpy_helper")
        self._uses: Counter[str] = Counter()
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}

    def body(self) -> "Graph":
        """A subgraph with its own nodes; names and initializers are shared with this graph.

        No name in the subgraph repeats an outer name: OpenVINO would refuse that.
        """
        inner = Graph()
        inner._uses, inner.initializers = self._uses, self.initializers
        return inner

    def fresh(self, name: str) -> str:
        """A new name: the given one, or the given one with a number if it is taken."""
        self._uses[name] += 1
        return name if self._uses[name] == 1 else f"{name}/{self._uses[name]}"

    def add(self, op: str, *inputs: str, name: str, **attributes: object) -> str:
        """Append a node with one output; return the output's name, from `fresh`."""
        return self.add_many(op, inputs, (self.fresh(name),), **attributes)[0]

    def add_many(
        self, op: str, inputs: tuple[str, ...], outputs: tuple[str, ...], **attributes: object
    ) -> tuple[str, ...]:
        """Append a node with named outputs; return their names."""
        node = self._helper.make_node(op, inputs, outputs, name=outputs[0], **attributes)
        self.nodes.append(node)
        return outputs

    def constant(self, name: str, value: Any, dtype: Any = None) -> str:
        """Store a number or an array, unless one has this name already; return the name."""
        if name not in self.initializers:
            # `ascontiguousarray` would turn a scalar into a vector.
            array = np.asarray(value, dtype, order="C")
            self.initializers[name] = self._numpy_helper.from_array(array, name)
        return name

    def prune(self, *outputs: str) -> None:
        """Remove nodes and initializers that the outputs do not need."""
        needed, kept = set(outputs), []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        self.nodes = kept[::-1]
        self.initializers = {k: v for k, v in self.initializers.items() if k in needed}


def split(graph: Graph, x: str, parts: int, name: str) -> tuple[str, ...]:
    """Cut a tensor into equal parts along its first axis; their names are from `fresh`."""
    if parts == 1:
        return (x,)
    names = tuple(graph.fresh(name) for _ in range(parts))
    # Without lengths, the batch would have to be known, or opset 18.
    return graph.add_many("Split", (x,), names, axis=0)
