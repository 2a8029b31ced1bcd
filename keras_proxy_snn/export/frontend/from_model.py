"""`from_model`: the program of a `ProxyModel`."""

from typing import Any

from ..layers import Conv, Dense, Layer, Pool
from ..program import Program

__all__ = ["from_model"]


def from_model(model: Any, **metadata: object) -> Program:
    """Make the program of a `ProxyModel`, with batch normalisation folded into the weights.

    A program is a chain of layers, with shortcuts at the ends of residual blocks.

    - A batch normalisation after a ReLU or a pooling is folded into the weights that read it.
    - A separable, grouped or depthwise convolution becomes a full kernel, with zeros, that gives
      the same result.
    - Three kinds of factors are multiplied into the weights that follow: a factor at the input,
      such as `Rescaling(1 / 255)`; the factor 1 / n of an average pooling, which becomes a sum of
      spikes; and the factor of a global average before a `Dense`.
    - Layers that change images only in training (augmentation) are left out.

    Args:
        model: A `keras_proxy_snn.ProxyModel` from any backend.
        **metadata: Facts to keep with the program, such as `accuracy`.

    Returns:
        A float32 `Program`.

    Raises:
        TypeError: If `model` is not a `ProxyModel`.
        ValueError: If a program cannot express it. The message names the layer and a cure.
    """
    from ..._version import __version__
    from ...model import check_proxy_model
    from .stages import layers_of

    check_proxy_model(model)
    if model.events:
        raise ValueError(
            "An exported network needs an image that is constant in time. Received: a model of "
            "event data; run it in Keras."
        )
    shape = model.snn.image_shape
    if len(shape) != 3 or None in shape:
        raise ValueError(
            "An exported network needs images (height, width, channels) of one size. Received: a "
            f"model with inputs of shape {shape}."
        )
    layers = layers_of(model.snn.nodes, shape)
    facts = {"spec": _spec(layers), "keras_proxy_snn": __version__, **metadata}
    facts["input_range"] = list(model.input_range)
    if model.class_names is not None:
        facts.setdefault("class_names", list(model.class_names))
    height, width, channels = shape
    image = (height, width, channels)
    return Program(tuple(layers), image, model.time_steps, metadata=facts, readout=model.readout)


def _spec(layers: list[Layer]) -> str:
    """Description for people: the spec, as of a preset, with a `+` per shortcut into a layer."""
    tokens = []
    for layer in layers:
        if isinstance(layer, Conv):
            token = f"{layer.kernel.shape[-1]}C{layer.kernel.shape[0]}"
            tokens.append(token + "+" * len(layer.shortcuts))
        elif isinstance(layer, Pool):
            tokens.append(f"P{layer.size[0]}")
        elif isinstance(layer, Dense):
            tokens.append(f"{layer.kernel.shape[-1]}F")
    return "-".join(tokens)
