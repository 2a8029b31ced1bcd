"""Inputs and outputs of each layer of neurons, in the SNN and in the ANN, batch by batch."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from ..basics.arrays import as_float32
from ..basics.progress import Progress
from ..basics.types import Images, Verbose
from ..cnn.graph import INPUT
from ..layers.base import TiedIF
from ..model import ProxyModel, check_proxy_model
from ..training.batches import ImageBatches
from ._groups import Group, Source, ann_units, groups

__all__ = [
    "Connection",
    "LayerSignals",
    "batches",
    "check_model",
    "signals",
]


@dataclass(frozen=True, eq=False)
class Connection:
    """Inputs of a stage that leads to a layer of neurons, NumPy arrays `(batch, ...)`.

    Attributes:
        source: The stage, and the name of its input.
        inputs: Number of steps in which each input was not zero. For inputs that depend on the
            image alone: their values.
        ann_inputs: Inputs of the same weights of the ANN; `None` for a stage without weights.
    """

    source: Source
    inputs: np.ndarray
    ann_inputs: np.ndarray | None


@dataclass(frozen=True, eq=False)
class LayerSignals:
    """One layer of neurons on one batch of images; each array is `(batch, ...)`, NumPy.

    Attributes:
        layer: The layer.
        first: Whether its current is constant in time (Eq. 6), because it reads only the image.
        connections: Inputs of the stages that lead to the layer.
        spike_counts: Spikes of the neurons summed over time.
        expected_rates: Rates that Eq. 9 gives for the rates of the inputs, in spikes per step.
        ann_activations: Activations of the layer in the ANN.
        ann_unit: Activation of the ANN that stands for a rate of 1, or `None`; see `ann_units`.
        spikes: `(batch, time, ...)` if they are kept, else `None`.
        potentials: `(batch, time, ...)` after each step if they are kept, else `None`.
    """

    layer: TiedIF
    first: bool
    connections: tuple[Connection, ...]
    spike_counts: np.ndarray
    expected_rates: np.ndarray
    ann_activations: np.ndarray
    ann_unit: float | None
    spikes: np.ndarray | None
    potentials: np.ndarray | None


def batches(
    model: ProxyModel,
    x: Images,
    batch_size: int,
    verbose: Verbose,
    keep: Collection[str] = (),
) -> Iterator[Any]:
    """Yield `signals` of each batch of x, and show the progress."""
    images = ImageBatches(model.compare_range(x), model.image_shape, batch_size)
    with Progress("simulating", images.known_number(), verbose) as progress:
        for batch in progress.over(images):
            yield signals(model, batch, keep)


def signals(model: ProxyModel, images: np.ndarray, keep: Collection[str]) -> list[LayerSignals]:
    """Run both networks on a batch.

    Args:
        model: Spiking network and proxy.
        images: `(batch, height, width, channels)`.
        keep: Names of the ANN's layers whose spikes and potentials are kept.

    Returns:
        One item per layer with neurons, in order.
    """
    kept = {layer.name for layer in model.snn.if_layers if layer.twin.name in keep}
    found = groups(model.snn)
    values = _run(model, images, kept, found)
    ann, units = _walk_ann(model, images), ann_units(model)
    result = []
    for group in found:
        layer, name = group.layer, group.layer.twin.name
        result.append(
            LayerSignals(
                layer,
                group.first,
                tuple(_connection(model, source, values, ann) for source in group.sources),
                values.sums[layer.name],
                _expected_rates(model, group, values, ann),
                # Eq. 9 rectifies, so a linear readout is rectified too.
                np.maximum(ann[model.twin.activations[name]], 0.0),
                units[name],
                values.spikes.get(layer.name),
                values.potentials.get(layer.name),
            )
        )
    return result


@dataclass(frozen=True)
class _Values:
    """Signals by stage: their sums over time, their non-zero steps, and the signals themselves."""

    sums: dict[str, np.ndarray]
    events: dict[str, np.ndarray]
    spikes: dict[str, np.ndarray]
    potentials: dict[str, np.ndarray]


def _run(model: ProxyModel, images: np.ndarray, kept: set[str], found: list[Group]) -> _Values:
    sums: dict[str, Any] = {}
    events: dict[str, Any] = {}
    spikes: dict[str, Any] = {name: [] for name in kept}
    potentials: dict[str, Any] = {name: [] for name in kept}
    # For zeros and ones the sum is the number of non-zero steps.
    currents = {s.name for group in found for s in group.sources if not s.spikes}
    for chunk in model.snn.walk(images, 1 if kept else None):
        for name, (fired, v) in chunk.items():
            sums[name] = sums.get(name, 0) + as_float32(ops.sum(fired, axis=1))
            if name in currents:
                nonzero = ops.cast(ops.not_equal(fired, 0), "float32")
                events[name] = events.get(name, 0) + as_float32(ops.sum(nonzero, axis=1))
            if name in kept:
                spikes[name].append(as_float32(fired[:, 0]).astype("uint8"))
                potentials[name].append(as_float32(v))
    return _Values(
        sums,
        {**sums, **events},
        {name: np.stack(steps, axis=1) for name, steps in spikes.items()},
        {name: np.stack(steps, axis=1) for name, steps in potentials.items()},
    )


def _connection(
    model: ProxyModel, source: Source, values: _Values, ann: dict[int, np.ndarray]
) -> Connection:
    place = model.twin.sources.get(source.stage.name)
    ann_inputs = None if place is None else ann[place]
    if source.constant:
        inputs = np.zeros(1) if ann_inputs is None else ann_inputs
    else:
        inputs = values.events[source.name]
    return Connection(source, inputs, ann_inputs)


def _expected_rates(
    model: ProxyModel, group: Group, values: _Values, ann: dict[int, np.ndarray]
) -> np.ndarray:
    """Eq. 8 and 9: the rectified current of the mean inputs, in units of the threshold."""
    layer = group.layer
    if group.first:
        inputs = ann[model.twin.sources[layer.name]]
    else:
        inputs = values.sums[group.below] / model.time_steps
    current = layer.linear(ops.cast(inputs, layer.compute_dtype), layer.synaptic_weights())
    return np.maximum(as_float32(current), 0.0) / layer.v_threshold


def _walk_ann(model: ProxyModel, images: np.ndarray) -> dict[int, np.ndarray]:
    """Inputs of the ANN's weights and outputs of its ReLUs, by position of the call."""
    twin = model.twin
    wanted = {*twin.sources.values(), *twin.activations.values()}
    found = {INPUT: images}
    for place, result in twin.graph.run(ops.convert_to_tensor(images)):
        if place in wanted:
            found[place] = as_float32(result)
    return found


def check_model(model: ProxyModel) -> None:
    """Refuse anything but a `ProxyModel` (`TypeError`), and models of events (`ValueError`)."""
    check_proxy_model(model)
    if model.events:
        raise ValueError(
            "Statistics need images that are constant in time. Received: the model "
            f"{model.name!r}, which takes events; `model.snn.record` gives its spikes."
        )
