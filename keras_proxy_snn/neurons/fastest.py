"""Simulate neurons in the fastest known way of each backend, with bit-identical results."""

import importlib.util
import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import keras
from keras import ops

from ..basics.types import Tensor
from . import equations
from .neuron import Neuron

__all__ = ["Fired", "fire", "in_one_program", "mean", "simulate"]

# Potentials of smaller layers stay in the CPU cache; for them, compiling costs more than it gains.
_LEAST_NEURONS = 2**16
# Number of values that PyTorch advances at a time: with 16 bytes each, they fit the CPU cache.
_CACHED = 2**18


class Fired(NamedTuple):
    """Spikes of a layer in some steps.

    Attributes:
        spikes: `(batch, time, ...)`, of the neurons or of the windows that pool them.
        mean: Spikes per neuron and step, a scalar.
        pooled: Whether `spikes` are those of the windows.
    """

    spikes: Any
    mean: Any
    pooled: bool


def fire(
    current: Tensor,
    v: Tensor,
    neuron: Neuron,
    time_steps: int | None = None,
    bias: Tensor | None = None,
    spike_dtype: str = "float32",
    pool: tuple[int, int] | None = None,
) -> tuple[Fired, Any]:
    """As `simulate`, with the mean of the spikes, and pooled where that costs no further pass.

    Args:
        current: As in `simulate`; so are the next arguments.
        v: Membrane potentials before the first step.
        neuron: Threshold and reset.
        time_steps: Number of steps for which a constant current flows.
        bias: Added to the currents of each step.
        spike_dtype: Preferred dtype of the spikes.
        pool: Rows and columns of windows, side by side without padding, whose OR is all that is
            read of the spikes; `None` if the spikes themselves are read.

    Returns:
        `Fired`, and the potentials after the last step.
    """
    if one_pass := _one_pass(current, v, time_steps, spike_dtype):
        rest = neuron, time_steps, bias, spike_dtype, pool or (1, 1)
        spikes, after, rate = one_pass(current, v, *rest)
        return Fired(spikes, rate, pool is not None), after
    spikes, after = simulate(current, v, neuron, time_steps, bias, spike_dtype)
    return Fired(spikes, mean(spikes), False), after


def simulate(
    current: Tensor,
    v: Tensor,
    neuron: Neuron,
    time_steps: int | None = None,
    bias: Tensor | None = None,
    spike_dtype: str = "float32",
) -> tuple[Any, Any]:
    """As `equations.simulate`, bit for bit, with fewer passes over the potentials.

    On GPUs, one kernel runs all steps: a Triton kernel on PyTorch, a Pallas kernel on JAX. On CPUs
    with TensorFlow, XLA fuses additions, comparisons and resets of large layers into one kernel.
    On CPUs with PyTorch, Numba compiles one kernel for all steps of large layers; without Numba,
    potentials are changed in place, in the cache. In all other cases the equations run in the
    graph that Keras compiles. `benchmarks/NOTES.md` states the gains. The
    function cannot be differentiated.

    Args:
        current: As in `keras_proxy_snn.neurons.equations.simulate`; so are the next arguments.
        v: Membrane potentials before the first step.
        neuron: Threshold and reset.
        time_steps: Number of steps for which a constant current flows.
        bias: Added to the currents of each step.
        spike_dtype: Preferred dtype of the spikes; it saves their readers a cast. TensorFlow
            ignores it.

    Returns:
        `(spikes, v)`.
    """
    backend = keras.config.backend()
    if backend == "torch":
        run = _in_cache
        if v.is_cuda and v.dtype.itemsize == 4 and importlib.util.find_spec("triton"):
            from .triton import simulate as run
        elif one_pass := _one_pass(current, v, time_steps, spike_dtype):
            return one_pass(current, v, neuron, time_steps, bias, spike_dtype)[:2]
        return run(current, v, neuron, time_steps, bias, spike_dtype)
    # A learned threshold is a tensor of the graph, so it is passed as an operand.
    way = _with_threshold(partial(in_one_program, time_steps=time_steps, bias=bias), neuron)
    if backend == "jax":
        way = _cast(way, spike_dtype)
        if _has_pallas(v):
            import jax

            from .pallas import simulate as kernel

            gpu: Callable[..., Any] = partial(
                kernel, time_steps=time_steps, bias=bias, spike_dtype=spike_dtype
            )
            gpu = _with_threshold(gpu, neuron)
            way = partial(jax.lax.platform_dependent, cuda=gpu, rocm=gpu, default=way)
    elif math.prod(v.shape[1:]) >= _LEAST_NEURONS and _in_graph_on_cpu():
        import tensorflow as tf

        way = tf.function(way, jit_compile=True)
    result: tuple[Any, Any] = way(current, v, neuron.v_threshold)
    return result


def _one_pass(
    current: Tensor, v: Tensor, time_steps: int | None, spike_dtype: str
) -> Callable[..., tuple[Any, Any, Any]] | None:
    """Numba's kernel for neurons of PyTorch on a processor, where it can run."""
    if keras.config.backend() != "torch":
        return None
    from . import cpu

    return cpu.simulate if cpu.applies(current, v, time_steps, spike_dtype) else None


def in_one_program(
    current: Tensor,
    v: Tensor,
    neuron: Neuron,
    time_steps: int | None = None,
    bias: Tensor | None = None,
) -> tuple[Any, Any]:
    """As `equations.simulate`. Outside of a graph, JAX compiles one program for all operations.

    Otherwise JAX would compile each operation for each shape, and each slice of the currents.
    """
    if keras.config.backend() != "jax":
        return equations.simulate(current, v, neuron, time_steps, bias=bias)
    threshold, rest = neuron.v_threshold, neuron.at(0.0)
    result: tuple[Any, Any] = _program()(current, v, threshold, bias, rest, time_steps)
    return result


@cache
def _program() -> Callable[..., Any]:
    import jax

    def run(
        current: Tensor,
        v: Tensor,
        v_threshold: Tensor,
        bias: Tensor | None,
        neuron: Neuron,
        time_steps: int | None,
    ) -> Any:
        return equations.simulate(current, v, neuron.at(v_threshold), time_steps, bias=bias)

    return jax.jit(run, static_argnames=("neuron", "time_steps"))


def _with_threshold(run: Callable[..., Any], neuron: Neuron) -> Any:
    """The function `run`, with the threshold of its neuron as the third argument."""
    return lambda current, v, v_threshold: run(current, v, neuron.at(v_threshold))


def _has_pallas(v: Tensor) -> bool:
    """Whether a Pallas kernel can run: on a GPU, if the batch is not distributed over devices."""
    import jax

    # In this order, because the check for Pallas imports it.
    return (
        jax.default_backend() == "gpu"
        and v.dtype.itemsize == 4
        and keras.distribution.distribution() is None
        and importlib.util.find_spec("jax.experimental.pallas.triton") is not None
    )


def _cast(plain: Callable[..., Any], spike_dtype: str) -> Callable[..., Any]:
    """The same function, with spikes cast to a dtype."""

    def run(*arguments: object) -> tuple[Any, Any]:
        spikes, after = plain(*arguments)
        return ops.cast(spikes, spike_dtype), after

    return run


def mean(spikes: Tensor) -> Any:
    """Mean of spikes of any dtype, in float32, without a copy of the spikes."""
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
    """The equations of `keras_proxy_snn.neurons.equations` on PyTorch, for part after part.

    A part is a few images. All its steps run before the next part starts. So potentials stay in
    the CPU cache, and no term needs a new tensor of the full size.
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
    """Advance potentials in place and write the spikes of all steps."""
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
