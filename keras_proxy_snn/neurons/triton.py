"""Integrate-and-fire neurons as one kernel for NVIDIA and AMD GPUs, for the PyTorch backend."""

import math
from typing import Any

import torch
import triton
from triton import language as tl

from ..basics.types import Tensor
from .neuron import Neuron

__all__ = ["simulate"]

_BLOCK = 1024


def simulate(
    current: Tensor,
    v: Tensor,
    neuron: Neuron,
    time_steps: int | None,
    bias: Tensor | None,
    spike_dtype: str,
) -> tuple[Any, Any]:
    """As `keras_proxy_snn.neurons.fastest.simulate`, in one pass over currents and spikes.

    Potentials stay in registers from the first step to the last. Currents are read in the dtype of
    the layer's sums; spikes are written in the dtype that their readers use. Bias, potentials and
    comparisons are computed in float32, in the same order as in
    `keras_proxy_snn.neurons.equations`.
    """
    steps = current.shape[1] if time_steps is None else time_steps
    batch, *shape = v.shape
    neurons = math.prod(shape)
    dtype = getattr(torch, spike_dtype)
    spikes = torch.empty((batch, steps, *shape), dtype=dtype, device=v.device)
    after = torch.empty(tuple(v.shape), dtype=v.dtype, device=v.device)
    if spikes.numel():
        learned = isinstance(neuron.v_threshold, torch.Tensor)
        blocks = triton.cdiv(neurons, _BLOCK)
        _steps[(batch * blocks,)](
            current.contiguous(),
            v.contiguous() if bias is None else bias,
            v.contiguous(),
            spikes,
            after,
            neuron.v_threshold,
            neurons,
            1 if bias is None else bias.numel(),
            blocks,
            STEPS=steps,
            HAS_BIAS=bias is not None,
            CONSTANT=time_steps is not None,
            LEARNED=learned,
            SUBTRACT=neuron.subtracts,
            BLOCK=_BLOCK,
        )
    return spikes, after


@triton.jit
def _steps(  # type: ignore[no-untyped-def]  # Triton reads annotations in its own way.
    current,
    bias,
    v,
    spikes,
    after,
    v_threshold,
    neurons,
    channels,
    blocks,
    STEPS: tl.constexpr,  # noqa: N803 (so are constants written in Triton)
    HAS_BIAS: tl.constexpr,  # noqa: N803
    CONSTANT: tl.constexpr,  # noqa: N803
    LEARNED: tl.constexpr,  # noqa: N803
    SUBTRACT: tl.constexpr,  # noqa: N803
    BLOCK: tl.constexpr,  # noqa: N803
):
    program = tl.program_id(0)
    image = (program // blocks).to(tl.int64)
    at = (program % blocks) * BLOCK + tl.arange(0, BLOCK)
    inside = at < neurons
    theta = tl.load(v_threshold) if LEARNED else v_threshold
    shift = tl.load(bias + at % channels, inside) if HAS_BIAS else 0.0
    potential = tl.load(v + image * neurons + at, inside)
    first = image * STEPS * neurons + at
    for step in range(STEPS):
        place = image * neurons + at if CONSTANT else first + step * neurons
        inflow = tl.load(current + place, inside).to(tl.float32)
        if HAS_BIAS:
            inflow += shift
        potential += inflow
        fired = potential >= theta
        place = first + step * neurons
        spike = tl.where(fired, 1.0, 0.0)
        tl.store(spikes + place, spike.to(spikes.dtype.element_ty), inside)
        lowered = potential - theta if SUBTRACT else 0.0
        potential = tl.where(fired, lowered, potential)
    tl.store(after + image * neurons + at, potential, inside)
