"""The table of a spiking network: stages, shapes, neurons, thresholds, parameters."""

from collections.abc import Sequence
from typing import Any

from ..basics.tables import Table
from ..layers.base import TiedIF
from .network import SpikingNetwork
from .nodes import IMAGE, Node

__all__ = ["stages_table"]


def stages_table(network: SpikingNetwork) -> Table:
    """One row per stage, in order.

    Args:
        network: A spiking network.

    Returns:
        A table with the shape of one time step's output, the number of neurons, their threshold in
        units of the weights, and the number of parameters. If the stages are not a chain, a column
        names the inputs of each stage.

    Example:

    >>> import keras_proxy_snn
    >>> from keras_proxy_snn.simulation.summary import stages_table
    >>> model = keras_proxy_snn.build("4C3-P2-10F", input_shape=(8, 8, 1), time_steps=6)
    >>> print(stages_table(model.snn))
    Spiking network of 6 time steps (T), reset 'zero'
    stage          type          output per step  neurons  threshold  parameters
    if_conv1       IFConv2D      8 x 8 x 4            256          1          36
    spike_pool1    SpikePool2D   4 x 4 x 4                                     0
    spike_flatten  SpikeFlatten  64                                            0
    if_readout     IFDense       10                    10          1         640
    """
    shapes: dict[str, Any] = {IMAGE: (None, 1, *network.image_shape)}
    before, chain = IMAGE, True
    rows: list[tuple[str, ...]] = []
    for node in network.nodes:
        shape = node.stage.compute_output_shape(*(shapes[name] for name in node.inputs))
        shapes[node.name] = shape
        chain &= node.inputs == (before,)
        before = node.name
        rows.append(_row(node, shape[2:]))
    head = ("stage", "type", "reads", "output per step", "neurons", "threshold", "parameters")
    shown = [head, *rows]
    if chain:
        shown = [(*row[:2], *row[3:]) for row in shown]
    title = f"Spiking network of {network.time_steps} time steps (T)"
    if network.if_layers:
        title += f", reset {network.if_layers[-1].reset!r}"
    return Table(title, shown, len(head) - 3 - chain)


def _row(node: Node, shape: Sequence[int]) -> tuple[str, ...]:
    neurons = threshold = ""
    if isinstance(node.stage, TiedIF):
        number = 1
        for size in shape:
            number *= size
        neurons, threshold = f"{number:,}", f"{node.stage.v_threshold:g}"
    return (
        node.name,
        type(node.stage).__name__,
        ", ".join(node.inputs),
        " x ".join(map(str, shape)),
        neurons,
        threshold,
        f"{node.stage.count_params():,}",
    )
