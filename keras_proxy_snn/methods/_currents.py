"""Currents through the twins' own weights, batch norm not folded, for methods that train them."""

import math
from typing import Any

import keras
from keras import ops

from ..layers import SpikeFlatten
from ..layers.base import TiedIF
from ..simulation.network import SpikingNetwork

__all__ = ["first_input", "first_stages", "layer_current"]


def first_stages(snn: SpikingNetwork) -> list[keras.layers.Layer]:
    """Stages from the first neurons on; what `first_input` did is left out."""
    return list(snn.stages[snn.stages.index(snn.if_layers[0]) :])


def first_input(snn: SpikingNetwork, images: Any) -> Any:
    """Images `(batch, height, width, channels)` as the first layer takes them, in float32."""
    images = ops.cast(images, snn.compute_dtype)
    if isinstance(snn.stages[0], SpikeFlatten):
        return ops.reshape(images, (-1, math.prod(snn.image_shape)))
    return images


def layer_current(stage: TiedIF, inputs: Any, training: bool) -> Any:
    """Currents of a layer for inputs `(batch, ...)`.

    Without batch norm they are those of the spiking network. In training batch norm takes the
    statistics of these currents, and its running ones, which the spiking network has, follow.
    """
    current = stage.twin(inputs)
    if stage.batch_norm is not None:
        current = stage.batch_norm(current, training=training)
    return ops.cast(current, stage.compute_dtype)
