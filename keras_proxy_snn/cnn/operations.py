"""Operations of a functional model, such as `x + y`, as the layers that do the same."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

__all__ = ["standard_layer"]


def standard_layer(operation: keras.Operation, arguments: tuple[Any, ...], dtype: str) -> Any:
    """The standard Keras layer that does what an operation does.

    Args:
        operation: A layer, or the operation of `x + y`, `keras.ops.relu(x)`,
            `keras.activations.softmax(x)` and the like.
        arguments: Arguments of the call.
        dtype: Dtype of the result.

    Returns:
        A layer. Layers, and operations that no layer can replace, are returned unchanged.

    Example:

    >>> import keras
    >>> from keras_proxy_snn.cnn.operations import standard_layer
    >>> x = keras.Input((3,))
    >>> maximum = keras.Model(x, keras.ops.maximum(x, 0.0)).operations[-1]
    >>> type(standard_layer(maximum, (x, 0.0), "float32")).__name__
    'ReLU'
    """
    kind = type(operation)
    if isinstance(operation, keras.layers.Layer) or not kind.__module__.startswith("keras."):
        return operation
    make = _LAYERS.get(kind.__name__)
    layer = None if make is None else make(operation, arguments)
    if layer is None:
        return operation
    cls, options = layer
    return cls(**options, name=operation.name, dtype=dtype)


_Made = tuple[type[keras.layers.Layer], dict[str, Any]] | None


def _add(operation: keras.Operation, arguments: tuple[Any, ...]) -> _Made:
    return (keras.layers.Add, {}) if _all_tensors(arguments) else None


def _concatenate(operation: keras.Operation, arguments: tuple[Any, ...]) -> _Made:
    if not _all_tensors(arguments[0]):
        return None
    return keras.layers.Concatenate, {"axis": operation.axis}


def _relu(operation: keras.Operation, arguments: tuple[Any, ...]) -> _Made:
    return keras.layers.ReLU, {
        name: getattr(operation, name, default)
        for name, default in (("max_value", None), ("negative_slope", 0.0), ("threshold", 0.0))
    }


def _relu6(operation: keras.Operation, arguments: tuple[Any, ...]) -> _Made:
    return keras.layers.ReLU, {"max_value": 6.0}


def _maximum(operation: keras.Operation, arguments: tuple[Any, ...]) -> _Made:
    """The larger of currents and 0."""
    constants = [x for x in arguments if not _is_tensor(x)]
    return (keras.layers.ReLU, {}) if len(constants) == 1 and _is(constants[0], 0.0) else None


def _clip(operation: keras.Operation, arguments: tuple[Any, ...]) -> _Made:
    low, high = operation.x_min, operation.x_max
    if not _is(low, 0.0) or np.ndim(high) or not float(high) > 0:
        return None
    return keras.layers.ReLU, {"max_value": float(high)}


def _softmax(operation: keras.Operation, arguments: tuple[Any, ...]) -> _Made:
    axis = operation.axis
    last = len(arguments[0].shape) - 1
    return keras.layers.Softmax, {"axis": -1 if axis == last else axis}


_LAYERS: dict[str, Callable[[Any, tuple[Any, ...]], _Made]] = {
    "Add": _add,
    "Clip": _clip,
    "Concatenate": _concatenate,
    "Maximum": _maximum,
    "ReLU": _relu,
    "Relu": _relu,
    "Relu6": _relu6,
    "Softmax": _softmax,
}


def _is_tensor(value: object) -> bool:
    return isinstance(value, keras.KerasTensor)


def _all_tensors(values: Iterable[object]) -> bool:
    return all(map(_is_tensor, values))


def _is(value: Any, number: float) -> bool:
    return value is not None and np.ndim(value) == 0 and float(value) == number
