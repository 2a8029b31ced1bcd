"""Conversions against NumPy, and against their own ANNs, exactly where that is possible."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_proxy_snn as kps
from keras_proxy_snn import methods
from keras_proxy_snn.cnn.build import POOLINGS
from keras_proxy_snn.conversion import thresholds as calibration
from keras_proxy_snn.methods import _conversion, qcfs, rnl
from keras_proxy_snn.presets import Preset

from . import oracle
from .test_proxy import gradient

to_numpy = ops.convert_to_numpy
METHODS = [name for name in methods.METHODS if name.startswith("conversion")]
SMALL = {"spec": "8C3-8C3-P2-32F-10F"}


def predict(model, x, time_steps=None):
    steps = {} if time_steps is None else {"time_steps": time_steps}
    return np.asarray(model.predict(x, verbose=0, batch_size=100, **steps))


def accuracy(outputs, y):
    return np.mean(outputs.argmax(axis=-1) == y)


# QCFS


def qcfs_formula(x, height, levels):
    return height * np.clip(np.floor(x * levels / height + 0.5) / levels, 0, 1)


@pytest.mark.parametrize("levels", [1, 2, 4, 8])
def test_qcfs_equals_its_formula(levels):
    x = (np.arange(-200, 900) / 128).astype("float32")  # ties of the rounding among them
    layer = qcfs.QCFS(levels, 4.0)
    np.testing.assert_array_equal(to_numpy(layer(x)), qcfs_formula(x, 4.0, levels))


def test_qcfs_starts_at_eight_with_four_levels():
    x = np.float32([0.9, 1.1, 2.9, 3.1, 100])
    assert to_numpy(qcfs.QCFS()(x)).tolist() == [0, 2, 2, 4, 8]


def test_qcfs_derivatives_are_those_of_a_straight_through_floor(rng):
    height, levels = 3.0, 4
    x = rng.uniform(-2, 6, 400).astype("float32")
    upstream = rng.normal(size=400).astype("float32")
    layer = qcfs.QCFS(levels, height)

    def loss(x, height):
        y, _ = layer.stateless_call([height], [], x)
        return ops.sum(ops.multiply(y, upstream))

    to_x, to_height = gradient(loss, x, np.float32(height))
    half = height / (2 * levels)
    inside, above = (-half < x) & (x < height - half), x >= height - half
    np.testing.assert_allclose(to_x, upstream * inside, rtol=1e-5)
    y = qcfs_formula(x.astype(float), height, levels)
    expected = np.sum(upstream * np.where(inside, (y - x) / height, above))
    np.testing.assert_allclose(to_height, expected, rtol=1e-4)


@pytest.mark.parametrize("levels", [0, -1, 2.0, True])
def test_qcfs_needs_levels(levels):
    with pytest.raises(ValueError, match=r"`levels` must be a positive integer. Received"):
        qcfs.QCFS(levels)


@pytest.mark.parametrize("initial", [0, -1.0, float("nan")])
def test_qcfs_needs_a_positive_lambda(initial):
    with pytest.raises(ValueError, match=r"`initial` must be a positive number. Received"):
        qcfs.QCFS(4, initial)


@pytest.mark.any_backend
def test_without_batch_norm_lambda_starts_at_two_standard_deviations(rng):
    plain = kps.build(**SMALL, name="digits", proxy_activation="relu").ann
    ann = _conversion.variant(plain, lambda name: qcfs.QCFS(name=f"{name}_new"))
    x = rng.random((50, 8, 8, 1)).astype("float32")
    qcfs._start_at_currents(ann, x)
    first = float(to_numpy(ann.layers[1].spike_height))
    np.testing.assert_allclose(first, 2 * to_numpy(plain.layers[0](x)).std(), rtol=1e-4)


# Rate norm layer


def sigmoid(s):
    return 1 / (1 + np.exp(-s))


def test_rate_norm_updates_its_maximum_before_use(rng):
    layer, m = rnl.RateNorm(rnl.SharedScale()), 1.0
    for _ in range(3):
        x = rng.normal(0, 3, (5, 7)).astype("float32")
        m = 0.9 * m + 0.1 * max(x.max(), 0)
        theta = sigmoid(10.0) * m + 1e-6
        y = to_numpy(layer(x, training=True))
        np.testing.assert_allclose(y, np.clip(np.maximum(x, 0) / theta, 0, 1), rtol=1e-5)
    after = to_numpy(layer(2 * x, training=False))
    np.testing.assert_allclose(after, np.clip(2 * np.maximum(x, 0) / theta, 0, 1), rtol=1e-5)
    assert layer.v_threshold == pytest.approx(theta, rel=1e-6)


@pytest.mark.parametrize("differentiate_max", [False, True])
def test_rate_norm_derivatives(rng, differentiate_max):
    s, m = 0.5, 1.0
    x = rng.uniform(-2, 3, 60).astype("float32")
    upstream = rng.normal(size=60).astype("float32")
    scale = rnl.SharedScale(s)
    layer = rnl.RateNorm(scale, differentiate_max)
    assert layer.trainable_variables == [scale.s]

    def loss(x, s):
        y, _ = layer.stateless_call([s], [layer.running_max], x, training=True)
        return ops.sum(ops.multiply(y, upstream))

    to_x, to_s = gradient(loss, x, np.float32(s))
    m = 0.9 * m + 0.1 * x.max()
    theta = sigmoid(s) * m + 1e-6
    inside = (x > 0) & (x < theta)
    to_theta = np.sum(upstream * inside * -x / theta**2)
    expected = upstream * inside / theta
    if differentiate_max:
        expected[x.argmax()] += to_theta * sigmoid(s)
    np.testing.assert_allclose(to_x, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(to_s, to_theta * m * sigmoid(s) * sigmoid(-s), rtol=1e-3)


def test_the_second_phase_trains_the_scale_alone(rng):
    x, y = rng.random((40, 8, 8, 1)).astype("float32"), rng.integers(0, 10, 40)
    preset = Preset("4C3-P2-6F-10F", (8, 8, 1), batch_norm=True)
    scale = rnl.SharedScale()
    plain = methods.ann.preset_model(preset, **_conversion.PLAIN).ann
    ann = _conversion.variant(plain, lambda name: rnl.RateNorm(scale, name=f"{name}_new"))
    methods.ann.compile_ann(ann, preset)
    before = [to_numpy(w) for w in ann.weights if w is not scale.s]
    logs = rnl.fit_scale(ann, scale, x, y, methods.Training(epochs=1), "scale")
    after = [to_numpy(w) for w in ann.weights if w is not scale.s]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert float(to_numpy(scale.s)) <= 4.0
    # Its loss is sum(y) / ||y||^2 of both layers, at s = 4.
    scale.s.assign(4.0)
    expected, values = 0.0, x
    for layer in ann.layers:
        values = to_numpy(layer(values))
        if isinstance(layer, rnl.RateNorm):
            expected += values.sum() / (np.sum(values**2) + 1e-5)
    assert logs["loss"][0] == pytest.approx(expected, rel=1e-4)


def test_the_second_phase_goes_back_when_accuracy_falls():
    scale = rnl.SharedScale(4.0)
    stop = rnl._StopBelow(0.9, scale)
    stop.set_model(keras.Sequential())
    stop.model.stop_training = False
    for s, reached in [(3.0, 0.95), (2.0, 0.9), (1.0, 0.89)]:
        stop.on_epoch_begin(0)
        scale.s.assign(s)
        stop.on_epoch_end(0, {"accuracy": reached})
    assert stop.model.stop_training
    assert float(to_numpy(scale.s)) == 2.0


def test_rate_norm_needs_a_scale():
    with pytest.raises(ValueError, match=r"`scale` must be a SharedScale. Received: 1.0"):
        rnl.RateNorm(1.0)


# Percentiles


def test_percentiles_are_those_of_nonzero_activations(rng):
    ann = kps.build("digits", proxy_activation="relu").ann
    x = rng.random((70, 8, 8, 1)).astype("float32")
    found = {p: calibration.activation_percentiles(ann, x, p) for p in (99.9, 50, 100)}
    values = x
    for layer in ann.layers:
        values = to_numpy(layer(values))
        if isinstance(layer, keras.layers.ReLU):
            for p, by_layer in found.items():
                expected = np.percentile(values[values > 0], p)
                name = layer.name.removesuffix("_relu")
                np.testing.assert_allclose(by_layer[name], expected, rtol=1e-5)
    assert list(found[50]) == ["conv1", "conv2", "dense1", "readout"]


def test_a_silent_layer_has_no_percentile():
    ann = kps.build("digits", proxy_activation="relu").ann
    with pytest.raises(ValueError, match=r"above zero .* only zeros in \['conv1', 'conv2'"):
        calibration.activation_percentiles(ann, np.zeros((3, 8, 8, 1)))


@pytest.mark.parametrize("p", [0, -1, 100.1, float("nan")])
def test_a_percentile_is_in_its_range(p):
    with pytest.raises(ValueError, match=r"`percentile` must be in \(0, 100\]. Received"):
        calibration.activation_percentiles(None, None, p)


# Conversion


def plain_ann(spec, shape, rng, **fields):
    """An ANN with ReLUs, its weights, biases and batch normalisation random."""
    preset = Preset(spec, shape, **fields)
    ann = methods.ann.preset_model(preset, **_conversion.PLAIN).ann
    for variable in ann.weights:
        low, high = (0.5, 2.0) if "variance" in variable.path else (-0.4, 0.6)
        variable.assign(rng.uniform(low, high, variable.shape))
    return preset, ann


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("fields", [{}, {"use_bias": True}, {"batch_norm": True}])
def test_the_normalised_ann_gives_the_anns_outputs(rng, pooling, fields):
    """Maps of 14, 7 and 3: the last row of 7 is in no window."""
    preset, ann = plain_ann("4C3-P2-5C3-P2-6F-3F", (14, 14, 2), rng, pooling=pooling, **fields)
    x = rng.random((6, 14, 14, 2)).astype("float32")
    heights = {"conv1": 2.5, "conv2": 0.7, "dense1": 11.0}
    before = [to_numpy(w) for w in ann.weights]
    model = _conversion.convert(preset, ann, heights, heights)
    expected = predict(ann, x)
    np.testing.assert_allclose(predict(model.ann, x), expected, rtol=1e-3, atol=1e-3)
    for one, other in zip(before, ann.weights, strict=True):
        np.testing.assert_array_equal(one, to_numpy(other))
    names = {type(layer).__name__ for layer in model.ann.layers}
    assert "BatchNormalization" not in names
    assert ("MaxPooling2D" in names) == (pooling == "max")
    assert model.reset == "subtract"
    assert model.readout == "potential"


def test_rates_are_the_activations_where_these_are_multiples_of_one_step(rng):
    """Currents are multiples of theta / T, so that each neuron's excess at the end is zero."""
    steps, theta = 8, 2.0
    preset, ann = plain_ann("4C3-5F", (5, 5, 1), rng)
    ann.set_weights([np.round(2 * w) / 2 for w in ann.get_weights()])
    x = np.round(rng.random((20, 5, 5, 1)) * 4).astype("float32") / 2  # z: multiples of 1/4
    model = _conversion.convert(preset, ann, {"conv1": theta}, {"conv1": theta}, max_rate=1.0)
    model.time_steps = steps
    rates = to_numpy(model.snn.record(x)["if_conv1"]).mean(axis=1)
    kernels = [np.asarray(w, float) for w in ann.get_weights()]
    activations = np.clip(oracle.conv_same(x.astype(float), kernels[0]), 0, theta)
    assert len(np.unique(activations)) == steps + 1
    np.testing.assert_array_equal(theta * rates, activations)
    np.testing.assert_array_equal(predict(model, x), steps * predict(model.ann, x))
    expected = steps * activations.reshape(len(x), -1) @ kernels[1]
    np.testing.assert_array_equal(predict(model, x), expected)


@pytest.mark.any_backend
def test_with_as_many_steps_as_levels_the_outputs_are_those_of_the_qcfs_ann(rng):
    levels, height = 4, 2.0
    preset, plain = plain_ann("4C3-5F", (5, 5, 1), rng, readout_v_threshold=4.0)
    plain.set_weights([oracle.dyadic(rng, w.shape, 16, -16, 24) for w in plain.get_weights()])
    x = oracle.dyadic(rng, (20, 5, 5, 1), 16, 0, 17)
    ann = _conversion.variant(plain, lambda name: qcfs.QCFS(levels, height, name=f"{name}_new"))
    heights = {"conv1": height}
    model = _conversion.convert(preset, plain, heights, heights, max_rate=1.0, v_0=0.5)
    summed = (predict(model, x, levels) - 0.5) * 4.0  # without what the readout started with
    np.testing.assert_array_equal(summed / levels, predict(ann, x))
    assert len(np.unique(to_numpy(ann.layers[1](ann.layers[0](x))))) == levels + 1


def test_ten_images_are_needed(digits):
    (x, y), _ = digits
    with pytest.raises(ValueError, match=r"At least 10 images are needed. Received: 9"):
        methods.fit("conversion_rnl", "digits", x[:9], y[:9], training=methods.Training(1))


# Whole methods


@pytest.mark.any_backend
@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_digits(digits, method):
    (x, y), (x_test, y_test) = digits
    budget = methods.Training(epochs=10, batch_size=32)
    trained = methods.fit(method, "digits", x, y, training=budget, **SMALL)
    model = trained.network
    ann = accuracy(predict(model.ann, x_test), y_test)
    reached = accuracy(predict(model, x_test, 64), y_test)
    # The small network without batch norm is at 87 to 94 % itself, as an RNL at the least; the OR
    # of spikes costs up to 7 points more.
    assert reached > 0.8
    assert not methods.METHODS[method].at_time_steps
    if method.endswith("_average"):
        assert abs(reached - ann) < 0.012
    if "qcfs" in method:
        assert accuracy(predict(model, x_test, 4), y_test) > 0.85
    score = model.evaluate(x_test, y_test, verbose=0, return_dict=True, time_steps=64)
    assert score["accuracy"] == pytest.approx(reached, abs=1e-6)


@pytest.mark.parametrize(
    "method", ["ann_as_snn", "conversion_percentile", "conversion_qcfs", "conversion_rnl"]
)
def test_a_folder_gives_the_same_network_again(digits, method, tmp_path):
    (x, y), _ = digits
    budget = methods.Training(epochs=1, folder=tmp_path, validation_data=(x[:50], y[:50]))
    fields = {"training": budget, "batch_norm": True, **SMALL}
    first = methods.fit(method, "digits", x[:300], y[:300], **fields)
    keras.utils.set_random_seed(7)
    again = methods.fit(method, "digits", x[:300], y[:300], **fields)
    assert again.history == first.history
    assert again.facts == first.facts
    np.testing.assert_array_equal(predict(first.network, x[:50]), predict(again.network, x[:50]))


@pytest.mark.any_backend
def test_robust_normalisation_takes_the_plain_anns_folder(digits, tmp_path):
    (x, y), _ = digits
    budget = methods.Training(epochs=1, folder=tmp_path)
    ann = methods.fit("ann", "digits", x[:300], y[:300], training=budget)
    keras.utils.set_random_seed(7)
    for method in ("ann_as_snn", "conversion_percentile"):
        model = methods.fit(method, "digits", x[:300], y[:300], training=budget).network
        expected = predict(ann.network, x[:20])
        np.testing.assert_allclose(predict(model.ann, x[:20]), expected, rtol=1e-3, atol=1e-4)


def test_the_ann_as_it_is_has_the_presets_thresholds(digits):
    (x, y), _ = digits
    budget = methods.Training(epochs=1)
    model = methods.fit("ann_as_snn", "digits", x[:100], y[:100], training=budget).network
    assert model.v_threshold == {"conv1": 0.5, "conv2": 0.5, "dense1": 0.5, "readout": 8.0}
    assert (model.reset, model.readout, model.v_0) == ("subtract", "potential", 0.0)
