"""Average pooling in a file: a part of the weights that follow it."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_proxy_snn as kps
from keras_proxy_snn.export import export, from_model
from keras_proxy_snn.export.interpreter import run as interpret

from . import oracle

SHAPE = (15, 12, 2)


def convolution(filters=3, size=3, **options):
    return layers.Conv2D(filters, size, activation="relu", **{"padding": "same"} | options)


def network(rng, *stack):
    """A CNN with neurons before and after what is given, weights and averages of them exact."""
    cnn = keras.Sequential(
        [keras.Input(SHAPE), convolution(), *stack, layers.Flatten(), layers.Dense(3)]
    )
    return spiking(cnn, rng)


def spiking(cnn, rng):
    cnn.set_weights([oracle.dyadic(rng, w.shape, 256, -120, 128) for w in cnn.get_weights()])
    return kps.from_keras(cnn, 8, 0.5)


def assert_alike(model, images):
    """Counts and potentials of the readout, and so all before, are Keras's in its program too."""
    program = from_model(model)
    trace, readout = interpret(program, images), program.neurons[-1]
    v = trace.potentials[-1] + np.float32(readout.v_0)
    simulation = model.snn.simulate(images)
    counts, potentials = map(
        keras.ops.convert_to_numpy, (simulation.spike_counts, simulation.potential)
    )
    assert len(np.unique(potentials)) > 2
    np.testing.assert_array_equal(trace.spike_counts, counts)
    np.testing.assert_array_equal(v, potentials)


def average(*size, **options):
    return layers.AveragePooling2D(size, name="average", **options)


STACKS = {
    "before a convolution": lambda: [average(5, 2), convolution()],
    "before one without padding": lambda: [average(2, 2), convolution(size=2, padding="valid")],
    "before strides": lambda: [average(5, 4), convolution(strides=3)],
    "before a separable one": lambda: [
        average(3, 2),
        layers.SeparableConv2D(4, 3, padding="same", activation="relu"),
    ],
    "before a depthwise one": lambda: [
        average(3, 2),
        layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="relu"),
    ],
    "before the readout, a row in no window": lambda: [average(2, 4)],
    "of averages": lambda: [layers.AveragePooling2D((1, 2)), average(2, 2)],
    "padded, of whole windows": lambda: [average(3, 4, padding="same"), convolution()],
    "and then of spikes": lambda: [average(1, 2), convolution(), layers.MaxPooling2D(2)],
}


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_a_program_fires_as_keras_does(stack, rng):
    model = network(rng, *stack())
    images = oracle.dyadic(rng, (4, *SHAPE), low=0, high=257)
    assert_alike(model, images)


def test_the_image_can_be_averaged_too(rng):
    cnn = keras.Sequential(
        [keras.Input((4, 6, 2)), average(2, 2), convolution(), layers.Flatten(), layers.Dense(3)]
    )
    model = spiking(cnn, rng)
    images = oracle.dyadic(rng, (4, 4, 6, 2), low=0, high=257)
    assert_alike(model, images)


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        ([average(3, 3, strides=2)], r"whole windows side by side.*'average'"),
        ([average(2, 2, padding="same")], r"whole windows side by side.*'average'"),
        ([average(2, 2), convolution(name="x")], r"to read averages .*'x'"),
        ([average(3, 2), convolution(size=2, name="x")], r"to read averages .*'x'"),
        ([average(3, 2), convolution(dilation_rate=2, name="x")], r"to read averages .*'x'"),
        ([average(3, 2), layers.GlobalAveragePooling2D(name="x")], r"no such layer.*'x'"),
    ],
)
def test_what_the_next_weights_cannot_do_is_refused(stack, message, rng):
    with pytest.raises(ValueError, match=message):
        from_model(network(rng, *stack))


@pytest.mark.parametrize("suffix", ["onnx", "tflite", "nir"])
def test_a_preset_is_exported_to_every_format(suffix, rng, digits, tmp_path):
    model = kps.build("digits", pooling="average", time_steps=4)
    model.ann.set_weights(
        [oracle.dyadic(rng, w.shape, 256, -48, 64) for w in model.ann.get_weights()]
    )
    images = digits[1][0][:20]
    path = tmp_path / f"digits.{suffix}"
    export(model, path, images=images)
    assert path.is_file()
    assert_alike(model, images)
