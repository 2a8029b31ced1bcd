"""What enters and leaves each layer of neurons, in the SNN and in the ANN, batch by batch."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from ..layers import LearnedThreshold
from ..layers._tied import TiedIF
from ..model import ProxyModel

__all__ = ["LayerSignals", "batches", "check_batch_size", "check_images", "check_model", "signals"]


@dataclass(frozen=True, eq=False)
class LayerSignals:
    """One layer of neurons on one batch of images; each array is `(batch, ...)`, NumPy.

    Attributes:
        layer: The layer.
        first: Whether its input is the image, which gives a current constant in time (Eq. 6).
        inputs: The image; of a later layer the spike counts of its inputs.
        spike_counts: Spikes of the neurons summed over time.
        expected_rates: Rates by Eq. 9 for the rates of the inputs, in spikes per step.
        ann_inputs: What enters the same layer of the ANN.
        ann_activations: What leaves it after its ReLU.
        ann_unit: The ANN's activation that stands for a rate of 1, `None` if there is none.
        spikes: `(batch, time, ...)`, where they are kept.
        potentials: `(batch, time, ...)` after each step, where they are kept.
    """

    layer: TiedIF
    first: bool
    inputs: np.ndarray
    spike_counts: np.ndarray
    expected_rates: np.ndarray
    ann_inputs: np.ndarray
    ann_activations: np.ndarray
    ann_unit: float | None
    spikes: np.ndarray | None
    potentials: np.ndarray | None


def batches(model: Any, x: Any, batch_size: int, keep: Collection[str] = ()) -> Iterator[Any]:
    """`signals` of each batch of x, all arguments checked."""
    check_model(model)
    images = check_images(x, model.snn.image_shape)
    check_batch_size(batch_size)
    for start in range(0, len(images), batch_size):
        yield signals(model, images[start : start + batch_size], keep)


def signals(model: ProxyModel, images: np.ndarray, keep: Collection[str]) -> list[LayerSignals]:
    """Run both networks on a batch.

    Args:
        model: Spiking network and proxy.
        images: `(batch, height, width, channels)`.
        keep: Names of the ANN's layers whose spikes and potentials are kept.

    Returns:
        One item for each layer with neurons, in order.
    """
    snn = model.snn
    kept = {layer.name for layer in snn.if_layers if layer.twin.name in keep}
    counts, spikes, potentials = _run(model, images, kept)
    walked, units = _walk_ann(model.ann, images), _ann_units(model)
    result, below = [], None
    for stage in snn.stages:
        if isinstance(stage, TiedIF):
            first = below is None
            ann_inputs, activations = walked[stage.twin.name]
            inputs = images.reshape(ann_inputs.shape) if first else counts[below]
            result.append(
                LayerSignals(
                    stage,
                    first,
                    inputs,
                    counts[stage.name],
                    _expected_rates(stage, inputs if first else inputs / model.time_steps),
                    ann_inputs,
                    activations,
                    units[stage.twin.name],
                    spikes.get(stage.name),
                    potentials.get(stage.name),
                )
            )
        below = stage.name
    return result


def _run(model: ProxyModel, images: np.ndarray, kept: set[str]) -> tuple[dict, dict, dict]:
    """Spike counts of every stage; spikes and potentials, step by step, of those that are kept."""
    counts: dict[str, Any] = {}
    spikes: dict[str, Any] = {name: [] for name in kept}
    potentials: dict[str, Any] = {name: [] for name in kept}
    for chunk in model.snn.walk(images, 1 if kept else None):
        for name, (fired, v) in chunk.items():
            counts[name] = counts.get(name, 0) + _numpy(ops.sum(fired, axis=1))
            if name in kept:
                spikes[name].append(_numpy(fired[:, 0]).astype("uint8"))
                potentials[name].append(_numpy(v))
    join = {name: np.stack(steps, axis=1) for name, steps in spikes.items()}
    return counts, join, {name: np.stack(steps, axis=1) for name, steps in potentials.items()}


def _expected_rates(layer: TiedIF, rates: np.ndarray) -> np.ndarray:
    """Eq. 8 and 9: the current of the mean inputs, rectified, in units of the threshold."""
    weights = layer.synaptic_weights()
    current = layer.linear(ops.cast(rates, layer.compute_dtype), weights)
    return np.maximum(_numpy(current), 0.0) / layer.v_threshold


def _walk_ann(ann: keras.Sequential, images: np.ndarray) -> dict[str, tuple[Any, Any]]:
    """Inputs of each twin, and activations after what stands between it and the next layer."""
    found: dict[str, tuple[Any, Any]] = {}
    name, x = None, ops.convert_to_tensor(images)
    for layer in ann.layers:
        before, x = x, layer(x)
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            name = layer.name
            found[name] = (_numpy(before), x)
        elif isinstance(layer, keras.layers.MaxPooling2D | keras.layers.Flatten):
            name = None
        elif name is not None:
            found[name] = (found[name][0], x)
    # Eq. 9 rectifies, so a linear readout is rectified too.
    return {name: (x, np.maximum(_numpy(y), 0.0)) for name, (x, y) in found.items()}


def _ann_units(model: ProxyModel) -> dict[str, float | None]:
    """Activation of each of the ANN's layers that stands for one spike a step.

    Where the layer below has the unit u, its inputs are u times the rates. The weights are
    linear, so the layer's own unit is u * v_threshold * scale, with the scale of a `Rescaling` or
    a `LearnedThreshold` before its ReLU. A bias does not grow with u: with one there is a unit
    only if u = 1.
    """
    units: dict[str, float | None] = {}
    unit: float | None = 1.0
    for layer in model.snn.if_layers:
        scale = _rescaling(model.ann, layer.twin)
        biased = layer.synaptic_weights().bias is not None
        if scale is None or unit is None or (biased and abs(unit - 1.0) > 1e-6):
            unit = None
        else:
            unit = unit * layer.v_threshold * scale
        units[layer.twin.name] = unit
    return units


def _rescaling(ann: keras.Sequential, twin: keras.layers.Layer) -> float | None:
    """Scale of what rescales between a twin and the next one; 1 if nothing does."""
    scale = 1.0
    for layer in ann.layers[ann.layers.index(twin) + 1 :]:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            break
        if isinstance(layer, keras.layers.Rescaling):
            if np.ndim(layer.scale) or np.any(np.asarray(layer.offset) != 0.0):
                return None
            scale *= float(layer.scale)
        if isinstance(layer, LearnedThreshold):
            scale /= layer.value
    return scale


def _numpy(tensor: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(ops.cast(tensor, "float32")))


def check_model(model: Any) -> None:
    """Raise a `TypeError` unless it is a `ProxyModel`."""
    if not isinstance(model, ProxyModel):
        raise TypeError(f"`model` must be a ProxyModel. Received: {model!r}.")


def check_images(x: Any, shape: tuple[int, ...]) -> np.ndarray:
    """At least one image, float32.

    Raises:
        ValueError: If the shape is another.
    """
    images = np.asarray(ops.convert_to_numpy(x))
    if images.ndim != len(shape) + 1 or images.shape[1:] != shape or not len(images):
        raise ValueError(
            f"`x` must be at least one image, (batch, {', '.join(map(str, shape))}). "
            f"Received: shape {images.shape}."
        )
    return images.astype("float32")


def check_batch_size(batch_size: Any) -> None:
    """Raise a `ValueError` unless it is a positive integer."""
    if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1:
        raise ValueError(f"`batch_size` must be a positive integer. Received: {batch_size!r}.")
