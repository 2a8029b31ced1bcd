"""`IFConv2D`: integrate-and-fire neurons with a convolution."""

from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from ..basics.types import Tensor
from ..basics.window import Window
from ._maps import on_maps
from .arguments import make_twin, split_layer_arguments
from .base import TiedIF

__all__ = ["IFConv2D", "ungrouped", "window_of"]


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class IFConv2D(TiedIF):
    """Convolution of spikes (or of a constant image) into integrate-and-fire neurons.

    The current of a neuron is the weighted sum of the spikes in its window
    (Eq. 4 of Kheradpisheh et al., "Spiking neural networks trained via proxy"). For an image
    that is constant in time, the current is computed once (Eq. 6). The neurons then follow
    Eq. 3 and 5, see `keras_proxy_snn.layers.IF`.

    The weights belong to `layer.twin`, a standard `keras.layers.Conv2D`. Training the twin
    in an ANN changes this layer too. The running statistics of a batch normalisation between
    twin and activation are folded into weights and bias.

    Args:
        filters: Number of feature maps. Not with `twin`.
        kernel_size: Integer or pair, in pixels. Not with `twin`.
        twin: An existing `keras.layers.Conv2D`, `channels_last`, linear or ReLU,
            whose weights this layer shares.
        batch_norm: `True` for a new `keras.layers.BatchNormalization`, or an existing one.
        current_dtype: Dtype in which weighted inputs are summed: `"float32"` or `"bfloat16"`. The
            latter has a precision of 8 bits and is faster on processors with bfloat16 units.
            Potentials stay float32.
        **kwargs: `v_threshold`, `reset`, `v_0`, `time_steps`, `return_state`, `name` and `dtype` as
            in `IF`. `input_scale` is the value of an input spike: a positive number, or one number
            per input channel (default 1). All others go to the new `Conv2D` (`strides`,
            `padding`, `use_bias`, ...).

    Call arguments:
        inputs: Spikes `(batch, time, height, width, channels)`; or an image
            `(batch, height, width, channels)`, constant in time, if `time_steps` is set.
        initial_state: Potentials before the first step; `v_0` times the threshold by default.

    Input shape:
        `(batch, time, height, width, channels)`, without `time` if `time_steps` is set.

    Output shape:
        Spikes `(batch, time, height, width, filters)`; with `return_state`, a pair of
        them and the potentials `(batch, height, width, filters)`.

    Raises:
        ValueError: If an argument is out of range or the twin cannot be shared.

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn.layers import IFConv2D
    >>> conv = keras.layers.Conv2D(1, 3, padding="same", kernel_initializer="ones")
    >>> layer = IFConv2D(twin=conv, time_steps=3, v_threshold=8.0)
    >>> spikes = layer(np.ones((1, 3, 3, 1), "float32"))
    >>> [int(step.sum()) for step in np.array(spikes)[0]]  # the centre has 9 inputs
    [1, 9, 1]
    """

    twin_class = keras.layers.Conv2D

    def __init__(
        self,
        filters: int | None = None,
        kernel_size: int | tuple[int, int] | None = None,
        *,
        twin: keras.layers.Conv2D | None = None,
        batch_norm: keras.layers.BatchNormalization | bool | None = False,
        current_dtype: str = "float32",
        **kwargs: Any,
    ):
        own, new = split_layer_arguments(kwargs)
        new = {"filters": filters, "kernel_size": kernel_size, **new}
        super().__init__(
            make_twin(self.twin_class, twin, new, own), batch_norm, current_dtype, **own
        )

    @property
    def window(self) -> Window:
        """The window of the kernel."""
        return window_of(self.twin)

    @property
    def outputs_per_window(self) -> int:
        """Number of feature maps that an input reaches."""
        return int(self.twin.filters // self.twin.groups)

    @property
    def sums_events(self) -> bool:
        """Whether the convolution has no groups."""
        return bool(self.twin.groups == 1)

    def full_kernel(self, kernel: np.ndarray) -> np.ndarray:
        """The kernel with zeros between groups."""
        return ungrouped(kernel, self.twin.groups)

    def scale_inputs(self, kernel: Tensor) -> Any:
        """As in other layers; with groups, the kernel of each group has its own input channels."""
        groups = self.twin.groups
        if groups == 1 or not isinstance(self.input_scale, tuple):
            return super().scale_inputs(kernel)
        scale = np.reshape(self.input_scale, (groups, -1)).T
        scale = np.repeat(scale, self.twin.filters // groups, axis=1)
        return kernel * ops.convert_to_tensor(scale, self.compute_dtype)

    def weighted_sum(self, inputs: Tensor, kernel: Tensor) -> Any:
        """Convolve `(batch, height, width, channels)` with a kernel."""
        twin = self.twin
        convolve = partial(
            ops.conv,
            kernel=kernel,
            strides=twin.strides,
            padding=twin.padding,
            dilation_rate=twin.dilation_rate,
        )
        return on_maps(convolve, inputs)


def window_of(twin: keras.layers.Layer) -> Window:
    """The window of a convolution of Keras."""
    size, strides, dilation = (
        tuple(pair) for pair in (twin.kernel_size, twin.strides, twin.dilation_rate)
    )
    return Window(size, strides, twin.padding, dilation)


def ungrouped(kernel: np.ndarray, groups: int) -> np.ndarray:
    """The kernel of a convolution without groups that gives the same result, with zeros.

    Args:
        kernel: `(height, width, channels per group, filters)`.
        groups: Number of groups.

    Returns:
        `(height, width, channels, filters)`.
    """
    if groups == 1:
        return kernel
    height, width, channels, filters = kernel.shape
    full = np.zeros((height, width, groups * channels, filters), kernel.dtype)
    per_group = filters // groups
    for group in range(groups):
        inputs = slice(group * channels, (group + 1) * channels)
        outputs = slice(group * per_group, (group + 1) * per_group)
        full[:, :, inputs, outputs] = kernel[..., outputs]
    return full
