"""Currents of the layers while they are trained: batch norm then has the batch's statistics."""

import math
from typing import Any

from keras import ops

from ..layers import IFDense
from ..layers._tied import TiedIF
from ..network import SpikingNetwork

__all__ = ["first_input", "training_current"]


def first_input(snn: SpikingNetwork, images: Any) -> Any:
    """Images `(batch, height, width, channels)` as the first layer takes them, in float32."""
    images = ops.cast(images, snn.compute_dtype)
    if isinstance(snn.stages[0], IFDense):
        return ops.reshape(images, (-1, math.prod(snn.image_shape)))
    return images


def training_current(stage: TiedIF, inputs: Any) -> Any:
    """Currents of a layer for inputs `(batch, ...)`, through its twin's own weights.

    Without batch norm they are those of the spiking network. With it they are normalised by the
    statistics of `inputs`, and its running ones, which the spiking network has, follow; unless it
    is frozen.
    """
    current = stage.twin(inputs)
    if stage.batch_norm is not None:
        current = stage.batch_norm(current, training=True)
    return ops.cast(current, stage.compute_dtype)
