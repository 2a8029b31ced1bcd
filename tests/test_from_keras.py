"""Any Keras CNN in: what is shared, calibrated, trained, saved and refused."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_proxy_snn as kps
from keras_proxy_snn.conversion import thresholds as calibration
from keras_proxy_snn.mapping.twin import spiking_twin
from keras_proxy_snn.saving import weights
from keras_proxy_snn.saving.model_file import load_model

from . import oracle

# Some networks are stranger than files can have; this is told at once.
pytestmark = pytest.mark.filterwarnings("ignore:The network can be trained and saved")

to_numpy = ops.convert_to_numpy


def residual_cnn(blocks=1, widths=(4, 8), shape=(8, 8, 1), classes=10, softmax=True):
    """A CNN of the shape of ResNet-20, which has `residual_cnn(3, (16, 32, 64))`."""
    image = keras.Input(shape)

    def convolution(x, width, strides=1, size=3, relu=True):
        x = layers.Conv2D(width, size, strides, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        return layers.ReLU()(x) if relu else x

    x = convolution(image, widths[0])
    for stage, width in enumerate(widths):
        for block in range(blocks):
            strides = 2 if stage and not block else 1
            y = convolution(convolution(x, width, strides), width, relu=False)
            if strides == 2:
                x = convolution(x, width, strides, 1, relu=False)
            x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(classes, "softmax" if softmax else None, name="readout")(x)
    return keras.Model(image, x)


@pytest.fixture
def images(rng):
    return rng.random((12, 8, 8, 1)).astype("float32")


def compiled(model):
    model.compile("adam", kps.SpikeCountCrossentropy(), metrics=[kps.SpikeAccuracy()])
    return model


def test_the_layers_are_shared_so_training_one_trains_the_other(images, rng):
    cnn = residual_cnn(widths=(4,))
    model = compiled(kps.from_keras(cnn, 4, calibrate="percentile", calibration_data=images))
    assert model.ann is cnn
    assert {id(w) for w in model.weights} == {id(w) for w in cnn.weights}
    counts, probabilities = model.predict(images, verbose=0), cnn.predict(images, verbose=0)
    y = rng.integers(0, 10, 12)
    model.fit(images, y, verbose=0)
    assert not np.allclose(cnn.predict(images, verbose=0), probabilities)
    tuned = model.predict(images, verbose=0)
    assert not np.allclose(tuned, counts)
    cnn.compile("adam", "sparse_categorical_crossentropy")
    cnn.fit(images, y, verbose=0)
    assert not np.allclose(model.predict(images, verbose=0), tuned)


@pytest.mark.any_backend
def test_many_steps_give_the_cnns_own_logits(images):
    """Rates times thresholds are the activations, so the readout's currents are the logits."""
    cnn = residual_cnn(softmax=False)
    for layer in cnn.layers:
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([gamma, beta + 0.25, mean, variance / 10])
    thresholds = kps.calibrate(cnn, images, percentile=100)
    assert list(thresholds)[-1] == "readout"
    model = kps.from_keras(cnn, 256, thresholds, chunk_steps=8)
    logits = to_numpy(cnn(images))
    answer = model.predict(images, verbose=0) - 0.5
    np.testing.assert_allclose(
        answer * thresholds["readout"] / 256, logits, atol=0.02 * np.abs(logits).max()
    )


def test_the_gradient_is_that_of_the_logits_at_the_spike_counts(rng):
    """With a softmax in the CNN: dL/dz is softmax(counts) - y, as Eq. 16 says, not through it."""
    dense = layers.Dense(3, "softmax", use_bias=False, name="readout")
    cnn = keras.Sequential([keras.Input((4,)), dense])
    model = kps.from_keras(cnn, 8, 0.5, readout="counts")
    model.compile(keras.optimizers.SGD(1.0), kps.SpikeCountCrossentropy())
    kernel = oracle.dyadic(rng, (4, 3))
    dense.set_weights([kernel])
    x, y = oracle.dyadic(rng, (5, 4), low=0, high=257), np.array([0, 1, 2, 0, 1])
    counts = model.predict(x, verbose=0)
    model.fit(x, y, batch_size=5, verbose=0)
    exponentials = np.exp(counts.astype(float))
    error = exponentials / exponentials.sum(axis=1, keepdims=True) - np.eye(3)[y]
    np.testing.assert_allclose(kernel - dense.get_weights()[0], x.T @ error / 5, atol=1e-5)


def test_saving_and_loading(images, rng, tmp_path):
    model = compiled(
        kps.from_keras(
            residual_cnn(widths=(4,)), 4, calibrate="percentile", calibration_data=images
        )
    )
    model.fit(images, rng.integers(0, 10, 12), verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    settings = ("time_steps", "v_threshold", "reset", "v_0", "readout", "spike_height")
    assert {k: again.get_config()[k] for k in settings} == {
        k: model.get_config()[k] for k in settings
    }
    expected = model.predict(images, verbose=0)
    np.testing.assert_array_equal(again.predict(images, verbose=0), expected)
    snn = type(model.snn).from_config(model.snn.get_config())
    snn.set_weights(model.snn.get_weights())
    assert [node.inputs for node in snn.nodes] == [node.inputs for node in model.snn.nodes]
    np.testing.assert_array_equal(to_numpy(snn(images)), to_numpy(model.snn(images)))


def test_both_networks_see_the_same_augmented_image():
    dense = layers.Dense(1, use_bias=False, name="readout")
    cnn = keras.Sequential(
        [
            keras.Input((2, 2, 1)),
            layers.Rescaling(1 / 4),
            layers.RandomBrightness(1.0, value_range=(0, 64), seed=1),
            layers.Flatten(),
            dense,
        ]
    )
    model = kps.from_keras(cnn, 1, 1.0)
    assert model.twin.start == 2
    dense.set_weights([np.ones((4, 1), "float32")])
    seen = []
    proxy, simulate = model._proxy, model.snn.simulate

    def watched_proxy(images):
        seen.append(("ann", images))
        return proxy(images)

    def watched_simulate(images, preprocessed=False):
        seen.append(("snn", images))
        return simulate(images, preprocessed=preprocessed)

    model._proxy, model.snn.simulate = watched_proxy, watched_simulate
    x = np.full((3, 2, 2, 1), 64.0, "float32")
    for _ in range(2):
        model(x, training=True)
    model(x)
    images = [to_numpy(image) for _, image in seen]
    assert [who for who, _ in seen] == ["snn", "ann", "snn", "ann", "snn"]
    np.testing.assert_array_equal(images[0], images[1])
    np.testing.assert_array_equal(images[2], images[3])
    assert not np.array_equal(images[0], images[2])
    np.testing.assert_array_equal(images[4], x)


def test_augmentation_differs_from_step_to_step_and_leaves_evaluation_alone(rng):
    augmentation = keras.Sequential([layers.RandomBrightness(1.0, value_range=(0, 1))])
    dense = layers.Dense(2, use_bias=False, name="readout")
    cnn = keras.Sequential([keras.Input((2, 2, 1)), augmentation, layers.Flatten(), dense])
    model = kps.from_keras(cnn, 4, 0.25)
    model.compile(keras.optimizers.SGD(0.0), kps.SpikeCountCrossentropy())
    x, y = np.full((8, 2, 2, 1), 0.5, "float32"), np.zeros(8, int)
    losses = model.fit(x, y, batch_size=8, epochs=4, verbose=0).history["loss"]
    assert len(set(losses)) > 1
    assert len({model.evaluate(x, y, verbose=0) for _ in range(2)}) == 1


@pytest.mark.any_backend
def test_an_architecture_of_keras_applications():
    """With its depthwise convolutions, bounded ReLUs and sums of currents."""
    cnn = keras.applications.MobileNetV2((32, 32, 3), 0.35, weights=None, classes=10)
    model = kps.from_keras(cnn, 2, 0.5)
    assert model.snn.compute_output_shape((None, 32, 32, 3)) == (None, 10)
    relus = [x for x in cnn.layers if isinstance(x, layers.ReLU)]
    assert len(model.snn.if_layers) == len(relus) + 1


@pytest.mark.slow
@pytest.mark.any_backend
@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV2", "ResNet50", "VGG16"])
def test_large_architectures_of_keras_applications(name):
    cnn = getattr(keras.applications, name)(weights=None, input_shape=(32, 32, 3), classes=10)
    model = kps.from_keras(cnn, 1, 0.5)
    assert to_numpy(model.snn(np.zeros((1, 32, 32, 3)))).shape == (1, 10)


@pytest.mark.slow
@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("MobileNet", None),
        ("VGG16", None),
        ("MobileNetV2", "expanded_conv_project"),
        ("ResNet50", "pool1_pad"),
    ],
)
def test_which_of_these_have_files_is_told(name, layer):
    make = getattr(keras.applications, name)
    whole = make(include_top=False, weights=None, input_shape=(32, 32, 3))
    end = layers.Dense(10)(layers.GlobalAveragePooling2D()(whole.output))
    cnn = keras.Model(whole.input, end)
    if layer is None:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            kps.from_keras(cnn, 1)
    else:
        with pytest.warns(UserWarning, match=f"not exported .*Received: layer '{layer}'"):
            kps.from_keras(cnn, 1)


@pytest.mark.any_backend
def test_a_network_of_the_shape_of_resnet20():
    cnn = residual_cnn(3, (16, 32, 64), (32, 32, 3))
    model = kps.from_keras(cnn, 2, 0.5)
    weighted = [x for x in cnn.layers if isinstance(x, layers.Conv2D | layers.Dense)]
    assert len(weighted) == 22
    # 19 convolutions and sums with a ReLU, and the readout.
    assert len(model.snn.if_layers) == 20
    assert model.predict(np.zeros((1, 32, 32, 3)), verbose=0).shape == (1, 10)


def test_a_model_inside_a_model_is_opened(images):
    base = residual_cnn(softmax=False)
    head = [keras.Input((8, 8, 1)), layers.Rescaling(2.0), base, layers.Dense(3, name="top")]
    model = kps.from_keras(keras.Sequential(head), 2, 0.5)
    assert model.snn.nodes[0].name == "image_rescaling"


def test_weights_of_models_inside_models_are_kept_in_their_file(images, tmp_path):
    head = [keras.Input((8, 8, 1)), residual_cnn(softmax=False), layers.Dense(3, name="top")]
    model = kps.from_keras(keras.Sequential(head), 2, 0.5)
    kernels = [np.round(w * 256) / 256 for w in model.get_weights()]
    model.set_weights(kernels)
    weights.save_weights(model, tmp_path / "net.json")
    model.set_weights([np.zeros_like(w) for w in kernels])
    weights.load_weights(model, tmp_path / "net.json")
    for one, other in zip(model.get_weights(), kernels, strict=True):
        np.testing.assert_array_equal(one, other)


def test_whole_numbers_are_images_too(rng):
    """As Keras takes them: pixels of 0 to 255 in one byte."""
    cnn = residual_cnn(widths=(4,))
    model = compiled(kps.from_keras(cnn, 2, 4.0, input_range=(0, 255)))
    x, y = rng.integers(0, 256, (4, 8, 8, 1)).astype("uint8"), np.arange(4)
    counts = model.predict(x, verbose=0)
    np.testing.assert_array_equal(model.predict(x.astype("float32"), verbose=0), counts)
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"]).all()


def test_operations_of_functional_models(images):
    x = keras.Input((8, 8, 1))
    y = layers.Conv2D(2, 3, padding="same", name="conv")(x)
    y = ops.relu(y + x)
    model = kps.from_keras(keras.Model(x, layers.Dense(3)(layers.Flatten()(y))), 2)
    assert [type(node.stage).__name__ for node in model.snn.nodes] == [
        "Synapses",
        "CurrentSum",
        "IFActivation",
        "SpikeFlatten",
        "IFDense",
    ]


_RELUS = {
    "layer": lambda x: layers.ReLU()(x),
    "activation by name": lambda x: layers.Activation("relu")(x),
    "layer in an activation": lambda x: layers.Activation(layers.ReLU())(x),
    "op in an activation": lambda x: layers.Activation(ops.relu)(x),
    "keras.activations": lambda x: keras.activations.relu(x),
    "keras.ops": lambda x: ops.relu(x),
    "maximum": lambda x: ops.maximum(x, 0),
    "maximum, reversed": lambda x: ops.maximum(0.0, x),
}
_BOUNDED = {
    "layer": lambda x: layers.ReLU(6.0)(x),
    "keras.activations": lambda x: keras.activations.relu6(x),
    "with an argument": lambda x: keras.activations.relu(x, max_value=6.0),
    "keras.ops": lambda x: ops.relu6(x),
    "clip": lambda x: ops.clip(x, 0, 6),
}
_SOFTMAXES = {
    "layer": lambda x: layers.Softmax()(x),
    "layer, axis from the start": lambda x: ops.softmax(x, axis=1),
    "activation by name": lambda x: layers.Activation("softmax")(x),
    "layer in an activation": lambda x: layers.Activation(layers.Softmax())(x),
    "keras.activations": lambda x: keras.activations.softmax(x),
    "keras.ops": lambda x: ops.softmax(x),
    "none": lambda x: x,
}


@pytest.mark.parametrize("forms", [_RELUS, _BOUNDED, _SOFTMAXES], ids=["relu", "relu6", "softmax"])
def test_one_activation_in_all_its_spellings_is_one_network(forms, images):
    x = keras.Input((8, 8, 1))
    conv, readout = layers.Conv2D(2, 3, name="conv"), layers.Dense(3, name="readout")
    found = []
    for form in forms.values():
        relu, softmax = (layers.ReLU(), form) if forms is _SOFTMAXES else (form, lambda y: y)
        cnn = keras.Model(x, softmax(readout(layers.Flatten()(relu(conv(x))))))
        model = kps.from_keras(cnn, 4)
        stages = [type(node.stage).__name__ for node in model.snn.nodes]
        assert stages == ["IFConv2D", "SpikeFlatten", "IFDense"]
        found.append(to_numpy(model(images)))
    for counts in found[1:]:
        np.testing.assert_array_equal(counts, found[0])


def test_an_activation_argument_may_be_a_layer(images, tmp_path):
    readout = layers.Dense(3, activation=layers.Softmax(), name="readout")
    conv = layers.Conv2D(2, 3, activation=layers.ReLU(), name="conv")
    cnn = keras.Sequential([keras.Input((8, 8, 1)), conv, layers.Flatten(), readout])
    model = kps.from_keras(cnn, 4)
    plain = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3, activation="relu")])
    plain.add(layers.Flatten())
    plain.add(layers.Dense(3))
    plain.set_weights(cnn.get_weights())
    counts = to_numpy(kps.from_keras(plain, 4)(images))
    np.testing.assert_array_equal(to_numpy(model(images)), counts)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(to_numpy(loaded(images)), counts)


@pytest.mark.parametrize("inner", [False, True], ids=["chain", "a compiled model inside"])
def test_a_trained_cnns_optimizer_and_loss_do_not_stand_in_the_way_of_loading(inner, tmp_path):
    """`load_model` is that of the commands; a loss of one's own is no object of Keras."""

    def my_loss(y, scores):
        return keras.ops.mean(scores)

    features = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 3), layers.ReLU()])
    features.compile("adam", my_loss)
    parts = [features] if inner else features.layers
    cnn = keras.Sequential([keras.Input((4, 4, 1)), *parts, layers.Flatten(), layers.Dense(3)])
    cnn.compile("adam", my_loss)
    images = np.linspace(0, 1, 32, dtype="float32").reshape(2, 4, 4, 1)
    cnn.optimizer.build(cnn.trainable_variables)  # as training does
    model = kps.from_keras(cnn, 4)
    model.save(tmp_path / "model.keras")
    counts = to_numpy(model(images))
    for load in (load_model, keras.models.load_model):
        np.testing.assert_array_equal(to_numpy(load(tmp_path / "model.keras")(images)), counts)


def test_percentile_and_spike_heights_by_hand():
    """Two layers of one weight: theta is the percentile, and the next weight is theta times it."""
    one = {"use_bias": False}
    hidden = layers.Dense(1, "relu", name="hidden", **one)
    readout = layers.Dense(1, name="readout", **one)
    cnn = keras.Sequential([keras.Input((1,)), hidden, readout])
    hidden.set_weights([np.float32([[2.0]])])
    readout.set_weights([np.float32([[-3.0]])])
    x = np.float32([[1.0], [2.0], [-1.0]])  # activations 2, 4, 0 and outputs -6, -12, 0
    assert kps.calibrate(cnn, x, percentile=50) == {"hidden": 3.0, "readout": 9.0}
    model = kps.from_keras(cnn, 4, calibrate="percentile", calibration_data=x)
    theta = model.v_threshold
    assert theta["hidden"] == pytest.approx(np.percentile([2, 4], 99.9), rel=1e-6)
    weights = model.snn.if_layers[1].synaptic_weights()
    assert float(to_numpy(weights.kernel)[0, 0]) == pytest.approx(-3 * theta["hidden"], rel=1e-6)
    np.testing.assert_array_equal(readout.get_weights()[0], [[-3.0]])  # the CNN is as it was


def test_qcfs_steps_have_the_least_squared_error(images):
    cnn = residual_cnn()
    found = kps.calibrate(cnn, images, "qcfs", time_steps=4)
    twin = spiking_twin(cnn)
    results = {place: to_numpy(result) for place, result in twin.graph.run(images)}
    for name, place in twin.activations.items():
        a = np.abs(results[place].astype(float))
        steps = a.max() * np.arange(1, 51) / 50
        errors = [
            (((s / 4) * np.floor(np.clip(a * 4 / s + 0.5, 0, 4)) - a) ** 2).sum() for s in steps
        ]
        chosen = int(np.argmin(np.abs(steps - found[name])))
        assert errors[chosen] <= min(errors) * (1 + 1e-4)
        assert found[name] == pytest.approx(steps[chosen], rel=1e-5)


def test_rnl_takes_the_smallest_scale_that_leaves_the_classes():
    """Class 1 wins only while the activation of the second image can be above 2 of 4."""
    hidden = layers.Dense(1, "relu", use_bias=False, name="hidden")
    readout = layers.Dense(2, name="readout")
    cnn = keras.Sequential([keras.Input((1,)), hidden, readout])
    hidden.set_weights([np.float32([[1.0]])])
    readout.set_weights([np.float32([[0.0, 1.0]]), np.float32([2.0, 0.0])])
    found = kps.calibrate(cnn, np.float32([[1.0], [4.0]]), "rnl")
    assert 0.5 < found["hidden"] / 4 <= 0.5 + 2**-7
    assert found["readout"] / 4 == found["hidden"] / 4


def stack(*after, shape=(8, 8, 1)):
    """A CNN that starts with a convolution and a ReLU."""
    start = [keras.Input(shape), layers.Conv2D(2, 3, name="c"), layers.ReLU(name="r")]
    return keras.Sequential([*start, *after, layers.Flatten(), layers.Dense(3, name="readout")])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: stack(layers.Conv2DTranspose(4, 3, name="x")),
            r"#what-can-be-.*Maps cannot be enlarged.*'x' \(Conv2DTr",
        ),
        (lambda: stack(layers.LeakyReLU(name="x")), r"put keras.layers.ReLU.*'x' \(LeakyReLU\)"),
        (lambda: stack(layers.ReLU(negative_slope=0.1, name="x")), r"'x' \(ReLU\)"),
        (
            lambda: stack(layers.Activation("tanh", name="x")),
            r"set activation='relu'.*\(Activation with activation 'tanh'\)",
        ),
        (lambda: stack(layers.LayerNormalization(name="x")), r"'x' \(LayerNormalization\)"),
        (lambda: stack(layers.Softmax(name="x")), r"'x' \(Softmax\)"),
        (lambda: stack(layers.RandomFlip(name="x")), r"come first.*'x' \(RandomFlip\)"),
        (lambda: stack(layers.Rescaling(2.0, name="x")), r"at the input.*'x' \(Rescaling\)"),
        (
            lambda: stack(layers.Conv2D(2, 3), layers.MaxPooling2D(name="x")),
            r"Put the pooling after a ReLU: Conv2D, BatchNormal.*same.*'x' \(MaxPooling2D\)",
        ),
        (
            lambda: stack(layers.AveragePooling2D(2), layers.GlobalMaxPooling2D(name="x")),
            r"'x' \(GlobalMaxPooling2D\)",
        ),
        (
            lambda: stack(layers.BatchNormalization(axis=1, name="x")),
            "last axis.*axis=1 in layer 'x'",
        ),
        (
            lambda: keras.Model(
                x := keras.Input((4,)),
                layers.Dense(2)(layers.Multiply(name="x")([x, layers.Dense(4)(x)])),
            ),
            r"'x' \(Multiply\)",
        ),
        (
            lambda: keras.Model(x := keras.Input((4,)), [layers.Dense(2)(x), layers.Dense(3)(x)]),
            r"one input and one output\. Received: 1 inputs and 2 outputs, of <Functional",
        ),
        (
            lambda: keras.Sequential([layers.Dense(2)]),
            r"and be built: put keras\.Input first, or call `build.*Received: <Sequential",
        ),
        (
            lambda: keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(3, 3)]),
            r"as of a network that classifies: end it in .*Received: \(None, 6, 6, 3\) of <Seq",
        ),
        (
            lambda: keras.Sequential(
                [keras.Input((4, 2)), layers.LSTM(3, name="x"), layers.Dense(2)]
            ),
            r"no spiking counterpart: .*'x' \(LSTM",
        ),
        (
            lambda: keras.Model(
                x := keras.Input((4,)),
                (d := layers.Dense(4, "relu", name="twice"))(d(x)),
            ),
            "new layer for each.*twice",
        ),
        (
            lambda: stack(layers.Activation(layers.ELU(), name="x")),
            r"ReLU: set activation='relu' in it.*'x' \(Activation with activation 'ELU'",
        ),
        (lambda: stack(layers.ELU(name="x")), r"put keras.layers.ReLU in its place.*'x' \(ELU\)"),
        (
            lambda: stack(layers.Conv2D(2, 3, activation=layers.ELU(), name="x")),
            r"own-cnn/#what-can.*set activation='relu' in it.*'x' \(Conv2D with activation 'ELU'",
        ),
        (
            lambda: stack(layers.Conv2D(2, 3, activation=lambda x: x, name="x")),
            r"'x' \(Conv2D with activation '<lambda>'\)",
        ),
        (lambda: stack(layers.LayerNormalization(name="x")), r"Put keras.layers.BatchNormal.*'x'"),
        (
            lambda: with_operation(
                lambda x: layers.Multiply(name="m")(
                    [x, layers.Conv2D(2, 1, activation="sigmoid", name="g")(x)]
                )
            ),
            r"'g' \(Conv2D with activation 'sigmoid'\): If it belongs to the gate, .*; 'm' \(Mult",
        ),
        (lambda: stack(layers.UpSampling2D(name="x")), r"Maps cannot be enlarged.*'x'"),
        (lambda: stack(layers.Lambda(lambda x: x, name="x")), r"Code of your own.*'x' \(Lambda\)"),
        (
            lambda: with_operation(lambda x: layers.Multiply()([x, x])),
            r"cannot be multiplied.*such",
        ),
        (
            lambda: stack(layers.Conv2D(2, 3, activation="softmax", name="x")),
            "only the last layer.*x",
        ),
        (lambda: with_operation(lambda x: ops.maximum(x, 0.1)), r"\(Maximum\)"),
        (lambda: with_operation(lambda x: ops.clip(x, 0.1, 1.0)), r"\(Clip\)"),
        (lambda: with_operation(lambda x: x + 1.0), r"\(Add\)"),
        (lambda: with_operation(lambda x: keras.activations.relu(x, 0.1)), r"\(ReLU\)"),
        (lambda: with_operation(ops.leaky_relu), r"\(LeakyRelu\)"),
        (
            lambda: keras.Sequential([keras.Input((4, 4, 1)), layers.ReLU()]),
            r"must be \(batch, classes\)",
        ),
        (lambda: "cnn.keras", r"load_model loads one from its file.*Received: 'cnn.keras'"),
        (lambda: keras.Model, r"must be a keras.Sequential.*Received: <class"),
    ],
)
def test_what_cannot_be_mapped_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        kps.from_keras(make(), 4)


def with_operation(operation):
    x = keras.Input((8, 8, 1))
    y = operation(layers.Conv2D(2, 3)(x))
    return keras.Model(x, layers.Dense(3)(layers.Flatten()(y)))


def halved(plain):
    """A class whose `call` gives half of what the plain layer gives."""

    def call(self, x):
        whole = plain.call(self, x)
        return 0.5 * whole

    return type(f"Half{plain.__name__}", (plain,), {"call": call})


_SUBCLASSED = {
    layers.ReLU: (),
    layers.Activation: ("relu",),
    layers.Softmax: (),
    layers.BatchNormalization: (),
    layers.MaxPooling2D: (),
    layers.AveragePooling2D: (2,),
    layers.Dropout: (0.5,),
    layers.SpatialDropout2D: (0.5,),
    layers.GaussianNoise: (0.5,),
    layers.ActivityRegularization: (),
    layers.Identity: (),
    layers.ZeroPadding2D: (),
    layers.Cropping2D: (),
    layers.Permute: ((2, 1, 3),),
    layers.Reshape: ((36, 2),),
    layers.GlobalAveragePooling2D: (),
    layers.GlobalMaxPooling2D: (),
    layers.Flatten: (),
    layers.Rescaling: (2.0,),
    layers.Conv2D: (2, 3),
    layers.DepthwiseConv2D: (3,),
    layers.SeparableConv2D: (2, 3),
}


@pytest.mark.parametrize("plain", _SUBCLASSED, ids=lambda plain: plain.__name__)
def test_a_subclass_is_not_taken_for_the_plain_layer(plain):
    x = keras.Input((8, 8, 1))
    y = layers.Conv2D(2, 3)(x)
    if plain not in (layers.ReLU, layers.Activation, layers.BatchNormalization):  # the conv's own
        y = layers.ReLU()(y)
    y = halved(plain)(*_SUBCLASSED[plain], name="mine")(y)
    cnn = keras.Model(x, layers.Dense(3)(layers.Flatten()(layers.ReLU()(y))))
    with pytest.raises(ValueError, match=rf"'mine' \(Half{plain.__name__}\)"):
        kps.from_keras(cnn, 4)


@pytest.mark.parametrize("plain", [layers.Add, layers.Concatenate])
def test_a_subclass_that_joins_is_not_taken_for_the_plain_layer(plain):
    x = keras.Input((8, 8, 1))
    y = halved(plain)(name="mine")([layers.Conv2D(2, 3)(x), layers.Conv2D(2, 3)(x)])
    cnn = keras.Model(x, layers.Dense(3)(layers.Flatten()(layers.ReLU()(y))))
    with pytest.raises(ValueError, match=f"use keras.layers.{plain.__name__} itself"):
        kps.from_keras(cnn, 4)


@pytest.mark.parametrize("options", [{}, {"activation": "softmax"}])
def test_a_subclass_at_the_end_is_not_taken_for_the_plain_layer(options):
    cnn = keras.Sequential([keras.Input((4,)), halved(layers.Dense)(3, name="mine", **options)])
    with pytest.raises(ValueError, match=r"keras.layers.Dense itself.*'mine'"):
        kps.from_keras(cnn, 4)


def test_a_softmax_of_a_layer_without_a_linear_part_is_not_left_out():
    last = layers.EinsumDense("ab,bc->ac", 3, activation="softmax", name="mine")
    cnn = keras.Sequential([keras.Input((4,)), layers.Dense(4, "relu"), last])
    with pytest.raises(ValueError, match=r"'mine' \(EinsumDense\)"):
        kps.from_keras(cnn, 4)


@pytest.mark.parametrize("whole", [True, False], ids=["the model", "a model inside"])
@pytest.mark.parametrize("base", [keras.Sequential, keras.Model])
def test_a_model_with_a_call_of_its_own_is_not_taken_for_its_layers(base, whole):
    class Half(base):
        def call(self, x, training=None, mask=None):
            return 0.5 * super().call(x, training=training, mask=mask)

    x = keras.Input((4,))
    dense = layers.Dense(3)
    model = Half(x, dense(x)) if base is keras.Model else Half([x, dense])
    model = model if whole else keras.Model(x, model(x))
    with pytest.raises(ValueError, match=r"a subclass of|\(Half\)"):
        kps.from_keras(model, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"calibrate": "max"}, "`calibrate` must be one of.*'max'"),
        ({"calibrate": "rnl"}, "give `calibration_data`"),
        ({"calibrate": "rnl", "calibration_data": 0, "v_threshold": 1.0}, "v_threshold=1.0"),
        ({"calibration_data": 0}, "needs `calibrate`"),
        ({"v_threshold": {"c": 1.0}}, "Received: thresholds for"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        kps.from_keras(residual_cnn(), 4, **arguments)


def test_without_images_there_is_no_threshold(images):
    for method in calibration.CALIBRATIONS:
        with pytest.raises(ValueError, match="At least one image is needed"):
            kps.calibrate(residual_cnn(), images[:0], method)
