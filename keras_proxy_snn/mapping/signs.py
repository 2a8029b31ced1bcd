"""`is_never_negative`: what a ReLU would not change."""

from collections.abc import Mapping

from ..layers import CurrentSum, SpikeConcatenate
from ..simulation.nodes import IMAGE, Node

__all__ = ["is_never_negative"]


def is_never_negative(nodes: Mapping[str, Node], name: str) -> bool:
    """Whether a signal is spikes, or only sums and averages of spikes.

    Args:
        nodes: Nodes by name.
        name: Name of the stage that gives the signal, or `IMAGE`.
    """
    if name == IMAGE:
        return False
    node = nodes[name]
    stage = node.stage
    if node.has_neurons:
        return True
    joins = isinstance(stage, CurrentSum | SpikeConcatenate)
    keeps = stage.passes_spikes or stage.averages or joins
    return keeps and all(is_never_negative(nodes, source) for source in node.inputs)
