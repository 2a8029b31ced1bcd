"""NIR files as chains of nodes, for the reader and the executor."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...basics.archives import UNREADABLE
from ...basics.checks import require
from .contents import check_contents

_PARAMETERS = ("weight", "bias", "r", "v_threshold", "v_reset", "scale")
_WHOLE = ("stride", "padding", "dilation", "kernel_size", "groups")

if TYPE_CHECKING:
    import nir

__all__ = ["chain", "library", "node_count", "open_graph"]


def library() -> Any:
    """Import the `nir` package.

    Raises:
        ImportError: If it is not installed.
    """
    return require("nir")


def open_graph(path: str | Path) -> Any:
    """Read a `nir.NIRGraph`; the package `nir` checks its shapes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a NIR graph.
    """
    nir = library()
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        check_contents(path)
        with np.errstate(all="ignore"):  # of shapes that do not fit; `nir` refuses them
            graph = nir.read(path)
        _check_numbers(graph)
        return graph
    except (OSError, AssertionError, *UNREADABLE) as error:
        raise ValueError(f"A NIR file is expected. Received: {path} ({error}).") from error


def _check_numbers(graph: "nir.NIRGraph") -> None:
    """Raise a `ValueError` if parameters of a node are no numbers, or windows no whole numbers."""
    for name, node in graph.nodes.items():
        for key, value in vars(node).items():
            array = np.asarray(value)
            known = array.dtype.kind in "fiu"
            if key in _WHOLE and known:
                known = bool((array == np.floor(array)).all())
            if not known and (key in _PARAMETERS or (key in _WHOLE and not isinstance(value, str))):
                rule = "whole numbers" if key in _WHOLE else "real numbers"
                raise ValueError(
                    f"`{key}` of node {name!r} must be {rule}. Received: {array.dtype}"
                )


def chain(graph: "nir.NIRGraph") -> list[tuple[str, Any]]:
    """Names and nodes in order, from the input to the output.

    Raises:
        ValueError: If the graph is not one chain. The error names the node.
    """
    following: dict[str, str] = {}
    for start, end in graph.edges:
        if start in following:
            raise ValueError(
                f"Nodes must form one chain. Received: a branch at node {start!r} "
                f"({_kind(graph, start)}), to {following[start]!r} and {end!r}."
            )
        following[start] = end
    inputs = [name for name in graph.nodes if _kind(graph, name) == "Input"]
    if len(inputs) != 1:
        raise ValueError(f"A graph must have one Input node. Received: {inputs}.")
    order = inputs
    while order[-1] in following and len(order) <= len(graph.nodes):
        order.append(following[order[-1]])
    if stray := sorted(name for name in graph.nodes if order.count(name) != 1):
        listed = ", ".join(f"{name!r} ({_kind(graph, name)})" for name in stray)
        raise ValueError(
            "Nodes must form one chain. Received: nodes in a loop or outside of the chain, "
            f"{listed}."
        )
    return [(name, graph.nodes[name]) for name in order]


def node_count(path: str | Path) -> int:
    """Number of nodes of a NIR file, with its input and output nodes."""
    return len(open_graph(path).nodes)


def _kind(graph: "nir.NIRGraph", name: str) -> str:
    return type(graph.nodes[name]).__name__
