"""Neurons of PyTorch on a processor, in one pass by Numba, where it is installed."""

import math
from typing import Any

import numpy as np
import torch

from ..basics.bfloat16 import DTYPES, in_numpy, in_torch
from ..basics.processor import numba_works
from ..basics.threads import in_threads
from ..basics.types import Tensor
from .neuron import Neuron

__all__ = ["applies", "simulate"]

# Below this number of neurons times steps, the call of the kernel takes longer than the neurons.
_WORTH = 2**17


def applies(current: Tensor, v: Tensor, time_steps: int | None, spike_dtype: str) -> bool:
    """Whether `simulate` can run, and is the faster way: for large layers on a CPU.

    PyTorch's compiler and `torch.export` need operations of PyTorch.
    """
    steps = current.shape[1] if time_steps is None else time_steps
    return (
        all(type(x) is torch.Tensor for x in (current, v))
        and v.dtype == torch.float32
        and all(dtype in DTYPES for dtype in (current.dtype, getattr(torch, spike_dtype)))
        and v.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and v.numel() * steps >= _WORTH
        and numba_works()
    )


def simulate(
    current: Tensor,
    v: Tensor,
    neuron: Neuron,
    time_steps: int | None,
    bias: Tensor | None,
    spike_dtype: str = "float32",
    pool: tuple[int, int] = (1, 1),
) -> tuple[Any, Any, Any]:
    """As `keras_proxy_snn.neurons.equations.simulate`, bit for bit, and pool the spikes.

    Args:
        current: As in `keras_proxy_snn.neurons.equations.simulate`; so are the next arguments.
        v: Membrane potentials before the first step.
        neuron: Threshold and reset.
        time_steps: Number of steps for which a constant current flows.
        bias: Added to the currents of each step.
        spike_dtype: Dtype of the spikes.
        pool: Rows and columns of windows, side by side without padding, of which the OR is taken;
            for `v` of shape `(batch, height, width, channels)`.

    Returns:
        `(spikes, v, mean)`: spikes of the windows `(batch, time, ...)`, potentials after the last
        step, and spikes per neuron and step as a scalar.
    """
    from .cpu_kernel import advance

    steps = current.shape[1] if time_steps is None else time_steps
    after = v.detach().clone(memory_format=torch.contiguous_format)
    maps = after.numpy().reshape(_maps(v.shape))
    images, height, width, channels = maps.shape
    times = steps if time_steps is None else 1
    flows = in_numpy(current.contiguous()).reshape(images, times, height, width, channels)
    of_window = (*(size // of for size, of in zip((height, width), pool, strict=True)), channels)
    of_spike = in_numpy(torch.tensor([0.0, 1.0], dtype=getattr(torch, spike_dtype)))
    # NumPy asks for large pages, with which this takes half as long as with memory of PyTorch.
    spikes = np.empty((images, steps, *of_window), of_spike.dtype)
    added = np.zeros(channels, np.float32) if bias is None else bias.detach().numpy()
    rest = np.float32(neuron.v_threshold), neuron.subtracts, pool

    counts = in_threads(
        lambda part: advance(flows[part], added, maps[part], *rest, spikes[part], *of_spike), images
    )
    shape = v.shape[1:] if pool == (1, 1) else of_window
    mean = torch.tensor(sum(counts) / (steps * max(1, v.numel())), dtype=torch.float32)
    return in_torch(spikes.reshape(images, steps, *shape)), after, mean


def _maps(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """A shape `(batch, ..., channels)` as maps; features have one row and one column."""
    return shape[0], math.prod(shape[1:-2]), (shape[-2] if len(shape) > 2 else 1), shape[-1]
