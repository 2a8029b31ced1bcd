"""`kernel_of`: the kernel of a standard Keras layer. All code that needs a kernel uses it."""

from typing import Any

import keras
from keras import ops

from ..basics.types import Tensor

__all__ = ["kernel_of"]


def kernel_of(layer: keras.layers.Layer, name: str = "kernel") -> Any:
    """The kernel by which a layer's own call multiplies its inputs.

    For a layer that Keras quantised to `"int8"` or `"int4"`, the kernel has the values of the
    codes; inputs are not rounded here. For a layer with LoRA, the product of the two LoRA matrices
    is added. For a layer that PyTorch distributes over devices (`DTensor`), it is the whole kernel.

    Args:
        layer: A built `Conv2D`, `DepthwiseConv2D`, `SeparableConv2D` or `Dense`.
        name: Name of the attribute, such as `"depthwise_kernel"`.

    Returns:
        Tensor of floats, in the layer's own layout.

    Raises:
        ValueError: If the layer is quantised in another way.

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn.layers.kernels import kernel_of
    >>> layer = keras.layers.Dense(2)
    >>> layer.build((None, 3))
    >>> layer.set_weights([np.float32([[1, -2], [2, 4], [4, 8]]), np.zeros(2)])
    >>> layer.quantize("int8")
    >>> np.round(keras.ops.convert_to_numpy(kernel_of(layer)), 1).tolist()
    [[1.0, -2.0], [2.0, 4.0], [4.0, 8.0]]
    """
    mode = getattr(layer, "quantization_mode", None)
    if mode is None:
        return _whole(getattr(layer, name))
    if type(layer) is not keras.layers.Dense or mode not in ("int8", "int4"):
        raise ValueError(
            "Of layers that Keras quantised, only Dense in 'int8' or 'int4' can be read. "
            f"Received: layer {layer.name!r} ({type(layer).__name__}) in {mode!r}. Build the "
            "spiking network of the CNN before it is quantised."
        )
    # `layer.kernel` would add LoRA to the codes.
    (stored,) = (weight for weight in layer.weights if weight.name == "kernel")
    kernel = _dequantised(layer, _whole(stored), mode)
    if layer.lora_enabled:
        product = ops.matmul(_whole(layer.lora_kernel_a), _whole(layer.lora_kernel_b))
        kernel = ops.add(kernel, layer.lora_alpha / layer.lora_rank * product)
    return kernel


def _dequantised(layer: keras.layers.Layer, codes: Tensor, mode: str) -> Any:
    scale = ops.cast(_whole(layer.kernel_scale), "float32")
    if mode == "int4":
        codes = keras.quantizers.unpack_int4(codes, layer.units, axis=-1)
    inputs = layer.input_spec.axes[-1]
    if tuple(codes.shape) != (inputs, layer.units):
        raise ValueError(
            f"A quantised kernel must have shape {(inputs, layer.units)}, as Keras 3.15 packs it. "
            f"Received: layer {layer.name!r} in {mode!r} with {tuple(codes.shape)}."
        )
    codes = ops.cast(codes, "float32")
    if len(scale.shape) == 1:
        return ops.divide(codes, scale)
    # Each block of inputs has its own scale and zero point.
    block = ops.cast(_whole(layer.g_idx), "int32")
    zero = ops.cast(_whole(layer.kernel_zero), "float32")
    return (codes - ops.take(zero, block, axis=0)) * ops.take(scale, block, axis=0)


def _whole(weight: keras.Variable | Tensor) -> Any:
    """A weight as one tensor, also if it is distributed over devices."""
    value = ops.convert_to_tensor(weight)
    return value.full_tensor() if hasattr(value, "full_tensor") else value
