"""Layers of a `Program` as frozen data, and the shapes of their outputs."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..basics.window import Padding, Window

__all__ = [
    "Conv",
    "Dense",
    "Flatten",
    "Layer",
    "Pool",
    "Shortcut",
    "output_shape",
    "weights_after_sums",
    "with_shortcuts",
]


class _Windowed:
    """A convolution; see `Conv`."""

    kernel: np.ndarray
    strides: tuple[int, int]
    padding: Padding
    dilation: tuple[int, int]

    @property
    def window(self) -> Window:
        """The window of the kernel."""
        height, width = self.kernel.shape[:2]
        return Window((height, width), self.strides, self.padding, self.dilation)


@dataclass(frozen=True, eq=False)
class Shortcut(_Windowed):
    """A convolution of an earlier layer's spikes, added to the current of a `Conv`.

    At the end of a residual block the currents of several layers are added:

        current[t] = kernel * spikes[t] + sum_i kernel_i * spikes_i[t] + bias

    Spikes that are added without a convolution have an identity kernel, times the value that a
    spike stands for.

    Attributes:
        source: Name of the earlier layer.
        kernel: Weights `(kernel height, kernel width, input channels, filters)`.
        strides: `(vertical, horizontal)`, in pixels.
        padding: `"same"`, `"valid"`, or numbers of zeros: `((top, bottom), (left, right))`.
        dilation: `(vertical, horizontal)`.
    """

    source: str
    kernel: np.ndarray = field(repr=False)
    strides: tuple[int, int] = (1, 1)
    padding: Padding = "same"
    dilation: tuple[int, int] = (1, 1)


class _Neurons:
    """IF neurons whose potentials are counted from `v_0`; see `Conv`.

    These layers have `v_threshold`, `reset` and `v_0` of their own. They do not hold the `Neuron`
    of a Keras layer, because its numbers are of another kind:

    - A `Neuron` has one threshold. A program can have a threshold per filter (an integer network, a
      NIR file).
    - `v_0` of a `Neuron` is a fraction of the threshold. `v_0` of a program is a potential, and
      often an exact integer. As a fraction it could change: 1/49 * 49 is 0.9999999999999999.

    `export/frontend/stages.py` turns a `Neuron` into these fields, and `export/validity.py` checks
    them.
    """

    kernel: np.ndarray
    shortcuts: tuple[Shortcut, ...] = ()
    v_threshold: Any
    v_0: Any

    @property
    def weights(self) -> np.ndarray:
        """All weights of each filter, with the weights of shortcuts: `(inputs, filters)`."""
        kernels = [self.kernel, *(shortcut.kernel for shortcut in self.shortcuts)]
        return np.concatenate([kernel.reshape(-1, kernel.shape[-1]) for kernel in kernels])

    @property
    def firing_level(self) -> np.ndarray:
        """Potential at which a neuron fires, `v_threshold - v_0`.

        Its type is float32, or int64 in an integer program.
        """
        return self._rounded(_wide(self.v_threshold) - _wide(self.v_0))

    @property
    def v_reset(self) -> np.ndarray:
        """Potential after a spike with `reset="zero"`: `-v_0`, of the type of `firing_level`."""
        return self._rounded(0.0 - _wide(self.v_0))

    def _rounded(self, value: np.ndarray) -> np.ndarray:
        # Rounded once, from float64, so that a program read from a file gets the same levels.
        return value.astype("int64" if self.kernel.dtype.kind == "i" else "float32")


def _wide(value: Any) -> np.ndarray:
    return np.asarray(value, "float64")


@dataclass(frozen=True, eq=False)
class Conv(_Neurons, _Windowed):
    """Convolution into IF neurons.

    The potential v of a neuron is `v_0` before the first step. The interpreter and every file count
    potentials from `v_0`: u = v - v_0. So u starts at zero, and

        u[t] = u[t-1] + current[t]
        spike[t] = 1 if u[t] >= firing_level else 0        firing_level = v_threshold - v_0

    After a spike, reset by subtraction lowers u by `v_threshold`; reset to zero sets u to
    `v_reset` = -v_0.

    Attributes:
        name: Unique name.
        kernel: Weights `(kernel height, kernel width, input channels, filters)`.
        bias: Current added at every step, `(filters,)`, or `None`.
        v_threshold: Threshold: a number, or an array with a number per filter, `(filters,)`.
        reset: `"zero"` or `"subtract"`.
        strides: `(vertical, horizontal)`, in pixels.
        padding: `"same"`, `"valid"`, or numbers of zeros: `((top, bottom), (left, right))`.
        dilation: `(vertical, horizontal)`.
        v_0: Potential before the first step, at least 0 and below `v_threshold`. Its unit is the
            unit of `v_threshold` (in the Keras model it is a fraction of the threshold). A number,
            or an array with a number per filter, `(filters,)`.
        shortcuts: Further convolutions whose currents are added for the same neurons.
    """

    name: str
    kernel: np.ndarray = field(repr=False)
    bias: np.ndarray | None = field(repr=False)
    v_threshold: Any
    reset: str
    strides: tuple[int, int] = (1, 1)
    padding: Padding = "same"
    dilation: tuple[int, int] = (1, 1)
    v_0: Any = 0.0
    shortcuts: tuple[Shortcut, ...] = ()


@dataclass(frozen=True, eq=False)
class Dense(_Neurons):
    """Fully connected IF neurons without shortcuts.

    Attributes are as in `Conv`; the kernel has the shape `(features, units)`.
    """

    name: str
    kernel: np.ndarray = field(repr=False)
    bias: np.ndarray | None = field(repr=False)
    v_threshold: Any
    reset: str
    v_0: Any = 0.0


@dataclass(frozen=True)
class Pool:
    """Pooling of spikes.

    Attributes:
        name: Unique name.
        size: `(vertical, horizontal)` of the window, in pixels.
        strides: `(vertical, horizontal)`, in pixels.
        padding: `"same"` or `"valid"`.
        kind: `"or"`: 1 if there is any spike in the window, else 0. `"sum"`: the number of spikes
            in the window, from 0 to the window's size n. Average pooling is a `"sum"` with the
            weights of the next layer divided by n.
    """

    name: str
    size: tuple[int, int]
    strides: tuple[int, int]
    padding: Padding = "valid"
    kind: str = "or"

    @property
    def window(self) -> Window:
        """The window."""
        return Window(self.size, self.strides, self.padding)

    @property
    def largest(self) -> int:
        """Largest output if the inputs are spikes."""
        return math.prod(self.size) if self.kind == "sum" else 1


@dataclass(frozen=True)
class Flatten:
    """Turn maps into a vector, in row-major order of (height, width, channels)."""

    name: str


Layer = Conv | Dense | Pool | Flatten


def with_shortcuts(layer: Conv | Dense, shortcuts: Iterable[Shortcut]) -> Conv | Dense:
    """Replace the shortcuts of a `Conv`; a `Dense` has no shortcuts and is not changed."""
    return replace(layer, shortcuts=tuple(shortcuts)) if isinstance(layer, Conv) else layer


def weights_after_sums(
    layers: Iterable[Layer], factor: Callable[[Pool], float]
) -> tuple[Layer, ...]:
    """Multiply all weights that read sums of spikes by a factor.

    Args:
        layers: Layers in order.
        factor: Function from a pooling to its factor. If several poolings precede the same weights,
            their factors are multiplied.

    Returns:
        The layers with the changed weights.
    """
    changed: list[Layer] = []
    gain = 1.0
    for layer in layers:
        if isinstance(layer, Pool) and layer.kind == "sum":
            gain *= factor(layer)
        elif isinstance(layer, Conv | Dense):
            if gain != 1.0:
                layer = replace(layer, kernel=layer.kernel * np.float32(gain))
            gain = 1.0
        changed.append(layer)
    return tuple(changed)


def output_shape(layer: Layer | Shortcut, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of a layer's output from the shape of its input, both without batch."""
    if isinstance(layer, Flatten):
        return (math.prod(shape),)
    if isinstance(layer, Dense):
        return (layer.kernel.shape[-1],)
    channels = shape[-1] if isinstance(layer, Pool) else layer.kernel.shape[-1]
    return (*layer.window.counts(shape), channels)
