"""A user's own CNN in a file: what is a chain is written, what is not is refused."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_proxy_snn as kps
from keras_proxy_snn.export import export, from_model
from keras_proxy_snn.export.interpreter import run as interpret

from . import oracle

SHAPE = (8, 8, 2)


def chain(rng):
    """Every kind of convolution, a factor at the input and a global average."""
    stack = [
        keras.Input(SHAPE),
        layers.Rescaling(0.5),
        layers.Conv2D(4, 3, strides=2, padding="same", name="strided"),
        layers.BatchNormalization(epsilon=0.0),
        layers.ReLU(),
        layers.DepthwiseConv2D(2, depth_multiplier=2, activation="relu", name="depthwise"),
        layers.Dropout(0.5),
        layers.Conv2D(6, 1, groups=2, activation="relu", name="grouped"),
        layers.SeparableConv2D(5, 2, padding="same", activation="relu", name="separable"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, "softmax", name="readout"),
    ]
    cnn = keras.Sequential(stack)
    for layer in cnn.layers:
        if "conv" in type(layer).__name__.lower() or isinstance(layer, layers.Dense):
            bits = 4 if isinstance(layer, layers.SeparableConv2D) else 8
            layer.set_weights(
                [
                    oracle.dyadic(rng, w.shape, 2**bits, -(2 ** (bits - 2)), 2 ** (bits - 1))
                    for w in layer.get_weights()
                ]
            )
    # So that the layers' own average over 3 x 3 places stays exact.
    cnn.layers[-1].set_weights([9 * w for w in cnn.layers[-1].get_weights()])
    return kps.from_keras(cnn, 5, {"strided": 0.5, "depthwise": 0.25})


@pytest.fixture
def images(rng):
    return oracle.dyadic(rng, (4, *SHAPE), low=0, high=257)


def test_the_program_of_a_chain_has_the_models_counts(rng, images):
    model = chain(rng)
    program = from_model(model)
    names = [layer.name for layer in program.layers]
    assert names[:4] == ["strided", "depthwise", "grouped", "separable"]
    spikes = model.snn.record(images)
    assert all(keras.ops.convert_to_numpy(s).any() for s in spikes.values())
    counts = keras.ops.convert_to_numpy(model.snn.simulate(images).spike_counts)
    np.testing.assert_array_equal(interpret(program, images).spike_counts, counts)


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_a_chain_is_exported_to_every_format(suffix, rng, images, tmp_path):
    export(chain(rng), tmp_path / f"net.{suffix}", images=images)
    assert (tmp_path / f"net.{suffix}").is_file()


@pytest.mark.filterwarnings("ignore:The network can be trained and saved")
@pytest.mark.parametrize(
    ("stack", "message"),
    [
        ([layers.Resizing(4, 4, name="x")], r"multiply its images.*'x' \(Resizing\)"),
        ([layers.Rescaling(2.0, 1.0, name="x")], r"'x' \(Rescaling\)"),
        (
            [layers.Conv2D(2, 3, activation="relu"), layers.ZeroPadding2D(name="x")],
            r"'x' \(ZeroPadding2D\)",
        ),
        (
            [layers.Conv2D(2, 3, name="x"), layers.Conv2D(2, 3, activation="relu")],
            r"without a ReLU after it.*'x' \(Conv2D\)",
        ),
    ],
)
def test_what_a_program_cannot_express_is_refused(stack, message, tmp_path):
    head = [layers.Flatten(), layers.Dense(3, name="readout")]
    model = kps.from_keras(keras.Sequential([keras.Input(SHAPE), *stack, *head]), 2)
    with pytest.raises(ValueError, match=message):
        export(model, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:The network can be trained and saved")
def test_a_graph_is_refused(tmp_path):
    image = keras.Input(SHAPE)
    x = layers.Conv2D(2, 3, padding="same", name="conv")(image)
    x = layers.ReLU()(layers.Add(name="add")([x, image]))
    model = kps.from_keras(keras.Model(image, layers.Dense(3)(layers.Flatten()(x))), 2)
    with pytest.raises(ValueError, match=r"layer 'conv' \(Conv2D\)"):
        export(model, tmp_path / "net.onnx")


@pytest.mark.filterwarnings("ignore:The network can be trained and saved")
def test_an_input_that_is_no_image_is_refused():
    model = kps.from_keras(keras.Sequential([keras.Input((4,)), layers.Dense(2)]), 2)
    with pytest.raises(ValueError, match=r"needs images.*\(4,\)"):
        from_model(model)


@pytest.mark.filterwarnings("ignore:The network can be trained and saved")
def test_a_subclass_of_rescaling_is_no_factor():
    class Inverted(layers.Rescaling):
        def call(self, inputs):
            return 1 - super().call(inputs)

    stack = [keras.Input(SHAPE), Inverted(1 / 255), layers.Flatten(), layers.Dense(3)]
    model = kps.from_keras(keras.Sequential(stack), 2)
    assert model.input_range == (0.0, 1.0)  # its own range is not known
    with pytest.raises(ValueError, match=r"Received: layer 'inverted' \(Inverted\)"):
        from_model(model)
