"""The program of a model; with `_stages` and `_kernels` all that knows Keras."""

from typing import Any

from ..layers import Conv, Dense, Layer, Pool
from ..program import Program

__all__ = ["from_model"]


def from_model(model: Any, **metadata: Any) -> Program:
    """Make the program of a `ProxyModel`, batch normalisation folded.

    A program is a chain, with shortcuts where residual blocks end. A separable, grouped or
    depthwise convolution becomes the full kernel that does the same, zeros included; a factor at
    the input, such as `Rescaling(1 / 255)`, and a global average before a `Dense` are multiplied
    into the weights that follow them, and so is what makes an average pooling of a sum; layers that
    augment in training alone are left out.

    Args:
        model: A `keras_proxy_snn.ProxyModel` from any backend.
        **metadata: Facts to keep with the program, such as `accuracy`.

    Returns:
        A float32 `Program`.

    Raises:
        ValueError: If it is not a `ProxyModel`, or a program cannot express it: the message has
            the layer and says what to do.
    """
    from ..._version import __version__
    from ...model import ProxyModel
    from .stages import layers_of

    if not isinstance(model, ProxyModel):
        raise ValueError(f"A ProxyModel can be exported. Received: {model!r}.")
    if model.events:
        raise ValueError(
            "A program takes an image that is constant in time. Received: a model of event data; "
            "run it in Keras."
        )
    shape = model.snn.image_shape
    if len(shape) != 3:
        raise ValueError(
            "A program's input is an image (height, width, channels). "
            f"Received: a model with inputs of shape {shape}."
        )
    layers = layers_of(model.snn.nodes, shape)
    facts = {"spec": _spec(layers), "keras_proxy_snn": __version__, **metadata}
    facts["input_range"] = list(model.input_range)
    height, width, channels = shape
    image = (height, width, channels)
    return Program(tuple(layers), image, model.time_steps, metadata=facts, readout=model.readout)


def _spec(layers: list[Layer]) -> str:
    """For people: as a preset's spec, and a `+` for each shortcut into a layer."""
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
