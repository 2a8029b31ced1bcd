"""The program of a model: the only place of the exporters that knows Keras."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .layers import Conv, Dense, Flatten, Layer, Pool
from .program import Program

__all__ = ["from_model"]


def from_model(model: Any, **metadata: Any) -> Program:
    """Make the program of a `ProxyModel`, batch normalisation folded.

    A program is a chain. A separable, grouped or depthwise convolution becomes the full kernel
    that does the same, zeros included; a factor at the input, such as `Rescaling(1 / 255)`, and a
    global average before a `Dense` are multiplied into the weights that follow them.

    Args:
        model: A `keras_proxy_snn.ProxyModel` from any backend.
        **metadata: Facts to keep with the program, such as `accuracy`.

    Returns:
        A float32 `Program`.

    Raises:
        ValueError: If it is not a `ProxyModel`, or a program cannot express it: the message has
            the layer and says what to do.
    """
    from .._version import __version__
    from ..model import ProxyModel

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
    layers = _layers(model.snn.nodes, shape)
    facts = {"spec": _spec(layers), "keras_proxy_snn": __version__, **metadata}
    height, width, channels = shape
    image = (height, width, channels)
    return Program(tuple(layers), image, model.time_steps, metadata=facts, readout=model.readout)


def _layers(nodes: Sequence[Any], input_shape: tuple[int, ...]) -> list[Layer]:
    from ..layers import IFConv2D, IFDense, IFDepthwiseConv2D, IFSeparableConv2D, SpikePool2D
    from ..layers import SpikeFlatten as KerasFlatten
    from ..nodes import IMAGE

    layers: list[Layer] = []
    below, shape, scale, averaged = IMAGE, (None, 1, *input_shape), 1.0, 1
    for node in nodes:
        stage = node.stage
        if node.inputs != (below,):
            raise _refusal(node, "it reads more than the layer before it, or an earlier one")
        below, before = node.name, shape
        shape = stage.compute_output_shape(shape)
        factor, places = _folds(node, before)
        if factor is not None and not layers:
            scale *= factor
        elif places is not None:
            averaged *= places
            layers.append(Flatten(stage.name))
        elif isinstance(stage, SpikePool2D) and averaged == 1 and layers:
            layers.append(_pool(stage))
        elif isinstance(stage, KerasFlatten):
            if averaged == 1:
                layers.append(Flatten(stage.name))
        elif isinstance(stage, IFDense) and len(shape) == 3:
            layers.append(_neurons(stage, scale / averaged, averaged))
            scale, averaged = 1.0, 1
        elif isinstance(stage, IFConv2D | IFDepthwiseConv2D | IFSeparableConv2D) and averaged == 1:
            layers.append(_neurons(stage, scale, 1))
            scale = 1.0
        else:
            raise _refusal(node, "a program has no such layer")
    if not layers or not isinstance(layers[-1], Dense):
        raise _refusal(nodes[-1], "the readout must be a Dense")
    return layers


def _folds(node: Any, shape: tuple[Any, ...]) -> tuple[float | None, int | None]:
    """Factor of a stage that only multiplies; number of places that a stage averages over."""
    import keras

    layer = getattr(node.stage, "layer", None)
    if isinstance(layer, keras.layers.Rescaling) and not np.any(np.asarray(layer.offset)):
        return (float(layer.scale), None) if np.ndim(layer.scale) == 0 else (None, None)
    if isinstance(layer, keras.layers.GlobalAveragePooling2D) and not layer.keepdims:
        return None, int(np.prod(shape[2:4]))
    return None, None


def _refusal(node: Any, reason: str) -> ValueError:
    stage = node.stage
    layer = getattr(stage, "twin", getattr(stage, "layer", stage))
    return ValueError(
        "A program is a chain of convolutions (with the batch normalisation and ReLU after them), "
        "max pooling, Flatten or GlobalAveragePooling2D, and Dense layers: "
        f"{reason}. Export a CNN without it, or deploy the Keras model. Received: layer "
        f"{layer.name!r} ({type(layer).__name__})."
    )


def _pool(stage: Any) -> Pool:
    window = stage.get_config()
    size, strides = tuple(window["pool_size"]), tuple(window["strides"])
    return Pool(stage.name, size, strides, window["padding"])


def _neurons(stage: Any, scale: float, repeats: int) -> Conv | Dense:
    """Neurons with weights times a scale; those of a Dense repeated for so many places."""
    from keras import ops

    from ..layers import IFDense

    kernel, bias = (
        None if w is None else np.asarray(ops.convert_to_numpy(w), "float32")
        for w in stage.synaptic_weights()
    )
    assert kernel is not None  # only a bias can be missing
    if scale != 1.0:
        kernel = kernel * np.float32(scale)
    v_0 = stage.v_0 * stage.v_threshold
    twin = stage.twin
    if isinstance(stage, IFDense):
        kernel = np.tile(kernel, (repeats, 1))
        return Dense(twin.name, kernel, bias, stage.v_threshold, stage.reset, v_0)
    return Conv(
        twin.name,
        _full(kernel, stage),
        bias,
        stage.v_threshold,
        stage.reset,
        tuple(twin.strides),
        twin.padding,
        tuple(twin.dilation_rate),
        v_0,
    )


def _full(kernel: np.ndarray, stage: Any) -> np.ndarray:
    """The kernel of one group that does what groups or channels by themselves do."""
    from ..layers import IFDepthwiseConv2D

    height, width, channels, filters = kernel.shape
    groups = getattr(stage.twin, "groups", 1)
    if isinstance(stage, IFDepthwiseConv2D):
        groups, channels, filters = channels, 1, channels * filters
        kernel = kernel.reshape(height, width, 1, filters)
    if groups == 1:
        return kernel
    full = np.zeros((height, width, groups * channels, filters), kernel.dtype)
    per_group = filters // groups
    for group in range(groups):
        inputs = slice(group * channels, (group + 1) * channels)
        outputs = slice(group * per_group, (group + 1) * per_group)
        full[:, :, inputs, outputs] = kernel[..., outputs]
    return full


def _spec(layers: list[Layer]) -> str:
    tokens = []
    for layer in layers:
        if isinstance(layer, Conv):
            tokens.append(f"{layer.kernel.shape[-1]}C{layer.kernel.shape[0]}")
        elif isinstance(layer, Pool):
            tokens.append(f"P{layer.size[0]}")
        elif isinstance(layer, Dense):
            tokens.append(f"{layer.kernel.shape[-1]}F")
    return "-".join(tokens)
