"""Number of neurons that each input of a layer reaches."""

from typing import Any

import keras
import numpy as np

__all__ = ["fan_out"]


def fan_out(twin: keras.layers.Layer, input_shape: tuple[int, ...]) -> np.ndarray:
    """Number of neurons that each input of a layer reaches.

    An input near the border of an image lies in fewer windows. With strides, some inputs may lie
    in no window. The zeros that padding adds are not inputs. A connection counts even if its
    weight is zero.

    Args:
        twin: A built layer. A convolution; a `SeparableConv2D` counts as the one convolution that
            its two kernels make. A `Dense`. An average pooling, with one neuron per window. Or a
            layer that has one input per neuron, such as a `BatchNormalization`.
        input_shape: Shape of its inputs without the batch.

    Returns:
        Integers of that shape. Their sum is the number of connections.
    """
    if isinstance(twin, keras.layers.Dense):
        return np.full(input_shape, twin.units)
    if not isinstance(twin, _WINDOWED):
        return np.ones(input_shape, int)
    pools = isinstance(twin, keras.layers.AveragePooling2D)
    sizes = twin.pool_size if pools else twin.kernel_size
    dilations = (1, 1) if pools else twin.dilation_rate
    rows, columns = (
        _windows(size, kernel, stride, dilation, twin.padding)
        for size, kernel, stride, dilation in zip(
            input_shape, sizes, twin.strides, dilations, strict=False
        )
    )
    return _maps(twin) * rows[:, None, None] * columns[:, None] * np.ones(input_shape, int)


_WINDOWED = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.AveragePooling2D,
)


def _maps(twin: keras.layers.Layer) -> int:
    """Number of feature maps that an input reaches."""
    if isinstance(twin, keras.layers.Conv2D):
        return int(twin.filters // twin.groups)
    if isinstance(twin, keras.layers.SeparableConv2D):
        return int(twin.filters)
    return int(twin.depth_multiplier) if isinstance(twin, keras.layers.DepthwiseConv2D) else 1


def _windows(size: int, kernel: int, stride: int, dilation: int, padding: Any) -> np.ndarray:
    """Number of windows that contain each of `size` places along an axis.

    "same" has ceil(size / stride) windows. Their padding is split evenly; if its length is odd,
    the end gets one place more.
    """
    reach = (kernel - 1) * dilation + 1
    if padding == "same":
        windows = -(-size // stride)
        before = max((windows - 1) * stride + reach - size, 0) // 2
    else:
        windows, before = (size - reach) // stride + 1, 0
    places = stride * np.arange(windows)[:, None] + dilation * np.arange(kernel) - before
    places = places[(places >= 0) & (places < size)]
    return np.bincount(places, minlength=size)
