"""Activations that a neuron can follow, against neurons in NumPy, and the proxy that has them."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_proxy_snn as kps
from keras_proxy_snn.training.responses import response

from . import oracle
from .test_proxy import gradient, softmax

# Of the networks here, some have no images, so no file can have them.
pytestmark = pytest.mark.filterwarnings("ignore:The network can be trained and saved")

to_numpy = ops.convert_to_numpy


@pytest.mark.parametrize(("steps", "v_0"), [(1, 0.5), (4, 0.5), (7, 0.0), (16, 0.25)])
def test_qcfs_is_the_mean_output_of_a_neuron_with_constant_current(steps, v_0):
    gain = 0.75
    current = (np.arange(-64, 256) / 128).astype("float32")  # thresholds met exactly among them
    v, counts = np.full(current.shape, v_0 * gain), 0
    for _ in range(steps):
        spikes, v = oracle.fire(v, current.astype(float), gain, "subtract")
        counts += spikes
    found = to_numpy(response(current, gain, "qcfs", steps, v_0))
    np.testing.assert_allclose(found * steps / gain, counts, atol=1e-5)


def test_clip_is_bounded_at_one_spike_a_step():
    a = np.float32([-1, 0, 0.25, 0.75, 4])
    found = to_numpy(response(a, 0.75, "clip", 4, 0.0))
    np.testing.assert_array_equal(found, np.float32([0, 0, 0.25, 0.75, 0.75]))


@pytest.mark.parametrize(
    ("activation", "passes"), [("clip", [0, 1, 1, 1, 0]), ("qcfs", [0, 1, 1, 0, 0])]
)
def test_the_derivative_is_one_as_far_as_the_neuron_follows(activation, passes):
    # With 4 steps and v_0 = 1/2 the highest level starts an eighth below the gain.
    a = np.float32([-0.5, 0.25, 0.75, 0.9, 1.5])
    (found,) = gradient(lambda a: ops.sum(response(a, 1.0, activation, 4, 0.5)), a)
    np.testing.assert_array_equal(found, passes)


def test_levels_are_whole_in_half_precision():
    a = ops.convert_to_tensor(np.float32([0.503]), "bfloat16")
    found = response(a, 1.0, "qcfs", 1000, 0.5)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    assert to_numpy(ops.cast(found, "float32"))[0] == pytest.approx(0.503, rel=2**-8)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("gain", [1.0, 0.7])
def test_one_start_for_all_neurons_gives_the_bits_of_a_start_for_each(gain, dtype, rng):
    """A single number may take a faster way; more numbers than one thread of it takes."""
    a = (rng.integers(-64, 192, (3, 150, 150)) / 64).astype("float32")
    a[0, 0, :4] = np.nan, np.inf, -np.inf, -0.0
    weights = ops.convert_to_tensor(rng.normal(size=a.shape), dtype)

    def weighted(a, v_0):
        return ops.sum(weights * response(ops.cast(a, dtype), gain, "qcfs", 5, v_0))

    starts = 0.25, ops.full(a.shape, 0.25)
    one, each = (response(ops.cast(a, dtype), gain, "qcfs", 5, v_0) for v_0 in starts)
    np.testing.assert_array_equal(*(to_numpy(ops.cast(r, "float32")) for r in (one, each)))
    one, each = (gradient(partial(weighted, v_0=v_0), a)[0] for v_0 in starts)
    assert 0.1 < np.mean(one != 0) < 0.5
    np.testing.assert_allclose(one, each, rtol=1e-6 if dtype == "float32" else 2**-7)


def small(activation):
    stack = [
        layers.Dense(5, "relu", use_bias=False, name="hidden"),
        layers.Dense(3, use_bias=False, name="readout"),
    ]
    cnn = keras.Sequential([keras.Input((4,)), *stack])
    theta = {"hidden": 0.5, "readout": 2.0}
    return kps.from_keras(cnn, 4, theta, readout="counts", proxy_activation=activation), stack


@pytest.mark.parametrize("activation", [None, "clip", "qcfs"])
def test_the_proxys_gradient_is_taken_at_these_activations(activation, rng):
    model, (hidden, readout) = small(activation)
    w1, w2 = oracle.dyadic(rng, (4, 5)), oracle.dyadic(rng, (5, 3))
    hidden.set_weights([w1])
    readout.set_weights([w2])
    x, y = oracle.dyadic(rng, (6, 4), low=0, high=257), np.array([0, 1, 2, 0, 1, 2])
    counts = model.predict(x, verbose=0)
    model.compile(keras.optimizers.SGD(1.0), kps.SpikeCountCrossentropy())
    model.fit(x, y, batch_size=6, verbose=0)

    z = x @ w1
    level = z * 4 / 0.5 + 0.5
    a, passes = {
        None: (np.maximum(z, 0), z > 0),
        "clip": (np.clip(z, 0, 0.5), (z > 0) & (z < 0.5)),
        "qcfs": (0.5 * np.floor(np.clip(level, 0, 4)) / 4, (z > 0) & (level < 4)),
    }[activation]
    error = (softmax(counts.astype(float)) - np.eye(3)[y]) / 6
    np.testing.assert_allclose(w2 - readout.get_weights()[0], a.T @ error, atol=1e-5)
    to_hidden = x.T @ ((error @ w2.T) * passes)
    np.testing.assert_allclose(w1 - hidden.get_weights()[0], to_hidden, atol=1e-5)


def test_it_can_change_between_trainings_and_is_saved(rng, tmp_path):
    model, (hidden, _) = small("clip")
    hidden.set_weights([np.full((4, 5), 1.0, "float32")])  # all currents above the threshold
    model.compile(keras.optimizers.SGD(1.0), kps.SpikeCountCrossentropy())
    x, y = rng.random((6, 4)).astype("float32") + 1, np.arange(6) % 3
    model.fit(x, y, verbose=0)
    np.testing.assert_array_equal(hidden.get_weights()[0], 1.0)
    model.proxy_activation = None
    model.fit(x, y, verbose=0)
    assert np.any(hidden.get_weights()[0] != 1.0)
    model.proxy_activation = "qcfs"
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").proxy_activation == "qcfs"


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match=r"`proxy_activation` must be one of.*Received: 'gelu'"):
        small("gelu")


def test_the_ann_by_itself_has_the_steps_of_its_neurons(rng):
    model, (hidden, readout) = small("qcfs")
    w1, w2 = oracle.dyadic(rng, (4, 5)), oracle.dyadic(rng, (5, 3))
    hidden.set_weights([w1])
    readout.set_weights([w2])
    x = oracle.dyadic(rng, (6, 4), low=0, high=257)
    ann = kps.QuantisedANN(model, levels=8, seed=0)
    a = 0.5 * np.floor(np.clip(x @ w1 * 8 / 0.5 + 0.5, 0, 8)) / 8
    np.testing.assert_allclose(ann.predict(x, verbose=0), a @ w2, atol=1e-6)
    assert ann.compute_output_shape((None, 4)) == (None, 3)

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    ann.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    history = ann.fit(x, np.arange(6) % 3, verbose=0).history
    assert set(history) == {"accuracy", "loss"}
    # It has the model's very layers.
    assert np.any(hidden.get_weights()[0] != w1)


def test_dithered_steps_are_right_in_the_mean(rng):
    image = keras.Input((1000,))
    outputs = layers.Dense(1000, use_bias=False, name="out")(layers.ReLU(name="neurons")(image))
    cnn = keras.Model(image, outputs)
    cnn.get_layer("out").set_weights([np.eye(1000, dtype="float32")])
    model = kps.from_keras(cnn, 4)
    ann = kps.QuantisedANN(model, levels=4, seed=0)
    x = np.float32([[0.3] * 1000, [0.75] * 1000, [2.0] * 1000])
    found = to_numpy(ann(x, training=True))
    # 0.3 is 1.2 steps: 1 with a chance of 0.8, else 2. What is a whole number of steps stays.
    assert set(np.unique(found[0])) == {0.25, 0.5}
    assert found[0].mean() == pytest.approx(0.3, abs=4 * 0.25 * np.sqrt(0.16 / 1000))
    np.testing.assert_array_equal(found[1:], np.minimum(x[1:], 1))
    assert np.any(to_numpy(ann(x, training=True)) != found)
    plain = to_numpy(kps.QuantisedANN(model, levels=4, dither=False)(x, training=True))
    np.testing.assert_array_equal(plain[0], 0.25)


def test_the_ann_of_a_model_of_events_sees_their_average(rng):
    cnn = keras.Sequential([keras.Input((4,)), layers.Dense(3, use_bias=False)])
    model = kps.from_keras(cnn, 4, events=True)
    frames = rng.random((5, 4, 4)).astype("float32")
    found = kps.QuantisedANN(model).predict(frames, verbose=0)
    expected = cnn.predict(frames.mean(axis=1), verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_its_config_keeps_every_argument():
    fields = {"levels": 3, "dither": False, "seed": 5, "name": "steps", "dtype": "mixed_bfloat16"}
    config = kps.QuantisedANN(small("qcfs")[0], **fields).get_config()
    again = kps.QuantisedANN.from_config(config)
    assert (again.levels, again.dither, again.name) == (3, False, "steps")
    assert (again.get_config()["seed"], again.dtype_policy.name) == (5, "mixed_bfloat16")


@pytest.mark.parametrize("levels", [0, 2.5, True])
def test_levels_are_a_positive_integer(levels):
    with pytest.raises(
        ValueError, match=f"`levels` must be a positive integer. Received: {levels}"
    ):
        kps.QuantisedANN(small("qcfs")[0], levels=levels)


def test_what_is_set_on_a_quantised_ann_obeys_at_once_and_is_saved(rng, tmp_path):
    ann = kps.QuantisedANN(small("qcfs")[0], levels=4, dither=False)
    x = rng.random((4, *ann.model.image_shape)).astype("float32")
    before = ann.predict(x, verbose=0)
    ann.levels = 1
    few = ann.predict(x, verbose=0)
    assert np.abs(few - before).max() > 0
    np.testing.assert_array_equal(few, kps.QuantisedANN(ann.model, levels=1).predict(x, verbose=0))
    ann.save(tmp_path / "ann.keras")
    loaded = keras.models.load_model(tmp_path / "ann.keras")
    assert (loaded.levels, loaded.dither) == (1, False)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), few)
    with pytest.raises(ValueError, match="`levels` must be a positive integer"):
        ann.levels = 0
    with pytest.raises(TypeError, match="`dither` must be True or False"):
        ann.dither = "no"


def test_a_quantised_ann_refuses_what_the_model_refuses(rng):
    ann = kps.QuantisedANN(small("qcfs")[0])
    ann.compile("sgd", kps.SpikeCountCrossentropy())
    classes = ann.model.classes
    x, y = rng.random((4, *ann.model.image_shape)).astype("float32"), np.arange(4) % classes
    for method in (ann.fit, ann.evaluate, ann.train_on_batch):
        with pytest.raises(ValueError, match="Labels must be whole numbers"):
            method(x, y + classes)
        with pytest.raises(ValueError, match="Pixels must be finite"):
            method(x * np.nan, y)
    with pytest.raises(ValueError, match=f"Received: {len(y)} other labels since the last check"):
        ann.fit(
            (batch for batch in [(x, y + classes)]), steps_per_epoch=1, shuffle=False, verbose=0
        )
    with pytest.raises(TypeError, match="`model` must be a ProxyModel"):
        kps.QuantisedANN(ann.model.ann)
