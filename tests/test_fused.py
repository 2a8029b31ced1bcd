"""Neurons as one kernel: the same bits as the equations, and where they are compiled."""

import importlib

import keras
import numpy as np
import pytest

from keras_proxy_snn.layers import precision
from keras_proxy_snn.neurons import fastest
from keras_proxy_snn.neurons.neuron import RESETS, Neuron

from . import oracle

LARGE, SMALL = 2**16, 2**10
on_tensorflow = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="the kernel is TensorFlow's"
)
on_torch = pytest.mark.skipif(keras.config.backend() != "torch", reason="the pass is PyTorch's")
cpu = None
if keras.config.backend() == "torch":
    cpu = importlib.import_module("keras_proxy_snn.neurons.cpu")


def graph(function, *arguments):
    """Results of a function of tensors traced as Keras traces a step, and the traced operations."""
    import tensorflow as tf

    traced = tf.function(function).get_concrete_function(*map(tf.constant, arguments))
    operations = [operation.type for operation in traced.graph.get_operations()]
    return traced(*map(tf.constant, arguments)), operations


def neurons(count, steps, seed=0):
    """Potentials, currents and a threshold at which rounding would show."""
    rng, shape = np.random.default_rng(seed), np.atleast_1d(count)
    current = rng.normal(0.3, 1.0, (2, steps, *shape) if steps else (2, *shape))
    return (
        current.astype("float32"),
        rng.normal(0, 1, (2, *shape)).astype("float32"),
        np.float32(0.7),
    )


def equal(results, expected):
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(result), keras.ops.convert_to_numpy(wanted)
        )


def in_numpy(current, v, theta, reset, time_steps):
    """The oracle's spikes and potentials, in float32."""
    spikes, v = [], np.asarray(v)
    for step in range(time_steps or current.shape[1]):
        fired, v = oracle.fire(v, current if time_steps else current[:, step], theta, reset)
        spikes.append(fired)
    assert v.dtype == "float32"
    assert 0 < np.mean(spikes) < 1
    return np.stack(spikes, axis=1), v


@pytest.mark.parametrize("time_steps", [None, 3], ids=["currents", "constant current"])
@pytest.mark.parametrize("reset", RESETS)
def test_it_gives_the_bits_of_the_equations(reset, time_steps):
    current, v, theta = neurons(LARGE, None if time_steps else 3)
    expected = in_numpy(current, v, theta, reset, time_steps)
    before, tensors = v.copy(), map(keras.ops.convert_to_tensor, (current, v))
    current, v = tensors
    equal(fastest.simulate(current, v, Neuron(theta, reset), time_steps), expected)
    equal([v], [before])  # potentials before are the caller's


@on_tensorflow
@pytest.mark.parametrize("time_steps", [None, 3], ids=["currents", "constant current"])
@pytest.mark.parametrize("reset", RESETS)
def test_the_kernel_gives_the_bits_of_the_equations(reset, time_steps):
    current, v, theta = neurons(LARGE, None if time_steps else 3)
    results, operations = graph(
        lambda current, v: fastest.simulate(current, v, Neuron(theta, reset), time_steps),
        current,
        v,
    )
    assert "GreaterEqual" not in operations
    equal(results, in_numpy(current, v, theta, reset, time_steps))


@on_tensorflow
def test_small_layers_are_not_compiled():
    current, v, theta = neurons(SMALL, 2)
    results, operations = graph(lambda i, v: fastest.simulate(i, v, Neuron(theta)), current, v)
    assert operations.count("GreaterEqual") == 2
    equal(results, in_numpy(current, v, theta, "zero", None))


@on_tensorflow
@pytest.mark.slow
def test_a_network_trains_and_predicts_with_the_kernel_as_without(monkeypatch):
    import keras_proxy_snn as kps

    rng = np.random.default_rng(0)
    x, y = rng.random((5, 8, 8, 1)).astype("float32"), np.arange(5)
    seen = {}
    for least in (1, LARGE):
        monkeypatch.setattr(fastest, "_LEAST_NEURONS", least)
        keras.utils.set_random_seed(0)
        model = kps.build("digits", time_steps=5)
        model.fit(x, y, epochs=2, batch_size=2, shuffle=False, verbose=0)
        seen[least] = [model.predict(x, verbose=0), *model.get_weights()]
    equal(seen[1], seen[LARGE])


def pooled(spikes, rows, columns):
    """OR over windows side by side; what is below and to the right of them is dropped."""
    height, width = spikes.shape[2] // rows, spikes.shape[3] // columns
    cut = spikes[:, :, : rows * height, : columns * width]
    windows = cut.reshape(*cut.shape[:2], height, rows, width, columns, cut.shape[-1])
    return windows.max(axis=(3, 5))


@on_torch
@pytest.mark.parametrize("time_steps", [None, 3], ids=["currents", "constant current"])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("pool", [None, (1, 1), (2, 2), (2, 3), (3, 1)])
def test_one_pass_fires_and_pools_with_the_bits_of_the_equations(reset, time_steps, pool):
    # Neither rows nor columns are a multiple of 2 or 3.
    current, v, theta = neurons((41, 55, 32), None if time_steps else 3)
    bias = np.linspace(-0.25, 0.25, 32, dtype="float32")
    spikes, after = in_numpy(current + bias, v, theta, reset, time_steps)
    wanted = spikes if pool is None else pooled(spikes, *pool)
    current, v, bias = map(keras.ops.convert_to_tensor, (current, v, bias))
    assert cpu.applies(current, v, time_steps, "float32")
    rest = Neuron(theta, reset), time_steps, bias
    fired, left = fastest.fire(current, v, *rest, pool=pool)
    assert fired.pooled == (pool is not None)
    equal([fired.spikes, left], [wanted, after])
    np.testing.assert_allclose(float(fired.mean), spikes.mean(dtype="float64"), rtol=1e-7)
    equal(fastest.simulate(current, v, *rest), [spikes, after])


@on_torch
@pytest.mark.parametrize("time_steps", [None, 3], ids=["currents", "constant current"])
@pytest.mark.parametrize("spike_dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("pool", [None, (2, 2)])
def test_one_pass_takes_currents_and_gives_spikes_in_bfloat16(spike_dtype, time_steps, pool):
    current, v, theta = neurons((41, 55, 32), None if time_steps else 3)
    current = keras.ops.cast(keras.ops.convert_to_tensor(current), "bfloat16")
    exact = keras.ops.convert_to_numpy(keras.ops.cast(current, "float32"))
    spikes, after = in_numpy(exact, v, theta, "subtract", time_steps)
    wanted = spikes if pool is None else pooled(spikes, *pool)
    v = keras.ops.convert_to_tensor(v)
    assert cpu.applies(current, v, time_steps, spike_dtype)
    rest = Neuron(theta, "subtract"), time_steps, None, spike_dtype
    fired, left = fastest.fire(current, v, *rest, pool=pool)
    assert keras.backend.standardize_dtype(fired.spikes.dtype) == spike_dtype
    equal([keras.ops.cast(fired.spikes, "float32"), left], [wanted, after])
    np.testing.assert_allclose(float(fired.mean), spikes.mean(dtype="float64"), rtol=1e-7)


@on_torch
def test_one_pass_takes_features_and_arrays_of_any_strides():
    current, v, theta = neurons(LARGE, 4)
    expected = in_numpy(current, v, theta, "zero", None)
    turned = keras.ops.convert_to_tensor(np.ascontiguousarray(current.transpose(2, 0, 1)))
    turned = turned.permute(1, 2, 0)
    assert not turned.is_contiguous()
    v = keras.ops.convert_to_tensor(v)
    assert cpu.applies(turned, v, None, "float32")
    equal(fastest.simulate(turned, v, Neuron(theta)), expected)


@on_torch
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_network_has_the_same_spikes_with_and_without_the_pass(dtype, monkeypatch, rng):
    import keras_proxy_snn as kps

    settings = {"time_steps": 5, "v_threshold": 0.25, "current_dtype": dtype}
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)  # elsewhere it warns
    model = kps.build("8C3-P2-8C3-P2-10F", input_shape=(29, 29, 1), **settings)
    images = rng.integers(0, 257, (40, 29, 29, 1)).astype("float32") / 256
    model.set_weights([np.round(64 * w) / 64 for w in model.get_weights()])
    called = []
    kernel = cpu.simulate
    monkeypatch.setattr(cpu, "simulate", lambda *a: called.append(a[5:]) or kernel(*a))
    with_pass = model.snn.simulate(images)
    # Both convolutions; the readout is small, and sums in float32.
    assert {*called} == {(dtype, (2, 2)), ("float32", (2, 2))}
    monkeypatch.setattr(cpu, "numba_works", lambda: False)
    without = model.snn.simulate(images)
    assert float(with_pass.spike_counts.max()) > 0
    equal(with_pass[:2], [keras.ops.convert_to_numpy(x) for x in without[:2]])
    for rates in zip(with_pass.firing_rates, without.firing_rates, strict=True):
        np.testing.assert_allclose(*map(float, rates), rtol=1e-6)
    names = [stage.name for stage in model.snn.stages]
    assert [*model.snn.record(images[:2])] == names  # every stage has its spikes there
