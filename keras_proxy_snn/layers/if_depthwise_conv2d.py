"""`IFDepthwiseConv2D`: integrate-and-fire neurons with a depthwise convolution."""

from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from ..basics.types import Tensor
from ..basics.window import Window
from ._maps import on_maps
from .base import TiedIF
from .if_conv2d import ungrouped, window_of

__all__ = ["IFDepthwiseConv2D"]


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class IFDepthwiseConv2D(TiedIF):
    """Depthwise convolution of spikes (or of a constant image) into integrate-and-fire neurons.

    As `IFConv2D`, but each neuron reads one channel of its window.

    Args:
        twin: A `keras.layers.DepthwiseConv2D`, `channels_last`, linear or ReLU, whose weights
            this layer shares.
        batch_norm: `True` for a new `keras.layers.BatchNormalization`, or an existing one.
        **kwargs: `input_scale` and `current_dtype` as in `IFConv2D`; all others as in `IF`.

    Input shape:
        `(batch, time, height, width, channels)`, without `time` if `time_steps` is set.

    Output shape:
        Spikes `(batch, time, height, width, channels * depth_multiplier)`.

    Raises:
        ValueError: If an argument is out of range or the twin cannot be shared.

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn.layers import IFDepthwiseConv2D
    >>> conv = keras.layers.DepthwiseConv2D(2, depthwise_initializer="ones")
    >>> layer = IFDepthwiseConv2D(twin=conv, v_threshold=4.0, time_steps=2)
    >>> np.array(layer(np.float32([[[[1, 2], [1, 2]], [[1, 2], [1, 2]]]]))).tolist()
    [[[[[1.0, 1.0]]], [[[1.0, 1.0]]]]]
    """

    twin_class = keras.layers.DepthwiseConv2D

    def __init__(
        self,
        *,
        twin: keras.layers.DepthwiseConv2D,
        batch_norm: keras.layers.BatchNormalization | bool | None = False,
        **kwargs: Any,
    ):
        super().__init__(twin, batch_norm, **kwargs)

    @property
    def window(self) -> Window:
        """The window of the kernel."""
        return window_of(self.twin)

    @property
    def outputs_per_window(self) -> int:
        """Number of feature maps that an input reaches."""
        return int(self.twin.depth_multiplier)

    def full_kernel(self, kernel: np.ndarray) -> np.ndarray:
        """The kernel with zeros between channels."""
        height, width, channels, multiplier = kernel.shape
        return ungrouped(kernel.reshape(height, width, 1, channels * multiplier), channels)

    def scale_outputs(self, kernel: Tensor, scale: Any) -> Any:
        """Multiply a kernel `(height, width, channels, multiplier)` by one scale per output."""
        return kernel * ops.reshape(scale, (-1, self.twin.depth_multiplier))

    def weighted_sum(self, inputs: Tensor, kernel: Tensor) -> Any:
        """Convolve `(batch, height, width, channels)` with a kernel."""
        twin = self.twin
        convolve = partial(
            ops.depthwise_conv,
            kernel=kernel,
            strides=twin.strides,
            padding=twin.padding,
            dilation_rate=twin.dilation_rate,
        )
        return on_maps(convolve, inputs)
