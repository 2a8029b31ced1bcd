"""`activation_kind`: recognise an activation in each form that Keras allows."""

from typing import Any

import keras

__all__ = ["activation_kind"]

_FUNCTIONS = {
    "linear": (keras.activations.linear,),
    "relu": (
        keras.activations.relu,
        keras.activations.relu6,
        keras.ops.relu,
        keras.ops.relu6,
    ),
    "softmax": (keras.activations.softmax, keras.ops.softmax),
}


def activation_kind(activation: Any) -> str | None:
    """The kind of an activation: of a function, an activation layer, or a layer that holds one.

    A layer of a user's own class has no kind, because its `call` may do anything.

    Args:
        activation: The `activation` of a layer, or a `ReLU`, `Softmax` or `Activation` layer.

    Returns:
        `"linear"`, also for `None`; `"relu"`, with or without a `max_value`; `"softmax"` over the
        last axis; otherwise `None`.

    Example:

    >>> import keras
    >>> from keras_proxy_snn.layers.activations import activation_kind
    >>> relu = keras.layers.ReLU(max_value=1.0)
    >>> [activation_kind(x) for x in ("relu", keras.activations.relu, relu, keras.layers.ELU())]
    ['relu', 'relu', 'relu', None]
    """
    if activation is None:
        return "linear"
    if isinstance(activation, str):
        activation = keras.activations.get(activation)
    kind = type(activation)
    if kind is keras.layers.Activation:
        return activation_kind(activation.activation)
    if kind is keras.layers.ReLU:
        leaks = activation.negative_slope or activation.threshold
        return None if leaks or activation.max_value == 0 else "relu"
    if kind is keras.layers.Softmax:
        return "softmax" if activation.axis == -1 else None
    for name, functions in _FUNCTIONS.items():
        if any(activation is function for function in functions):
            return name
    return None
