"""`IFSeparableConv2D`: integrate-and-fire neurons with a separable convolution."""

from typing import Any

import keras
import numpy as np
from keras import ops

from ..basics.window import Window
from .base import TiedIF
from .if_conv2d import IFConv2D, window_of
from .kernels import kernel_of

__all__ = ["IFSeparableConv2D"]


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class IFSeparableConv2D(TiedIF):
    """Separable convolution of spikes (or of a constant image) into integrate-and-fire neurons.

    There are no neurons between the twin's two kernels. So both together are one convolution with
    the product of the kernels, and each spike adds one weight per neuron, as in `IFConv2D`:

        kernel[i, j, c, f] = sum_m depthwise[i, j, c, m] pointwise[c M + m, f]

    Args:
        twin: A `keras.layers.SeparableConv2D`, `channels_last`, linear or ReLU, whose weights
            this layer shares.
        batch_norm: `True` for a new `keras.layers.BatchNormalization`, or an existing one.
        **kwargs: `input_scale` and `current_dtype` as in `IFConv2D`; all others as in `IF`.

    Input shape:
        `(batch, time, height, width, channels)`, without `time` if `time_steps` is set.

    Output shape:
        Spikes `(batch, time, height, width, filters)`.

    Raises:
        ValueError: If an argument is out of range or the twin cannot be shared.

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn.layers import IFSeparableConv2D
    >>> layer = IFSeparableConv2D(twin=keras.layers.SeparableConv2D(4, 3))
    >>> layer(np.zeros((2, 5, 8, 8, 3), "float32")).shape == (2, 5, 6, 6, 4)
    True
    """

    twin_class = keras.layers.SeparableConv2D

    def __init__(
        self,
        *,
        twin: keras.layers.SeparableConv2D,
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
        """Number of feature maps that an input reaches through the product of the kernels."""
        return int(self.twin.filters)

    def full_kernel(self, kernel: np.ndarray) -> np.ndarray:
        """The kernel itself."""
        return kernel

    def twin_kernel(self) -> Any:
        """Product of the twin's kernels, `(height, width, channels, filters)`."""
        twin = self.twin
        shape = (-1, twin.depth_multiplier, twin.filters)
        pointwise = ops.reshape(kernel_of(twin, "pointwise_kernel"), shape)
        return ops.einsum("ijcm,cmf->ijcf", kernel_of(twin, "depthwise_kernel"), pointwise)

    # The product of the kernels is a kernel of an ordinary convolution.
    weighted_sum = IFConv2D.weighted_sum
