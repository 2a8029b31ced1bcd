"""Neurons over time in each backend's own way, where that is known to be faster."""

import math
from functools import partial
from typing import Any

import keras

from . import neuron

__all__ = ["simulate"]

# Potentials of smaller layers stay in the cache of a processor; there compiling costs more than
# it gains.
_LEAST_NEURONS = 2**16


def simulate(
    current: Any, v: Any, v_threshold: Any, reset: str, time_steps: int | None = None
) -> tuple[Any, Any]:
    """`keras_proxy_snn.neuron.simulate` with fewer passes over the potentials, for the same bits.

    On TensorFlow and CPUs XLA makes one kernel of additions, comparisons and resets of large
    layers; on GPUs Keras compiles the whole step, and so it does on JAX. On PyTorch potentials
    are changed where they are. `benchmarks/NOTES.md` has what each gains. Nothing here can be
    differentiated.

    Args:
        current: As in `keras_proxy_snn.neuron.simulate`, and so are the others.
        v: Membrane potentials before the first step.
        v_threshold: Positive number, or a scalar tensor.
        reset: `"zero"` or `"subtract"`.
        time_steps: Number of steps for which a constant current flows.

    Returns:
        `(spikes, v)`.
    """
    if keras.config.backend() == "torch":
        return _in_place(current, v, v_threshold, reset, time_steps)
    run = partial(neuron.simulate, reset=reset, time_steps=time_steps)
    large = math.prod(v.shape[1:]) >= _LEAST_NEURONS
    if large and keras.config.backend() == "tensorflow" and _in_graph_on_cpu():
        import tensorflow as tf

        run = tf.function(run, jit_compile=True)
    result: tuple[Any, Any] = run(current, v, v_threshold)
    return result


def _in_graph_on_cpu() -> bool:
    import tensorflow as tf

    kinds = {device.device_type for device in tf.config.list_logical_devices()}
    return tf.inside_function() and kinds == {"CPU"}


def _in_place(
    current: Any, v: Any, v_threshold: Any, reset: str, time_steps: int | None
) -> tuple[Any, Any]:
    """The equations of `keras_proxy_snn.neuron`, on PyTorch without a new tensor for each term."""
    currents = current.unbind(1) if time_steps is None else (current,) * time_steps
    spikes = v.new_empty((v.shape[0], len(currents), *v.shape[1:]))
    for step, step_current in enumerate(currents):
        v = v.add_(step_current) if step else v + step_current
        fired = v >= v_threshold
        spikes[:, step] = fired
        if reset == "zero":
            v.masked_fill_(fired, 0.0)
        else:
            v.sub_(spikes[:, step] * v_threshold)
    return spikes, v
