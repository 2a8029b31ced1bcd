"""`from_model`: the program of a `ProxyModel`; `check_expressible`: whether there is one."""

from typing import Any

from ..layers import Conv, Dense, Layer, Pool
from ..program import Program
from .inexpressible import InexpressibleError

__all__ = ["check_expressible", "from_model"]

_NO_FILE = "The model cannot be exported: "


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
        InexpressibleError: If a program cannot express it; a `ValueError`. The message names the
            layer and a cure.
    """
    from ..._version import __version__
    from ...model import check_proxy_model
    from .stages import layers_of

    check_proxy_model(model)
    image = _image_shape(model)
    layers = layers_of(model.snn.nodes, image)
    facts = {"spec": _spec(layers), "keras_proxy_snn": __version__, **metadata}
    facts["input_range"] = list(model.input_range)
    if model.class_names is not None:
        facts.setdefault("class_names", list(model.class_names))
    return Program(tuple(layers), image, model.time_steps, metadata=facts, readout=model.readout)


def check_expressible(model: Any) -> None:
    """Raise the error of `from_model` if no program can express a `ProxyModel`.

    It lets the weights of each layer go, so it needs little memory.

    Raises:
        InexpressibleError: The message names the layer and a cure.
    """
    from .stages import check_layers

    check_layers(model.snn.nodes, _image_shape(model))


def _image_shape(model: Any) -> tuple[int, int, int]:
    """Shape of the images of a model, `(height, width, channels)`."""
    if model.events:
        raise InexpressibleError(
            "an exported network needs an image that is constant in time. Received: a model of "
            "event data; run it in Keras.",
            _NO_FILE,
        )
    shape = model.snn.image_shape
    if len(shape) != 3 or None in shape:
        raise InexpressibleError(
            "an exported network needs images (height, width, channels) of one size, which a "
            f"Flatten can follow. Received: a model with inputs of shape {shape}.",
            _NO_FILE,
        )
    height, width, channels = shape
    return height, width, channels


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
