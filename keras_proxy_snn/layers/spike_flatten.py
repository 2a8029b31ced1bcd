"""`SpikeFlatten`: flatten maps of spikes to a vector of spikes, at each step."""

import math
from typing import Any

import keras
from keras import ops

from ..basics.types import Tensor
from .stage import Stage
from .time_axis import over_time

__all__ = ["SpikeFlatten"]


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class SpikeFlatten(Stage):
    """Flatten all axes except batch and time, in the order of `keras.layers.Flatten`.

    Args:
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Input shape:
        `(batch, time, ...)`.

    Output shape:
        `(batch, time, features)`.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.layers import SpikeFlatten
    >>> SpikeFlatten()(np.zeros((2, 5, 7, 7, 16), "float32")).shape == (2, 5, 784)
    True
    """

    passes_spikes = True

    def call(self, inputs: Tensor) -> Any:
        """Flatten each step; see the class."""
        features = math.prod(inputs.shape[2:])
        return over_time(lambda spikes: ops.reshape(spikes, (-1, features)), inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """`(batch, time, features)`."""
        return (*input_shape[:2], math.prod(input_shape[2:]))
