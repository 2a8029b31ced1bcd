"""The order of batch normalisation, ReLU and pooling: what is converted, exported, and refused."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_proxy_snn as kps
from keras_proxy_snn.cnn.graph import read_graph
from keras_proxy_snn.export import from_model
from keras_proxy_snn.export.interpreter import run as interpret
from keras_proxy_snn.mapping.order import relu_before_maximum

from . import oracle

SHAPE = (8, 8, 2)


def conv(activation="relu", padding="valid", **options):
    return layers.Conv2D(4, 3, activation=activation, padding=padding, **options)


def norm(name="norm"):
    return layers.BatchNormalization(epsilon=0.0, name=name)


def chain(*stack, end=(layers.Flatten,)):
    return keras.Sequential(
        [keras.Input(SHAPE), *stack, *(kind() for kind in end), layers.Dense(3, name="readout")]
    )


def exact(cnn, rng):
    """The CNN with weights whose sums are exact in every order, also with normalisation folded."""
    for layer in cnn.layers:
        weights = layer.get_weights()
        if isinstance(layer, layers.BatchNormalization):
            shape = weights[0].shape
            beta, mean = (rng.integers(-3, 4, shape) / 8 for _ in range(2))
            gamma, variance = rng.choice([-0.5, 0.5, 1, 2], shape), rng.choice([0.25, 1, 4], shape)
            layer.set_weights([gamma, beta, mean, variance])
        else:
            layer.set_weights([oracle.dyadic(rng, w.shape, 64, -60, 64) for w in weights])
    return cnn


@pytest.fixture
def images(rng):
    return oracle.dyadic(rng, (4, *SHAPE), 16, 0, 17)


def assert_exported_alike(model, images):
    """Counts and potentials of the readout, and so all before, are Keras's in its program too."""
    program, simulation = from_model(model), model.snn.simulate(images)
    trace, readout = interpret(program, images), program.neurons[-1]
    v = trace.potentials[-1] + np.float32(readout.v_0)
    assert len(np.unique(v)) > 4
    np.testing.assert_array_equal(trace.spike_counts, ops.convert_to_numpy(simulation.spike_counts))
    # TensorFlow's reciprocal square root of a long vector is wrong in the last bit.
    error = 1e-5 if keras.config.backend() == "tensorflow" else 0
    np.testing.assert_allclose(v, ops.convert_to_numpy(simulation.potential), rtol=0, atol=error)


FOLDED = {
    "first": lambda: chain(norm(), conv()),
    "after a factor of the image": lambda: chain(layers.Rescaling(0.5), norm(), conv()),
    "before a factor of the image": lambda: chain(norm(), layers.Rescaling(0.5), conv()),
    "between convolutions": lambda: chain(conv(), norm(), conv()),
    "of max pooling, before dropout": lambda: chain(
        conv(padding="same"), layers.MaxPooling2D(2), norm(), layers.Dropout(0.2), conv()
    ),
    "before average pooling": lambda: chain(conv(), norm(), layers.AveragePooling2D(2), conv()),
    "after average pooling": lambda: chain(
        conv(padding="same"), layers.AveragePooling2D(2), norm(), conv()
    ),
    "before and after average pooling": lambda: chain(
        conv(), norm("first"), layers.AveragePooling2D(2), norm(), conv()
    ),
    "before and after Flatten": lambda: chain(
        conv(strides=4), norm("first"), layers.Flatten(), norm(), end=()
    ),
    "before a global average": lambda: chain(
        conv(strides=4), norm(), end=[layers.GlobalAveragePooling2D]
    ),
    "after a global average": lambda: chain(
        conv(strides=4), layers.GlobalAveragePooling2D(), norm(), end=()
    ),
    "between Dense layers": lambda: chain(
        layers.Flatten(), layers.Dense(8, "relu"), norm(), layers.Dense(8, "relu"), end=()
    ),
    "before a depthwise convolution": lambda: chain(
        conv(), norm(), layers.DepthwiseConv2D(2, activation="relu")
    ),
    "before a kernel of one pixel": lambda: chain(
        conv(), norm(), layers.Conv2D(4, 1, padding="same", activation="relu")
    ),
}


@pytest.mark.parametrize("make", FOLDED.values(), ids=FOLDED)
def test_the_next_weights_take_a_normalisation(make, rng, images):
    assert_exported_alike(kps.from_keras(exact(make(), rng), 6, 2.0), images)


def global_maximum():
    return chain(conv(), layers.GlobalMaxPooling2D(), layers.Dense(4, "relu"), end=())


def test_a_program_has_a_global_maximum(rng, images):
    dimmed = images / np.float32([1, 2, 8, 32])[:, None, None, None]  # so that some do not fire
    assert_exported_alike(kps.from_keras(exact(global_maximum(), rng), 6, 2.0), dimmed)


@pytest.mark.parametrize("suffix", ["onnx", "tflite", "nir", "c"])
@pytest.mark.parametrize("make", [FOLDED["of max pooling, before dropout"], global_maximum])
def test_every_format_has_it(make, suffix, rng, images, tmp_path):
    cnn = exact(make(), rng)
    model = kps.from_keras(cnn, 6, 2.0, reset="zero", readout="counts")
    exported = model.export(tmp_path / f"net.{suffix}", calibration=images)
    assert exported.check.passed
    if suffix != "c":  # whose network is rounded to integers
        np.testing.assert_array_equal(exported.run(images), model.predict(images, verbose=0))


def block(branch, *before, own=None, after=(layers.ReLU,)):
    """A convolution, `before`, a sum of this (or its `branch`) and a convolution of it, `after`."""
    image = keras.Input(SHAPE)
    x = conv(padding="same")(image)
    for layer in before:
        x = layer(x)
    short = x if branch is None else branch(x)
    x = layers.Add(name="sum")([short, conv(own, padding="same", name="own")(x)])
    for kind in after:
        x = kind()(x)
    return keras.Model(image, layers.Dense(3, name="readout")(layers.Flatten()(x)))


def residual_sum(*, negative=True, of_image=False):
    """A sum of a convolution and what it reads."""
    image = keras.Input((8, 8, 4))
    x = image if of_image else conv(padding="same")(image)
    own = conv(None if negative else "relu", padding="same", name="own")(x)
    x = layers.Add(name="sum")([x, own])
    x = layers.ReLU()(x) if of_image else conv()(x)
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))


def joined(norm_before):
    image = keras.Input(SHAPE)
    x = conv(padding="same")(image)
    y = layers.BatchNormalization()(x) if norm_before else conv(padding="same")(x)
    x = conv()(layers.Concatenate(name="join")([x, y]))
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))


NEVER = {
    "before zeros of a convolution": (
        lambda: chain(
            conv(), layers.MaxPooling2D(2), norm(), layers.Dropout(0.2), conv(padding="same")
        ),
        r"zeros around .* not normalised\. Put it between .*or give the next .*\"valid\"\. "
        r"Received: layer 'norm' \(BatchNormalization\)",
    ),
    "of an image, before zeros": (
        lambda: chain(norm(), conv(padding="same")),
        r"\. Leave it out, or give the next convolution padding=\"valid\"\. Received: layer 'norm'",
    ),
    "before zero padding": (
        lambda: chain(conv(), norm(), layers.ZeroPadding2D(name="zeros"), conv()),
        r"zeros of 'zeros' \(ZeroPadding2D\) are not.*ReLU, pooling\. Received: layer 'norm'",
    ),
    "after zero padding": (
        lambda: chain(conv(), layers.ZeroPadding2D(name="zeros"), norm(), conv()),
        r"'zeros' \(ZeroPadding2D\) stands before it.*Received: layer 'norm'",
    ),
    "before a ReLU": (
        lambda: chain(conv(), layers.MaxPooling2D(2), norm(), layers.ReLU()),
        r"no convolution or Dense stands before .*Received: layer 'norm'",
    ),
    "an average before the ReLU": (
        lambda: chain(conv(), conv(None), layers.AveragePooling2D(2, name="pool"), layers.ReLU()),
        r"comes before the ReLU.*before the pooling and train again\. Received: layer 'pool'",
    ),
    "a maximum of an image's currents before the ReLU": (
        lambda: chain(conv(None), norm(), layers.MaxPooling2D(2, name="pool"), layers.ReLU()),
        r"comes before the ReLU.*this does not change the results.*Received: layer 'pool'",
    ),
    "a ReLU of averages after a ReLU": (
        lambda: chain(conv(), layers.AveragePooling2D(2), layers.ReLU(name="relu")),
        r"Remove this ReLU: its inputs .*Received: layer 'relu' \(ReLU\)",
    ),
    "a ReLU that does nothing": (
        lambda: chain(conv(), layers.MaxPooling2D(2), layers.ReLU(name="relu")),
        r"Remove this ReLU: its inputs .*Received: layer 'relu' \(ReLU\)",
    ),
    "a maximum of an image's currents without a ReLU": (
        lambda: chain(conv(None, name="first"), layers.MaxPooling2D(2), conv()),
        r"without a ReLU after it.*Put a ReLU after it and train .*Received: layer 'first'",
    ),
    "a convolution of a scaled image without a ReLU": (
        lambda: chain(layers.Rescaling(1 / 255), conv(None, name="first"), conv()),
        r"must read maps of spikes, not the image\. Put a ReLU after it .*Received: layer 'first'",
    ),
    "a maximum of an image": (
        lambda: chain(layers.MaxPooling2D(2, name="pool"), conv()),
        r"stands before all weights\. Prepare images .*Received: layer 'pool' \(MaxPooling2D\)",
    ),
    "an average of an image": (
        lambda: chain(layers.AveragePooling2D(2, name="pool"), conv()),
        r"stands before all weights\. Prepare images .*Received: layer 'pool' \(AveragePooling",
    ),
    "an average over the edge": (
        lambda: chain(conv(), layers.AveragePooling2D(4, padding="same", name="pool")),
        r"over the edge averages fewer spikes\. .*Received: layer 'pool' \(AveragePooling2D\)",
    ),
    "an average before a residual block": (
        lambda: block(None, layers.AveragePooling2D(2, name="pool")),
        r"'own' \(Conv2D\) reads these averages, .*MaxPooling2D.*Received: layer 'pool' \(Aver",
    ),
    "an average before a convolution of a residual sum": (
        lambda: block(layers.Conv2D(4, 1, name="short"), layers.AveragePooling2D(2, name="pool")),
        r"\) reads these averages, .*with strides, in place .*Received: layer 'pool' \(Average",
    ),
    "a residual sum without a ReLU": (
        lambda: block(None, after=[]),
        r"directly after 'sum' \(Add\) and train again\. Received: layer 'sum' \(Add\)",
    ),
    "a residual sum of ReLUs without a ReLU": (
        lambda: residual_sum(negative=False),
        r"after 'sum' \(Add\): its results .*no training is needed\. Received: layer 'sum' \(Add\)",
    ),
    "a residual sum with the image": (
        lambda: residual_sum(of_image=True),
        r"must read maps of spikes, not the image.*Received: layer 'own' \(Conv2D\)",
    ),
    "two branches with a ReLU": (
        lambda: block(layers.Conv2D(4, 1, activation="relu", name="short"), own="relu"),
        r"reads .* which another layer reads .* can have a ReLU.*Received: layer '(own|short)'",
    ),
    "a concatenation": (
        lambda: joined(False),
        r"no file can have a concatenation\. Add maps .*Received: layer 'join' \(Concatenate\)",
    ),
    "a concatenation after a normalisation": (
        lambda: joined(True),
        r"no file can have a concatenation\. Add maps .*Received: layer 'join' \(Concatenate\)",
    ),
    "a last layer that is no Dense": (
        lambda: keras.Sequential(
            [keras.Input(SHAPE), conv(), conv(None, name="last"), layers.Flatten()]
        ),
        r"Received: layer 'last' \(Conv2D\)",
    ),
}


@pytest.mark.parametrize(("make", "message"), NEVER.values(), ids=NEVER)
def test_an_order_that_no_file_can_have_is_told_at_once_and_at_the_export(make, message):
    with pytest.warns(UserWarning, match=rf"trained and saved, but not exported.*{message}"):
        model = kps.from_keras(make(), 2)
    with pytest.raises(ValueError, match=rf"A program is a chain.*{message}"):
        from_model(model)


def test_a_normalisation_with_two_readers_is_told():
    image = keras.Input(SHAPE)
    x = norm()(conv()(image))
    x = layers.ReLU()(layers.Add()([layers.Conv2D(4, 1)(x), x]))
    cnn = keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))
    with pytest.warns(UserWarning, match=r"several layers read it\. Put it between .*'norm'"):
        kps.from_keras(cnn, 2)


def test_that_vectors_have_no_file_is_told():
    cnn = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    with pytest.warns(UserWarning, match=r"not exported .* needs images .* of shape \(4,\)"):
        kps.from_keras(cnn, 2)


def test_a_model_of_events_has_no_file_in_any_order():
    cnn = NEVER["before zeros of a convolution"][0]()
    assert kps.from_keras(cnn, 2, events=True).events  # and no warning


@pytest.mark.parametrize("bounded", [None, 2.0])
def test_a_relu_after_max_pooling_is_moved_before_it(bounded, rng, images):
    def ordered(*end):
        return chain(conv(name="a"), conv(None, name="b"), norm(), *end)

    relu, pool = layers.ReLU(bounded, name="relu"), layers.MaxPooling2D(2, name="pool")
    after, before = exact(ordered(pool, relu), rng), ordered(layers.ReLU(bounded), pool)
    before.set_weights(after.get_weights())
    models = [kps.from_keras(cnn, 6, {"a": 2.0, "b": 4.0}) for cnn in (after, before)]
    scores, expected = (model.predict(images, verbose=0) for model in models)
    assert len(np.unique(expected)) > 4
    np.testing.assert_array_equal(scores, expected)
    assert_exported_alike(models[0], images)
    graph = models[0].twin.graph
    assert [call.layer.name for call in graph.calls][2:5] == ["norm", "relu", "pool"]
    assert [call.shape for call in graph.calls][2:5] == [(None, 4, 4, 4)] * 2 + [(None, 2, 2, 4)]
    np.testing.assert_array_equal(
        ops.convert_to_numpy(graph.output(images)), ops.convert_to_numpy(after(images))
    )


def test_such_a_network_is_calibrated_tuned_and_saved(rng, images, tmp_path):
    stack = [conv(), conv(None), layers.GlobalMaxPooling2D(), layers.ReLU()]
    cnn = exact(chain(*stack, end=()), rng)
    model = kps.from_keras(cnn, 4, calibrate="percentile", calibration_data=images)  # no warning
    kps.calibrate_biases(model, images, verbose=0)
    model.compile("adam", kps.SpikeCountCrossentropy())
    model.fit(images, np.array([0, 1, 2, 0]), verbose=0)
    model.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(
        again.predict(images, verbose=0), model.predict(images, verbose=0)
    )


@pytest.mark.parametrize(
    "first",
    [
        layers.Rescaling(1 / 127.5, offset=-1, name="first"),
        layers.Normalization(mean=8, variance=9, name="first"),
        layers.Resizing(4, 4, name="first"),
    ],
)
def test_what_shifts_images_is_told_before_the_training(first):
    head = [keras.Input((8, 8, 1)), first]
    cnn = keras.Sequential([*head, conv(), layers.Flatten(), layers.Dense(3)])
    with pytest.warns(UserWarning, match=r"multiply its images, .* Received: layer 'first'"):
        model = kps.from_keras(cnn, 2)
    with pytest.raises(ValueError, match=r"multiply its images, .* Received: layer 'first'"):
        from_model(model)


def test_a_factor_and_augmentation_of_images_are_exported():
    head = [keras.Input((8, 8, 1)), layers.Rescaling(1 / 255), layers.RandomFlip("horizontal")]
    cnn = keras.Sequential([*head, conv(), layers.Flatten(), layers.Dense(3)])
    model = kps.from_keras(cnn, 2)  # and no warning
    assert from_model(model).input_shape == (8, 8, 1)


@pytest.mark.parametrize("calibrate", [None, "percentile"])
def test_images_of_any_size_are_refused(calibrate):
    stack = [keras.Input((None, None, 2)), conv(), layers.GlobalAveragePooling2D()]
    cnn = keras.Sequential([*stack, layers.Dense(3)])
    data = None if calibrate is None else np.ones((2, 6, 6, 2), "float32")
    with pytest.raises(ValueError, match=r"one size, such as .* Received: .*\(None, None, 2\)"):
        kps.from_keras(cnn, 2, calibrate=calibrate, calibration_data=data)


def test_nir_tells_how_to_convert(images, tmp_path):
    model = kps.from_keras(chain(conv()), 2)
    with pytest.raises(
        ValueError, match=r"`from_keras\(..., reset=\"zero\", readout=\"counts\"\)`"
    ):
        model.export(tmp_path / "net.nir", images=images)


def order_of(cnn):
    return [call.layer.name for call in relu_before_maximum(read_graph(cnn)).calls]


def test_two_poolings_are_passed():
    pools = [layers.MaxPooling2D(2, strides=1, name=name) for name in ("p", "q")]
    cnn = chain(conv(name="a"), conv(None, name="b"), *pools, layers.ReLU(name="r"))
    assert order_of(cnn)[:5] == ["a", "b", "r", "p", "q"]


def test_what_is_not_moved():
    pool, relu = layers.MaxPooling2D(2, name="p"), layers.ReLU(name="r")
    # The maximum of an image's currents is exact, and neurons after it do what the ReLU does.
    assert order_of(chain(conv(None, name="a"), pool, relu))[:3] == ["a", "p", "r"]
    assert order_of(chain(conv(name="a"), pool, relu))[:3] == ["a", "p", "r"]
    image = keras.Input(SHAPE)
    a = conv(name="a")(image)
    b = pool(conv(None, name="b")(a))
    cnn = keras.Model(image, layers.Add(name="add")([relu(b), b]))  # which also reads the pooling
    assert order_of(cnn) == ["a", "b", "p", "r", "add"]
    last = keras.Sequential(
        [keras.Input(SHAPE), relu, conv(None, name="b"), layers.GlobalMaxPooling2D(name="p")]
    )
    assert order_of(last) == ["r", "b", "p"]


@pytest.mark.parametrize(
    ("gamma", "cure"),
    [
        (0.5, "Or put it after the pooling: because none of its gamma is negative, the trained"),
        (-0.5, "Some of its gamma are negative, so after the pooling the CNN would be another"),
    ],
)
def test_a_normalisation_between_relu_and_max_pooling_is_the_cause(gamma, cure):
    cnn = chain(conv(), norm(), layers.Dropout(0.1), layers.MaxPooling2D(2, name="pool"))
    weights = cnn.get_layer("norm").get_weights()
    cnn.get_layer("norm").set_weights([gamma + 0 * weights[0], *weights[1:]])
    message = (
        r"Between the ReLU and the pooling stands 'norm' \(BatchNormalization\).*Put it between "
        rf"the convolution and its ReLU and train again.*{cure}.*Received: layer 'pool'"
    )
    with pytest.raises(ValueError, match=message):
        kps.from_keras(cnn, 2)


def test_that_cure_gives_the_same_cnn(rng, images):
    bn, pool = norm(), layers.MaxPooling2D(2)
    wrong, right = exact(chain(conv(), bn, pool), rng), chain(conv(), pool, bn)
    gamma, *others = bn.get_weights()
    bn.set_weights([abs(gamma), *others])
    for to, source in ((0, 0), (-1, -1)):
        right.layers[to].set_weights(wrong.layers[source].get_weights())
    np.testing.assert_array_equal(
        right.predict(images, verbose=0), wrong.predict(images, verbose=0)
    )


def test_an_average_between_relu_and_max_pooling_is_the_cause():
    cnn = chain(conv(), layers.AveragePooling2D(2, name="mean"), layers.MaxPooling2D(2))
    message = r"stands 'mean' .* Put a ReLU directly after 'mean': .* no training is needed"
    with pytest.raises(ValueError, match=message):
        kps.from_keras(cnn, 2)


def residual(*, negative=False, relu=False, join=layers.Add):
    """Two convolutions, joined; then, perhaps, a ReLU; then a max pooling."""
    image = keras.Input(SHAPE)
    a = conv(padding="same", name="a")(image)
    b = conv(None if negative else "relu", padding="same", name="b")(a)
    x = join(name="join")([a, b])
    x = layers.ReLU(name="relu")(x) if relu else x
    x = layers.Flatten()(layers.MaxPooling2D(2, name="pool")(x))
    return keras.Model(image, layers.Dense(3, name="readout")(x))


def test_a_sum_between_relus_and_max_pooling_is_the_cause():
    message = (
        r"stands 'join' \(Add\).*Put a ReLU directly after 'join': .* does not change the "
        r"CNN, and no training is needed\. Received: layer 'pool' \(MaxPooling2D\)"
    )
    with pytest.raises(ValueError, match=message):
        kps.from_keras(residual(), 2)


@pytest.mark.parametrize("join", [layers.Add, layers.Concatenate])
def test_what_joins_negative_values_needs_a_training(join):
    message = (
        rf"reads 'join' \({join.__name__}\), whose results can be negative: .*Put a ReLU directly "
        r"after 'join' and train again\. Received: layer 'pool'"
    )
    with pytest.raises(ValueError, match=message):
        kps.from_keras(residual(negative=True, join=join), 2)


def test_a_relu_after_that_sum_is_the_same_cnn_and_is_exported(rng, images):
    wrong, right = residual(), exact(residual(relu=True), rng)
    wrong.set_weights(right.get_weights())
    expected = wrong.predict(images, verbose=0)
    np.testing.assert_array_equal(right.predict(images, verbose=0), expected)
    assert_exported_alike(kps.from_keras(right, 6, 2.0), images)
