"""The range of images: seen by `fit`, said by `Rescaling`, kept in the model's config."""

import warnings
from dataclasses import replace

import keras
import numpy as np
import pytest

import keras_proxy_snn as kps
from keras_proxy_snn.basics.pixel_range import seen_range
from keras_proxy_snn.cli._calibration import calibration_images
from keras_proxy_snn.export import from_model, interpreter, litert, load
from keras_proxy_snn.export.images import noise_images
from keras_proxy_snn.export.quantise import quantise
from keras_proxy_snn.training.input_range import peek

X = np.random.default_rng(0).random((20, 4, 4, 1)).astype("float32")
X[0, 0, 0], X[0, 0, 1] = 0, 1
Y = np.arange(20) % 3


def network(*layers, **settings):
    ann = keras.Sequential([keras.Input((4, 4, 1)), *layers, keras.layers.Flatten()])
    ann.add(keras.layers.Dense(3))
    model = kps.ProxyModel(ann, time_steps=2, **settings)
    model.compile("sgd", kps.SpikeCountCrossentropy())
    return model


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (X, (0.0, 1.0)),
        (X > 0.5, (0.0, 1.0)),
        (X * 255, (0.0, 255.0)),
        ((X * 255).astype("uint8"), (0.0, 255.0)),
        (X * 250, (0.0, 255.0)),
        (X * 65535, (0.0, 65535.0)),
        (X * 16, (0.0, 16.0)),  # scikit-learn's digits
        (X * 2 - 1, (-1.0, 1.0)),
        (X * 5 - 2, (-2.0, 3.0)),
        (X * 0, None),
        (X * np.nan, None),
        (X[:0], None),
    ],
)
def test_the_range_that_images_have(images, expected):
    assert seen_range(images) == expected


def test_a_trained_network_warns_of_images_that_are_far_too_bright_or_dark():
    model = network()
    model.predict(X * 255, verbose=0)  # no range is known yet
    model.fit(X, Y, validation_data=(X * 2, Y), verbose=0)
    bytes_ = (X * 255).astype("uint8")
    with pytest.warns(UserWarning, match="from 0 to 255, and this network .* from 0 to 1: its ans"):
        model.predict(bytes_, verbose=0)
    with pytest.warns(UserWarning, match=r"set `model\.input_range = \(0\.0, 255\.0\)` if"):
        model.evaluate(bytes_, Y, verbose=0)
    model.predict(X * 3, verbose=0)  # standardised images may differ as much
    model.input_range = (0, 255)
    model.predict(bytes_, verbose=0)
    model.predict(bytes_[:, :, ::-1] // 3, verbose=0)  # a darker picture
    with pytest.warns(UserWarning, match="from 0 to 1, and this network .* from 0 to 255"):
        model.predict(X, verbose=0)


def drawn(function):
    def draw(model, x, y):
        pytest.importorskip("matplotlib", reason='pip install "keras-proxy-snn[plot]"')
        getattr(kps.visualization, function)(model, x[0])

    return draw


CONSUMERS = {
    "evaluate": lambda model, x, y: model.evaluate(x, y, verbose=0),
    "predict": lambda model, x, y: model.predict(x, verbose=0),
    "validation": lambda model, x, y: model.fit(255 * X, y, validation_data=(x, y), verbose=0),
    "train_on_batch": lambda model, x, y: model.train_on_batch(x, y),
    "test_on_batch": lambda model, x, y: model.test_on_batch(x, y),
    "predict_on_batch": lambda model, x, y: model.predict_on_batch(x),
    "quantised, predict": lambda model, x, y: kps.QuantisedANN(model).predict(x, verbose=0),
    "predict, batches": lambda model, x, y: model.predict(iter([(x,)]), steps=1, verbose=0),
    "record": lambda model, x, y: kps.statistics.record(model, x),
    "report": lambda model, x, y: kps.statistics.report(model, x),
    "report, batches": lambda model, x, y: kps.statistics.report(model, iter([x])),
    "early stopping": lambda model, x, y: kps.statistics.early_stopping(model, x, y, (1.0,)),
    "biases": lambda model, x, y: kps.calibrate_biases(model, x),
    "quantise": lambda model, x, y: quantise(from_model(model), x, search_images=2),
    "raster": drawn("spike_raster"),
    "maps": drawn("feature_maps"),
    "potentials": drawn("potential_traces"),
}


@pytest.mark.parametrize("consumer", CONSUMERS)
@pytest.mark.parametrize("says", ["the user", "a layer"])
def test_whoever_takes_images_warns_of_those_of_another_range(consumer, says):
    first = {"the user": [], "a layer": [keras.layers.Rescaling(1 / 255)]}[says]
    hidden = [keras.layers.Conv2D(2, 3, activation="relu", name="conv1"), keras.layers.Flatten()]
    stack = [keras.Input((4, 4, 1)), *first, *hidden, keras.layers.Dense(3)]
    model = kps.from_keras(keras.Sequential(stack), 2)
    model.compile("sgd", kps.SpikeCountCrossentropy())
    if says == "the user":
        model.input_range = (0, 255)
    use = CONSUMERS[consumer]
    use(model, X * 255, Y)
    with pytest.warns(UserWarning, match=r"mages go from 0 to 1, and this network") as seen:
        use(model, X, Y)
    ours = [warning for warning in seen if "mages go" in str(warning.message)]
    assert {warning.filename for warning in ours} == {__file__}


def test_build_takes_the_range():
    assert kps.build("3F", input_shape=(4, 4, 1), input_range=(0, 255)).input_range == (0, 255)


def test_fit_warns_of_bytes_and_notes_them():
    model = network()
    assert model.input_range == (0, 1)
    with pytest.warns(UserWarning, match="from 0 to 255, .* Divide them, or put .*Rescaling"):
        model.fit(X * 255, Y, verbose=0)
    assert model.input_range == (0, 255)
    model.note_input_range(X * 250)  # it is known now
    with pytest.warns(UserWarning, match="from 0 to 1, and this network is for .* 0 to 255"):
        model.note_input_range(X)
    assert model.input_range == (0, 1)


def test_usual_images_and_those_that_the_network_scales_are_silent():
    for model, x, expected in (
        (network(), X, (0, 1)),
        (network(input_range=(0, 255)), X * 255, (0, 255)),
        (network(keras.layers.Rescaling(1 / 255)), X * 255, (0, 255)),
        (network(keras.layers.Rescaling(1 / 127.5, offset=-1)), X * 255, (0, 255)),
        (network(keras.layers.Normalization(mean=8, variance=9)), X * 16, (0, 16)),
        (network(keras.layers.Normalization(mean=0, variance=1)), X, (0, 1)),
    ):
        model.note_input_range(x)
        assert model.input_range == expected


def test_a_rescaling_says_the_range_before_any_image():
    model = network(keras.layers.Rescaling(1 / 255))
    assert model.input_range == (0, 255)
    with pytest.warns(UserWarning, match="this network is for images from 0 to 255"):
        model.note_input_range(X)
    assert network(keras.layers.Rescaling(0.5)).input_range == (0, 1)


@pytest.mark.parametrize("loads", ["file", "config"])
def test_it_travels_with_the_model(loads, tmp_path):
    model = network(input_range=(-1, 3))
    if loads == "file":
        model.save(tmp_path / "m.keras")
        again = keras.models.load_model(tmp_path / "m.keras")
    else:
        again = kps.ProxyModel.from_config(model.get_config())
    assert again.input_range == (-1, 3)
    again.input_range = None
    assert again.input_range == (0, 1)


@pytest.mark.parametrize(
    "value",
    [(1, 0), (0, 0), (0, np.inf), 255, "ab", (0, 1, 2), ("x", 1), "01", {0, 1}, (0, 10**400)],
)
def test_what_is_no_range(value):
    with pytest.raises(ValueError, match=r"`input_range` must be \(low, high\)"):
        network(input_range=value)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return X[10 * index : 10 * index + 10] * 255, Y[:10]


def data_sets():
    yield Batches()
    yield (batch for batch in Batches())
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        yield tf.data.Dataset.from_tensor_slices((X * 255, Y)).batch(10)
    if keras.config.backend() == "torch":
        import torch

        yield torch.utils.data.DataLoader([*zip(X * 255, Y, strict=True)], batch_size=10)


def test_data_sets_of_every_kind_are_seen_and_not_used_up():
    for data in data_sets():
        images, same = peek(data)
        assert seen_range(np.stack(images)) == (0, 255)
        assert len(list(same)) == 2
    *_, data = data_sets()  # the backend's own kind
    model = network()
    with pytest.warns(UserWarning, match="from 0 to 255"):
        model.fit(data, shuffle=False, steps_per_epoch=2, verbose=0)
    assert model.input_range == (0, 255)


def test_what_is_no_image_says_nothing():
    ann = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model = kps.ProxyModel(ann, time_steps=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.note_input_range(X[:, 0, :, 0] * 300)
    assert model.input_range == (0, 1)


def test_a_cnn_that_scales_its_images_warns_of_others_while_it_is_calibrated():
    stack = [keras.Input((4, 4, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    ann = keras.Sequential([*stack, keras.layers.Dense(3)])
    kps.calibrate(ann, X * 255)
    with pytest.warns(UserWarning, match="go from 0 to 1, and this network .* from 0 to 255"):
        kps.calibrate(ann, X)


def test_a_cnn_that_was_trained_on_bytes_is_converted_as_one():
    ann = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    ann.add(keras.layers.Dense(4, "relu"))
    ann.add(keras.layers.Dense(3))
    with pytest.warns(UserWarning, match="from 0 to 255"):
        model = kps.from_keras(ann, 4, calibrate="percentile", calibration_data=X * 255)
    assert model.input_range == (0, 255)


@pytest.mark.any_backend
def test_pretrained_weights_know_the_range_of_their_training():
    model = kps.build("digits", weights="pretrained", time_steps=2)
    with pytest.warns(UserWarning, match="Images go from 0 to 255, and this network was trained"):
        model.predict(255 * kps.datasets.load("digits")[1][0][:2], verbose=0)


@pytest.fixture(scope="module")
def twins():
    """One network for pixels from 0 to 1 and one for 0 to 255, whose first weights say so."""
    unit = kps.build("digits", weights="pretrained", time_steps=6)
    bytes_ = kps.build("digits", weights="pretrained", time_steps=6)
    first = bytes_.ann.get_layer("conv1").kernel
    first.assign(first / 255)
    bytes_.input_range = (0, 255)
    return unit, bytes_


def test_it_travels_with_programs_and_files(twins, tmp_path):
    program = from_model(twins[1])
    assert (program.input_range, program.largest_input) == ((0, 255), 255)
    assert noise_images(program).max() > 100
    program.save(tmp_path / "net.kps")
    assert load(tmp_path / "net.kps").input_range == (0, 255)
    exported = twins[1].export(tmp_path / "net.tflite", format="litert")
    assert litert.read_metadata(exported.path)["input_range"] == [0, 255]
    with pytest.raises(ValueError, match="must be two finite numbers, the lower one first"):
        _ = replace(program, metadata={"input_range": [1, 0]}).input_range


def test_integer_networks_are_the_same_in_both_ranges(twins, digits):
    (x, _), _ = digits
    unit, of_bytes = (from_model(model) for model in twins)
    ours = quantise(of_bytes, x[:60] * 255, search_images=16)
    theirs = quantise(unit, x[:60], search_images=16)
    assert ours.input_scale * 255 == pytest.approx(theirs.input_scale)
    for a, b in zip(ours.neurons, theirs.neurons, strict=True):
        assert np.abs(a.kernel.astype(int) - b.kernel).max() <= 1
    counts = [
        interpreter.run(program, pixels).spike_counts
        for program, pixels in ((ours, x[:60] * 255), (theirs, x[:60]))
    ]
    assert (counts[0] == counts[1]).mean() > 0.99
    with pytest.raises(ValueError, match=r"must be in \[0, 255\]"):
        quantise(of_bytes, x[:60] * 256)
    twins[1].input_range = (-1, 1)
    with pytest.raises(ValueError, match="black must be 0"):
        quantise(from_model(twins[1]), x[:60])
    twins[1].input_range = (0, 255)


def test_the_command_line_calibrates_in_the_models_range(twins, tmp_path):
    program = from_model(twins[1])
    x, (x_test, _), names = calibration_images(program, "digits", None)
    assert len(names) == 10
    assert (x.max(), x_test.max()) == (255, 255)
    for dtype, level in (("uint8", 51), ("uint16", 51 * 257)):
        np.save(tmp_path / "whole.npy", np.full((2, 8, 8, 1), level, dtype))
        x, *_ = calibration_images(program, str(tmp_path / "whole.npy"), None)
        np.testing.assert_allclose(x, 51, rtol=1e-6)


def test_a_layer_that_scales_says_the_range_too():
    cnn = [keras.Input((4, 4, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    model = kps.from_keras(keras.Sequential([*cnn, keras.layers.Dense(3)]), 4)
    with pytest.warns(
        UserWarning, match="Images go from 0 to 1.* trained with images from 0 to 255"
    ):
        model.predict(X, verbose=0)
    model.predict(X * 255, verbose=0)


@pytest.mark.any_backend
def test_commands_give_the_packages_images_in_the_models_range(tmp_path, monkeypatch):
    testing = pytest.importorskip("click.testing", reason='pip install "keras-proxy-snn[cli]"')
    from keras_proxy_snn.cli import _data, commands

    monkeypatch.chdir(tmp_path)
    scaled = keras.layers.Rescaling(1 / 255)
    ends = [keras.layers.Flatten(), keras.layers.Dense(10)]
    model = kps.from_keras(keras.Sequential([keras.Input((8, 8, 1)), scaled, *ends]), 4)
    _, (x, y) = kps.datasets.load("digits")
    whole = x * np.float32(255)
    found, _ = _data.test_images(model, None, None, "digits", None).arrays()
    np.testing.assert_array_equal(found, whole)
    model.save("net.keras")
    answer = testing.CliRunner().invoke(commands, ["evaluate", "net.keras", "--dataset", "digits"])
    right = np.mean(model.predict(whole, verbose=0).argmax(axis=1) == y)
    assert f"{right:.2%}" in answer.stdout
