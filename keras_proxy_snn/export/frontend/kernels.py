"""`weights_of`: weights of a spiking layer in the form that a program needs."""

import keras
import numpy as np

from ..._types import Tensor
from ...layers import IFDense, IFDepthwiseConv2D

__all__ = ["weights_of"]


def weights_of(
    stage: keras.layers.Layer, scale: float = 1.0
) -> tuple[np.ndarray, np.ndarray | None]:
    """Full kernel times a scale, and bias, both with normalisation folded in."""
    weights = stage.synaptic_weights()
    kernel = _array(weights.kernel)
    bias = None if weights.bias is None else _array(weights.bias)
    if not isinstance(stage, IFDense):
        kernel = _full(kernel, stage)
    return kernel if scale == 1.0 else kernel * np.float32(scale), bias


def _array(weights: Tensor) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(weights), "float32")


def _full(kernel: np.ndarray, stage: keras.layers.Layer) -> np.ndarray:
    """The full kernel that gives the same result as a grouped or depthwise kernel."""
    height, width, channels, filters = kernel.shape
    groups = getattr(stage.twin, "groups", 1)
    if isinstance(stage, IFDepthwiseConv2D):
        groups, channels, filters = channels, 1, channels * filters
        kernel = kernel.reshape(height, width, 1, filters)
    if groups == 1:
        return kernel
    full = np.zeros((height, width, groups * channels, filters), kernel.dtype)
    per_group = filters // groups
    for group in range(groups):
        inputs = slice(group * channels, (group + 1) * channels)
        outputs = slice(group * per_group, (group + 1) * per_group)
        full[:, :, inputs, outputs] = kernel[..., outputs]
    return full
