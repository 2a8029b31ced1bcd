"""Stages of a spiking network by the layer of neurons that they lead to."""

from dataclasses import dataclass
from typing import Any

import keras

from ..layers import AtEachStep, CurrentSum, Synapses
from ..layers.base import TiedIF
from ..model import ProxyModel
from ..simulation.network import SpikingNetwork
from ..simulation.nodes import IMAGE, Node

__all__ = ["Group", "Source", "ann_units", "groups"]

_AVERAGES = (keras.layers.AveragePooling2D, keras.layers.GlobalAveragePooling2D)


@dataclass(frozen=True)
class Source:
    """An input of a stage.

    Attributes:
        stage: The stage that reads it.
        name: Name of the stage that gives it, or `IMAGE`.
        spikes: Whether it is zeros and ones.
        constant: Whether it depends on the image alone, and not on time.
    """

    stage: keras.layers.Layer
    name: str
    spikes: bool
    constant: bool


@dataclass(frozen=True)
class Group:
    """A layer of neurons and the stages between it and the spikes or the image before.

    Attributes:
        layer: The layer.
        below: Name of the stage that it reads.
        first: Whether that depends on the image alone.
        sources: Inputs of the layer and of stages that multiply or add.
    """

    layer: TiedIF
    below: str
    first: bool
    sources: tuple[Source, ...]


def groups(snn: SpikingNetwork) -> list[Group]:
    """Groups in order; a stage that several layers read belongs to the first of them."""
    nodes = {node.name: node for node in snn.nodes}
    constant = snn.constant_stages
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
            if _works(one):
                found += [
                    Source(one.stage, name, _are_spikes(nodes, name), name in constant)
                    for name in one.inputs
                ]
            below = [nodes[name] for name in one.inputs if name != IMAGE]
            waiting += [other for other in below if not other.has_neurons]
        name = node.inputs[0]
        result.append(Group(node.stage, name, name in constant, tuple(found)))
    return result


def _works(node: Node) -> bool:
    """Whether a stage multiplies or adds; others only move what they get."""
    stage = node.stage
    averages = isinstance(stage, AtEachStep) and isinstance(stage.layer, _AVERAGES)
    return averages or isinstance(stage, TiedIF | Synapses | CurrentSum)


def _are_spikes(nodes: dict[str, Node], name: str) -> bool:
    if name == IMAGE:
        return False
    node = nodes[name]
    if node.has_neurons:
        return True
    return not _works(node) and all(_are_spikes(nodes, below) for below in node.inputs)


def ann_units(model: ProxyModel) -> dict[str, float | None]:
    """Activation of each of the ANN's layers that stands for one spike a step.

    With spikes as high as thresholds that is the layer's gain, see `SpikingTwin`. With unit spikes
    inputs whose unit is u are u times the rates, and so are the currents, and the unit is u times
    the gain. A bias does not grow with u: with one there is a unit only if u = 1; and where signals
    of different units meet, there is none.
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


def _is_biased(stage: Any) -> bool:
    return isinstance(stage, TiedIF | Synapses) and stage.synaptic_weights().bias is not None
