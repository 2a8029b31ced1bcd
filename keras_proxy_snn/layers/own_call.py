"""`check_own_call`: whether a layer computes what its class does."""

from typing import Any

__all__ = ["check_own_call"]


def check_own_call(layer: Any) -> None:
    """Raise an error if the `call` of one layer was replaced by another function.

    Args:
        layer: A Keras layer, model or operation.

    Raises:
        ValueError: If it was; the error names the layer.

    Example:

    >>> import keras
    >>> from keras_proxy_snn.layers.own_call import check_own_call
    >>> layer = keras.layers.ReLU(name="act")
    >>> check_own_call(layer)
    >>> layer.call = abs
    >>> try:
    ...     check_own_call(layer)
    ... except ValueError as error:
    ...     print(str(error).split(". ")[1])
    Received: layer 'act' (ReLU), whose `call` was replaced.
    """
    own = vars(layer).get("call")
    # Keras's GPTQ and AWQ put the function of the class back in this way.
    if own is not None and getattr(own, "__func__", None) is not type(layer).call:
        raise ValueError(
            "A layer must compute what its class does: give another function a class of its own. "
            f"Received: layer {layer.name!r} ({type(layer).__name__}), whose `call` was replaced."
        )
