"""Neurons over time as one kernel, where that is known to be faster."""

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
    """`keras_proxy_snn.neuron.simulate`, of large layers as one kernel on TensorFlow.

    Compiled by XLA, additions, comparisons and resets take one pass over the potentials and not
    five, and give the same bits (`benchmarks/NOTES.md`, "One XLA kernel for the neurons of a large
    batch"). That was seen on CPUs. On GPUs Keras compiles the whole step, and so it does on JAX.

    Args:
        current: As in `keras_proxy_snn.neuron.simulate`, and so are the others.
        v: Membrane potentials before the first step.
        v_threshold: Positive number, or a scalar tensor.
        reset: `"zero"` or `"subtract"`.
        time_steps: Number of steps for which a constant current flows.

    Returns:
        `(spikes, v)`.
    """
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
