"""Nodes of a NIR graph as layers of a program, with errors that name the node."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ...basics.window import Padding, Window
from ..program import Conv, Dense, Pool

if TYPE_CHECKING:
    import nir

__all__ = ["LAYERS", "POOLS", "Neuron", "refused", "text", "window"]


def refused(name: str, node: "nir.NIRNode", expected: str, received: str) -> ValueError:
    """An error about a node: the rule, and what the file has."""
    return ValueError(
        f"A spiking CNN can be read. At node {name!r} ({type(node).__name__}), expected: "
        f"{expected}. Received: {received}."
    )


def text(metadata: dict[str, Any], key: str) -> str:
    """An entry of a node's or a graph's metadata as text; empty if it is missing."""
    value = metadata.get(key, "")
    return value.decode() if isinstance(value, bytes) else str(value)


class Neuron:
    """An `IF` node; its threshold and reset are divided by `r dt`, to be sums of currents."""

    def __init__(self, name: str, node: "nir.NIRNode", dt: float):
        self.name, self.node = name, node
        factor = np.asarray(node.r, "float64") * dt
        if not (np.isfinite(factor).all() and (factor > 0).all()):
            raise refused(name, node, "positive finite r", f"{node.r.min():g}")
        if np.allclose(factor, 1.0, rtol=1e-6, atol=0.0):
            factor = np.ones_like(factor)  # `1 / dt` is rounded in the file
        if not (np.isfinite(node.v_reset) & (node.v_reset <= 0)).all():
            raise refused(name, node, "v_reset of 0 or below", f"{node.v_reset.max():g}")
        self.strict = np.asarray(node.v_threshold, "float64") / factor
        self.v_0 = (0.0 - np.asarray(node.v_reset, "float64")) / factor

    def settings(self) -> dict[str, Any]:
        """`v_threshold` and `v_0`, each a number or a number per filter, and the reset."""
        near = self.strict.astype("float32")
        level = np.where(near > self.strict, near, np.nextafter(near, np.float32(np.inf)))
        if not np.isfinite(level).all() or not (level > 0).all():
            found = f"{self.strict.min():g}"
            raise refused(self.name, self.node, "positive finite thresholds", found)
        theta = level = _each_filter(self.name, self.node, "threshold", level)
        v_0 = _each_filter(self.name, self.node, "v_reset", self.v_0)
        if np.any(v_0):
            # The sum is in float64, so that no bit of the level is lost.
            theta = np.add(level, v_0, dtype="float64")
            theta = theta if theta.ndim else float(theta)
        return {"v_threshold": theta, "v_0": v_0, "reset": "zero"}


def _each_filter(name: str, node: "nir.NIRNode", what: str, values: np.ndarray) -> Any:
    rows = values.reshape(len(values), -1)
    if not (rows == rows[:, :1]).all():
        raise refused(name, node, f"one {what} for each filter", "several in one map")
    each = rows[:, 0].astype("float32")
    return float(each[0]) if (each == each[0]).all() else each


def _conv(name: str, node: "nir.NIRNode", neuron: Neuron, maps: tuple[int, ...]) -> Conv:
    if int(node.groups) != 1:
        raise refused(name, node, "groups = 1", f"{node.groups}")
    strides, dilation = _pair(node.stride), _pair(node.dilation)
    kernel = np.asarray(node.weight, "float32").transpose(2, 3, 1, 0)
    padding = _padding(node, kernel.shape[:2], strides, dilation)
    top, left = _pair(node.metadata.get("zero_taps", 0))
    if not kernel[:top].any() and not kernel[:, :left].any():
        kernel = kernel[top:, left:]
    bias = np.asarray(node.bias, "float32")
    return Conv(
        name,
        np.ascontiguousarray(kernel),
        bias if bias.any() or bias.shape != kernel.shape[-1:] else None,
        strides=strides,
        padding=padding,
        dilation=dilation,
        **neuron.settings(),
    )


def _dense(name: str, node: "nir.NIRNode", neuron: Neuron, maps: tuple[int, ...]) -> Dense:
    if node.weight.ndim != 2:
        raise refused(name, node, "a matrix", f"weights of shape {node.weight.shape}")
    kernel = np.asarray(node.weight, "float32").T
    if maps:
        height, width, channels = maps
        rows = kernel.reshape(channels, height, width, -1)
        kernel = rows.transpose(1, 2, 0, 3).reshape(kernel.shape)
    bias = getattr(node, "bias", None)
    bias = None if bias is None else np.asarray(bias, "float32")
    return Dense(name, np.ascontiguousarray(kernel), bias, **neuron.settings())


def _pool(name: str, node: "nir.NIRNode", neuron: Neuron, maps: tuple[int, ...]) -> Pool:
    pool = window(name, node, "or")
    one_spike = 1.0 if type(node).__name__ == "SumPool2d" else 1.0 / float(np.prod(pool.size))
    if not ((neuron.strict >= 0) & (neuron.strict < one_spike)).all():
        found = f"{neuron.strict.min():g} to {neuron.strict.max():g}"
        expected = f"thresholds from 0 to below {one_spike:g}"
        raise refused(neuron.name, neuron.node, expected, found)
    if neuron.v_0.any():
        found = f"{neuron.node.v_reset.min():g}"
        raise refused(neuron.name, neuron.node, "v_reset = 0", found)
    return pool


def window(name: str, node: "nir.NIRNode", kind: str) -> Pool:
    """A pooling node without neurons as a `Pool` of this kind."""
    size, strides = _pair(node.kernel_size), _pair(node.stride)
    padding = _padding(node, size, strides, (1, 1))
    if not isinstance(padding, str):
        maps = tuple(int(n) for n in node.input_type["input"])[1:]
        both = f'0 or {Window(size, strides, "same").pads(maps)} before and after ("same")'
        raise refused(name, node, f"padding of {both}", f"{_pair(node.padding)}")
    return Pool(name, size, strides, padding, kind)


POOLS = ("SumPool2d", "AvgPool2d")
LAYERS: dict[str, Any] = {
    "Conv2d": _conv,
    "Linear": _dense,
    "Affine": _dense,
    **dict.fromkeys(POOLS, _pool),
}


def _padding(
    node: "nir.NIRNode", size: tuple[int, int], strides: tuple[int, int], dilation: tuple[int, int]
) -> Padding:
    """`"same"` or `"valid"`, or else numbers of zeros; if several fit, the one in the metadata."""
    if isinstance(node.padding, str):
        return str(node.padding)
    maps = tuple(int(n) for n in node.input_type["input"])[1:]
    rows, columns = ((n, n) for n in _pair(node.padding))
    choices: dict[str, Padding] = {"valid": "valid", "same": "same", "zeros": (rows, columns)}
    fitting = {
        name: padding
        for name, padding in choices.items()
        if Window(size, strides, padding, dilation).pads(maps) == (rows, columns)
    }
    noted = text(node.metadata, "padding")
    return fitting.get(noted, next(iter(fitting.values())))


def _pair(value: Any) -> tuple[int, int]:
    vertical, horizontal = (int(n) for n in np.broadcast_to(value, 2))
    return vertical, horizontal
