"""Layers of a CNN by PyTorch's own kernels, where Keras needs many passes through memory.

On a CPU, such layers cost more than the convolutions between them. Keras 3 computes batch
normalisation and a ReLU with a maximum by one elementary operation after the other, and average
pooling by a slow kernel of PyTorch.
"""

from collections.abc import Callable
from typing import Any

import keras
import torch
from torch.nn import functional

from ..layers.torch_average import average as average_pooling
from ..layers.torch_average import on_cpu

__all__ = ["fast_call"]

_DTYPES = ("float32", "bfloat16")


def fast_call(layer: Any, x: Any, training: bool) -> Any:
    """Result of a layer by a faster kernel; `None` where there is none.

    Results are those of the layer's own call. Sums of a batch normalisation are added in another
    order. Where an input of a ReLU equals `max_value`, its derivative is 0; it is 1 in Keras,
    except for a maximum of 6.

    Args:
        layer: A layer of Keras.
        x: Its input.
        training: Whether it trains.
    """
    if not on_cpu(x):
        return None
    run = _FAST.get(type(layer))
    # Keras's call collects the loss of an activity regulariser.
    own = layer.activity_regularizer is not None or layer.compute_dtype not in _DTYPES
    if run is None or own:
        return None
    return run(layer, x.to(getattr(torch, layer.compute_dtype)), training)


def _relu(layer: Any, x: torch.Tensor, training: bool) -> Any:
    if layer.max_value is None or layer.negative_slope or layer.threshold:
        return None
    return functional.hardtanh(x, 0.0, float(layer.max_value))


def _average(layer: Any, x: torch.Tensor, training: bool) -> Any:
    return average_pooling(layer, x)


def _normalise(layer: Any, x: torch.Tensor, training: bool) -> Any:
    """Batch normalisation in training, with new moving statistics.

    PyTorch's kernel reads half precision and adds in float32.
    """
    count = x.numel() // x.shape[-1]
    plain = not (layer.renorm or layer.synchronized) and layer.variable_dtype == "float32"
    if not (training and layer.trainable and plain) or count < 2:
        return None
    if layer.axis not in (-1, x.ndim - 1):
        return None
    mean, variance = (torch.zeros(x.shape[-1]) for _ in range(2))
    scale, offset = (None if w is None else w.value for w in (layer.gamma, layer.beta))
    # With a momentum of 1 the kernel writes the statistics of this batch.
    result = functional.batch_norm(
        x.movedim(-1, 1), mean, variance, scale, offset, True, momentum=1.0, eps=layer.epsilon
    )
    # The kernel divides by one less than the count of numbers, Keras by the count.
    moving = (layer.moving_mean, mean), (layer.moving_variance, variance * ((count - 1) / count))
    for average, new in moving:
        average.assign(average.value * layer.momentum + new * (1.0 - layer.momentum))
    return result.movedim(1, -1)


_FAST: dict[type, Callable[[Any, torch.Tensor, bool], Any]] = {
    keras.layers.BatchNormalization: _normalise,
    keras.layers.ReLU: _relu,
    keras.layers.AveragePooling2D: _average,
}
