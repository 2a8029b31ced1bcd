"""The pictures show the numbers that they should, legibly."""

import re
import sys

import keras
import numpy as np
import pytest
from keras import ops

from keras_proxy_snn import from_keras
from keras_proxy_snn.visualization import (
    accuracy_against_time_steps,
    feature_maps,
    potential_traces,
    spike_raster,
    training_curve,
)

pytest.importorskip("matplotlib")
from matplotlib.collections import EventCollection
from matplotlib.colors import to_rgba
from matplotlib.text import Text

from keras_proxy_snn.visualization.figure import shades

from .pictures import TIME_STEPS, check_legible, make_model, png, simulate

# What a backend gives a picture is an array; one test of each picture runs on all of them.
pytestmark = pytest.mark.any_backend

LOGS = {
    "accuracy": [0.5, 0.75, 0.875],
    "loss": [2.0, 1.0, 0.5],
    "val_accuracy": [0.5, 0.625, 0.25],
    "val_loss": [2.5, 1.5, 1.25],
    "rate_conv1": [0.1, 0.2, 0.3],
    "rate_readout": [0.05, 0.06, 0.07],
    "proxy_distance": [0.5, 0.25, 0.125],
    "learning_rate": [1e-3, 1e-3, 1e-4],
}


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(1).integers(0, 17, (8, 8, 1)) / np.float32(16)


def panel_titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def line_data(axes):
    return {line.get_label(): line.get_xydata().T.tolist() for line in axes.lines}


# Training curve


@pytest.mark.once
def test_curve_shows_the_values_of_the_history():
    figure = training_curve(LOGS)
    assert panel_titles(figure) == [
        "Accuracy",
        "Loss",
        "Firing rates",
        "Proxy distance between SNN and ANN",
    ]
    accuracy, loss, rates, distance = figure.axes
    epochs = [1, 2, 3]
    assert line_data(accuracy) == {
        "train": [epochs, [50, 75, 87.5]],
        "validation": [epochs, [50, 62.5, 25]],
    }
    assert line_data(loss) == {
        "train": [epochs, LOGS["loss"]],
        "validation": [epochs, LOGS["val_loss"]],
    }
    assert line_data(rates) == {
        "conv1": [epochs, LOGS["rate_conv1"]],
        "readout": [epochs, LOGS["rate_readout"]],
    }
    assert list(line_data(distance).values()) == [[epochs, LOGS["proxy_distance"]]]
    assert accuracy.get_title(loc="right") == "best validation: 62.50 %, epoch 2"
    assert (accuracy.get_ylabel(), distance.get_xlabel()) == ("accuracy (%)", "epoch")
    check_legible(figure)


def test_curve_of_a_real_training_knows_its_epochs(model, image):
    x, y = np.stack([image] * 8), np.arange(8)
    history = make_model().fit(
        x,
        y,
        validation_data=(x, y),
        initial_epoch=3,
        epochs=5,
        validation_freq=2,
        verbose=0,
    )
    figure = training_curve(history, validation_freq=2)
    logs = history.history
    assert line_data(figure.axes[1]) == {
        "train": [[4, 5], logs["loss"]],
        "validation": [[4], logs["val_loss"]],
    }
    assert line_data(figure.axes[2]) == {
        name: [[4, 5], logs[f"rate_{name}"]] for name in ("conv1", "conv2", "readout")
    }
    with pytest.raises(ValueError, match="one value per epoch, here 2 for 'val_accuracy'"):
        training_curve(history)


@pytest.mark.once
def test_curve_with_validation_at_listed_epochs():
    figure = training_curve({"loss": [3, 2, 1], "val_loss": [3, 2]}, validation_freq=[1, 3])
    assert panel_titles(figure) == ["Loss"]
    assert line_data(figure.axes[0])["validation"] == [[1, 3], [3, 2]]


@pytest.mark.once
def test_curve_of_one_epoch_has_visible_markers():
    figure = training_curve({name: values[:1] for name, values in LOGS.items()})
    for line in (line for axes in figure.axes for line in axes.lines):
        assert line.get_marker() not in ("None", "none", "")
        assert line.get_markersize() > 0
    figure.draw_without_rendering()
    low, high = figure.axes[-1].get_xlim()
    assert [t for t in figure.axes[-1].get_xticks() if low <= t <= high] == [1]
    check_legible(figure)


@pytest.mark.once
def test_curve_of_a_long_training_of_a_deep_network():
    values = np.linspace(0.1, 0.4, 100)
    layers = [*(f"conv{i}" for i in range(1, 8)), "dense1", "dense2", "dense3", "readout"]
    rates = {f"rate_{layer}": (values + i / 50).tolist() for i, layer in enumerate(layers)}
    accuracies = ("accuracy", "val_accuracy", "accuracy_any", "val_accuracy_any")
    logs = {"loss": values, **dict.fromkeys(accuracies, values), **rates}
    figure = training_curve(logs)
    assert list(line_data(figure.axes[0])) == [
        "accuracy, train",
        "accuracy, validation",
        "accuracy_any, train",
        "accuracy_any, validation",
    ]
    assert list(line_data(figure.axes[2])) == layers
    check_legible(figure)


@pytest.mark.once
def test_curve_of_a_diverged_training_can_be_drawn():
    nothing = [float("nan")] * 2
    figure = training_curve({"loss": [1, nothing[0]], "accuracy": nothing, "val_accuracy": nothing})
    assert figure.axes[0].get_title(loc="right") == ""
    check_legible(figure)


@pytest.mark.once
def test_labels_of_a_curve_that_hardly_moves_need_no_offset():
    figure = training_curve({"loss": [2.302585, 2.302584, 2.302583]})
    figure.canvas.draw()
    (axes,) = figure.axes
    assert axes.yaxis.get_offset_text().get_text() == ""
    labels = [float(label.get_text()) for label in axes.get_yticklabels()]
    np.testing.assert_allclose(labels, axes.get_yticks(), atol=1e-9)
    check_legible(figure)


@pytest.mark.once
@pytest.mark.parametrize("history", [{}, {"loss": []}, {"accuracy": [0.5]}, None, [1.0]])
def test_curve_without_epochs_is_refused(history):
    with pytest.raises(ValueError, match=r"at least one epoch of 'loss'. Received: "):
        training_curve(history)


@pytest.mark.once
def test_curve_refuses_series_of_another_length():
    with pytest.raises(ValueError, match=r"here 2 for 'accuracy' .* Received: 1 values"):
        training_curve({"loss": [1.0, 2.0], "accuracy": [0.5]})
    with pytest.raises(ValueError, match="`validation_freq` must be a positive integer"):
        training_curve(LOGS, validation_freq=0)


# Spike raster


def rows_of(axes):
    """Index of the neuron -> steps at which it fires, as drawn."""
    events = axes.findobj(EventCollection)
    return {
        int(event.get_label().split()[1]): [int(step) for step in event.get_positions()]
        for event in events
    }


def raster_panels(figure):
    """(raster, bars) of each layer; the first two axes are the head."""
    return list(zip(figure.axes[2::2], figure.axes[3::2], strict=True))


def check_rows(raster, bars, spikes):
    rows = rows_of(raster)
    for neuron, steps in rows.items():
        assert steps == (1 + np.flatnonzero(spikes[:, neuron])).tolist()
    widths = [bar.get_width() for bar in bars.patches]
    assert widths == [len(steps) for steps in rows.values()]
    return rows


@pytest.mark.parametrize("input_range", [None, (0, 255)])
def test_a_dark_image_is_drawn_dark(input_range, image):
    """As the network sees it: pixels over white, not stretched from black to white."""
    model = make_model()
    model.input_range = input_range
    white = 255.0 if input_range else 1.0
    for low, high in ((0.0, 0.25), (0.5, 1.0)):
        pixels = (low + (high - low) * image) * white
        for draw in (spike_raster, feature_maps):
            figure = draw(model, pixels)
            (shown,) = [im for axes in figure.axes for im in axes.images if im.cmap.name == "gray"]
            np.testing.assert_allclose(shown.get_array(), pixels[..., 0] / white, atol=1e-6)
            assert shown.get_clim() == (0, 1)


def test_images_of_another_range_are_drawn_from_its_black_to_its_white():
    model = make_model()
    model.input_range = (-2, 3)
    centred = np.linspace(-2, 3, 64, dtype="float32").reshape(8, 8, 1)
    np.testing.assert_allclose(
        shades(model, centred), np.linspace(0, 1, 64).reshape(8, 8), atol=1e-6
    )


def test_what_has_no_window_or_no_snn_says_so(model, image):
    with pytest.raises(RuntimeError, match="open no window"):
        spike_raster(model, image).show()
    for draw in (spike_raster, feature_maps, potential_traces):
        with pytest.raises(TypeError, match="must be a ProxyModel"):
            draw(model.ann, image)
    with pytest.raises(ValueError, match=r"Received: \{5: 0.97, 10: 0.98\}"):
        accuracy_against_time_steps({5: 0.97, 10: 0.98})


def answer_of(counts, names):
    """How the raster names the answer: alone, or as the first of those that tie."""
    best = [names[i] for i in np.flatnonzero(counts == counts.max())]
    tie = f"a tie of {len(best)}; the first of them, {best[0]}, is the answer"
    return f"; most spikes: {best[0]}" if len(best) == 1 else f";\nmost spikes: {tie}"


@pytest.mark.each_backend
def test_raster_shows_the_spikes(model, image):
    expected = simulate(model, image)
    figure = spike_raster(model, image, neurons=12)
    panels = raster_panels(figure)
    assert len(panels) == 3
    for name, (raster, bars) in zip(("conv1", "conv2", "readout"), panels, strict=True):
        spikes = expected[name].reshape(TIME_STEPS, -1)
        rows = check_rows(raster, bars, spikes)
        fired = np.count_nonzero(spikes.any(axis=0))
        if name == "readout":
            assert list(rows) == list(range(10))
            continue
        assert len(rows) == min(12, fired) > 0
        counts = [len(steps) for steps in rows.values()]
        assert counts == sorted(counts, reverse=True)
        assert min(counts) > 0
        assert len(rows) < fired
        assert raster.get_title(loc="left") == (
            f"{name}: {len(rows)} of the {fired} that fired, of {spikes.shape[1]} neurons; "
            f"rate {spikes.mean():.3f}"
        )
    check_legible(figure)
    raster, _ = raster_panels(spike_raster(model, image, neurons=10_000))[0]
    fired = np.count_nonzero(expected["conv1"].reshape(TIME_STEPS, -1).any(axis=0))
    assert raster.get_title(loc="left").startswith(f"conv1: all {fired} that fired, of ")


def test_raster_readout_shows_counts_and_winner(model, image):
    names = [f"thing {i}" for i in range(10)]
    raster, bars = raster_panels(spike_raster(model, image, class_names=names))[-1]
    counts = ops.convert_to_numpy(model.predict(image[None], verbose=0))[0]
    assert counts.max() > 0
    assert [label.get_text() for label in raster.get_yticklabels()] == names
    assert [text.get_text() for text in bars.texts] == [f"{n:.0f}" for n in counts]
    assert raster.get_title(loc="left").endswith(answer_of(counts, names))
    colours = {i: bar.get_facecolor() for i, bar in enumerate(bars.patches)}
    winner, loser = int(counts.argmax()), int(counts.argmin())
    assert colours[winner] == to_rgba("#D55E00")
    assert colours[loser] == to_rgba("#0072B2")


def test_raster_does_not_let_a_class_number_read_as_spikes(model, image):
    counts = ops.convert_to_numpy(model.predict(image[None], verbose=0))[0]
    answer = answer_of(counts, [f"class {i}" for i in range(10)])
    title = raster_panels(spike_raster(model, image))[-1][0].get_title(loc="left")
    assert title.endswith(answer)


def test_raster_names_the_answer_among_tied_classes():
    model = make_model("10F", input_shape=(4, 4, 1), time_steps=2)
    kernel = np.zeros((16, 10))
    kernel[:, [3, 7]] = 1
    model.ann.layers[-1].set_weights([kernel])
    names = [f"a thing with a very long name {i}" for i in range(10)]
    for given, first in ((None, "class 3"), (names, "a thing with ...y long name 3")):
        figure = spike_raster(model, np.ones((4, 4, 1)), class_names=given)
        ((raster, bars),) = raster_panels(figure)
        end = f";\nmost spikes: a tie of 2; the first of them, {first}, is the answer"
        assert raster.get_title(loc="left").endswith(end)
        orange = [bar.get_facecolor() == to_rgba("#D55E00") for bar in bars.patches]
        assert np.flatnonzero(orange).tolist() == [3, 7]
        texts = [text.get_text() for axes in figure.axes for text in axes.texts]
        assert any(text.endswith("Orange: most spikes.") for text in texts)
        check_legible(figure)


ALL = (spike_raster, potential_traces, feature_maps)


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("W" * 60, ()),
        ("i" * 150, ()),
        ("image 23 of fashion_mnist, class Ankle boot", ALL),
        ("triangle/triangle_020.jpg, class triangle", ALL),
        ("image 23 of digits, class 3", ALL),
    ],
)
def test_a_title_has_the_room_that_the_picture_has(model, image, name, whole):
    for picture in ALL:
        figure = picture(model, image, image_name=name)
        check_legible(figure)
        texts = [text.get_text() for text in figure.findobj(Text)]
        (title,) = [text for text in texts if text.endswith(f", T = {model.time_steps}")]
        assert ("..." in title) == (name not in title)
        assert (name in title) == (picture in whole)


def test_pictures_of_a_model_use_its_names_and_tell_the_image(model, image, tmp_path):
    model.class_names = [f"kind {i}" for i in range(model.classes)]
    try:
        raster = spike_raster(model, image, image_name="cat/1.png, class cat")
        traces = potential_traces(model, image, image_name="cat/1.png, class cat")
        maps = feature_maps(model, image, image_name="cat/1.png, class cat")
        texts = [text.get_text() for axes in raster.axes for text in axes.texts]
        ticks = [tick.get_text() for tick in raster_panels(raster)[-1][0].get_yticklabels()]
        labels = [line.get_label() for line in traces.axes[-1].lines]
        assert ticks == list(model.class_names)
        assert "kind " in " ".join(map(str, labels))
        own = spike_raster(model, image, class_names=[*map(str, range(model.classes))])
        assert raster_panels(own)[-1][0].get_yticklabels()[0].get_text() == "0"
    finally:
        model.class_names = None
    name = "a folder with a long name/a picture with a long name too.png, class tabby cat"
    for picture in (spike_raster, potential_traces, feature_maps):
        check_legible(picture(model, image, image_name=name))
    steps = f"cat/1.png, class cat, T = {model.time_steps}"
    assert f"Spikes of {steps}" in texts
    assert traces.get_suptitle() == f"Potentials of {steps}"
    assert f"Feature maps of {steps}" in [text.get_text() for text in maps.texts]


def test_raster_can_show_pooling_stages(model, image):
    figure = spike_raster(model, image, pooling=True)
    panels = raster_panels(figure)
    titles = [raster.get_title(loc="left").split(":")[0] for raster, _ in panels]
    assert titles == ["conv1", "spike_pool1", "conv2", "readout"]
    check_rows(*panels[1], simulate(model, image)["pool1"].reshape(TIME_STEPS, -1))
    assert [raster.get_ylabel() for raster, _ in panels] == ["neuron", "output", "neuron", "class"]
    assert " outputs; rate " in panels[1][0].get_title(loc="left")


def test_raster_sample_depends_on_the_seed_alone(model, image):
    def sample(**arguments):
        panels = raster_panels(spike_raster(model, image, neurons=10, **arguments))
        return [list(rows_of(raster)) for raster, _ in panels]

    assert sample() == sample(seed=0)
    assert sample() != sample(seed=1)


def test_raster_takes_a_batch_of_one_and_any_tensor(model, image):
    drawn = [
        [rows_of(raster) for raster, _ in raster_panels(spike_raster(model, x))]
        for x in (image, image[None], ops.convert_to_tensor(image), image.tolist())
    ]
    assert drawn[1:] == drawn[:1] * 3


def test_raster_of_a_silent_network(model):
    figure = spike_raster(model, np.zeros((8, 8, 1)))
    texts = [text.get_text() for raster, _ in raster_panels(figure)[:2] for text in raster.texts]
    assert texts == ["no neuron fired"] * 2
    assert raster_panels(figure)[-1][0].get_title(loc="left").endswith("most spikes: none")
    check_legible(figure)


def test_raster_of_many_classes_and_one_step():
    model = make_model("100F", input_shape=(4, 6, 3), time_steps=1)
    figure = spike_raster(model, np.ones((4, 6, 3)))
    ((raster, bars),) = raster_panels(figure)
    assert len(rows_of(raster)) == 100
    assert len(raster.get_yticklabels()) == 34
    assert [text.get_text() for text in bars.texts] == ["1"]
    assert re.search(
        r"a tie of \d+; the first of them, class \d+, is the answer$", raster.get_title(loc="left")
    )
    check_legible(figure)


def test_raster_refuses_bad_arguments(model, image):
    with pytest.raises(ValueError, match=r"\(8, 8, 1\) or a batch .* Received: shape \(8, 8\)"):
        spike_raster(model, image[..., 0])
    with pytest.raises(ValueError, match=r"Received: shape \(2, 8, 8, 1\)"):
        spike_raster(model, np.stack([image, image]))
    with pytest.raises(ValueError, match=r"`neurons` must be a positive integer. Received: 0"):
        spike_raster(model, image, neurons=0)
    with pytest.raises(ValueError, match=r"each of the 10 classes. Received: 2 names"):
        spike_raster(model, image, class_names=["cat", "dog"])


# Feature maps


def map_arrays(figure, filters):
    """Arrays of the maps as drawn: (layers, ANN and SNN, filters) of images."""
    images = [axes.images[0] for axes in figure.axes[1:] if axes.images]
    arrays = [np.asarray(image.get_array()) for image in images]
    rows = [arrays[i : i + filters] for i in range(0, len(arrays), filters)]
    limits = {image.get_clim() for image in images[:filters]}
    assert len(limits) == 1
    return list(zip(rows[::2], rows[1::2], strict=True))


def map_numbers(figure):
    found = re.findall(r"^map (\d+)$", "\n".join(t.get_text() for t in figure.texts), re.M)
    return [int(number) for number in found]


@pytest.mark.each_backend
@pytest.mark.parametrize("overrides", [{}, {"batch_norm": True}, {"proxy_activation": "relu"}])
def test_maps_are_activations_and_spike_counts(image, overrides):
    model = make_model(**overrides)
    figure = feature_maps(model, image, filters=3)
    numbers = np.reshape(map_numbers(figure), (2, 3))
    expected = None if overrides.get("batch_norm") else simulate(model, image)
    for name, chosen, (upper, lower) in zip(
        ("conv1", "conv2"), numbers, map_arrays(figure, 3), strict=True
    ):
        relu = keras.Model(model.ann.inputs[0], model.ann.get_layer(f"{name}_relu").output)
        activations = ops.convert_to_numpy(relu(image[None]))[0][..., chosen]
        np.testing.assert_allclose(np.stack(upper, axis=-1), activations, rtol=1e-5, atol=1e-6)
        if expected is not None:
            counts = expected[name].sum(axis=0)[..., chosen]
            np.testing.assert_array_equal(np.stack(lower, axis=-1), counts)
            assert counts.max() > 0
    check_legible(figure)


def test_maps_name_the_layer_and_the_cosine_similarity(model, image):
    figure = feature_maps(model, image, filters=2, seed=3)
    texts = [text.get_text() for text in figure.texts]
    assert "conv1: 2 of 4 maps of 8 x 8 pixels, drawn at random" in texts
    assert "conv2: 2 of 6 maps of 4 x 4 pixels, drawn at random" in texts
    for upper, lower in map_arrays(figure, 2):
        for a, b in zip(upper, lower, strict=True):
            norm = np.sqrt((a**2).sum() * (b**2).sum())
            assert (f"{(a * b).sum() / norm:.2f}" if norm else "silent") in texts
    assert map_numbers(figure) == map_numbers(feature_maps(model, image, filters=2, seed=3))


def test_maps_of_all_filters_if_there_are_fewer(model, image):
    figure = feature_maps(model, image)
    numbers = map_numbers(figure)
    assert numbers[:4] == [0, 1, 2, 3]
    assert len(numbers) == 4 + 5
    assert len(set(numbers[4:])) == 5
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), image[..., 0])


def test_maps_of_a_black_image_and_many_filters():
    model = make_model("12C3-3F", input_shape=(4, 6, 3))
    figure = feature_maps(model, np.zeros((4, 6, 3)), filters=12)
    assert sum(text.get_text() == "silent" for text in figure.texts) == 12
    check_legible(figure)


def test_many_maps_of_a_layer_stand_in_several_lines(image):
    model = make_model("20C3-3C3-3F")
    figure = feature_maps(model, image, filters=100)
    assert map_numbers(figure) == [*range(20), *range(3)]
    titles = [t.get_text() for t in figure.texts if "pixels" in t.get_text()]
    assert titles == ["conv1: all 20 maps of 8 x 8 pixels", "conv2: all 3 maps of 8 x 8 pixels"]
    shown = [axes.images[0] for axes in figure.axes[1:] if axes.images]
    assert len(shown) == 2 * 23
    # Lines of 8, 8 and 4 maps, each of the ANN and then of the SNN, on one scale for each.
    is_ann = [True] * 8 + [False] * 8 + [True] * 8 + [False] * 8 + [True] * 4 + [False] * 4
    for ann in (True, False):
        maps = [im for im, is_a in zip(shown, is_ann, strict=False) if is_a == ann]
        top = max(np.asarray(im.get_array()).max() for im in maps)
        assert {im.get_clim() for im in maps} == {(0, float(top))}
    check_legible(figure)


def test_maps_refuse_bad_arguments(model, image):
    with pytest.raises(ValueError, match=r"\(8, 8, 1\) or a batch .* Received: shape \(64,\)"):
        feature_maps(model, image.reshape(-1))
    for filters in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match=f"must be a positive integer. Received: {filters}"):
            feature_maps(model, image, filters=filters)
    message = r"neurons in maps, .*Received: layers \['spike_flatten', 'if_readout'\]"
    with pytest.raises(ValueError, match=message):
        feature_maps(make_model("10F"), image)


# All of them


def test_pyplot_knows_of_no_figure(model, image):
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    training_curve(LOGS), spike_raster(model, image), feature_maps(model, image)
    assert pyplot.get_fignums() == before


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch, model, image):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for draw in (
        lambda: training_curve(LOGS),
        lambda: spike_raster(model, image),
        lambda: feature_maps(model, image),
    ):
        with pytest.raises(ImportError, match=re.escape('pip install "keras-proxy-snn[viz]"')):
            draw()


@pytest.mark.once
def test_accuracy_over_time_steps_has_a_band_for_several_values():
    curves = {"several": {8: [0.7, 0.9], 2: [0.5]}, "one": {2: 0.4, 4: 0.6}}
    figure = accuracy_against_time_steps(curves, levels={"ANN": 0.95}, points={"paper": {4: 0.88}})
    (axes,) = figure.axes
    lines = {line.get_label(): line.get_xydata() for line in axes.lines}
    assert list(lines) == ["several", "one", "ANN", "paper"]
    np.testing.assert_allclose(lines["several"], [[2, 50], [8, 80]])
    np.testing.assert_allclose(lines["paper"], [[4, 88]])
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(50)
    assert corners[:, 1].max() == pytest.approx(90)
    assert axes.get_xscale() == "linear"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["2", "4", "8"]


@pytest.mark.once
def test_a_note_stands_below_the_title_of_accuracies():
    plain, noted = (
        accuracy_against_time_steps({"one": {2: 0.4, 4: 0.6}}, note=note) for note in ("", "So.")
    )
    caption, both = plain.texts[-1], noted.texts[-1]  # the title comes first
    assert both.get_text() == f"{caption.get_text()}\nSo."
    assert noted.get_figheight() > plain.get_figheight()
    check_legible(noted)


@pytest.mark.once
def test_the_top_of_accuracies_is_shown_again_larger():
    curves = {"good": {2: 0.9, 4: 0.93}, "bad": {2: 0.1, 4: 0.5}}
    figure = accuracy_against_time_steps(curves, levels={"ANN": 0.95}, top=0.88, images=1000)
    assert figure.get_suptitle() == "Accuracy against the number of time steps, 1,000 images"
    whole, top = figure.axes
    assert [line.get_label() for line in top.lines] == ["good", "bad", "ANN"]
    for one, other in zip(whole.lines, top.lines, strict=True):
        np.testing.assert_array_equal(one.get_xydata(), other.get_xydata())
        assert one.get_color() == other.get_color()
    assert top.get_ylim() == pytest.approx((88, 95.7))
    assert whole.get_ylim()[0] < 10
    (legend,) = figure.subfigs[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ["good", "bad", "ANN"]


@pytest.mark.once
def test_many_curves_are_read_in_groups():
    curves = {f"curve {i}": {2: 0.1 * i, 4: 0.2 * i} for i in range(1, 4)}
    groups = {"Odd": ["curve 1", "curve 3"], "Even": ["curve 2"]}
    figure = accuracy_against_time_steps(curves, groups=groups)
    assert panel_titles(figure) == ["Odd", "Even"]
    assert [[line.get_label() for line in axes.lines] for axes in figure.axes] == [*groups.values()]
    assert figure.axes[0].lines[0].get_color() == figure.axes[1].lines[0].get_color()
    assert [len(part.legends[0].get_texts()) for part in figure.subfigs] == [2, 1]
    check_legible(figure)
    with pytest.raises(ValueError, match=r"in exactly one group\. Received: .*'curve 3'"):
        accuracy_against_time_steps(curves, groups={"Odd": ["curve 1"], "Even": ["curve 2"]})


@pytest.mark.once
def test_more_curves_than_a_person_can_tell_apart_get_rows_with_the_same_axes():
    curves = {f"curve {i}": {2: 0.01 * i, 4: 0.1 * i} for i in range(1, 9)}
    figure = accuracy_against_time_steps(curves, top=0.5)
    assert panel_titles(figure)[::2] == ["Part 1 of 2", "Part 2 of 2"]
    left, right = figure.axes[::2], figure.axes[1::2]
    for first, second in (left, right):
        assert [len(first.lines), len(second.lines)] == [4, 4]
        assert first.get_ylim() == second.get_ylim()
        assert first.get_ylim()[1] > 80
    assert right[0].get_ylim()[0] == 50
    colours = [line.get_color() for line in left[0].lines]
    assert len(set(colours)) == 4
    named = accuracy_against_time_steps(curves, groups={"All": [*curves]})
    assert panel_titles(named) == ["All (1 of 2)", "All (2 of 2)"]


@pytest.mark.once
def test_a_wide_range_of_time_steps_is_logarithmic_and_its_numbers_do_not_collide():
    steps = (1, 2, 4, 8, 15, 16, 32, 50, 60)
    (axes,) = accuracy_against_time_steps({"proxy": dict.fromkeys(steps, 0.5)}).axes
    assert (axes.get_xscale(), axes.get_xlabel()) == ("log", "time steps T, logarithmic axis")
    places = axes.get_xticks()
    assert set(places) < set(steps)
    assert np.diff(np.log2(places)).min() > 0.2


@pytest.mark.once
def test_accuracies_over_time_steps_that_cannot_be_drawn():
    for curves, message in (
        ({}, "must hold an accuracy at some T"),
        ({"proxy": {0: 0.5}}, "`T` must be a positive integer"),
        ({"proxy": {4: [0.5, 91.2]}}, "Accuracies must be from 0 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            accuracy_against_time_steps(curves)
    with pytest.raises(ValueError, match=r"`images` must be a positive integer\. Received: 0"):
        accuracy_against_time_steps({"proxy": {4: 0.5}}, images=0)


@pytest.mark.once
def test_accuracies_over_time_are_drawn_as_they_are():
    curve = np.array([0.1, 0.5, 0.9])
    figures = [
        accuracy_against_time_steps({"digits": c}) for c in (curve, {1: 0.1, 2: 0.5, 3: 0.9})
    ]
    one, other = (figure.axes[0].lines[0].get_xydata() for figure in figures)
    np.testing.assert_array_equal(one, other)
    for wrong in (curve, [0.1, 0.5]):
        with pytest.raises(ValueError, match=r"must be names to T to accuracy.*accuracy_over_time"):
            accuracy_against_time_steps(wrong)


def test_feature_maps_of_a_graph():
    """A layer's maps are those after the ReLU that its rates follow, wherever that stands."""
    image = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(3, 3, padding="same", name="a", activation="relu")(image)
    y = keras.layers.Conv2D(3, 3, padding="same", name="b")(x)
    y = keras.layers.ReLU()(keras.layers.Add()([x, y]))
    y = keras.layers.Conv2D(2, 3, padding="same", name="c")(y)
    y = keras.layers.ReLU()(keras.layers.BatchNormalization()(y))
    cnn = keras.Model(image, keras.layers.Dense(4)(keras.layers.Flatten()(y)))
    model = from_keras(cnn, 8)
    picture = np.random.default_rng(0).random((6, 6, 1), "float32")
    figure = feature_maps(model, picture, filters=2)
    titles = [text.get_text() for text in figure.texts if "pixels" in text.get_text()]
    sizes = {"a": 3, cnn.layers[4].name: 3, "c": 2}  # the sum's neurons have the name of its ReLU
    assert titles == [
        f"{name}: all 2 maps of 6 x 6 pixels"
        if n == 2
        else f"{name}: 2 of {n} maps of 6 x 6 pixels, drawn at random"
        for name, n in sizes.items()
    ]
    inside = keras.Model(image, [cnn.layers[i].output for i in (1, 4, -3)])
    expected = [ops.convert_to_numpy(a)[0] for a in inside(picture[None])]
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    above = [
        m
        for m in shown
        if any(np.array_equal(m, a[..., i]) for a in expected for i in range(a.shape[-1]))
    ]
    assert len(above) == 6


@pytest.mark.once
def test_a_long_legend_of_accuracy_against_time_steps_is_whole():
    curves = {f"a method\nof many words, number {i}": {1: 0.1, 8: 0.5 + i / 100} for i in range(14)}
    figure = accuracy_against_time_steps(curves)
    png(figure)  # lays it out
    assert len(figure.subfigs) == 3
    for part in figure.subfigs:
        legend = part.legends[0].get_window_extent()
        assert legend.y0 >= part.bbox.y0
        assert legend.x1 <= part.bbox.x1


def test_a_raster_names_the_class_that_the_readout_tells():
    settings = {"v_threshold": 1.0, "reset": "subtract", "readout": "potential"}
    model = make_model("2F", input_shape=(1, 2, 1), time_steps=2, **settings)
    # Each class has one spike; the second has more potential left.
    model.set_weights([np.float32([[0.75, 0.0], [0.0, 0.875]])])
    image = np.ones((1, 2, 1), "float32")
    ((raster, bars),) = raster_panels(spike_raster(model, image))
    assert [bar.get_width() for bar in bars.patches] == [1, 1]
    assert raster.get_title(loc="left").endswith("; highest score: class 1")
    assert [note.get_text() for note in bars.texts] == ["1 (1.50)", "1 (1.75)"]
    assert bars.get_xlabel() == "spikes (score)"
    colours = [bar.get_facecolor() for bar in bars.patches]
    assert colours == [to_rgba("#0072B2"), to_rgba("#D55E00")]
    with pytest.raises(TypeError, match=r"`pooling` must be True or False. Received: 'no'"):
        spike_raster(model, image, pooling="no")
