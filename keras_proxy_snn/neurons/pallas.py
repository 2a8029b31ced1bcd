"""Integrate-and-fire neurons as one kernel for NVIDIA and AMD GPUs, for the JAX backend."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as triton_pallas

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
    interpret: bool = False,
) -> tuple[Any, Any]:
    """As `keras_proxy_snn.neurons.fastest.simulate`, in one pass over currents and spikes.

    `keras_proxy_snn.neurons.triton.simulate` is the same kernel for PyTorch. With `interpret`, it
    runs without a GPU, but slowly.
    """
    steps = current.shape[1] if time_steps is None else time_steps
    batch, *shape = v.shape
    neurons = math.prod(shape)
    spikes = jax.ShapeDtypeStruct((batch, steps, neurons), spike_dtype)
    after = jax.ShapeDtypeStruct((batch, neurons), v.dtype)
    if not math.prod(spikes.shape):
        return jnp.zeros((batch, steps, *shape), spike_dtype), v
    kernel = partial(
        _steps,
        neurons=neurons,
        steps=steps,
        constant=time_steps is not None,
        has_bias=bias is not None,
        subtract=neuron.subtracts,
    )
    inputs = (
        current.reshape((batch, *spikes.shape[1 if time_steps is None else 2 :])),
        jnp.zeros(1, v.dtype) if bias is None else bias,
        v.reshape(after.shape),
        jnp.reshape(jnp.asarray(neuron.v_threshold, v.dtype), 1),
    )
    # The simulation is never differentiated, and the kernel has no derivative.
    results = pl.pallas_call(
        kernel,
        grid=(batch, pl.cdiv(neurons, _BLOCK)),
        out_shape=[spikes, after],
        compiler_params=triton_pallas.CompilerParams(num_warps=4, num_stages=1),
        interpret=interpret,
    )(*map(jax.lax.stop_gradient, inputs))
    return results[0].reshape((batch, steps, *shape)), results[1].reshape(v.shape)


def _steps(
    current: Tensor,
    bias: Tensor,
    v: Tensor,
    v_threshold: Tensor,
    spikes: Tensor,
    after: Tensor,
    *,
    neurons: int,
    steps: int,
    constant: bool,
    has_bias: bool,
    subtract: bool,
) -> None:
    image, first = pl.program_id(0), pl.program_id(1) * _BLOCK
    block = pl.ds(first, _BLOCK)
    at = first + jnp.arange(_BLOCK)
    load = partial(triton_pallas.load, mask=at < neurons, other=0.0)
    store = partial(triton_pallas.store, mask=at < neurons)
    theta = v_threshold[0]
    shift = load(bias.at[at % bias.shape[0]]) if has_bias else None

    def advance(step: Tensor, potential: Tensor) -> Any:
        inflow = load(current.at[image, block] if constant else current.at[image, step, block])
        inflow = inflow.astype(potential.dtype)
        potential += inflow if shift is None else inflow + shift
        fired = potential >= theta
        store(spikes.at[image, step, block], fired.astype(spikes.dtype))
        return jnp.where(fired, potential - theta if subtract else 0.0, potential)

    store(after.at[image, block], jax.lax.fori_loop(0, steps, advance, load(v.at[image, block])))
