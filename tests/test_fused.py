"""Neurons as one kernel: the same bits as the equations, and where they are compiled."""

import keras
import numpy as np
import pytest

from keras_proxy_snn.neurons import fastest
from keras_proxy_snn.neurons.neuron import RESETS, Neuron

from . import oracle

LARGE, SMALL = 2**16, 2**10
on_tensorflow = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="the kernel is TensorFlow's"
)


def graph(function, *arguments):
    """Results of a function of tensors traced as Keras traces a step, and the traced operations."""
    import tensorflow as tf

    traced = tf.function(function).get_concrete_function(*map(tf.constant, arguments))
    operations = [operation.type for operation in traced.graph.get_operations()]
    return traced(*map(tf.constant, arguments)), operations


def neurons(count, steps, seed=0):
    """Potentials, currents and a threshold at which rounding would show."""
    rng = np.random.default_rng(seed)
    current = rng.normal(0.3, 1.0, (2, steps, count) if steps else (2, count))
    return (
        current.astype("float32"),
        rng.normal(0, 1, (2, count)).astype("float32"),
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
