"""Biases from mean firing rates: the step against NumPy, where it goes, and what it brings."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_proxy_snn as kps

from . import oracle
from .test_from_keras import residual_cnn

# Some networks here have no images, so no file can have them.
pytestmark = pytest.mark.filterwarnings("ignore:The network can be trained and saved")


def dense_model(**kwargs):
    hidden = layers.Dense(5, "relu", name="hidden")
    readout = layers.Dense(3, name="readout")
    cnn = keras.Sequential([keras.Input((4,)), hidden, readout])
    return kps.from_keras(cnn, 8, {"hidden": 0.5, "readout": 1.0}, **kwargs), hidden, readout


def test_a_step_is_the_error_over_the_share_that_can_change(rng):
    """Reset to zero discards currents, so that rates are too low even for constant ones."""
    model, hidden, readout = dense_model(reset="zero", v_0=0.0, proxy_activation="clip")
    w = oracle.dyadic(rng, (4, 5))
    hidden.set_weights([w, np.zeros(5)])
    x = oracle.dyadic(rng, (12, 4), low=0, high=257)
    before = readout.get_weights()
    left = kps.calibrate_biases(model, x, rounds=1, batch_size=5)

    spikes, _ = oracle.run("5F", [w], x, 8, 0.5, "zero")
    rates = spikes[0].sum(axis=1) / 8
    expected = np.clip(x @ w / 0.5, 0, 1).mean(axis=0)
    active = ((rates > 0) & (rates < 1)).mean(axis=0)
    step = 0.5 * (expected - rates.mean(axis=0)) / np.maximum(active, 0.3)
    np.testing.assert_allclose(hidden.get_weights()[1], step, atol=1e-6)
    np.testing.assert_array_equal(hidden.get_weights()[0], w)
    for one, other in zip(readout.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert list(left) == ["hidden"]
    assert left["hidden"] < np.abs(expected - rates.mean(axis=0)).mean()


def test_rates_of_deep_layers_become_those_of_the_proxy(rng):
    """Noise of uneven spikes makes them too high, the more so the deeper the layer."""
    image = keras.Input((8, 8, 1))
    x = image
    for i in range(6):
        x = layers.Conv2D(8, 3, padding="same", activation="relu", name=f"conv{i}")(x)
    cnn = keras.Model(image, layers.Dense(3, name="readout")(layers.Flatten()(x)))
    for layer in cnn.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([rng.normal(0, 1.5 / kernel[..., 0].size ** 0.5, kernel.shape), bias])
    images = rng.random((40, 8, 8, 1)).astype("float32")
    model = kps.from_keras(cnn, 8, calibrate="percentile", calibration_data=images)
    names = [layer.name for layer in cnn.layers if layer.weights][:-1]

    def too_many():
        """Mean rate less that of the ANN, in units of the latter, for each layer."""
        seen = kps.statistics.record(model, images, layers=names)
        gains = model.twin.gains
        ann = {name: np.clip(seen[name].activations / gains[name], 0, 1).mean() for name in names}
        return np.array([seen[name].firing_rate / ann[name] - 1 for name in names])

    assert np.all(too_many()[3:] > 0.03)
    # Expected are those of the ANN before it was changed.
    ann = model.ann.get_weights()
    left = kps.calibrate_biases(model, images)
    shifted = model.ann.get_weights()
    rates = kps.statistics.record(model, images, layers=names)
    model.ann.set_weights(ann)
    expected = kps.statistics.record(model, images, layers=names)
    for name in names:
        a = np.clip(expected[name].activations / model.twin.gains[name], 0, 1)
        assert rates[name].firing_rate == pytest.approx(a.mean(), rel=0.03), name
        assert left[name] < 0.01
    assert np.all(shifted[-1] == ann[-1])


def test_where_currents_meet_the_last_layer_is_shifted(rng):
    cnn = residual_cnn(widths=(4, 8))
    images = rng.random((12, 8, 8, 1)).astype("float32")
    calibration = {"calibrate": "percentile", "calibration_data": images}
    model = kps.from_keras(cnn, 4, reset="zero", v_0=0.0, **calibration)
    norms = [x for x in cnn.layers if isinstance(x, layers.BatchNormalization)]
    before = [norm.get_weights() for norm in norms]
    left = kps.calibrate_biases(model, images, rounds=1)
    assert len(left) == len(model.snn.if_layers) - 1
    changed = [
        [bool(np.any(a != b)) for a, b in zip(norm.get_weights(), old, strict=True)]
        for norm, old in zip(norms, before, strict=True)
    ]
    # The fifth is the shortcut's.
    assert [one[1] for one in changed] == [True, True, True, True, False, True]
    assert not any(one[0] or one[2] or one[3] for one in changed)


def test_currents_that_others_read_too_are_not_shifted(rng):
    """A layer without neurons of its own feeds two sums."""
    image = keras.Input((4, 4, 2))
    currents = layers.Conv2D(2, 1, name="shared")(image)
    one = layers.ReLU(name="one")(layers.Add()([currents, image]))
    two = layers.ReLU(name="two")(layers.Add()([layers.Conv2D(2, 1, name="own")(one), currents]))
    cnn = keras.Model(image, layers.Dense(3)(layers.Flatten()(two)))
    model = kps.from_keras(cnn, 4, reset="zero", v_0=0.0)
    before = cnn.get_layer("shared").get_weights()
    assert list(kps.calibrate_biases(model, rng.random((4, 4, 4, 2)))) == ["two"]
    for a, b in zip(cnn.get_layer("shared").get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.any(cnn.get_layer("own").get_weights()[1] != 0)


def test_recordings_are_calibrated_as_their_average(rng):
    model, hidden, _ = dense_model(events=True)
    frames = (rng.random((6, 8, 4)) < 0.5).astype("float32")
    assert list(kps.calibrate_biases(model, frames)) == ["hidden"]
    assert np.any(hidden.get_weights()[1] != 0)


def test_a_look_can_end_at_a_stage(rng):
    model, _, _ = dense_model()
    x = ops.convert_to_tensor(rng.random((2, 4)).astype("float32"))
    short, whole = ([*model.snn.walk(x, 2, until)] for until in ("if_hidden", None))
    assert [list(chunk) for chunk in short] == [["if_hidden"]] * 4
    for one, other in zip(short, whole, strict=True):
        for a, b in zip(one["if_hidden"], other["if_hidden"], strict=True):
            np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))


def test_bad_input_is_refused(rng):
    x = rng.random((4, 8, 8, 1))
    without = kps.from_keras(kps.build_ann(kps.parse_spec("4C3-10F"), (8, 8, 1)), 4)
    with pytest.raises(
        ValueError, match=r"must have a bias.*Received: 'ann', which has no such layer"
    ):
        kps.calibrate_biases(without, x)
    ann = kps.build_ann(kps.parse_spec("4C3-10F"), (8, 8, 1), use_bias=True)
    with pytest.raises(ValueError, match=r"spike_height='threshold'.*Received.*'conv1': 2.0"):
        kps.calibrate_biases(kps.ProxyModel(ann, 4, 2.0), x)
    model = kps.from_keras(ann, 4)
    with pytest.raises(ValueError, match=r"At least one image is needed.*Received: an empty"):
        kps.calibrate_biases(model, x[:0])
    with pytest.raises(ValueError, match=r"`rounds` must be a positive integer\. Received: 0"):
        kps.calibrate_biases(model, x, rounds=0)
    with pytest.raises(
        ValueError, match=r"`batch_size` must be a positive integer\. Received: 2.5"
    ):
        kps.calibrate_biases(model, x, batch_size=2.5)


def test_a_cnn_is_no_model():
    cnn = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(TypeError, match=r"from_keras makes one of a CNN\. Received: <Sequential"):
        kps.calibrate_biases(cnn, np.ones((2, 4)))
