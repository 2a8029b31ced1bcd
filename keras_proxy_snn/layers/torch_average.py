"""Average pooling by PyTorch's own kernel, which is faster on a CPU than Keras's call."""

from typing import Any

import keras
import torch
from torch.nn import functional

__all__ = ["average", "on_cpu"]


def on_cpu(x: Any) -> bool:
    """Whether these kernels can run: outside of PyTorch's compiler, on a tensor of the CPU."""
    is_tensor = isinstance(x, torch.Tensor) and x.device.type == "cpu"
    return is_tensor and not torch.compiler.is_compiling()


def average(layer: Any, x: Any) -> Any:
    """Result of an average pooling in the dtype of its input; `None` where this kernel cannot run.

    Keras does not count the padding, which sends PyTorch to a slow kernel, even without padding.

    Args:
        layer: A layer of Keras.
        x: `(batch, height, width, channels)`.
    """
    plain = type(layer) is keras.layers.AveragePooling2D and layer.padding == "valid"
    if not plain or layer.data_format != "channels_last" or not on_cpu(x):
        return None
    pooled = functional.avg_pool2d(x.movedim(-1, 1), layer.pool_size, layer.strides)
    return pooled.movedim(1, -1)
