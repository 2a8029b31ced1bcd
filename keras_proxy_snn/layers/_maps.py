"""Convolutions and poolings of maps, in the layout that is fastest on each backend."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from ..basics.types import Tensor

__all__ = ["on_maps"]


def on_maps(function: Callable[..., Any], maps: Tensor) -> Any:
    """Apply a function with a `data_format` to maps `(batch, height, width, channels)`.

    On PyTorch, the function gets `"channels_first"` and the same memory with permuted axes, which
    is PyTorch's "channels last" format. Keras alone would copy all maps to another layout, and
    copy the results of a convolution back (`benchmarks/NOTES.md`, "Layout on PyTorch, once more").

    Args:
        function: `keras.ops.conv`, `max_pool` or similar, with all other arguments bound.
        maps: `(batch, height, width, channels)`.

    Returns:
        The result in the layout of the maps.
    """
    if keras.config.backend() != "torch":
        return function(maps, data_format="channels_last")
    result = function(ops.transpose(maps, (0, 3, 1, 2)), data_format="channels_first")
    return ops.transpose(result, (0, 2, 3, 1))
