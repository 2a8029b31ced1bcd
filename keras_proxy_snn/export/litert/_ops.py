"""The operators that a spiking network needs, with their shapes, in float32 and in int16.

In int16 every scale is 1 and every zero point is 0, so operators compute with integers. Runtimes
require later versions of the operators on int16.
"""

from typing import Any

import numpy as np

from ...basics.window import Padding
from ..program import Conv, Pool, Shortcut
from ._flatbuffer import GraphBuilder, Tensor

__all__ = [
    "add",
    "assign",
    "concatenate",
    "conv",
    "dense",
    "dequantize",
    "max_pool",
    "multiply",
    "read",
    "relu",
    "split",
    "subtract",
    "sum_over_leading",
    "sum_pool",
    "variable",
    "zeros",
]

_ARITHMETIC = {"ADD": ("AddOptions", 3), "SUB": ("SubOptions", 5), "MUL": ("MulOptions", 4)}
_PADDING: dict[Padding, int] = {"same": 0, "valid": 1}
NO_ACTIVATION, RELU, _RELU_N1_TO_1, RELU6 = range(4)


def add(graph: GraphBuilder, a: Tensor, b: Tensor) -> Tensor:
    """`a + b`, broadcast."""
    return _arithmetic(graph, "ADD", a, b)


def subtract(graph: GraphBuilder, a: Tensor, b: Tensor, clip: bool = False) -> Tensor:
    """`a - b`, broadcast; with `clip`, the same operator cuts the result to [-1, 1]."""
    return _arithmetic(graph, "SUB", a, b, _RELU_N1_TO_1 if clip else NO_ACTIVATION)


def multiply(graph: GraphBuilder, a: Tensor, b: Tensor) -> Tensor:
    """`a * b`, broadcast."""
    return _arithmetic(graph, "MUL", a, b)


def relu(graph: GraphBuilder, x: Tensor) -> Tensor:
    """`max(x, 0)`."""
    out = graph.tensor(x.shape, x.dtype)
    graph.operator("RELU", [x], [out], version=_version(x, 3))
    return out


def conv(
    graph: GraphBuilder,
    x: Tensor,
    kernel: Tensor,
    bias: Tensor,
    layer: Conv | Shortcut,
    shape: tuple[int, ...],
    activation: int = NO_ACTIVATION,
) -> Tensor:
    """Convolution.

    Args:
        graph: Graph to which the operator is added.
        x: `(batch, height, width, channels)`.
        kernel: `(filters, kernel height, kernel width, channels)`.
        bias: `(filters,)`.
        layer: A `Conv`, which gives strides, dilation and padding.
        shape: Shape of the result, without batch.
        activation: Activation of the same operator: `RELU` or `RELU6`; by default none.
    """
    padding = layer.padding
    if isinstance(padding, tuple):
        x, padding = _pad(graph, x, padding), "valid"
    out = graph.tensor((x.shape[0], *shape), x.dtype)
    graph.operator(
        "CONV_2D",
        [x, kernel, bias],
        [out],
        "Conv2DOptions",
        version=_version(x, 4),
        padding=_PADDING[padding],
        strideH=layer.strides[0],
        strideW=layer.strides[1],
        dilationHFactor=layer.dilation[0],
        dilationWFactor=layer.dilation[1],
        fusedActivationFunction=activation,
    )
    return out


def _pad(graph: GraphBuilder, x: Tensor, pads: tuple[tuple[int, int], ...]) -> Tensor:
    """Maps with zeros before and after rows and columns."""
    sizes = [n + sum(pair) for n, pair in zip(x.shape[1:3], pads, strict=True)]
    out = graph.tensor((x.shape[0], *sizes, x.shape[3]), x.dtype)
    amounts = graph.constant(np.array([(0, 0), *pads, (0, 0)], "int32"))
    graph.operator("PAD", [x, amounts], [out], "PadOptions", version=_version(x, 3))
    return out


def sum_pool(graph: GraphBuilder, x: Tensor, layer: Pool, shape: tuple[int, ...]) -> Tensor:
    """Sum of each window. `layer` is a `Pool`; `shape` is the result's shape without batch.

    A convolution of each map by itself computes the sum, because averages in LiteRT are rounded.
    """
    kernel_type, bias_type = ("int8", "int64") if x.dtype == "int16" else ("float32", "float32")
    ones = graph.constant(np.ones((1, *layer.size, shape[-1]), kernel_type))
    bias = graph.constant(np.zeros(shape[-1], bias_type))
    out = graph.tensor((x.shape[0], *shape), x.dtype)
    graph.operator(
        "DEPTHWISE_CONV_2D",
        [x, ones, bias],
        [out],
        "DepthwiseConv2DOptions",
        version=_version(x, 5),
        padding=_PADDING[layer.padding],
        strideH=layer.strides[0],
        strideW=layer.strides[1],
        depthMultiplier=1,
        dilationHFactor=1,
        dilationWFactor=1,
    )
    return out


def dense(
    graph: GraphBuilder, x: Tensor, kernel: Tensor, bias: Tensor, activation: int = NO_ACTIVATION
) -> Tensor:
    """Fully connected layer; it flattens maps itself, for any batch size.

    Args:
        graph: Graph to which the operator is added.
        x: `(batch, ...)`.
        kernel: `(units, features)`.
        bias: `(units,)`.
        activation: Activation of the same operator: `RELU` or `RELU6`; by default none.
    """
    out = graph.tensor((x.shape[0], kernel.shape[0]), x.dtype)
    graph.operator(
        "FULLY_CONNECTED",
        [x, kernel, bias],
        [out],
        "FullyConnectedOptions",
        version=_version(x, 7),
        fusedActivationFunction=activation,
    )
    return out


def max_pool(graph: GraphBuilder, x: Tensor, layer: Pool, shape: tuple[int, ...]) -> Tensor:
    """Maximum of each window. `layer` is a `Pool`; `shape` is the result's shape without batch."""
    out = graph.tensor((x.shape[0], *shape), x.dtype)
    graph.operator(
        "MAX_POOL_2D",
        [x],
        [out],
        "Pool2DOptions",
        version=_version(x, 3),
        padding=_PADDING[layer.padding],
        strideH=layer.strides[0],
        strideW=layer.strides[1],
        filterHeight=layer.size[0],
        filterWidth=layer.size[1],
    )
    return out


def concatenate(graph: GraphBuilder, parts: list[Tensor]) -> Tensor:
    """Join along the batch axis."""
    if len(parts) == 1:
        return parts[0]
    out = graph.tensor((sum(x.shape[0] for x in parts), *parts[0].shape[1:]), parts[0].dtype)
    graph.operator("CONCATENATION", parts, [out], "ConcatenationOptions", axis=0)
    return out


def split(graph: GraphBuilder, x: Tensor, count: int) -> list[Tensor]:
    """Cut the batch axis into equal parts."""
    if count == 1:
        return [x]
    shape = (x.shape[0] // count, *x.shape[1:])
    parts = [graph.tensor(shape, x.dtype) for _ in range(count)]
    graph.operator("SPLIT", [_first_axis(graph), x], parts, "SplitOptions", numSplits=count)
    return parts


def of_fixed_shape(graph: GraphBuilder, x: Tensor) -> Tensor:
    """The same tensor with a fixed shape: runtimes refuse to resize it."""
    shape = graph.constant(np.array(x.shape, "int32"))
    out = graph.tensor(x.shape, x.dtype)
    graph.operator("RESHAPE", [x, shape], [out], "ReshapeOptions", newShape=list(x.shape))
    return out


def sum_over_leading(graph: GraphBuilder, x: Tensor, count: int) -> Tensor:
    """Sum of `count` equal parts of the batch axis; `x` has shape `(count * batch, features)`."""
    if count == 1:
        return x
    batch, features = x.shape[0] // count, x.shape[1]
    # -1, because the batch size can be changed in the runtime.
    target = [count, -1, features]
    shape = graph.constant(np.array(target, "int32"))
    stacked = graph.tensor((count, batch, features), x.dtype)
    graph.operator("RESHAPE", [x, shape], [stacked], "ReshapeOptions", newShape=target)
    out = graph.tensor((batch, features), x.dtype)
    graph.operator("SUM", [stacked, _first_axis(graph)], [out], "ReducerOptions")
    return out


def dequantize(graph: GraphBuilder, x: Tensor) -> Tensor:
    """float16 to float32."""
    out = graph.tensor(x.shape, "float32")
    graph.operator("DEQUANTIZE", [x], [out], "DequantizeOptions", version=3)
    return out


def variable(graph: GraphBuilder, name: str) -> Tensor:
    """Handle of a variable that exists as long as the interpreter."""
    handle = graph.tensor((1,), "resource")
    graph.operator("VAR_HANDLE", [], [handle], "VarHandleOptions", sharedName=name.encode())
    return handle


def read(graph: GraphBuilder, handle: Tensor, shape: tuple[int, ...], dtype: str) -> Tensor:
    """Value of a variable."""
    out = graph.tensor(shape, dtype)
    graph.operator("READ_VARIABLE", [handle], [out], "ReadVariableOptions")
    return out


def assign(graph: GraphBuilder, handle: Tensor, value: Tensor) -> None:
    """Set a variable."""
    graph.operator("ASSIGN_VARIABLE", [handle, value], [], "AssignVariableOptions")


def zeros(graph: GraphBuilder, shape: tuple[int, ...], dtype: str) -> Tensor:
    """Zeros, computed when the graph runs."""
    dims = graph.constant(np.array(shape, "int32"))
    out = graph.tensor(shape, "float32")
    graph.operator("FILL", [dims, graph.constant(np.zeros((), "float32"))], [out], "FillOptions")
    if dtype == "float32":
        return out
    # TensorFlow Lite Micro can fill tensors with floats only.
    integers = graph.tensor(shape, dtype)
    graph.operator("QUANTIZE", [out], [integers], "QuantizeOptions", version=2)
    return integers


def _arithmetic(
    graph: GraphBuilder, name: str, a: Tensor, b: Tensor, activation: int = NO_ACTIVATION
) -> Tensor:
    options, integer_version = _ARITHMETIC[name]
    settings: dict[str, Any] = {"fusedActivationFunction": activation}
    if a.dtype == "int16" and name != "MUL":
        # Without this setting the kernels assume scales that are powers of two, and shift.
        settings["potScaleInt16"] = False
    out = graph.tensor(np.broadcast_shapes(a.shape, b.shape), a.dtype)
    graph.operator(name, [a, b], [out], options, _version(a, integer_version), **settings)
    return out


def _version(x: Tensor, for_int16: int) -> int:
    return for_int16 if x.dtype == "int16" else 1


def _first_axis(graph: GraphBuilder) -> Tensor:
    return graph.constant(np.array([0], "int32"))
