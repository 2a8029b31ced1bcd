"""The kernels for GPUs against the equations; interpreted where there is no GPU."""

import importlib
import importlib.util
from functools import partial

import keras
import numpy as np
import pytest
from keras import ops

from keras_proxy_snn.neurons import equations, fastest
from keras_proxy_snn.neurons.neuron import RESETS, Neuron
from keras_proxy_snn.simulation import chunks

BACKEND = keras.config.backend()
if BACKEND == "tensorflow":
    pytest.skip("the kernels are for JAX and PyTorch", allow_module_level=True)
GPU = chunks.on_gpu(ops.zeros(1))
# Two blocks of neurons, of which the second is not full.
SHAPE = (7, 30, 7)


@pytest.fixture(scope="module")
def kernel():
    if BACKEND == "jax":
        pytest.importorskip("jax.experimental.pallas.triton", reason="the kernel is Pallas's")
        module = importlib.import_module("keras_proxy_snn.neurons.pallas")
        yield partial(module.simulate, interpret=not GPU)
        return
    pytest.importorskip("triton", reason="the kernel is Triton's")
    with pytest.MonkeyPatch.context() as patch:
        if not GPU:
            patch.setenv("TRITON_INTERPRET", "1")
        # Its decorators ask at import whether to interpret.
        yield importlib.reload(importlib.import_module("keras_proxy_snn.neurons.triton")).simulate


def tensor(rng, mean, deviation, shape, dtype="float32"):
    return ops.cast(ops.convert_to_tensor(rng.normal(mean, deviation, shape)), dtype)


def equal(left, right):
    arrays = (ops.convert_to_numpy(ops.cast(x, "float32")) for x in (left, right))
    np.testing.assert_array_equal(*arrays)


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("time_steps", [None, 3], ids=["currents", "constant current"])
@pytest.mark.parametrize("learned", [False, True], ids=["number", "learned threshold"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_kernel_gives_the_bits_of_the_equations(kernel, dtype, learned, time_steps, reset):
    rng = np.random.default_rng(0)
    current = tensor(rng, 0.3, 1, (2, *SHAPE) if time_steps else (2, 3, *SHAPE), dtype)
    v = tensor(rng, 0, 1, (2, *SHAPE))
    bias = None if learned else tensor(rng, 0, 0.1, SHAPE[-1:])
    theta = ops.convert_to_tensor(0.7, "float32") if learned else 0.7
    before = ops.copy(v)
    neuron = Neuron(0.7, reset).at(theta)
    spikes, after = kernel(current, v, neuron, time_steps, bias, dtype)
    expected = equations.simulate(current, v, neuron, time_steps, bias=bias)
    assert keras.backend.standardize_dtype(spikes.dtype) == dtype
    assert 0.1 < float(ops.mean(ops.cast(spikes, "float32"))) < 0.9
    equal(spikes, expected[0])
    equal(after, expected[1])
    equal(v, before)  # potentials before are the caller's


def test_no_images_give_no_spikes(kernel):
    nothing = ops.zeros((0, 4, *SHAPE))
    spikes, after = kernel(nothing, nothing[:, 0], Neuron(), None, None, "float32")
    assert spikes.shape == (0, 4, *SHAPE)
    assert after.shape == (0, *SHAPE)


@pytest.mark.skipif(not GPU, reason="needs a GPU")
def test_networks_on_a_gpu_run_the_kernel(monkeypatch):
    import keras_proxy_snn as kps

    ran = []
    name = {"jax": "pallas", "torch": "triton"}[BACKEND]
    module = importlib.import_module(f"keras_proxy_snn.neurons.{name}")
    real = module.simulate
    monkeypatch.setattr(module, "simulate", lambda *args: ran.append(1) or real(*args))
    model = kps.build("digits", time_steps=4)
    model.predict(np.ones((2, 8, 8, 1), "float32"), verbose=0)
    assert len(ran) >= len(model.snn.if_layers)


@pytest.mark.skipif(BACKEND != "jax", reason="JAX's choice")
def test_on_jax_the_equations_run_where_no_gpu_is_or_many_devices_are(monkeypatch):
    import jax

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    current, v = np.full((1, 3, 4), 0.5, "float32"), np.zeros((1, 4), "float32")

    def lowered():
        run = jax.jit(lambda c, v: fastest.simulate(c, v, Neuron(), None, None, "bfloat16"))
        traced = run.trace(current, v)
        return "pallas_call" in str(traced.jaxpr), run(current, v)

    offered, (spikes, _) = lowered()
    assert offered  # but on a processor it is not what runs
    equal(spikes, np.float32([[[0] * 4, [1] * 4, [0] * 4]]))
    device = keras.distribution.list_devices()[:1]
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=device))
    try:
        assert not lowered()[0]
    finally:
        keras.distribution.set_distribution(None)
