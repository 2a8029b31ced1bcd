"""Extreme numbers, and every way in which `fit` can be run, against NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_proxy_snn import ProxyModel, SpikeCountCrossentropy
from keras_proxy_snn.cnn.build import build_ann
from keras_proxy_snn.cnn.spec import parse_spec

from . import oracle

to_numpy = ops.convert_to_numpy
SHAPE, CLASSES, THETA, STEPS, RATE = (2, 2, 1), 3, 0.5, 5, 0.25
HIDDEN = "6F-3F"


def network(spec=HIDDEN, shape=SHAPE, time_steps=STEPS, v_threshold=THETA, **settings):
    ann = build_ann(parse_spec(spec), shape, v_threshold=v_threshold)
    return ProxyModel(ann, time_steps, v_threshold, **settings)


# Thresholds, T, and networks that never or always fire


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize(("theta", "unit"), [(2.0**-126, 2.0**-126), (2.0**126, 2.0**123)])
def test_thresholds_at_the_ends_of_float32(rng, theta, unit, reset):
    model = network(time_steps=3, v_threshold=theta, reset=reset)
    weights = [(rng.integers(-2, 4, w.shape) * unit).astype("float32") for w in model.get_weights()]
    model.set_weights(weights)
    x = rng.integers(0, 2, (8, *SHAPE)).astype("float32")
    spikes, potentials = oracle.run(HIDDEN, weights, x, 3, theta, reset)
    assert 0 < spikes[0].mean() < 1
    simulation = model.snn.simulate(x)
    np.testing.assert_array_equal(to_numpy(simulation.spike_counts), spikes[-1].sum(axis=1))
    np.testing.assert_array_equal(to_numpy(simulation.potential), potentials[-1])


@pytest.mark.parametrize("steps", [1, 10_000])
@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_one_step_and_ten_thousand(reset, steps):
    """Of a constant current I, the counts are floor(T I / theta), or T over the period."""
    current = np.arange(-64, 192).astype("float32") / 256
    model = network("256F", (1, 1, 1), reset=reset)
    model.set_weights([current[None]])
    counts = model.predict(np.ones((1, 1, 1, 1), "float32"), verbose=0, time_steps=steps)[0]
    if reset == "subtract":
        expected = np.clip(np.floor(steps * current / THETA), 0, steps)
    else:
        with np.errstate(divide="ignore"):
            expected = np.where(current > 0, steps // np.ceil(THETA / current), 0)
    np.testing.assert_array_equal(counts, expected)


def test_networks_that_never_and_that_always_fire():
    model = network("2C3-P2-5F-3F", (4, 4, 1))
    model.compile(keras.optimizers.SGD(RATE), SpikeCountCrossentropy(), metrics=["accuracy"])
    x, y = np.ones((6, 4, 4, 1), "float32"), np.arange(6) % CLASSES
    for value, rate, distance in ((-1.0, 0, 1), (4.0, 1, 0)):
        start = [np.full_like(w, value) for w in model.get_weights()]
        model.set_weights(start)
        logs = model.fit(x, y, batch_size=6, verbose=0).history
        assert logs["loss"] == pytest.approx([np.log(CLASSES)], rel=1e-6)
        assert logs["accuracy"] == pytest.approx([1 / 3])
        assert logs["proxy_distance"] == pytest.approx([distance], abs=1e-6)
        assert [logs[f"rate_{name}"] for name in ("conv1", "dense1", "readout")] == [[rate]] * 3
        # p - Y adds up to nothing over these labels, and a ReLU below zero has no gradient.
        for before, after in zip(start, model.get_weights(), strict=True):
            np.testing.assert_allclose(after, before, rtol=0, atol=1e-3 if rate else 0)


# Ways to run `fit`


def learned(weights, x, y, sizes, factors, accumulate=1):
    """Weights after an epoch of batches of these sizes, by Eq. 13 to 16 in float64."""
    hidden, readout = (w.astype(float) for w in weights)
    gradients = []
    for end, size in zip(np.cumsum(sizes), sizes, strict=True):
        images, labels = x[end - size : end], y[end - size : end]
        spikes, _ = oracle.run(HIDDEN, [hidden, readout], images, STEPS, THETA, "zero")
        powers = np.exp(spikes[-1].sum(axis=1))
        error = powers / powers.sum(axis=1, keepdims=True) - np.eye(CLASSES)[labels]
        error *= factors[end - size : end, None] / size
        flat = images.reshape(size, -1).astype(float)
        maps = np.maximum(flat @ hidden, 0)
        error *= maps @ readout > 0
        below = (error @ readout.T) * (maps > 0)
        gradients.append((flat.T @ below, maps.T @ error))
        if len(gradients) == accumulate:
            mean_hidden, mean_readout = (sum(g) / accumulate for g in zip(*gradients, strict=True))
            hidden, readout = hidden - RATE * mean_hidden, readout - RATE * mean_readout
            gradients = []
    return hidden, readout


ON_TORCH = keras.config.backend() == "torch"
COMPILED = pytest.mark.skipif(ON_TORCH, reason="PyTorch compiles this step for a minute or two")
MULTI_STEP = pytest.mark.skipif(ON_TORCH, reason="Keras refuses steps_per_execution on PyTorch")
FACTORS = np.array([0.5, 0, 2, 1, 1, 3, 1, 0.25])
WEIGHT_OF = {0: 0.0, 1: 3.0, 2: 0.5}
WAYS = {
    "a batch of one": {"batch": 1},
    "sample weights, a partial batch": {"batch": 3, "fit": {"sample_weight": FACTORS}},
    "class weights": {"batch": 4, "fit": {"class_weight": WEIGHT_OF}},
    "eager": {"batch": 4, "compile": {"run_eagerly": True}},
    "compiled": {"batch": 4, "compile": {"jit_compile": True}},
    "two steps per execution": {"batch": 2, "compile": {"steps_per_execution": 2}},
    "accumulation": {"batch": 2, "accumulate": 2},
    "bfloat16": {"batch": 4, "policy": "mixed_bfloat16"},
    "float16": {"batch": 4, "policy": "mixed_float16"},
}
MARKS = {"compiled": COMPILED, "two steps per execution": MULTI_STEP}


@pytest.mark.parametrize("way", [pytest.param(w, marks=MARKS.get(w, ()), id=w) for w in WAYS])
def test_an_epoch_of_fit_equals_numpy(rng, way):
    settings = WAYS[way]
    keras.config.set_dtype_policy(settings.get("policy", "float32"))
    model = network()
    start = [oracle.dyadic(rng, w.shape, low=-64, high=160) for w in model.get_weights()]
    model.set_weights(start)
    x, y = rng.random((8, *SHAPE)).astype("float32"), rng.integers(0, CLASSES, 8)
    accumulate = settings.get("accumulate", 1)
    optimizer = keras.optimizers.SGD(
        RATE, gradient_accumulation_steps=accumulate if accumulate > 1 else None
    )
    model.compile(optimizer, SpikeCountCrossentropy(), **settings.get("compile", {}))
    given, size = settings.get("fit", {}), settings["batch"]
    factors = np.ones(8)
    if "sample_weight" in given:
        factors = given["sample_weight"]
    elif "class_weight" in given:
        factors = np.array([given["class_weight"][label] for label in y])
    sizes = [min(size, 8 - first) for first in range(0, 8, size)]
    expected = learned(start, x, y, sizes, factors, accumulate)
    model.fit(x, y, batch_size=size, shuffle=False, verbose=0, **given)
    tolerance = 1e-6 if "policy" not in settings else 0.02
    for mine, before, wanted in zip(model.get_weights(), start, expected, strict=True):
        assert np.abs(wanted - before).max() > 0.03
        np.testing.assert_allclose(mine, wanted, rtol=0, atol=tolerance)
