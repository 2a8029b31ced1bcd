"""One layer of neurons for a chunk of steps, on `KERAS_BACKEND`."""

import zlib
from functools import partial

import numpy as np
from _devices import place
from _workers import Prepared
from keras import ops

from keras_proxy_snn.neurons import equations, fastest
from keras_proxy_snn.neurons.neuron import Neuron

BASE = 2**20


def prepare(settings):
    """Neurons with a bias and with reset to zero; the result is a checksum."""
    shape, dtype = settings["shape"], settings["dtype"]
    currents = _numbers((settings["batch"], settings["time_steps"], *shape), 0.3, seed=0)
    currents = ops.cast(ops.convert_to_tensor(currents), dtype)
    v = ops.convert_to_tensor(_numbers((settings["batch"], *shape), 0.0, seed=1))
    bias = ops.convert_to_tensor(_numbers(shape[-1:], 0.0, seed=2))
    if settings["way"] == "fused":
        run = partial(fastest.simulate, time_steps=None, bias=bias, spike_dtype=dtype)
    else:
        run = partial(equations.simulate, bias=bias)
    run, wait = _compiled(partial(run, neuron=Neuron()), settings["framework"])
    checksum = _checksum(*run(currents, v))

    def step():
        wait(run(currents, v))
        return checksum

    return Prepared(step, *place(settings["framework"]))


def _numbers(shape, mean, seed):
    """Normal numbers; large arrays repeat themselves."""
    base = np.random.default_rng(seed).normal(mean, 1.0, min(BASE, int(np.prod(shape))))
    return np.resize(base.astype("float32"), shape)


def _checksum(spikes, v):
    """Checksum of all bits."""
    bits = ops.convert_to_numpy(ops.cast(spikes, "bool"))
    return zlib.crc32(ops.convert_to_numpy(v).tobytes(), zlib.crc32(np.packbits(bits).tobytes()))


def _compiled(run, framework):
    """The function as a network of this backend runs it, and one that waits for its results."""
    if framework == "torch":
        import torch

        on_gpu = torch.cuda.is_available()
        return torch.no_grad()(run), lambda _: torch.cuda.synchronize() if on_gpu else None
    if framework == "jax":
        import jax

        return jax.jit(run), jax.block_until_ready
    import tensorflow as tf

    # One element is enough to wait for all.
    return tf.function(run), lambda results: float(tf.reshape(results[1], [-1])[0])
