"""Calls of a CNN's graph against the layers themselves; PyTorch has faster kernels for some."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_proxy_snn.cnn.graph import Call

from .test_proxy import gradient

to_numpy = ops.convert_to_numpy


def numbers(rng, shape):
    return rng.normal(size=shape).astype("float32")


def check(layer, x, weights, training, rtol=1e-5, atol=1e-5):
    """The same values, gradients and state, by the call in a graph and by the layer."""
    if not layer.built:
        layer.build(x.shape)
    before = layer.get_weights()
    ways = (
        lambda x: Call(layer, (-1,), x.shape).run([x], training),
        lambda x: layer(x, training=training),
    )
    found = []
    for way in ways:
        layer.set_weights(before)
        value = to_numpy(ops.cast(way(ops.convert_to_tensor(x)), "float32"))
        state = layer.get_weights()
        (slope,) = gradient(lambda x, way=way: ops.sum(ops.multiply(weights, way(x))), x)
        layer.set_weights(state)  # on JAX the gradient's own values are no numbers
        found.append((value, slope, *state))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=atol)
    return found[0]


@pytest.mark.parametrize("shape", [(4, 5, 3, 2), (6, 3), (1, 2)])
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False, "momentum": 0.5}])
def test_batch_normalisation_in_training(shape, options, rng):
    x, weights = 3 + 2 * numbers(rng, shape), numbers(rng, shape)
    layer = layers.BatchNormalization(beta_initializer="ones", **options)
    _, _, *state = check(layer, x, weights, training=True)
    axes = tuple(range(len(shape) - 1))
    kept = layer.momentum
    np.testing.assert_allclose(state[-2], (1 - kept) * x.mean(axes), rtol=1e-4)
    np.testing.assert_allclose(state[-1], kept + (1 - kept) * x.var(axes), rtol=1e-4)
    check(layer, x, weights, training=False)
    layer.trainable = False
    check(layer, x, weights, training=True)


@pytest.mark.skipif(keras.config.backend() != "torch", reason="PyTorch's memory")
def test_batch_normalisation_reads_no_memory_that_nothing_wrote(rng, monkeypatch):
    """New statistics must not hold 0 times a NaN that stood in memory."""
    import torch

    monkeypatch.setattr(torch, "empty", lambda *shape, **options: torch.full(shape, np.nan))
    x = numbers(rng, (6, 3))
    check(layers.BatchNormalization(), x, numbers(rng, x.shape), training=True)


def test_batch_normalisation_in_half_precision(rng):
    x, weights = 3 + 2 * numbers(rng, (8, 5, 3, 2)), numbers(rng, (8, 5, 3, 2))
    layer = layers.BatchNormalization(dtype="mixed_bfloat16")
    x = to_numpy(ops.cast(ops.cast(x, "bfloat16"), "float32"))
    check(layer, x, weights, training=True, rtol=2**-6, atol=0.02)
    x = ops.convert_to_tensor(x)
    assert Call(layer, (-1,), x.shape).run([x], True).dtype == layer(x, training=True).dtype


@pytest.mark.parametrize(
    "options",
    [
        *({"max_value": 0.75}, {"max_value": 0.75, "negative_slope": 0.5}, {}),
        *({"max_value": 0.75, "threshold": 0.25}, {"max_value": 0.75, "dtype": "bfloat16"}),
    ],
    ids=str,
)
def test_a_relu(options, rng):
    shape = (3, 4, 5)
    x = 2 * numbers(rng, shape)
    value, *_ = check(layers.ReLU(**options), x, numbers(rng, shape), training=True, rtol=0)
    if options == {"max_value": 0.75}:
        np.testing.assert_array_equal(value, np.clip(x, 0, np.float32(0.75)))


POOLINGS = [{}, {"padding": "same"}, {"strides": 1}]
if keras.config.backend() != "tensorflow":  # which pools channels last alone on CPUs
    POOLINGS.append({"data_format": "channels_first"})


@pytest.mark.parametrize("options", POOLINGS, ids=str)
def test_average_pooling(options, rng):
    layer = layers.AveragePooling2D(2, **options)
    x = numbers(rng, (2, 5, 4, 3))
    check(layer, x, numbers(rng, layer.compute_output_shape(x.shape)), training=True)


def test_an_activity_regulariser_counts(rng):
    layer = layers.ReLU(max_value=0.75, activity_regularizer=keras.regularizers.L2(0.5))
    x = numbers(rng, (2, 3))
    Call(layer, (-1,), x.shape).run([ops.convert_to_tensor(x)], True)
    (loss,) = layer.losses
    np.testing.assert_allclose(to_numpy(loss), 0.5 * (x.clip(0, 0.75) ** 2).sum() / 2, rtol=1e-6)
