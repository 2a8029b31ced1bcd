"""Pictures of what neurons do on many images, of potentials, of answers, and the one that moves."""

import re
import sys

import numpy as np
import pytest
from keras import ops

import keras_proxy_snn
from keras_proxy_snn import statistics
from keras_proxy_snn.visualization import (
    confusion_matrix,
    firing_rates,
    potential_traces,
    rates_against_relu,
    spike_gif,
)

pytest.importorskip("matplotlib")
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from PIL import Image

from .pictures import TIME_STEPS, check_legible, make_model, simulate, simulate_potentials

# What a backend gives a picture is an array; one test of each picture runs on all of them.
pytestmark = pytest.mark.any_backend

LAYERS = ["conv1", "conv2", "readout"]


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 17, (3, 8, 8, 1)) / np.float32(16)


@pytest.fixture(scope="module")
def record(model, images):
    return statistics.record(model, images)


@pytest.fixture(scope="module")
def rates(model, images):
    """Firing rates `(images, neurons)` by NumPy."""
    spikes = [simulate(model, image) for image in images]
    return {n: np.stack([s[n].mean(axis=0).ravel() for s in spikes]) for n in LAYERS}


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


# Firing rates


@pytest.mark.each_backend
def test_histogram_counts_the_neurons(record, rates):
    figure = firing_rates(record)
    assert titles(figure) == LAYERS
    check_legible(figure)
    for axes, name in zip(figure.axes, LAYERS, strict=True):
        mean = rates[name].mean(axis=0)
        most = np.ceil(20 * mean.max() - 1e-3) / 20
        silent, *fired = [bar.get_height() for bar in axes.patches]
        assert silent == pytest.approx(100 * np.mean(mean == 0))
        expected = np.histogram(mean[mean > 0], 20, (0, most))[0]
        np.testing.assert_allclose(fired, 100 * expected / len(mean), atol=1e-6)
        assert silent + sum(fired) == pytest.approx(100)
        assert [bar.get_x() for bar in axes.patches[:2]] == [0, 0]  # nothing left of zero
        assert axes.patches[1].get_y() == pytest.approx(silent)
        assert axes.patches[0].get_facecolor() == to_rgba("#D55E00")
        (note,) = axes.texts
        assert note.get_text().startswith(
            f"mean {mean.mean():.3f}\ndead {np.mean(mean == 0):.1%}"[:-1]
        )
    assert figure.get_suptitle() == "Firing rates of the neurons, 3 images, T = 6"
    assert (figure.get_supxlabel(), figure.get_supylabel()) == (
        "firing rate (spikes per step)",
        "neurons (%)",
    )


def test_histogram_of_a_dead_and_of_a_saturated_layer():
    x = np.ones((1, 8, 8, 1), "float32")
    dead = statistics.record(make_model(v_threshold=1e4), x)
    for axes in firing_rates(dead).axes:
        assert [bar.get_height() for bar in axes.patches] == [100] + [0] * 20
    model = make_model("10F")
    model.set_weights([np.ones_like(w) for w in model.get_weights()])
    figure = firing_rates(statistics.record(model, x))
    (axes,) = figure.axes
    assert [bar.get_height() for bar in axes.patches] == [0] * 20 + [100]
    assert axes.texts[0].get_text() == "mean 1.000\ndead 0.0 %, saturated 100.0 %"
    assert "one image" in figure.get_suptitle()
    check_legible(figure)


@pytest.mark.parametrize("draw", [firing_rates, rates_against_relu])
def test_pictures_of_many_images_need_a_record(draw, model):
    for wrong in ({}, None, model, {"conv1": 0.5}):
        with pytest.raises(
            ValueError, match=r"`record` must be the result of .*record\(model, x\)`"
        ):
            draw(wrong)


# Rates against ReLU


@pytest.mark.each_backend
def test_points_are_rates_of_both_sides_of_equation_9(model, record, images, rates):
    figure = rates_against_relu(record, points=10_000)
    assert titles(figure) == LAYERS
    check_legible(figure)
    kernel = model.ann.get_layer("readout").get_weights()[0]
    current = rates["conv2"] @ kernel  # the readout's, from its own inputs
    expected = {"readout": np.maximum(current, 0)}
    first = np.maximum(ops.convert_to_numpy(model.ann.get_layer("conv1")(images)), 0)
    expected["conv1"] = first.reshape(3, -1)
    for name, theirs in expected.items():
        (points,) = figure.axes[LAYERS.index(name)].collections
        x, y = theirs.ravel(), rates[name].ravel()
        active = (x > 0) | (y > 0)
        np.testing.assert_allclose(
            points.get_offsets(), np.stack([x, y], axis=1)[active], rtol=1e-5, atol=1e-6
        )
    for axes, layer in zip(figure.axes, record.values(), strict=True):
        note = f"mean |rate - uncut ReLU| {layer.rate_error:.3f}\n"
        note += f"cosine distance {layer.rate_distance:.3f}"
        assert [text.get_text() for text in axes.texts] == [note]
        (line,) = axes.lines
        x, y = line.get_data()
        np.testing.assert_allclose(y, np.minimum(x, 1))  # identity, up to one spike a step
        assert x[-1] >= layer.expected_rates.max()


def test_points_are_a_sample_that_the_seed_decides(record):
    def sample(**arguments):
        axes = rates_against_relu(record, points=20, **arguments).axes[0]
        return axes.collections[0].get_offsets().tolist()

    assert len(sample()) == 20
    assert sample() == sample(seed=0) != sample(seed=1)
    with pytest.raises(ValueError, match=r"`points` must be a positive integer. Received: 0"):
        rates_against_relu(record, points=0)


def test_points_of_a_dead_network():
    seen = statistics.record(make_model(), np.zeros((2, 8, 8, 1)))
    figure = rates_against_relu(seen)
    for axes in figure.axes:
        assert "all are zero" in [text.get_text() for text in axes.texts]
    check_legible(figure)


# Potential traces


def traces(axes):
    """Label -> potentials from step 0 on; and the steps of all spikes."""
    lines = {line.get_label(): line.get_ydata() for line in axes.lines[1:]}
    ticks = [
        sorted(int(segment[0, 0]) for segment in strip.get_segments())
        for strip in axes.findobj(LineCollection)
    ]
    return lines, ticks


@pytest.mark.each_backend
@pytest.mark.parametrize("v_threshold", [1.0, 0.5])
def test_traces_are_potentials_over_threshold(images, v_threshold):
    model = make_model(v_threshold=v_threshold)
    spikes, potentials = simulate_potentials(model, images[0])
    figure = potential_traces(model, images[0])
    check_legible(figure)
    for axes, name in zip(figure.axes, LAYERS, strict=True):
        shape = model.ann.get_layer(name).output.shape[1:]
        fired = spikes[name].reshape(TIME_STEPS, *shape)
        lines, ticks = traces(axes)
        assert axes.lines[0].get_ydata() == [1, 1]
        assert len(lines) == len(ticks) == 3
        for (label, v), steps in zip(lines.items(), ticks, strict=True):
            map_, row, column = (*map(int, re.findall(r"\d+", label)), 0, 0)[:3]
            conv = label.startswith("map ")
            place = np.s_[:, row, column, map_] if conv else np.s_[:, map_]
            assert conv == (name != "readout")
            v_numpy = potentials[name].reshape(fired.shape)[place]
            np.testing.assert_allclose(v, [0, *v_numpy / v_threshold], atol=1e-6)
            assert steps == (1 + np.flatnonzero(fired[place])).tolist()
            assert name == "readout" or steps
    assert titles(figure)[0] == f"conv1: 3 of the {spikes['conv1'].any(axis=0).sum()} that fired"


@pytest.mark.any_backend
def test_traces_do_not_cover_each_other():
    # Of a white image, neurons inside, at edges and in corners have the currents 0.9, 0.6 and 0.4.
    image = np.ones((9, 9, 1), "float32")
    for size, kinds in ((3, 3), (1, 1)):
        model = make_model(f"1C{size}-10F", input_shape=(9, 9, 1), time_steps=4)
        kernel = np.full((size, size, 1, 1), 0.1 if size == 3 else 0.9, "float32")
        model.set_weights([kernel, np.zeros((81, 10), "float32")])
        (lines, _), _ = map(traces, potential_traces(model, image).axes)
        assert len(lines) == 3
        potentials = {tuple(np.round(v, 4)) for v in lines.values()}
        assert len(potentials) == kinds  # if all neurons have the same, three of them are drawn


@pytest.mark.any_backend
def test_traces_leave_out_neurons_that_would_flatten_the_others():
    image = np.full((9, 9, 1), 0.125, "float32")
    image[:8] = 1.0  # these neurons get a current of 4 thresholds: up by 3 in each step
    model = make_model("1C1-10F", input_shape=(9, 9, 1), time_steps=8, reset="subtract")
    model.set_weights([np.full((1, 1, 1, 1), 4.0), np.zeros((81, 10), "float32")])
    (lines, _), _ = map(traces, potential_traces(model, image).axes)
    assert len(lines) == 3
    assert {tuple(v) for v in lines.values()} == {(0.0, 0.5, 0.0, 0.5, 0.0, 0.5, 0.0, 0.5, 0.0)}
    (lines, _), _ = map(traces, potential_traces(model, np.ones_like(image)).axes)
    assert {max(v) for v in lines.values()} == {24.0}  # there are no others


def test_traces_start_at_v_0_and_name_the_classes(images):
    model = make_model(v_0=0.5, reset="subtract")
    names = [f"thing {i}" for i in range(10)]
    figure = potential_traces(model, images[:1], neurons=2, class_names=names, seed=3)
    lines, _ = traces(figure.axes[-1])
    counts = np.asarray(model.predict(images[:1], verbose=0))[0]
    assert counts.max() > 0
    assert names.index(next(iter(lines))) in np.flatnonzero(counts == counts.max())
    assert [v[0] for axes in figure.axes for v in traces(axes)[0].values()] == [0.5] * 6
    assert titles(figure)[-1] == "readout: the 2 classes with the most spikes"


def test_traces_say_that_classes_without_spikes_follow_by_potential():
    model = make_model("3F", input_shape=(1, 1, 1), time_steps=2)
    model.set_weights([np.float32([[1.0, 0.25, 0.125]])])
    figure = potential_traces(model, np.ones((1, 1, 1), "float32"), neurons=2)
    assert titles(figure) == ["readout: the 2 classes with the most spikes, then by potential"]
    assert list(traces(figure.axes[0])[0]) == ["class 0", "class 1"]


def test_traces_of_a_silent_network(images):
    figure = potential_traces(make_model(v_threshold=1e4), images[0])
    assert titles(figure) == [
        f"{n}: no neuron fired; the 3 nearest to the threshold" for n in LAYERS
    ]
    check_legible(figure)


def test_traces_refuse_bad_arguments(model, images):
    with pytest.raises(ValueError, match=r"`neurons` must be at most 5. Received: 6"):
        potential_traces(model, images[0], neurons=6)
    with pytest.raises(ValueError, match=r"`neurons` must be a positive integer. Received: 0"):
        potential_traces(model, images[0], neurons=0)
    with pytest.raises(ValueError, match=r"Received: shape \(3, 8, 8, 1\)"):
        potential_traces(model, images)
    with pytest.raises(ValueError, match=r"each of the 10 classes. Received: 1 names"):
        potential_traces(model, images[0], class_names=["cat"])
    for act in (lambda x: potential_traces(model, x[0]), model.snn.simulate):
        with pytest.raises(ValueError, match=r"Pixels must be finite numbers. Received: nan or"):
            act(np.where(images == images[0, 0, 0, 0], np.nan, images))


# Confusion matrix


def test_matrix_counts_answers():
    labels = [0, 0, 0, 1, 1, 2]
    counts = [[3, 0, 0], [1, 2, 0], [2, 2, 0], [0, 4, 1], [0, 0, 1], [0, 0, 0]]
    figure = confusion_matrix(labels, counts, class_names=["cat", "dog", "bird"])
    axes, bar = figure.axes
    (picture,) = axes.images
    shares = [[200 / 3, 100 / 3, 0], [0, 50, 50], [100, 0, 0]]  # without a spike: the first
    np.testing.assert_allclose(picture.get_array(), shares)
    *cells, caption = axes.texts
    assert "Right answers lie on the diagonal" in caption.get_text()
    assert caption.get_text().splitlines()[2:] == [
        "1 of 6 images is a tie; it is in the column of the first of its classes.",
        "1 of 6 images has no output spike; it is in the first column.",
    ]
    numbers = {text.get_position()[::-1]: text.get_text() for text in cells}
    assert numbers == {(0, 0): "2", (0, 1): "1", (1, 1): "1", (1, 2): "1", (2, 0): "1"}
    assert axes.get_title(loc="left") == "Confusion matrix, 6 images, accuracy 50.00 %"
    assert [text.get_text() for text in axes.get_yticklabels()] == ["cat", "dog", "bird"]
    assert axes.get_ylabel() == "class of the image"
    assert axes.get_xlabel() == "answer of the network"
    assert bar.get_ylabel() == "share of the row (%)"
    check_legible(figure)


def test_matrix_of_many_classes_and_of_a_class_without_images():
    figure = confusion_matrix(np.zeros(4, "uint8"), np.eye(100)[:4])
    axes, _ = figure.axes
    assert len(axes.texts) == 1  # the caption
    assert np.asarray(axes.images[0].get_array()).sum() == pytest.approx(100)
    assert len(axes.get_xticklabels()) == 34
    check_legible(figure)


def test_matrix_says_how_many_images_have_no_spike_or_are_ties():
    """Their dark column is no preference; negative scores are scores."""
    for scores, silent in (
        (np.zeros((1200, 3)), ["1,200 of 1,200 images have no output spike; they are"]),
        ([[0, 0, 0]], ["1 of 1 image has no output spike; it is"]),
        ([[-1, -2, 0], [0, 0, 1]], []),
        ([[1, 1, 0], [0, 2, 2]], ["2 of 2 images are ties; each is"]),
        ([[-1, -1, -2]], ["1 of 1 image is a tie; it is"]),
    ):
        figure = confusion_matrix(np.ones(len(scores), int), scores)
        caption = figure.axes[0].texts[-1].get_text().splitlines()
        ends = ("in the first column.", "in the column of the first of its classes.")
        assert caption[2:] == [f"{start} {ends['tie' in start]}" for start in silent]
        check_legible(figure)


def test_matrix_refuses_bad_arguments():
    for labels, counts, message in (
        ([0], [[1, 2], [1, 2]], r"Received: shapes \(1,\) and \(2, 2\)"),
        ([], np.zeros((0, 3)), r"Received: shapes \(0,\) and \(0, 3\)"),
        ([2], [[1, 2]], r"from 0 to 1. Received: int64 from 2 to 2"),
        ([0.5], [[1, 2]], r"Received: float64"),
        ([0], [[1, np.nan]], r"must be finite. Received: NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            confusion_matrix(labels, counts)


# The moving picture


def test_gif_has_a_frame_a_step(model, images, tmp_path):
    path = spike_gif(model, images[0], tmp_path / "spikes.gif", frames_per_second=10)
    with Image.open(path) as gif:
        assert (gif.format, gif.n_frames) == ("GIF", TIME_STEPS)
        durations = []
        for step in range(TIME_STEPS):
            gif.seek(step)
            durations.append(gif.info["duration"])
            assert np.ptp(np.asarray(gif.convert("L"))) > 200
    assert durations == [100] * 5 + [600]
    with pytest.raises(FileExistsError, match="exists already; pass overwrite=True to replace it"):
        spike_gif(model, images[0], path)
    before = path.read_bytes()
    spike_gif(model, images[1], path, overwrite=True)
    assert path.read_bytes() != before


@pytest.mark.each_backend
@pytest.mark.any_backend
def test_gif_does_not_jump_from_the_first_frame_to_the_second(tmp_path):
    model = make_model("1C1-1C1-10F", input_shape=(9, 9, 1), time_steps=3)
    one = np.ones((1, 1, 1, 1))
    model.set_weights([one, one, np.zeros((81, 10))])  # all neurons in maps fire in every step
    with Image.open(spike_gif(model, np.ones((9, 9, 1)), tmp_path / "a.gif")) as gif:
        frames = []
        for step in range(3):
            gif.seek(step)
            frames.append(np.asarray(gif.convert("RGB"))[60:, :300])  # below the title
    assert (frames[0] == frames[1]).all()
    assert (frames[1] == frames[2]).all()


def test_gif_shows_spikes_over_the_image_and_the_counts(model, images):
    from keras_proxy_snn.visualization._spike_gif import _Film

    spikes = simulate(model, images[0])
    film = _Film(images[0], {name: spikes[name] for name in LAYERS}, [*"0123456789"])
    check = film.figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(check, images[0][..., 0] / np.ptp(images[0]), atol=1e-6)
    for step in range(TIME_STEPS):
        film.show(step)
        for overlay, (title, shown) in zip(film.overlays, film.maps.items(), strict=True):
            name, number = re.fullmatch(r"(\w+), map (\d+)", title).groups()
            np.testing.assert_array_equal(shown, spikes[name][..., int(number)])
            np.testing.assert_allclose(overlay.get_alpha(), 0.8 * shown[step])
        counts = spikes["readout"][: step + 1].sum(axis=0)
        assert [bar.get_width() for bar in film.bars] == counts.tolist()
        best = (counts == counts.max()) & (counts > 0)
        colours = [bar.get_facecolor() == to_rgba("#D55E00") for bar in film.bars]
        assert colours == best.tolist()
    assert film.figure.get_suptitle() == "Spikes of one image, step 6 of 6"
    assert [text.get_text() for text in film.figure.texts[-1:]] == [
        "Orange: over the image, neurons of one map that fire in this step; at the right, the "
        "classes with the most spikes so far."
    ]


@pytest.mark.any_backend
def test_gif_marks_the_highest_score_of_a_readout_by_potential(images, tmp_path, monkeypatch):
    from keras_proxy_snn.visualization import _spike_gif

    films = []
    show = _spike_gif._Film.show
    monkeypatch.setattr(
        _spike_gif._Film, "show", lambda film, t: (show(film, t), films.append(film))
    )
    fields = {"weights": "pretrained", "readout": "potential", "time_steps": 3}
    model = keras_proxy_snn.build("digits", **fields)
    spike_gif(model, images[0], tmp_path / "a.gif")
    orange = [bar.get_facecolor() == to_rgba("#D55E00") for bar in films[-1].bars]
    scores = model.predict(images[:1], verbose=0)[0]
    assert np.flatnonzero(orange).tolist() == [scores.argmax()]
    *_, text = [text.get_text() for text in films[-1].figure.texts]
    assert text.endswith("at the right, the class with the highest score so far.")


@pytest.mark.once
def test_gif_without_maps_says_that_orange_is_for_classes_alone():
    from keras_proxy_snn.visualization._spike_gif import _Film

    film = _Film(np.eye(8)[..., None], {"readout": np.eye(3)}, ["a", "b", "c"])
    texts = [text.get_text() for text in film.figure.texts]
    assert "Orange: the classes with the most spikes so far." in texts
    film.show(2)
    check_legible(film.figure)


def test_gif_of_a_network_without_maps(tmp_path):
    model = make_model("10F", time_steps=2)
    assert spike_gif(model, np.ones((8, 8, 1)), tmp_path / "a.gif").stat().st_size > 1000


def test_gif_refuses_bad_arguments(model, images, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.gif. Received: '.*a\.png'"):
        spike_gif(model, images[0], tmp_path / "a.png")
    with pytest.raises(ValueError, match="`frames_per_second` must be a positive integer"):
        spike_gif(model, images[0], tmp_path / "a.gif", frames_per_second=0)
    with pytest.raises(ValueError, match=r"Received: shape \(3, 8, 8, 1\)"):
        spike_gif(model, images, tmp_path / "a.gif")
    assert not list(tmp_path.iterdir())


# All of them


def test_all_are_legible_for_eight_layers_with_long_names(record):
    layers = list(record.values()) * 3
    names = [f"stage3_block{i}_convolution_relu" for i in range(8)]
    longer = dict(zip(names, layers, strict=False))
    model = make_model("8F-8F-8F-8F-8F-8F-8F-10F", time_steps=3)
    classes = [f"a class with a long name {i}" for i in range(10)]
    for figure in (
        firing_rates(longer),
        rates_against_relu(longer),
        potential_traces(model, np.ones((8, 8, 1)), class_names=classes),
    ):
        assert len(figure.axes) == 8
        check_legible(figure)
    classes = keras_proxy_snn.datasets.class_names("fashion_mnist")
    check_legible(confusion_matrix(np.arange(10), np.eye(10), class_names=classes))


@pytest.mark.once
def test_gif_of_a_deep_network_is_legible():
    from keras_proxy_snn.visualization._spike_gif import _Film

    classes = keras_proxy_snn.datasets.class_names("fashion_mnist")
    spikes = {f"stage3_block{i}_conv": np.ones((3, 4, 4, 2)) for i in range(8)}
    film = _Film(np.eye(8)[..., None], {**spikes, "readout": np.eye(10)[:3]}, classes)
    film.show(2)
    assert len(film.overlays) == 8
    check_legible(film.figure)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch, record, model, images):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for draw in (
        lambda: firing_rates(record),
        lambda: rates_against_relu(record),
        lambda: potential_traces(model, images[0]),
        lambda: confusion_matrix([0], [[1, 0]]),
        lambda: spike_gif(model, images[0], "never.gif"),
    ):
        with pytest.raises(ImportError, match=re.escape('pip install "keras-proxy-snn[viz]"')):
            draw()


def test_the_pretrained_networks_draw(digits):
    """Of the digits: most answers are right, and rates follow Eq. 9 in order."""
    _, (x, y) = digits
    model = keras_proxy_snn.build("digits", weights="pretrained")
    shares = confusion_matrix(y, model.predict(x, verbose=0)).axes[0].images[0].get_array()
    assert np.diag(shares).mean() > 95
    figure = rates_against_relu(statistics.record(model, x[:8]))
    assert figure.legends[0].get_texts()[0].get_text() == "ReLU, at most 1"
    for axes in figure.axes:
        expected, rates = axes.collections[0].get_offsets().T
        assert np.corrcoef(np.minimum(expected, 1), rates)[0, 1] > 0.9
