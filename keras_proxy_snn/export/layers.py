"""Layers of a `Program`: frozen data and the shapes that follow from it."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Conv", "Dense", "Flatten", "Layer", "Pool", "output_shape", "same_padding"]


class _Neurons:
    """IF neurons whose potentials are counted from where they start; see `Conv`."""

    kernel: np.ndarray
    v_threshold: Any
    v_0: Any

    @property
    def firing_level(self) -> np.ndarray:
        """Potential at which a neuron fires, `v_threshold - v_0`: float32, or int64 of integers."""
        return self._rounded(_wide(self.v_threshold) - _wide(self.v_0))

    @property
    def v_reset(self) -> np.ndarray:
        """Potential after a spike with `reset="zero"`, `-v_0`, typed as `firing_level`."""
        return self._rounded(0.0 - _wide(self.v_0))

    def _rounded(self, value: np.ndarray) -> np.ndarray:
        # Once, from float64: what is read back from rounded levels then has the same ones.
        return value.astype("int64" if self.kernel.dtype.kind == "i" else "float32")


def _wide(value: Any) -> np.ndarray:
    return np.asarray(value, "float64")


@dataclass(frozen=True, eq=False)
class Conv(_Neurons):
    """Convolution into IF neurons.

    The neurons' potential before the first step is `v_0`, and potentials are counted from it, in
    the interpreter as in every file: u = v - v_0. So each form of a file starts at zero, and

        u[t] = u[t-1] + current[t]
        spike[t] = 1 if u[t] >= firing_level else 0        firing_level = v_threshold - v_0

    Where a neuron fired, reset by subtraction lowers u by `v_threshold`; reset to zero sets u to
    `v_reset` = -v_0.

    Attributes:
        name: Unique name.
        kernel: Weights `(kernel height, kernel width, input channels, filters)`.
        bias: Current added at every step, `(filters,)`, or `None`.
        v_threshold: Threshold, a number, or one for each filter `(filters,)`.
        reset: `"zero"` or `"subtract"`.
        strides: `(vertical, horizontal)`, in pixels.
        padding: `"same"` or `"valid"`.
        dilation: `(vertical, horizontal)`.
        v_0: Potential before the first step, from 0 to below `v_threshold` and in its unit (not a
            fraction of it, as in Keras); a number, or one for each filter `(filters,)`.
    """

    name: str
    kernel: np.ndarray
    bias: np.ndarray | None
    v_threshold: Any
    reset: str
    strides: tuple[int, int] = (1, 1)
    padding: str = "same"
    dilation: tuple[int, int] = (1, 1)
    v_0: Any = 0.0


@dataclass(frozen=True, eq=False)
class Dense(_Neurons):
    """Fully connected IF neurons; attributes as in `Conv`, kernel `(features, units)`."""

    name: str
    kernel: np.ndarray
    bias: np.ndarray | None
    v_threshold: Any
    reset: str
    v_0: Any = 0.0


@dataclass(frozen=True)
class Pool:
    """Spike pooling: the OR of each window."""

    name: str
    size: tuple[int, int]
    strides: tuple[int, int]
    padding: str = "valid"


@dataclass(frozen=True)
class Flatten:
    """Maps to a vector, in row-major order of (height, width, channels)."""

    name: str


Layer = Conv | Dense | Pool | Flatten


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Pixels added before and after one axis by padding `"same"`, as TensorFlow defines it."""
    span = (kernel - 1) * dilation + 1
    total = max(0, (math.ceil(size / stride) - 1) * stride + span - size)
    return total // 2, total - total // 2


def output_shape(layer: Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of a layer's output for that of its input, both without batch."""
    if isinstance(layer, Flatten):
        return (math.prod(shape),)
    if isinstance(layer, Dense):
        return (layer.kernel.shape[-1],)
    if isinstance(layer, Conv):
        spans = [
            (k - 1) * d + 1 for k, d in zip(layer.kernel.shape[:2], layer.dilation, strict=True)
        ]
        channels = layer.kernel.shape[-1]
    else:
        spans, channels = list(layer.size), shape[-1]
    sizes = [
        math.ceil(size / stride) if layer.padding == "same" else (size - span) // stride + 1
        for size, span, stride in zip(shape[:2], spans, layer.strides, strict=True)
    ]
    return (*sizes, channels)
