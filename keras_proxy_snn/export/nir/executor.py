"""`run`: execute a NIR file in NumPy, node by node, by NIR's definitions."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...basics.types import Images
from ..interpreter import prepare_images
from ..program import Program
from .graph_file import chain, open_graph

if TYPE_CHECKING:
    import nir

__all__ = ["run"]


def run(path: str | Path, program: Program, images: Images) -> np.ndarray:
    """Execute a NIR file.

    The function uses only the nodes in the file. For an `IF` node with potential v, input I and
    time steps of 1: `v <- v + r I`; a spike if `v > v_threshold`, and then `v <- v_reset`. The
    function is slow, because it exists to check files.

    Args:
        path: The file.
        program: The program in the file; it gives the number of steps and the number format.
        images: `(batch, height, width, channels)`, pixels in `program.input_range`.

    Returns:
        Spike counts `(batch, classes)`, integers.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If the `nir` package is missing.
        ValueError: If the file is not a chain of nodes that `write` writes, or the images do not
            fit.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, nir
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> readout = Dense("readout", np.eye(4, dtype="float32"), None, 1.0, "zero")
    >>> net = Program((Flatten("flatten"), readout), (2, 2, 1), time_steps=8)
    >>> images = np.array([1.0, 0.5, 0.25, 0.0]).reshape(1, 2, 2, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nir.write(net, f"{folder}/net.nir")
    ...     nir.run(f"{folder}/net.nir", net, images)
    array([[8, 4, 2, 0]])
    """
    nodes = chain(open_graph(path))
    if not program.is_integer:
        program = replace(program, input_scale=1.0)  # the graph itself scales
    signal = prepare_images(program, images).astype("float32").transpose(0, 3, 1, 2)
    neurons = [index for index, (_, node) in enumerate(nodes) if type(node).__name__ == "IF"]
    for name, node in nodes[1 : neurons[0]]:
        signal = _apply(name, node, signal)
    current, counts = signal, np.zeros(1, "int64")
    potentials: dict[int, Any] = dict.fromkeys(neurons, 0.0)
    for _ in range(program.time_steps):
        signal = current
        for index, (name, node) in enumerate(nodes[neurons[0] : -1], neurons[0]):
            if index not in potentials:
                signal = _apply(name, node, signal)
                continue
            v = potentials[index] + node.r * signal
            spikes = v > node.v_threshold
            potentials[index] = np.where(spikes, node.v_reset, v)
            signal = spikes.astype("float32")
        counts = counts + signal.astype("int64")
    return counts


def _apply(name: str, node: "nir.NIRNode", x: np.ndarray) -> np.ndarray:
    kind = type(node).__name__
    if kind == "Conv2d":
        size = node.weight.shape[2:]
        windows = _shifted(x, size, node.stride, node.padding, node.dilation, node.output_type)
        taps = np.moveaxis(node.weight, (2, 3), (0, 1)).reshape(-1, *node.weight.shape[:2])
        pairs = zip(windows, taps, strict=True)
        total = reduce(np.add, (np.tensordot(window, tap, (1, 1)) for window, tap in pairs))
        return np.moveaxis(total + node.bias, -1, 1)
    if kind in ("SumPool2d", "AvgPool2d"):
        ones = (1, 1)
        windows = _shifted(x, node.kernel_size, node.stride, node.padding, ones, node.output_type)
        total = reduce(np.add, windows)
        return total if kind == "SumPool2d" else total / np.float32(len(windows))
    if kind == "Flatten":
        return x.reshape(len(x), -1)
    if kind == "Linear":
        return x @ node.weight.T
    if kind == "Affine":
        return x @ node.weight.T + node.bias
    if kind == "Scale":
        return x * node.scale
    raise ValueError(f"Nodes must be of kinds that can be executed. Received: {name!r} ({kind}).")


def _shifted(
    x: np.ndarray,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int] | str,
    dilation: Sequence[int],
    output_type: dict[str, np.ndarray],
) -> list[np.ndarray]:
    """The input of all windows at each place of the window, row by row."""
    if isinstance(padding, str):
        spans = [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
        pads = [(n // 2, n - n // 2) if padding == "same" else (0, 0) for n in spans]
    else:
        pads = [(n, n) for n in padding]
    x = np.pad(x, ((0, 0), (0, 0), *pads))
    rows, columns = output_type["output"][1:]
    tall, wide = (rows - 1) * stride[0] + 1, (columns - 1) * stride[1] + 1
    places = [(i * dilation[0], j * dilation[1]) for i in range(size[0]) for j in range(size[1])]
    return [x[:, :, i : i + tall : stride[0], j : j + wide : stride[1]] for i, j in places]
