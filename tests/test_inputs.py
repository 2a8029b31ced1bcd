"""What enters a model: wrong images, labels and settings of Keras are named, on every backend."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_proxy_snn as kps
from keras_proxy_snn.training.images import is_finite

SHAPE = (4, 4, 1)


def small(spec="2C3-4F-3F", **fields):
    keras.utils.set_random_seed(0)
    return kps.build(spec, **{"input_shape": SHAPE, "time_steps": 3, "v_threshold": 0.25, **fields})


@pytest.fixture
def x():
    return np.random.default_rng(0).random((6, *SHAPE), "float32")


GOOD = np.arange(6) % 3


def batches(x, y=None):
    """A generator, of which nothing is known before its first batch."""
    while True:
        yield (x,) if y is None else (x, y)


def in_each_way(model, x, y):
    """Methods that take images and labels, by name."""
    return {
        "fit": lambda: model.fit(x, y, verbose=0),
        "validation": lambda: model.fit(
            np.zeros((3, *SHAPE)), GOOD[:3], validation_data=(x, y), verbose=0
        ),
        "evaluate": lambda: model.evaluate(x, y, verbose=0),
        "train_on_batch": lambda: model.train_on_batch(x, y),
        "test_on_batch": lambda: model.test_on_batch(x, y),
    }


@pytest.mark.parametrize(
    ("wrong", "received"),
    [
        (np.where(GOOD == 2, 3, GOOD), "3 at 2"),
        (np.where(GOOD == 1, -1, GOOD), "-1 at 1"),
        (np.where(GOOD == 1, np.nan, GOOD), "nan at 1"),
        (np.where(GOOD == 2, 1.5, GOOD), "1.5 at 2"),
        (np.where(GOOD == 2, 1.5, GOOD)[:, None], r"\[1.5\] at 2"),
        (np.where(np.eye(3)[GOOD] == 1, np.nan, 0), r"\[nan, 0.0, 0.0\] at 0"),
        (np.zeros((6, 4)), r"an array of shape \(6, 4\)"),
        (-np.eye(3)[GOOD], r"\[-1.0, -0.0, -0.0\] at 0"),
        (5 * np.eye(3)[GOOD], r"\[5.0, 0.0, 0.0\] at 0"),
        (np.zeros((6, 3)), r"\[0.0, 0.0, 0.0\] at 0"),
        (np.ones((6, 3)), r"\[1.0, 1.0, 1.0\] at 0"),
        (np.eye(3)[GOOD] / 2, r"\[0.5, 0.0, 0.0\] at 0"),
        (np.array(list("abcdef")), "a ndarray of <U1"),
        (GOOD.astype(object), "a ndarray of object"),
    ],
)
def test_labels_that_are_no_class_are_refused_by_every_method(x, wrong, received):
    rule = rf"Labels must be whole numbers from 0 to 2, or one-hot rows of 3\. Received: {received}"
    for method in in_each_way(small(), x, wrong).values():
        with pytest.raises(ValueError, match=rule):
            method()


@pytest.mark.parametrize("wrong", [GOOD.tolist(), tuple(GOOD), {"y": GOOD}, "labels", 3])
def test_labels_must_be_one_array(x, wrong):
    for method in in_each_way(small(), x, wrong).values():
        with pytest.raises(
            ValueError, match=rf"Labels must be one array.*a {type(wrong).__name__}"
        ):
            method()


@pytest.mark.parametrize(("wrong", "received"), [(None, "None"), (GOOD[:0], "an empty array")])
def test_labels_must_be_there(x, wrong, received):
    for method in in_each_way(small(), x, wrong).values():
        with pytest.raises(ValueError, match=rf"Labels must be .*Received: {received}"):
            method()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_rows_may_be_smoothed(x, dtype):
    rows = (0.9 * np.eye(3)[GOOD] + 0.1 / 3).astype(dtype)
    assert np.isfinite(small().evaluate(x, rows, verbose=0)).all()
    model, data = small(), batches(x, rows)
    assert np.isfinite(model.evaluate(data, steps=1, verbose=0)).all()


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_wrong_labels_of_a_generator_are_found_at_the_end_of_the_epoch(x, method):
    model, wrong = small(), np.where(GOOD == 2, 7.5, GOOD)
    steps = {"fit": {"steps_per_epoch": 1, "shuffle": False}, "evaluate": {"steps": 1}}[method]
    run = getattr(model, method)
    with pytest.raises(ValueError, match=r"whole numbers from 0 to 2.*Received: 2 other labels"):
        run(batches(x, wrong), verbose=0, **steps)
    run(batches(x, GOOD), verbose=0, **steps)  # nothing of it is left
    names = model.evaluate(x, GOOD, verbose=0, return_dict=True)
    assert set(names) == {"loss", "accuracy"}


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_wrong_pixels_of_a_generator_are_found_at_the_end_of_the_epoch(x, method):
    x[3, 0, 0, 0] = np.nan
    steps = {"fit": {"steps_per_epoch": 1, "shuffle": False}, "evaluate": {"steps": 1}}[method]
    with pytest.raises(ValueError, match=r"Pixels must be finite.*nan or inf in 1 images since"):
        getattr(small(), method)(batches(x, GOOD), verbose=0, **steps)


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_wrong_pixels_of_a_generator_are_found_by_predict(x, bad):
    """Without a check, images without spikes would be class 0."""
    model = small()
    expected = model.predict(x, verbose=0)
    found = model.predict(((part,) for part in np.split(x, 2)), steps=2, verbose=0)
    np.testing.assert_array_equal(found, expected)
    x[[1, 3, 4], 0, 0, 0] = bad
    with pytest.raises(ValueError, match=r"Pixels must be finite.*nan or inf in 3 images"):
        model.predict(((part,) for part in np.split(x, 2)), steps=2, verbose=0)


def test_losses_and_metrics_called_by_hand_check_their_labels():
    counts = np.zeros((2, 3), "float32")
    for function in (
        kps.SpikeCountCrossentropy(),
        kps.SpikeCountMeanSquaredError(),
        kps.SpikeAccuracy().update_state,
    ):
        function(np.array([0, 2]), counts)
        with pytest.raises(ValueError, match=r"from 0 to 2.*Received: 3 at 1"):
            function(np.array([0, 3]), counts)


@pytest.mark.parametrize("kind", [object, str, complex])
def test_pixels_of_another_kind_are_refused(x, kind):
    with pytest.raises(ValueError, match="Pixels must be real numbers"):
        small().predict(x.astype(kind), verbose=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: np.ma.masked_array(a, a == a[0]), r"must have no mask.*Received: a MaskedArray"),
        (lambda a: a.astype(">f4"), r"machine's order of bytes.*Received: an array of >f4"),
    ],
    ids=["masked", "big-endian"],
)
def test_arrays_that_backends_read_differently_are_refused(x, change, message):
    model = small()
    for images, labels in ((change(x), GOOD), (x, change(GOOD.astype("float32")))):
        for method in in_each_way(model, images, labels).values():
            with pytest.raises(ValueError, match=message):
                method()


def test_pixels_have_at_most_32_bits(x):
    large = np.full(x.shape, 2**31)
    with pytest.raises(ValueError, match=r"at most 32 bits. Received: from 2147483648 to 214748"):
        small().predict(large, verbose=0)


def test_weights_of_images_are_numbers(x):
    weights = np.where(GOOD == 1, np.nan, 1.0)
    model = small()
    for method in (model.fit, model.train_on_batch, model.evaluate):
        with pytest.raises(ValueError, match=r"`sample_weight` must hold finite numbers"):
            method(x, GOOD, sample_weight=weights)
        with pytest.raises(ValueError, match=r"`sample_weight` .*an array .*Received: a list"):
            method(x, GOOD, sample_weight=[1.0] * 6)
        with pytest.raises(ValueError, match=r"`sample_weight` .*Received: an array of <U1"):
            method(x, GOOD, sample_weight=np.array(list("abcdef")))
    with pytest.raises(ValueError, match=r"`sample_weight` must hold finite numbers"):
        model.fit(x, GOOD, validation_data=(x, GOOD, weights))
    for wrong in ({0: 1.0, 1: np.inf}, {0: "1"}, {3: 1.0}, {"cat": 1.0}, [1.0, 1.0, 1.0]):
        with pytest.raises(ValueError, match=r"`class_weight` must map classes from 0 to 2 to fin"):
            model.fit(x, GOOD, class_weight=wrong)


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_wrong_weights_of_a_generator_are_found_at_the_end_of_the_epoch(x, method):
    weights = np.where(GOOD == 1, np.nan, 1.0)
    data = (batch for batch in [(x, GOOD, weights)] * 2)
    given = {"x": data, "verbose": 0, "steps": 2}
    if method == "fit":
        given = {"x": data, "verbose": 0, "steps_per_epoch": 2, "shuffle": False}
    with pytest.raises(ValueError, match=r"Weights of images must be finite.*inf as 4 weights"):
        getattr(small(), method)(**given)


def test_labels_of_another_shape_are_refused_in_a_step(x):
    data = (batch for batch in [(x, GOOD.reshape(3, 2))] * 2)
    with pytest.raises(ValueError, match=r"Labels must be \((6|images),\), .* shape \(.*2\)"):
        small(loss="mse").evaluate(data, steps=2, verbose=0)


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3), (6, 2), (6, 1, 1), (1, 3)], ids=str)
def test_losses_and_metrics_refuse_labels_of_another_shape(shape):
    labels, scores = keras.ops.ones(shape), keras.ops.ones((6, 3))
    for judge in (kps.SpikeCountMeanSquaredError(), kps.SpikeAccuracy()):
        with pytest.raises(ValueError, match=r"Labels must be \(6,\), \(6, 1\) or \(6, 3\). Rec"):
            judge(labels, scores)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_pixels_that_are_no_numbers_are_refused(x, bad):
    x[3, 0, 0, 0] = bad
    model = small()
    for method in {
        **in_each_way(model, x, GOOD),
        "predict": lambda: model.predict(x, verbose=0),
        "tensor": lambda: model.predict_on_batch(keras.ops.convert_to_tensor(x)),
    }.values():
        with pytest.raises(ValueError, match=r"Pixels must be finite.*nan or inf in image 3"):
            method()


@pytest.mark.parametrize("wrong", [None, "a.png", Path("a.png")], ids=str)
def test_what_is_no_image_at_all_is_refused(wrong):
    model = small()
    for method in (model.predict, model.fit, model.evaluate, model.predict_on_batch):
        with pytest.raises(ValueError, match=rf"\(batch, 4, 4, 1\).*Received: .*{wrong}"):
            method(wrong)


@pytest.mark.parametrize(
    ("change", "received"),
    [
        (lambda x: x[..., 0], r"an input of shape \(6, 4, 4\)"),
        (lambda x: np.repeat(x, 3, -1), r"an input of shape \(6, 4, 4, 3\)"),
        (
            lambda x: np.tile(x, (1, 2, 2, 1)),
            r"an input of shape \(6, 8, 8, 1\)",
        ),
        (lambda x: x[:0], "an empty array"),
        (lambda x: {"image": x}, "a dict"),
        (lambda x: [x], "a list"),
    ],
)
def test_what_is_no_batch_of_images_is_refused_by_every_method(x, change, received):
    wrong, model = change(x), small()
    for method in {
        **in_each_way(model, wrong, GOOD[: len(wrong)]),
        "predict": lambda: model.predict(wrong, verbose=0),
        "predict_on_batch": lambda: model.predict_on_batch(wrong),
    }.values():
        with pytest.raises(ValueError, match=rf"\(batch, 4, 4, 1\).*Received: {received}") as error:
            method()
        assert len(str(error.value)) < 300


@pytest.mark.parametrize("change", [lambda x: x[..., 0], lambda x: {"image": x}])
def test_wrong_batches_of_a_generator_are_refused_too(x, change):
    model, wrong = small(), change(x)
    for method in (
        lambda: model.fit(batches(wrong, GOOD), steps_per_epoch=1, shuffle=False, verbose=0),
        lambda: model.evaluate(batches(wrong, GOOD), steps=1, verbose=0),
        lambda: model.predict(batches(wrong), steps=1, verbose=0),
    ):
        with pytest.raises(ValueError, match=r"Images must have shape \(batch, 4, 4, 1\)"):
            method()


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
@pytest.mark.parametrize("good", [0, 2])
def test_an_error_in_a_step_loses_no_weights(x, method, good):
    model = small()
    model.fit(x, GOOD, verbose=0)
    kept = model.get_weights()
    data = iter([*[(x, GOOD)] * good, (x[..., 0], GOOD)])
    options = {"shuffle": False} if method == "fit" else {}
    # TensorFlow refuses batches of different shapes itself.
    with pytest.raises(Exception, match=r"Images must have shape|element of shape"):
        getattr(model, method)((batch for batch in data), verbose=0, **options)
    if method != "fit" or not good:
        for found, expected in zip(model.get_weights(), kept, strict=True):
            np.testing.assert_array_equal(found, expected)
    assert np.isfinite(model.evaluate(x, GOOD, verbose=0)).all()


@pytest.fixture
def restored():
    yield keras.config
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def test_a_global_channels_first_changes_no_count(x, restored):
    spec = "2C3-P2-4F-3F"
    model = small(spec)
    restored.set_image_data_format("channels_first")
    again = small(spec)
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    again.fit(x, GOOD, verbose=0)
    layer = kps.IFConv2D(2, 3, padding="same")
    assert layer(x[:, None]).shape == (6, 1, 4, 4, 2)


# JAX says this, and makes the weights float32.
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype float64:UserWarning")
@pytest.mark.parametrize("name", ["float16", "bfloat16", "float64"])
def test_weights_in_another_dtype_are_refused_by_the_settings_name(name, restored):
    for set_it, put_back in (
        (restored.set_floatx, "float32"),
        (restored.set_dtype_policy, "float32"),
    ):
        set_it(name)
        with pytest.raises(ValueError, match=f"Weights must be float32.*of {name}.*floatx"):
            small()
        set_it(put_back)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_images_that_keras_would_round_are_refused(x, name, restored):
    model = small()
    restored.set_floatx(name)
    for method in (
        lambda: model.predict(x, verbose=0),
        lambda: model.fit(x, GOOD, verbose=0),
        lambda: model(x),
    ):
        with pytest.raises(
            ValueError, match=f"`keras.config.floatx.*'float32'.*Received: '{name}'"
        ):
            method()


def test_rates_are_means_over_images(x):
    """Three images in batches of two, of which the last batch has one that is black."""
    x = x[:3].copy()
    x[2] = 0
    model = small(learning_rate=0.0)
    rates = [float(rate) for rate in model.snn.simulate(x).firing_rates]
    logs = model.fit(x, GOOD[:3], batch_size=2, shuffle=False, verbose=0).history
    names = [f"rate_{layer.twin.name}" for layer in model.snn.if_layers]
    assert rates[0] > 0
    np.testing.assert_allclose([logs[name][0] for name in names], rates, rtol=1e-5)


@pytest.mark.parametrize("form", ["argument", "layer"])
def test_a_penalty_on_activities_counts_in_fit_and_in_evaluate(x, form):
    layers = keras.layers
    regularizer = keras.regularizers.L2(0.5) if form == "argument" else None
    hidden = [layers.Dense(4, "relu", activity_regularizer=regularizer)]
    if form == "layer":
        hidden.append(layers.ActivityRegularization(l2=0.5))
    ann = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), *hidden, layers.Dense(3)])
    model = kps.ProxyModel(ann, time_steps=3)
    model.compile(keras.optimizers.SGD(0.0), kps.SpikeCountCrossentropy())
    activity = keras.ops.convert_to_numpy(hidden[0](x.reshape(6, -1)))
    loss = kps.SpikeCountCrossentropy()(GOOD, model.predict(x, verbose=0))
    # Keras divides such a penalty by the number of images.
    expected = float(loss) + 0.5 * float((activity**2).sum()) / 6
    assert model.fit(x, GOOD, batch_size=6, verbose=0).history["loss"][0] == pytest.approx(
        expected, rel=1e-4
    )
    assert model.evaluate(x, GOOD, batch_size=6, verbose=0) == pytest.approx(expected, rel=1e-4)


def test_a_subclass_holds_metrics_layers_and_a_teacher(x, tmp_path):
    class Distilled(kps.ProxyModel):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.extra = keras.metrics.Mean(name="extra")
            self.seed = keras.random.SeedGenerator(1)
            self.head = keras.layers.Dense(2, trainable=False)
            self.head.build((None, 3))
            self.teacher = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten()])

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            self.extra.update_state(1.5)
            return super().compute_metrics(x, y, y_pred, sample_weight)

    ann = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3)])
    model = Distilled(ann, time_steps=3)
    model.compile("adam", kps.SpikeCountCrossentropy())
    assert "extra" in [metric.name for metric in model.metrics]
    assert model.fit(x, GOOD, verbose=0).history["extra"] == [1.5]
    assert model.evaluate(x, GOOD, verbose=0, return_dict=True)["extra"] == 1.5
    assert model.head in model.layers
    counts = model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    objects = {"Distilled": Distilled}
    again = keras.models.load_model(tmp_path / "model.keras", objects, compile=False)
    np.testing.assert_array_equal(again.predict(x, verbose=0), counts)
    np.testing.assert_array_equal(*(m.head.get_weights()[0] for m in (model, again)))


def test_a_learned_threshold_that_diverged_is_refused_by_name(tmp_path):
    model = small(learn_threshold=True, proxy_activation="clip", readout_activation="linear")
    path = tmp_path / "model.keras"
    model.save(path)
    before = path.read_bytes()
    model.ann.get_layer("conv1_threshold").set_weights([np.float32(np.nan)])
    message = r"learned threshold of layer 'conv1_threshold' has diverged.*Received: nan"
    for method in (
        lambda: model.save(path),
        lambda: model.save_weights(tmp_path / "model.weights.h5"),
        lambda: model.export(tmp_path / "net.onnx"),
        lambda: model.v_threshold,
    ):
        with pytest.raises(ValueError, match=message):
            method()
    assert path.read_bytes() == before
    assert "time_steps=3" in repr(model)


def test_a_model_says_what_it_is_in_one_line():
    model = small()
    assert repr(model) == (
        f"<ProxyModel name={model.name}, images (4, 4, 1), 3 classes, time_steps=3, "
        "reset='zero', readout='counts'>"
    )


def test_what_a_notebook_shows_of_results_has_no_arrays(x, tmp_path):
    model = small()
    shown = [
        *kps.statistics.record(model, x).values(),
        model.export(tmp_path / "net.onnx"),
    ]
    for value in [*shown, *shown[-1].program.layers]:
        assert "array" not in repr(value)
        assert len(repr(value)) < 700
    # A report shows itself as its tables, which fit a screen.
    report = repr(kps.statistics.report(model, x))
    assert "array" not in report
    assert len(report.splitlines()) < 40


def test_a_loss_of_ones_own_takes_rows_of_any_finite_numbers():
    """Such as logits of a teacher; the package's own losses take shares alone."""
    model = kps.build("3F", input_shape=(2, 2, 1), time_steps=2, l2=0.0)
    x, rows = np.zeros((2, 2, 2, 1), "float32"), np.float32([[-1, 2, 3], [4, 5, 6]])
    with pytest.raises(ValueError, match="Labels must be"):
        model.fit(x, rows, verbose=0)
    model.compile("sgd", loss="mse")
    history = model.fit(x, rows, verbose=0)
    assert history.history["loss"][0] == pytest.approx(float(np.mean(rows**2)), rel=1e-6)
    rows[1, 1] = np.nan
    with pytest.raises(ValueError, match=r"Received: \[4.0, nan, 6.0\] at 1"):
        model.fit(x, rows, verbose=0)


@pytest.mark.parametrize("images", [0, 1, 3])
def test_finite_images_are_told_in_batches_of_any_size(images):
    x = np.zeros((images, 2, 3, 1), "float32")
    x[1:2, 1, 2] = np.nan
    finite = keras.ops.convert_to_numpy(is_finite(keras.ops.convert_to_tensor(x)))
    assert finite.tolist() == [True, False, True][:images]
