"""Convolutions and poolings of maps, in the layout that each backend likes."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

__all__ = ["on_maps"]


def on_maps(function: Callable[..., Any], maps: Any) -> Any:
    """Apply a function of maps `(batch, height, width, channels)` that has a `data_format`.

    On PyTorch it is told `"channels_first"` and sees the same memory with its axes named in that
    order, PyTorch's own "channels last" format. Keras would copy all maps to another layout,
    and those of a convolution back (`benchmarks/NOTES.md`, "Layout on PyTorch, once more").

    Args:
        function: `keras.ops.conv`, `max_pool` and the like, all other arguments given.
        maps: `(batch, height, width, channels)`.

    Returns:
        The result in the layout of the maps.
    """
    if keras.config.backend() != "torch":
        return function(maps, data_format="channels_last")
    result = function(ops.transpose(maps, (0, 3, 1, 2)), data_format="channels_first")
    return ops.transpose(result, (0, 2, 3, 1))
