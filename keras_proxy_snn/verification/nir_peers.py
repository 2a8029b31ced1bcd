"""Run NIR files in two other libraries, nirtorch and SpikingJelly, both on PyTorch."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..basics.checks import require
from ..export.interpreter import prepare_images
from ..export.program import Program

__all__ = ["nirtorch", "spikingjelly"]


def nirtorch(path: str | Path, program: Program, images: np.ndarray) -> np.ndarray:
    """Run a NIR file with nirtorch, whose graph is made of modules of PyTorch.

    Three of the modules are made here: nirtorch has no IF, its sum pooling ignores the padding, and
    its affine map has no bias.

    Args:
        path: A file of `export.nir.write`.
        program: The network in the file.
        images: `(batch, height, width, channels)`, in the input range.

    Returns:
        Spike counts `(batch, classes)`.

    Raises:
        ImportError: If nirtorch, NIR or PyTorch is not installed.
    """
    import torch

    nir = require("nir")

    class Neuron(torch.nn.Module):
        def __init__(self, node: Any):
            super().__init__()
            self.threshold, self.reset = map(torch.tensor, (node.v_threshold, node.v_reset))

        def forward(self, current: Any, state: Any = None) -> Any:  # nirtorch looks for `state`
            v = current if state is None else state + current
            spikes = v > self.threshold
            return spikes.float(), torch.where(spikes, self.reset, v)

    def sum_pool(node: Any) -> Any:
        size, stride, padding = (
            (int(height), int(width))
            for height, width in (node.kernel_size, node.stride, node.padding)
        )
        return torch.nn.AvgPool2d(size, stride, padding, divisor_override=1)

    def affine(node: Any) -> Any:
        module = torch.nn.Linear(*node.weight.shape[::-1])
        module.weight.data, module.bias.data = map(torch.tensor, (node.weight, node.bias))
        return module

    nodes = {nir.IF: Neuron, nir.SumPool2d: sum_pool, nir.Affine: affine}
    network = require("nirtorch", "nirtorch").nir_to_torch(nir.read(path), nodes)
    return _counts(network, program, images)


def spikingjelly(path: str | Path, program: Program, images: np.ndarray) -> np.ndarray:
    """Run a NIR file in SpikingJelly.

    Args:
        path: A file of `export.nir.write` with `pooling="average"`, the only pooling that
            SpikingJelly reads.
        program: The network in the file, with one threshold for each layer.
        images: `(batch, height, width, channels)`, in the input range.

    Returns:
        Spike counts `(batch, classes)`.

    Raises:
        ImportError: If SpikingJelly, nirtorch or PyTorch is not installed.
    """
    exchange = require("spikingjelly.activation_based.nir_exchange", "spikingjelly")
    return _counts(exchange.import_from_nir(path, dt=1.0), program, images)


def _counts(network: Any, program: Program, images: np.ndarray) -> np.ndarray:
    import torch

    if not program.is_integer:
        program = replace(program, input_scale=1.0)  # the graph itself scales
    pixels = prepare_images(program, images).astype("float32").transpose(0, 3, 1, 2)
    x, state = torch.tensor(np.ascontiguousarray(pixels)), None
    counts = np.zeros(1)
    with torch.no_grad():
        for _ in range(program.time_steps):
            spikes, state = network(x, state)
            counts = counts + spikes.numpy()
    return counts
