"""`run`: the scores that a program must give, in float64 and plain loops.

It shares no arithmetic with the interpreter, the layers or the writers. All sums of dyadic and
integer networks are exact in float64.
"""

import numpy as np

from ..export.layers import Conv, Dense, Flatten, Pool
from ..export.program import Program

__all__ = ["run"]


def run(program: Program, images: np.ndarray) -> np.ndarray:
    """Simulate a network step by step, with potentials that start at `v_0`.

    Args:
        program: Convolutions of stride 1 with "same" padding, pooling in windows side by side,
            and fully connected layers.
        images: `(batch, height, width, channels)`.

    Returns:
        Scores `(batch, classes)`, float64.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.export.program import Dense, Flatten, Program
    >>> from keras_proxy_snn.verification.oracle import run
    >>> dense = Dense("readout", np.float32([[0.5], [0.25]]), None, 1.0, "zero")
    >>> run(Program((Flatten("flatten"), dense), (1, 2, 1), 5), np.ones((1, 1, 2, 1))).tolist()
    [[2.0]]
    """
    pixels = np.asarray(images, "float64")
    if program.is_integer:
        pixels = np.rint(np.asarray(images, "float32") * np.float32(program.input_scale))
        pixels = pixels.astype("float64")
    potentials: dict[str, np.ndarray] = {}
    counts = np.zeros(1)
    for _ in range(program.time_steps):
        signal = pixels
        seen: dict[str, np.ndarray] = {}
        for layer in program.layers:
            if isinstance(layer, Flatten):
                signal = signal.reshape(len(signal), -1)
            elif isinstance(layer, Pool):
                signal = _pool(layer, signal)
            else:
                signal = _fire(layer, _current(layer, signal, seen), potentials)
            seen[layer.name] = signal
        counts = counts + signal
    if program.readout == "counts":
        return counts
    readout = program.neurons[-1]
    return counts + potentials[readout.name] / np.asarray(readout.v_threshold, "float64")


def _current(layer: Conv | Dense, x: np.ndarray, seen: dict[str, np.ndarray]) -> np.ndarray:
    kernel = np.asarray(layer.kernel, "float64")
    if isinstance(layer, Dense):
        current = x @ kernel
    else:
        current = _convolve(x, kernel)
        for shortcut in layer.shortcuts:
            current = current + _convolve(
                seen[shortcut.source], np.asarray(shortcut.kernel, "float64")
            )
    return current if layer.bias is None else current + np.asarray(layer.bias, "float64")


def _fire(
    layer: Conv | Dense, current: np.ndarray, potentials: dict[str, np.ndarray]
) -> np.ndarray:
    theta = np.asarray(layer.v_threshold, "float64")
    v = potentials.get(layer.name, np.asarray(layer.v_0, "float64")) + current
    spikes = v >= theta
    rest = np.zeros_like(v) if layer.reset == "zero" else v - theta
    potentials[layer.name] = np.where(spikes, rest, v)
    return spikes.astype("float64")


def _convolve(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    height, width = x.shape[1:3]
    rows, columns = kernel.shape[:2]
    top, left = (rows - 1) // 2, (columns - 1) // 2
    padded = np.pad(x, ((0, 0), (top, rows - 1 - top), (left, columns - 1 - left), (0, 0)))
    out = np.zeros((*x.shape[:3], kernel.shape[3]))
    for i in range(rows):
        for j in range(columns):
            out += padded[:, i : i + height, j : j + width] @ kernel[i, j]
    return out


def _pool(layer: Pool, x: np.ndarray) -> np.ndarray:
    size, (height, width) = layer.size[0], x.shape[1:3]
    x = x[:, : height // size * size, : width // size * size]
    windows = x.reshape(len(x), height // size, size, width // size, size, x.shape[3])
    return windows.sum(axis=(2, 4)) if layer.kind == "sum" else windows.max(axis=(2, 4))
