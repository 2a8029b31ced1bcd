"""Neurons over time in each backend's own way, where that is known to be faster."""

import importlib.util
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import ops

from .._types import Tensor
from . import equations
from .neuron import Neuron

__all__ = ["mean", "simulate"]

# Potentials of smaller layers stay in the cache of a processor; there compiling costs more than
# it gains.
_LEAST_NEURONS = 2**16
# Values of a layer that PyTorch advances at a time: 16 bytes each are in the processor's cache.
_CACHED = 2**18


def simulate(
    current: Tensor,
    v: Tensor,
    neuron: Neuron,
    time_steps: int | None = None,
    bias: Tensor | None = None,
    spike_dtype: str = "float32",
) -> tuple[Any, Any]:
    """`equations.simulate` with fewer passes over the potentials, for the same bits.

    On GPUs one kernel does all steps, Triton's on PyTorch and Pallas's on JAX. On CPUs XLA makes
    one kernel of additions, comparisons and resets of large layers on TensorFlow, and on PyTorch
    potentials are changed where they are, in the cache. What else runs in a graph Keras compiles as
    a whole. `benchmarks/NOTES.md` has what each gains. Nothing here can be differentiated.

    Args:
        current: As in `keras_proxy_snn.neurons.equations.simulate`, and so are the others.
        v: Membrane potentials before the first step.
        neuron: Threshold and reset.
        time_steps: Number of steps for which a constant current flows.
        bias: Added to the currents of each step.
        spike_dtype: In what dtype spikes may be given, because it spares their readers a cast.
            TensorFlow does not.

    Returns:
        `(spikes, v)`.
    """
    backend = keras.config.backend()
    if backend == "torch":
        run = _in_cache
        if v.is_cuda and v.dtype.itemsize == 4 and importlib.util.find_spec("triton"):
            from .triton import simulate as run
        return run(current, v, neuron, time_steps, bias, spike_dtype)
    # A learned threshold is a tensor of the graph, so it goes in as an operand.
    way = _with_threshold(partial(equations.simulate, time_steps=time_steps, bias=bias), neuron)
    if backend == "jax":
        way = _cast(way, spike_dtype)
        if _has_pallas(v):
            import jax

            from .pallas import simulate as kernel

            gpu: Any = partial(kernel, time_steps=time_steps, bias=bias, spike_dtype=spike_dtype)
            gpu = _with_threshold(gpu, neuron)
            way = partial(jax.lax.platform_dependent, cuda=gpu, rocm=gpu, default=way)
    elif math.prod(v.shape[1:]) >= _LEAST_NEURONS and _in_graph_on_cpu():
        import tensorflow as tf

        way = tf.function(way, jit_compile=True)
    result: tuple[Any, Any] = way(current, v, neuron.v_threshold)
    return result


def _with_threshold(run: Callable[..., Any], neuron: Neuron) -> Any:
    """A function of currents, potentials and threshold, of one of currents, potentials, neuron."""
    return lambda current, v, v_threshold: run(current, v, neuron.at(v_threshold))


def _has_pallas(v: Tensor) -> bool:
    """Whether a kernel may run on JAX: on GPUs, unless the batch is distributed behind its back."""
    import jax

    # In this order, because to look for Pallas is to import it.
    return (
        jax.default_backend() == "gpu"
        and v.dtype.itemsize == 4
        and keras.distribution.distribution() is None
        and importlib.util.find_spec("jax.experimental.pallas.triton") is not None
    )


def _cast(plain: Callable[..., Any], spike_dtype: str) -> Callable[..., Any]:
    """The same with spikes in a dtype."""

    def run(*arguments: Any) -> tuple[Any, Any]:
        spikes, after = plain(*arguments)
        return ops.cast(spikes, spike_dtype), after

    return run


def mean(spikes: Tensor) -> Any:
    """Mean of spikes in any dtype, in float32, without a copy of them."""
    if keras.config.backend() == "torch":
        import torch

        return spikes.mean(dtype=torch.float32)
    return ops.mean(ops.cast(spikes, "float32"))


def _in_graph_on_cpu() -> bool:
    import tensorflow as tf

    kinds = {device.device_type for device in tf.config.list_logical_devices()}
    return tf.inside_function() and kinds == {"CPU"}


def _in_cache(
    current: Tensor,
    v: Tensor,
    neuron: Neuron,
    time_steps: int | None,
    bias: Tensor | None,
    spike_dtype: str,
) -> tuple[Any, Any]:
    """The equations of `keras_proxy_snn.neurons.equations` on PyTorch, some images after the other.

    All steps of the images of a part run before those of the next, so that on a processor
    potentials stay in its cache, and no term is a new tensor of the whole's size.
    """
    import torch

    steps = current.shape[1] if time_steps is None else time_steps
    shape = (v.shape[0], steps, *v.shape[1:])
    spikes = v.new_empty(shape, dtype=getattr(torch, spike_dtype))
    after = v.clone(memory_format=torch.contiguous_format)
    images = max(1, _CACHED // math.prod(v.shape[1:])) if v.device.type == "cpu" else v.shape[0]
    with torch.no_grad():
        parts = (whole.split(images) for whole in (current, after, spikes))
        for of_current, of_v, of_spikes in zip(*parts, strict=True):
            _advance(of_current, of_v, of_spikes, neuron, time_steps is not None, bias)
    return spikes, after


def _advance(
    current: Tensor,
    v: Tensor,
    spikes: Tensor,
    neuron: Neuron,
    constant: bool,
    bias: Tensor | None,
) -> None:
    """Change potentials where they are, and write the spikes of all steps."""
    import torch

    theta = neuron.v_threshold
    inflow = equations.biased(current, bias, v.dtype) if constant else None
    for step, fired in enumerate(spikes.unbind(1)):
        v += equations.biased(current[:, step], bias, v.dtype) if inflow is None else inflow
        torch.ge(v, theta, out=fired)
        if neuron.subtracts and not isinstance(theta, torch.Tensor):
            v.sub_(fired, alpha=theta)
        else:
            v.addcmul_(fired, theta if neuron.subtracts else v, value=-1)
