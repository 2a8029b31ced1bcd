"""Currents from the ANN's trainable weights, with batch norm as a layer of its own."""

import math
from typing import Any

import keras
from keras import ops

from ..basics.types import Images, Tensor
from ..layers import SpikeFlatten
from ..layers.base import TiedIF
from ..simulation.network import SpikingNetwork

__all__ = ["first_input", "first_stages", "layer_current"]


def first_stages(snn: SpikingNetwork) -> list[keras.layers.Layer]:
    """Stages from the first neurons on; `first_input` has applied the stages before them."""
    return list(snn.stages[snn.stages.index(snn.if_layers[0]) :])


def first_input(snn: SpikingNetwork, images: Images) -> Any:
    """Images `(batch, height, width, channels)` as input of the first layer, in float32."""
    images = ops.cast(images, snn.compute_dtype)
    if isinstance(snn.stages[0], SpikeFlatten):
        return ops.reshape(images, (-1, math.prod(snn.image_shape)))
    return images


def layer_current(stage: TiedIF, inputs: Tensor, training: bool) -> Any:
    """Currents of a layer for inputs `(batch, ...)`.

    Without batch norm they equal the currents of the spiking network. In training, batch norm uses
    the statistics of these currents and updates its running statistics. The spiking network uses
    the running statistics.
    """
    current = stage.twin(inputs)
    if stage.batch_norm is not None:
        current = stage.batch_norm(current, training=training)
    return ops.cast(current, stage.compute_dtype)
