"""Thresholds that are trained: their neurons, their gradient, and that they are saved."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_proxy_snn import IF, IFDense, ProxyModel, build, build_ann, parse_spec
from keras_proxy_snn.layers import LearnedThreshold

from . import oracle

to_numpy = ops.convert_to_numpy
SPEC, SHAPE = "4C3-P2-6C3-8F-5F", (6, 6, 2)
HIDDEN = ("conv1", "conv2", "dense1")


def learned_model(rng, logarithms=(-0.7, 0.1, -0.3), **settings):
    """A model with these logarithms as thresholds, and 1/2 in the readout."""
    fields = {"proxy_activation": "clip", "readout_activation": "linear", "learn_threshold": True}
    ann = build_ann(parse_spec(SPEC), SHAPE, **fields)
    model = ProxyModel(ann, time_steps=7, v_threshold={"readout": 0.5}, **settings)
    for name, logarithm in zip(HIDDEN, logarithms, strict=True):
        ann.get_layer(name).set_weights([oracle.dyadic(rng, ann.get_layer(name).kernel.shape)])
        ann.get_layer(f"{name}_threshold").set_weights([np.float32(logarithm)])
    ann.get_layer("readout").set_weights([oracle.dyadic(rng, (8, 5))])
    return model


def kernels(model):
    return [to_numpy(layer.twin.kernel) for layer in model.snn.if_layers]


def images(rng, count=6):
    return oracle.dyadic(rng, (count, *SHAPE), low=0, high=257)


def test_neurons_have_the_thresholds_of_the_ann(rng):
    """Potentials are exact, so that spikes are right for a threshold of any value."""
    model = learned_model(rng)
    thetas = [layer.v_threshold for layer in model.snn.if_layers]
    np.testing.assert_allclose(thetas, [*np.exp([-0.7, 0.1, -0.3]), 0.5], rtol=1e-6)
    assert model.v_threshold == dict(zip((*HIDDEN, "readout"), thetas, strict=True))
    x = images(rng)
    spikes, _ = oracle.run(SPEC, kernels(model), x, 7, thetas, "zero")
    counts = model.predict(x, verbose=0)
    assert len(np.unique(counts)) > 2
    np.testing.assert_array_equal(counts, spikes[-1].sum(axis=1))


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("v_0", [0.0, 0.5])
def test_both_resets_from_any_start(rng, reset, v_0):
    model = learned_model(rng, (0, 0, 0), reset=reset, v_0=v_0)
    x = images(rng)
    spikes, _ = oracle.run(SPEC, kernels(model), x, 7, [1, 1, 1, 0.5], reset, v_0)
    np.testing.assert_array_equal(model.predict(x, verbose=0), spikes[-1].sum(axis=1))


def test_a_threshold_that_was_set_obeys_at_once_outside_of_a_graph(rng):
    """On JAX the network is compiled there, and the thresholds may not be constants of it."""
    model, x = learned_model(rng), images(rng)
    counts = to_numpy(model.snn(x))
    for layer, logarithm in zip(HIDDEN, (0.4, -0.2, 0.1), strict=True):
        model.ann.get_layer(f"{layer}_threshold").set_weights([np.float32(logarithm)])
    thetas = [*np.exp([0.4, -0.2, 0.1]), 0.5]
    spikes, _ = oracle.run(SPEC, kernels(model), x, 7, thetas, "zero")
    now = to_numpy(model.snn(x))
    np.testing.assert_array_equal(now, spikes[-1].sum(axis=1))
    assert (now != counts).any()


def test_a_saved_model_has_the_same_thresholds_and_counts(rng, tmp_path):
    model = learned_model(rng, v_0=0.5, readout="potential", reset="subtract")
    model.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    assert (again.v_threshold, again.v_0) == (model.v_threshold, 0.5)
    assert (again.readout, again.reset) == ("potential", "subtract")
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(theirs, ours)
    x = images(rng)
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    # Trained on, both networks move together still.
    name = "conv1_threshold"
    again.ann.get_layer(name).set_weights([np.float32(0.0)])
    assert again.snn.if_layers[0].v_threshold == 1.0


def test_a_layer_of_ones_own_is_saved_with_its_threshold(rng, tmp_path):
    x = oracle.dyadic(rng, (3, 4, 5))
    neurons = IF(v_threshold=LearnedThreshold(0.5), v_0=0.5)
    model = keras.Sequential([keras.Input((4, 5)), IFDense(3, v_threshold=0.5), neurons])
    neurons.get_config()
    model.set_weights([*model.get_weights()[:-1], np.float32(-1.0)])
    assert neurons.v_threshold == pytest.approx(np.exp(-1))
    model.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    assert again.layers[-1].v_threshold == neurons.v_threshold
    np.testing.assert_array_equal(to_numpy(again(x)), to_numpy(model(x)))


def test_the_gradient_is_that_of_the_formula(rng):
    """y = min(max(0, z / theta), 1), so dy / d log(theta) = -z / theta where 0 < z / theta < 1."""
    z, target = rng.normal(0.5, 1, (2, 8, 6)).astype("float32")
    layer = LearnedThreshold(1.5)
    model = keras.Sequential([keras.Input((6,)), layer, keras.layers.ReLU(max_value=1.0)])
    model.compile(keras.optimizers.SGD(1.0), loss="mse")
    theta, before = layer.value, float(to_numpy(layer.log_threshold))
    model.fit(z, target, batch_size=8, verbose=0)
    u = z.astype(float) / theta
    inside = (u > 0) & (u < 1)
    assert 0.2 < inside.mean() < 0.8
    expected = np.mean(2 * (np.clip(u, 0, 1) - target) * np.where(inside, -u, 0))
    np.testing.assert_allclose(before - float(to_numpy(layer.log_threshold)), expected, rtol=1e-4)


def test_the_gradient_of_the_proxy_is_taken_at_the_spike_counts(rng):
    """One hidden layer, c the SNN's counts: dL/dlog(theta) = sum of (2 (c - t) / n) W * dh."""
    fields = {"proxy_activation": "clip", "readout_activation": "linear", "learn_threshold": True}
    ann = build_ann(parse_spec("9F-4F"), (2, 3, 1), **fields)
    model = ProxyModel(ann, time_steps=5, v_threshold={"readout": 0.5}, v_0=0.5, reset="subtract")
    weights = [oracle.dyadic(rng, (6, 9)), oracle.dyadic(rng, (9, 4))]
    ann.get_layer("dense1").set_weights(weights[:1])
    ann.get_layer("readout").set_weights(weights[1:])
    model.compile(keras.optimizers.SGD(1.0), loss="mse")
    x = oracle.dyadic(rng, (8, 2, 3, 1), low=0, high=257)
    target = rng.normal(1, 1, (8, 4)).astype("float32")
    spikes, _ = oracle.run("9F-4F", weights, x, 5, [1.0, 0.5], "subtract", 0.5)
    counts = spikes[-1].sum(axis=1)
    model.fit(x, target, batch_size=8, verbose=0)
    z = x.reshape(8, 6).astype(float) @ weights[0].astype(float)
    to_hidden = 2 * (counts - target) / counts.size @ weights[1].T.astype(float)
    expected = np.sum(to_hidden * np.where((z > 0) & (z < 1), -z, 0))
    moved = to_numpy(ann.get_layer("dense1_threshold").log_threshold)
    assert abs(expected) > 0.01
    np.testing.assert_allclose(-float(moved), expected, rtol=1e-4)


def test_a_learned_readout_can_be_by_potential(rng):
    """Its threshold is needed in traced code."""
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, use_bias=False)]
    layers += [LearnedThreshold(1.0), keras.layers.ReLU(max_value=1.0)]
    ann = keras.Sequential([keras.Input((2, 2, 1)), *layers])
    model = ProxyModel(ann, time_steps=4, readout="potential", reset="subtract")
    ann.layers[1].set_weights([oracle.dyadic(rng, (4, 3))])
    x = oracle.dyadic(rng, (5, 2, 2, 1), low=0, high=257)
    current = x.reshape(5, 4).astype(float) @ to_numpy(ann.layers[1].kernel).astype(float)
    np.testing.assert_array_equal(model.predict(x, verbose=0), 4 * current)


def test_thresholds_are_among_the_trained_weights():
    model = build("digits", learn_threshold=True)
    names = [w.path.split("/")[-2] for w in model.trainable_variables if "threshold" in w.path]
    assert names == ["conv1_threshold", "conv2_threshold", "dense1_threshold"]
    values = [layer.v_threshold for layer in model.snn.if_layers]
    np.testing.assert_allclose(values, [0.5, 0.5, 0.5, 8.0], rtol=1e-6)
    assert LearnedThreshold(3.0).compute_output_shape((None, 4)) == (None, 4)


@pytest.mark.parametrize("theta", [0, -1.0, float("nan"), "1", None])
def test_an_initial_threshold_is_a_positive_number(theta):
    with pytest.raises(ValueError, match=r"`v_threshold` must be a positive number\. Received"):
        LearnedThreshold(theta)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"learn_threshold": True, "proxy_activation": "relu"}, "needs proxy_activation='clip'"),
        ({"readout": "spikes"}, r"`readout` must be one of \('counts', 'potential'\)\. .*'spikes'"),
        ({"v_0": 1.0}, r"in \[0, 1\)\. Received: 1.0"),
    ],
)
def test_bad_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        build("digits", **fields)
