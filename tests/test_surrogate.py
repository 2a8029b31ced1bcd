"""The surrogate gradient against NumPy: its derivative, and the chain rule through time by hand."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_proxy_snn as kps
from keras_proxy_snn import methods
from keras_proxy_snn.methods.surrogate import SurrogateModel, arctangent_spike
from keras_proxy_snn.neurons import equations
from keras_proxy_snn.neurons.neuron import RESETS, Neuron

from . import oracle
from .test_proxy import gradient

to_numpy = ops.convert_to_numpy


def slope(v, theta):
    """Derivative of the arctangent in v: x = (v - theta) / theta, alpha = 2."""
    return 1 / theta / (1 + (np.pi * (v - theta) / theta) ** 2)


@pytest.mark.parametrize("theta", [0.5, 1.0, 8.0])
def test_spikes_are_heavisides_and_their_derivative_is_the_arctangents(rng, theta):
    v = np.append(rng.normal(theta, 2, 200), [theta, np.nextafter(np.float32(theta), 0)])
    v = v.astype("float32")
    spikes = to_numpy(arctangent_spike(v, theta))
    np.testing.assert_array_equal(spikes, v >= theta)
    np.testing.assert_array_equal(spikes, to_numpy(equations.heaviside(ops.array(v), theta)))
    upstream = rng.normal(size=v.shape).astype("float32")
    (g,) = gradient(lambda v: ops.sum(ops.multiply(arctangent_spike(v, theta), upstream)), v)
    np.testing.assert_allclose(g, upstream * slope(v.astype(float), theta), rtol=1e-4, atol=1e-7)


def chain_rule(current, upstream, theta, reset):
    """dL/d current of L = sum upstream * spikes, backwards through time.

    u[t] = v[t-1] + I[t], s[t] = H(u[t] - theta), v[t] = u[t] - s[t] u[t] or u[t] - s[t] theta.
    """
    v, u, s = np.zeros(current.shape[1]), [], []
    for step in current:
        u.append(v + step)
        s.append((u[-1] >= theta).astype(float))
        v = u[-1] - s[-1] * (u[-1] if reset == "zero" else theta)
    to_v, to_current = np.zeros_like(v), np.zeros_like(current)
    for t in reversed(range(len(current))):
        lost = u[t] if reset == "zero" else theta
        kept = 1 - s[t] if reset == "zero" else 1.0
        to_spike = upstream[t] - to_v * lost
        to_v = to_spike * slope(u[t], theta) + to_v * kept  # now of u[t], which is of v[t-1] too
        to_current[t] = to_v
    return to_current


@pytest.mark.parametrize("reset", RESETS)
def test_backpropagation_through_time_is_the_chain_rule(reset):
    """Two neurons, three steps; each fires once, and not at the last step."""
    theta = 0.75
    current = np.array([[0.5, 1.0], [0.625, -0.25], [0.25, 0.125]])
    upstream = np.array([[1.0, -2.0], [0.5, 3.0], [-1.5, 1.0]])

    def loss(current):
        spikes, _ = equations.simulate(
            current[None], ops.zeros((1, 2)), Neuron(theta, reset), spike=arctangent_spike
        )
        return ops.sum(ops.multiply(spikes[0], upstream.astype("float32")))

    (g,) = gradient(loss, current.astype("float32"))
    np.testing.assert_allclose(g, chain_rule(current, upstream, theta, reset), rtol=1e-4)


def smooth_loss(weights, x, theta, reset, steps):
    """The network with an arctangent, whose derivative is the surrogate's, for its spikes."""

    def layer(currents):
        v, spikes = 0.0, []
        for current in currents:
            v = v + current
            s = 0.5 + np.arctan(np.pi * (v - theta) / theta) / np.pi
            v = v - s * (v if reset == "zero" else theta)
            spikes.append(s)
        return spikes

    first, second = weights
    counts = sum(layer([s @ second for s in layer([x @ first] * steps)]))
    return (counts**2).sum() / 2


@pytest.mark.parametrize("reset", RESETS)
def test_structure_against_finite_differences_of_a_smooth_stand_in(monkeypatch, rng, reset):
    """With spikes that are the arctangent itself the gradient is a true one."""
    theta, steps = 0.5, 4
    network = kps.build("5F-3F", input_shape=(2, 2, 1), v_threshold=theta, reset=reset, l2=0.0)
    network.time_steps = steps
    model = SurrogateModel(network)
    weights = [rng.normal(0.1, 0.5, w.shape) for w in model.get_weights()]
    x = rng.random((2, 2, 2, 1))
    monkeypatch.setattr(
        "keras_proxy_snn.methods.surrogate.arctangent_spike",
        lambda v, theta: 0.5 + ops.arctan(np.pi * (v - theta) / theta) / np.pi,
    )

    def loss(*values):
        state = list(zip(model.trainable_variables, values, strict=True))
        with keras.StatelessScope(state_mapping=state):
            return ops.sum(ops.square(model(x.astype("float32"), training=True))) / 2

    gradients = gradient(loss, *[w.astype("float32") for w in weights])
    flat, step = x.reshape(2, -1), 1e-5
    for number, w in enumerate(weights):
        for place in np.ndindex(*w.shape):
            near = [w.copy() for w in weights], [w.copy() for w in weights]
            near[0][number][place] -= step
            near[1][number][place] += step
            low, high = (smooth_loss(n, flat, theta, reset, steps) for n in near)
            assert gradients[number][place] == pytest.approx((high - low) / 2 / step, rel=2e-3)


@pytest.mark.parametrize("readout", ["counts", "potential"])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("spec", ["4C3-P2-6C3-8F-4F", "8F-4F"])
def test_forward_is_the_spiking_networks_bit_for_bit(rng, spec, reset, readout):
    fields = {"input_shape": (6, 6, 2), "time_steps": 5, "v_threshold": 0.5, "v_0": 0.25}
    network = kps.build(spec, reset=reset, readout=readout, use_bias=True, **fields)
    network.set_weights([oracle.dyadic(rng, w.shape) for w in network.get_weights()])
    model = SurrogateModel(network)
    x = oracle.dyadic(rng, (7, 6, 6, 2), low=0)
    answer = to_numpy(model(x, training=True))
    assert answer.std() > 0
    np.testing.assert_array_equal(answer, network.predict(x, verbose=0))
    np.testing.assert_array_equal(answer, to_numpy(model(x)))


def test_batch_norm_takes_the_statistics_of_batch_and_time(rng):
    network = kps.build("3C3-4F", input_shape=(4, 4, 1), time_steps=3, batch_norm=True)
    x = rng.random((5, 4, 4, 1)).astype("float32")
    SurrogateModel(network)(x, training=True)
    norm = network.ann.get_layer("conv1_batch_norm")
    current = oracle.conv_same(x, to_numpy(network.ann.get_layer("conv1").kernel))
    mean = 0.1 * current.mean(axis=(0, 1, 2))  # constant in time; momentum is 0.9
    np.testing.assert_allclose(to_numpy(norm.moving_mean), mean, rtol=1e-4, atol=1e-6)


@pytest.mark.any_backend
@pytest.mark.slow
def test_digits_are_learned_and_a_killed_training_goes_on(digits, tmp_path):
    (x, y), test = digits
    training = methods.Training(5, 32, validation_data=test, folder=tmp_path)
    trained = methods.fit("surrogate", "digits", x, y, training=training, time_steps=8)
    assert type(trained.network) is kps.ProxyModel
    accuracy = trained.network.evaluate(*test, verbose=0, return_dict=True)["accuracy"]
    assert accuracy > 0.87
    history = trained.history["surrogate"]
    assert len(history["loss"]) == 5
    # Validation is the spiking network's, batch norm folded, and not the unrolled steps'.
    assert history["val_accuracy"][-1] == pytest.approx(accuracy, abs=1e-6)
    again = methods.fit("surrogate", "digits", x, y, training=training, time_steps=8)
    assert again.history == trained.history
    for a, b in zip(again.network.get_weights(), trained.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
