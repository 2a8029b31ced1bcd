"""Stages of a spiking network, grouped by the layer of neurons that they lead to."""

from dataclasses import dataclass

from ..layers import Stage
from ..layers.base import TiedIF
from ..model import ProxyModel
from ..simulation.network import SpikingNetwork
from ..simulation.nodes import IMAGE, carry_spikes

__all__ = ["Group", "Source", "ann_units", "groups"]


@dataclass(frozen=True)
class Source:
    """An input of a stage.

    Attributes:
        stage: The stage that reads the input.
        name: Name of the stage that gives the input, or `IMAGE`.
        spikes: Whether the input is zeros and ones.
        constant: Whether the input depends only on the image, and not on time.
    """

    stage: Stage
    name: str
    spikes: bool
    constant: bool


@dataclass(frozen=True)
class Group:
    """A layer of neurons, and the stages between it and the previous spikes or the image.

    Attributes:
        layer: The layer.
        below: Name of the stage that the layer reads.
        first: Whether this stage depends only on the image.
        sources: Inputs of the layer and of stages that multiply or add.
    """

    layer: TiedIF
    below: str
    first: bool
    sources: tuple[Source, ...]


def groups(snn: SpikingNetwork) -> list[Group]:
    """Groups in order. A stage that several layers read belongs to the first of these layers."""
    nodes = {node.name: node for node in snn.nodes}
    constant, spikes = snn.constant_stages, carry_spikes(snn.nodes)
    taken: set[str] = set()
    result = []
    for node in snn.nodes:
        if not node.has_neurons:
            continue
        waiting, found = [node], []
        while waiting:
            one = waiting.pop()
            if one.name in taken:
                continue
            taken.add(one.name)
            if one.stage.adds:
                found += [
                    Source(one.stage, name, name in spikes, name in constant) for name in one.inputs
                ]
            below = [nodes[name] for name in one.inputs if name != IMAGE]
            waiting += [other for other in below if not other.has_neurons]
        name = node.inputs[0]
        result.append(Group(node.stage, name, name in constant, tuple(found)))
    return result


def ann_units(model: ProxyModel) -> dict[str, float | None]:
    """Unit of each of the ANN's layers: the activation that stands for one spike per step.

    If spikes are as high as thresholds, the unit is the layer's gain, see `SpikingTwin`. If spikes
    are ones, inputs of unit u are u times the rates. Currents are then u times too large as well,
    and the unit is u times the gain. A bias does not grow with u, so a layer with a bias has a
    unit only if u = 1. A layer that reads signals of different units has no unit: `None`.
    """
    gains = model.twin.gains
    if model.spike_height == "threshold":
        return dict(gains)
    units: dict[str, float | None] = {IMAGE: 1.0}
    found: dict[str, float | None] = {}
    for node in model.snn.nodes:
        below = {units[name] for name in node.inputs}
        unit = below.pop() if len(below) == 1 else None
        if unit is not None and abs(unit - 1.0) > 1e-6 and _is_biased(node.stage):
            unit = None
        if node.has_neurons:
            name = node.stage.twin.name
            unit = found[name] = None if unit is None else unit * gains[name]
        units[node.name] = unit
    return found


def _is_biased(stage: Stage) -> bool:
    tied = stage.tied()
    return tied is not None and tied.synaptic_weights().bias is not None
