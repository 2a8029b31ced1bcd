"""NumPy interpreter of programs; every exported file must give the same spike counts."""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..basics.checks import check_plain, check_shape
from ..basics.types import Images
from ..basics.window import Window
from .program import Conv, Dense, Layer, Pool, Program, Shortcut

__all__ = ["Trace", "initial_state", "prepare_images", "run", "scaled", "step"]


class Trace(NamedTuple):
    """Results of a simulation.

    Attributes:
        spike_counts: `(batch, classes)`, integers.
        potentials: Potentials after the last step, counted from `v_0`: one array per layer of
            neurons.
        v_min: Lowest potential before a reset: one number per layer of neurons.
        v_max: Highest potential before a reset: one number per layer of neurons.
    """

    spike_counts: np.ndarray
    potentials: tuple[np.ndarray, ...]
    v_min: tuple[float, ...]
    v_max: tuple[float, ...]


def prepare_images(program: Program, images: Images) -> np.ndarray:
    """Check images and convert them to the network's input.

    Args:
        program: The network.
        images: `(batch, height, width, channels)`, pixels in `program.input_range`.

    Returns:
        Array of the same shape: float32, or int64 for an integer program.

    Raises:
        ValueError: If the shape is wrong, a pixel is no finite number, or there is a mask.
    """
    check_plain("Images", images)
    images = np.asarray(images)
    check_shape("Images", images, program.input_shape)
    if images.dtype.kind not in "biuf":
        raise ValueError(f"Images must be real numbers. Received: an array of {images.dtype}.")
    if not np.isfinite(images).all():
        raise ValueError("Images must be finite. Received: NaN or infinity among the pixels.")
    return scaled(program, images)


def scaled(program: Program, pixels: np.ndarray) -> np.ndarray:
    """Convert pixels to the network's input: float32, or int64 for an integer program."""
    if program.is_integer:
        return np.rint(pixels * np.float32(program.input_scale)).astype("int64")
    return pixels.astype("float32") * np.float32(program.input_scale)


def initial_state(program: Program, batch: int) -> tuple[np.ndarray, ...]:
    """Potentials of every layer of neurons before the first step: 0, counted from `v_0`."""
    dtype = "int64" if program.is_integer else "float32"
    return tuple(np.zeros((batch, *shape), dtype) for shape in program.state_shapes())


def run(program: Program, images: Images, time_steps: int | None = None) -> Trace:
    """Simulate a program on images.

    Sums are in float32 for a float program and exact for an integer program.

    Args:
        program: The network.
        images: `(batch, height, width, channels)`, pixels in `program.input_range`.
        time_steps: Number T of time steps; the program's T if `None`.

    Returns:
        A `Trace`.
    """
    x = prepare_images(program, images)
    state = initial_state(program, len(x))
    counts = np.zeros((len(x), program.shapes()[-1][0]), "int64")
    # The current of the first layer is constant in time (direct coding, Eq. 6).
    first = program.layers.index(program.neurons[0])
    for layer in program.layers[:first]:
        x = _apply(layer, x)
    current = _linear(program.neurons[0], x)
    low = [0.0] * len(state)
    high = [0.0] * len(state)
    for _ in range(time_steps or program.time_steps):
        spikes, state, before = step(program, current, state)
        low = [min(a, float(v.min(initial=0))) for a, v in zip(low, before, strict=True)]
        high = [max(a, float(v.max(initial=0))) for a, v in zip(high, before, strict=True)]
        counts = counts + spikes.astype("int64")
    return Trace(counts, state, tuple(low), tuple(high))


def step(
    program: Program, current: np.ndarray, state: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, tuple[np.ndarray, ...], list[np.ndarray]]:
    """Run one time step.

    Returns the readout's spikes, the new potentials, and the potentials before the reset.
    """
    first = program.layers.index(program.neurons[0])
    signal, new_state, before = current, [], []
    potentials, sources = iter(state), program.sources
    spikes: dict[str, np.ndarray] = {}
    for index, layer in enumerate(program.layers[first:]):
        if isinstance(layer, Conv | Dense):
            charge = signal if index == 0 else _linear(layer, signal)
            for shortcut in layer.shortcuts:
                charge = charge + _convolve(shortcut, spikes[shortcut.source])
            v = next(potentials) + charge
            fired = v >= layer.firing_level.astype(v.dtype)
            before.append(v)
            if layer.reset == "zero":
                rest = layer.v_reset.astype(v.dtype)
            else:
                rest = v - np.asarray(layer.v_threshold).astype(v.dtype)
            new_state.append(np.where(fired, rest, v))
            signal = fired.astype(v.dtype)
        else:
            signal = _apply(layer, signal)
        if layer.name in sources:
            spikes[layer.name] = signal
    return signal, tuple(new_state), before


def _apply(layer: Layer, x: np.ndarray) -> np.ndarray:
    """Output of a layer without weights."""
    if not isinstance(layer, Pool):
        return x.reshape(len(x), -1)
    windows = _windows(x, layer.window)
    return windows.sum(axis=(-2, -1)) if layer.kind == "sum" else windows.max(axis=(-2, -1))


def _linear(layer: Conv | Dense, x: np.ndarray) -> np.ndarray:
    if isinstance(layer, Dense):
        wide = _wide(x)
        out = (wide @ layer.kernel.astype(wide.dtype)).astype(x.dtype, copy=False)
    else:
        out = _convolve(layer, x)
    return out if layer.bias is None else out + layer.bias.astype(x.dtype)


def _convolve(layer: Conv | Shortcut, x: np.ndarray) -> np.ndarray:
    wide = _wide(x)
    windows, kernel = _windows(wide, layer.window), layer.kernel.astype(wide.dtype)
    out: np.ndarray = np.tensordot(windows, kernel, axes=((-2, -1, -3), (0, 1, 2)))
    return out.astype(x.dtype, copy=False)


def _wide(x: np.ndarray) -> np.ndarray:
    """Integers as float64, because BLAS multiplies only floats; else NumPy is tens of times slower.

    Products of int8 weights with spikes or scaled pixels, and their sums, are below 2**53, so all
    of them are exact.
    """
    return x.astype("float64") if x.dtype.kind == "i" else x


def _windows(x: np.ndarray, window: Window) -> np.ndarray:
    """Windows `(batch, height, width, channels, *size)` of zero-padded maps.

    Padding with zeros is right for pooling too, because spikes are 0 or 1.
    """
    pads = window.pads(x.shape[1:3])
    if any(map(any, pads)):
        x = np.pad(x, ((0, 0), *pads, (0, 0)))
    (down, right), (every_row, every_column) = window.strides, window.dilation
    windows = sliding_window_view(x, window.spans, axis=(1, 2))
    return windows[:, ::down, ::right, :, ::every_row, ::every_column]
