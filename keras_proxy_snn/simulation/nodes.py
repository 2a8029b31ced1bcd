"""`Node`: a stage of a spiking network with its inputs. Nodes form a chain or a graph."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..layers import SpikePool2D, Stage

__all__ = [
    "IMAGE",
    "Node",
    "Readers",
    "as_nodes",
    "carry_spikes",
    "pools",
    "spike_dtypes",
]

IMAGE = "image"


class Node(NamedTuple):
    """A stage and the names of its inputs.

    Attributes:
        stage: A layer with neurons (`IFConv2D`, ...), or a layer that passes on spikes or currents.
        inputs: Names of the stages that the stage reads; `IMAGE` for the image.
    """

    stage: Stage
    inputs: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the stage."""
        return str(self.stage.name)

    @property
    def has_neurons(self) -> bool:
        """Whether the stage has membrane potentials."""
        return self.stage.has_neurons


def as_nodes(stages: Iterable[Stage | Node]) -> tuple[Node, ...]:
    """Nodes in order; a layer that is not a `Node` reads the stage before it.

    Raises:
        TypeError: If a stage is not a `Stage`.
        ValueError: If there is no stage, if two stages have the same name, or if a stage reads a
            stage that is not before it.
    """
    nodes: list[Node] = []
    known = [IMAGE]
    for stage in stages:
        node = stage if isinstance(stage, Node) else Node(stage, (known[-1],))
        if not isinstance(node.stage, Stage):
            raise TypeError(
                "Stages of a spiking network must be layers such as IFConv2D, SpikePool2D, or "
                f"AtEachStep around a layer of Keras. Received: {node.stage!r}."
            )
        if node.name in known or not node.inputs or not set(node.inputs) <= set(known):
            raise ValueError(
                "Stages must have different names and read stages before them. Received: stage "
                f"{node.name!r}, which reads {node.inputs}, after {known}."
            )
        nodes.append(node)
        known.append(node.name)
    if not nodes:
        raise ValueError("A spiking network must have stages. Received: no stage.")
    return tuple(nodes)


class Readers:
    """The readers of each signal, so that a signal can be dropped after its last reader.

    Args:
        nodes: Nodes in order.
        events: Whether the image itself changes with time.

    Attributes:
        constant: `IMAGE`, and names of stages without neurons that depend only on the image.
            These signals do not change with time. Empty with `events`.
        needed_later: Names of constant signals that stages with spikes read.
        done: For each node, names of the signals that no later node reads.
    """

    def __init__(self, nodes: Sequence[Node], events: bool = False):
        constant = set() if events else {IMAGE}
        for node in nodes:
            if not events and not node.has_neurons and set(node.inputs) <= constant:
                constant.add(node.name)
        varying = [node for node in nodes if node.name not in constant]
        self.constant = constant
        self.needed_later = {
            name
            for node in varying
            if not set(node.inputs) <= constant
            for name in set(node.inputs) & constant
        }
        last = {name: place for place, node in enumerate(nodes) for name in node.inputs}
        self.done = tuple(
            tuple(name for name in set(node.inputs) if last[name] == place)
            for place, node in enumerate(nodes)
        )


def carry_spikes(nodes: Sequence[Node]) -> set[str]:
    """Names of the stages whose signals are zeros and ones.

    Args:
        nodes: Nodes in order.
    """
    found: set[str] = set()
    for node in nodes:
        if node.has_neurons or (node.stage.passes_spikes and set(node.inputs) <= found):
            found.add(node.name)
    return found


def spike_dtypes(nodes: Sequence[Node]) -> dict[str, str]:
    """Dtype of each stage's spikes: `"bfloat16"` if all readers sum in bfloat16.

    Spikes are exact in any dtype; results computed from spikes are not.

    Args:
        nodes: Nodes in order.
    """
    read_in: dict[str, set[str]] = {node.name: set() for node in nodes}
    for node in reversed(nodes):
        tied = node.stage.tied()
        own = {"float32" if tied is None else tied.current_dtype}
        dtypes = read_in[node.name] if node.stage.passes_spikes else own
        for name in set(node.inputs) & set(read_in):
            read_in[name] |= dtypes
    return {
        name: "bfloat16" if dtypes == {"bfloat16"} else "float32"
        for name, dtypes in read_in.items()
    }


def pools(nodes: Sequence[Node]) -> dict[str, tuple[str, tuple[int, int]]]:
    """The pooling of each stage with neurons whose spikes nothing but this pooling reads.

    Its windows lie side by side, without padding.

    Args:
        nodes: Nodes in order.

    Returns:
        Name of the stage with neurons to name of the pooling, and rows and columns of its windows.
    """
    readers: dict[str, list[Node]] = {node.name: [] for node in nodes}
    for node in nodes:
        for name in set(node.inputs) & set(readers):
            readers[name].append(node)
    found = {}
    for node in nodes:
        stages = [reader.stage for reader in readers[node.name]]
        if node.has_neurons and len(stages) == 1 and type(stages[0]) is SpikePool2D:
            window = stages[0].window
            if window.strides == window.size and window.padding == "valid":
                found[node.name] = str(stages[0].name), window.size
    return found
