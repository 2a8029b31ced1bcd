"""Common steps of conversions: replace the ANN's activations, rescale weights to unit spikes."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from ..basics.types import Tensor
from ..mapping.twin import spiking_twin
from ..model import ProxyModel
from ..presets import Preset
from ..training.losses import LOSSES
from ..training.metrics import SpikeAccuracy

__all__ = ["CONVERTED", "PLAIN", "convert", "normalised", "variant"]

PLAIN: dict[str, Any] = {
    "proxy_activation": "relu",
    "readout_activation": "linear",
    "learn_threshold": False,
    "v_threshold": 1.0,
    "readout_v_threshold": None,
}
"""Fields of a preset that make its ANN an ordinary ReLU network without thresholds.

With thresholds of 1, the initializer `"rate_preserving"` is He's, so initial weights do not depend
on thresholds either.
"""

CONVERTED: dict[str, Any] = {"reset": "subtract", "readout": "potential"}
"""Fields of every converted network.

The readout gives spike counts plus remaining potentials over its threshold. With reset by
subtraction, this sum equals its currents summed over T, as if it had no neurons.
"""


def variant(
    ann: keras.Sequential, activation: Callable[[str], keras.layers.Layer] | None = None
) -> keras.Sequential:
    """An ANN of the same layers, and thus the same weights, with other activations.

    Args:
        ann: A built ANN with the ReLUs that `build_ann` makes.
        activation: Function from the name of a layer with weights to its activation; `None` keeps
            the ReLU.
    """
    stack = [keras.Input(ann.input_shape[1:], name="image")]
    for layer in ann.layers:
        if activation is not None and isinstance(layer, keras.layers.ReLU):
            layer = activation(layer.name.removesuffix("_relu"))
        stack.append(layer)
    return keras.Sequential(stack, name=ann.name)


def convert(
    preset: Preset,
    ann: keras.Sequential,
    thresholds: Mapping[str, float],
    spike_heights: Mapping[str, float],
    *,
    max_rate: float | None = None,
    v_0: float = 0.0,
) -> ProxyModel:
    """A spiking network with an ANN's weights and potentials in units of the thresholds.

    In the ANN's units, a neuron of layer l fires at theta_l, and each spike stands for an
    activation h_l. This network is equivalent to a network with thresholds 1, unit spikes and

        W_l <- W_l h_{l-1} / theta_l,    b_l <- b_l / theta_l

    (section 2.2 of Rueckauer et al. 2017, where h = theta). Batch normalisation is folded into W
    and b first. The image is not scaled, h_0 = 1. The readout has theta = 1 here, so `model.ann`
    gives the outputs of the trained ANN.

    Args:
        preset: Preset of the ANN.
        ann: The trained ANN with ReLUs; it is not changed.
        thresholds: theta of each layer with neurons, without the readout.
        spike_heights: h of the same layers.
        max_rate: Upper bound of the ReLUs of `model.ann`, or `None`.
        v_0: Potential before the first step as a fraction of the threshold.

    Returns:
        A `ProxyModel` without batch normalisation, compiled for evaluation.
    """
    converted = normalised(ann, thresholds, spike_heights, max_rate)
    readout = {converted.layers[-1].name: preset.readout_v_threshold or 1.0}
    model = ProxyModel(
        converted,
        preset.time_steps,
        readout,
        chunk_steps=preset.chunk_steps,
        v_0=v_0,
        current_dtype=preset.current_dtype,
        event_driven=preset.event_driven,
        **CONVERTED,
    )
    model.compile(loss=LOSSES[preset.loss](), metrics=[SpikeAccuracy()])
    return model


def normalised(
    ann: keras.Sequential,
    thresholds: Mapping[str, float],
    spike_heights: Mapping[str, float],
    max_rate: float | None,
) -> keras.Sequential:
    """The ANN with the rescaled weights of `convert`."""
    neurons = [node.stage for node in spiking_twin(ann).nodes if node.has_neurons]
    folded = {stage.twin.name: stage.synaptic_weights() for stage in neurons}
    stack: list[keras.layers.Layer] = [keras.Input(ann.input_shape[1:], name="image")]
    values: list[Any] = []
    height = 1.0
    for layer in ann.layers:
        config = layer.get_config()
        if isinstance(layer, keras.layers.BatchNormalization):
            continue
        if isinstance(layer, keras.layers.ReLU):
            config["max_value"] = max_rate
        elif layer.name in folded:
            theta = thresholds.get(layer.name, 1.0)
            kernel, bias = map(_to_numpy, folded[layer.name])
            kernel = kernel * np.float32(height / theta)
            config["use_bias"] = bias is not None
            values += [kernel] if bias is None else [kernel, bias / np.float32(theta)]
            height = spike_heights.get(layer.name, 1.0)
        stack.append(type(layer).from_config(config))
    rescaled = keras.Sequential(stack, name=ann.name)
    rescaled.set_weights(values)
    return rescaled


def _to_numpy(weights: Tensor | None) -> Any:
    return None if weights is None else ops.convert_to_numpy(weights)
