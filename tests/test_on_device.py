"""`on_device.py`: exact counts from NumPy and one runtime alone, and when it stops."""

import itertools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx as onnx_library
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnxruntime.quantization import quantize_dynamic

import keras_proxy_snn
from keras_proxy_snn.datasets.pictures import prepare
from keras_proxy_snn.export import export, from_model, interpreter, litert, on_device, onnx
from keras_proxy_snn.export.program import Conv, Dense, Flatten, Pool, Program

from . import bad_files, oracle

pytestmark = pytest.mark.once
pytest.importorskip("ai_edge_litert", reason='pip install "keras-proxy-snn[export]"')
Image = pytest.importorskip("PIL.Image", reason="pip install pillow")

SCRIPT = Path(on_device.__file__)

WRITERS = {"tflite": litert, "onnx": onnx}
FILES = [f"{form}.{suffix}" for suffix, writer in WRITERS.items() for form in writer.FORMS]
STREAMING = ["step.tflite", "stateful.tflite", "step.onnx"]
T = 24


def make_program(number_format, v_0=0.0, readout="counts"):
    """4C3-P2-12F-5F on 8 x 8 images: sums are exact, and four classes win."""
    rng = np.random.default_rng(5)
    integer = number_format == "int8"
    input_scale = 12.5 if integer else 1.0

    def weights(*shape):
        kernel = rng.integers(-90, 90, shape)
        return kernel.astype("int8") if integer else kernel.astype("float32") / 256

    def theta(number):
        return number if integer else number / 256

    layers = (
        Conv("conv1", weights(3, 3, 1, 4), None, theta(round(120 * input_scale)), "zero"),
        Pool("pool1", (2, 2), (2, 2)),
        Flatten("flatten"),
        Dense("dense1", weights(64, 12), None, theta(100), "zero"),
        Dense("readout", weights(12, 5), None, theta(50), "subtract"),
    )

    def started(layer):
        start = np.multiply(v_0, layer.v_threshold).item()
        return replace(layer, v_0=int(start) if integer else start)

    layers = tuple(started(x) if isinstance(x, Conv | Dense) else x for x in layers)
    return Program(layers, (8, 8, 1), T, number_format, input_scale, readout=readout)


def make_images(count):
    """A bright patch somewhere, in multiples of 1/256."""
    rng = np.random.default_rng(0)
    images = np.zeros((count, 8, 8, 1), "float32")
    for image in images:
        top, left = rng.integers(0, 5, 2)
        image[top : top + 4, left : left + 4] = oracle.dyadic(rng, (4, 4, 1), low=64, high=257)
    return images


class Case:
    """A program, a folder with its files in all forms, images, and what the interpreter says."""

    def __init__(self, number_format, folder, **settings):
        self.program, self.folder = make_program(number_format, **settings), folder
        self.images = make_images(40)
        for name in FILES:
            form, suffix = name.split(".")
            WRITERS[suffix].write(self.program, folder / name, form=form)
        np.save(folder / "images.npy", self.images)
        # Counts after each step, `(images, T, classes)`.
        runs = [interpreter.run(self.program, self.images, t) for t in range(1, T + 1)]
        self.counts = np.stack([trace.spike_counts for trace in runs], axis=1)
        self.classes = self.counts[:, -1].argmax(axis=1)
        potentials = np.stack([trace.potentials[-1] for trace in runs], axis=1)
        readout = self.program.neurons[-1]
        neurons = readout.v_threshold, readout.v_0
        self.activity = on_device.activity(self.counts, potentials, *neurons)
        self.shifted = self.counts + potentials.astype("float64") / readout.v_threshold


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return {name: Case(name, tmp_path_factory.mktemp(name)) for name in ("float32", "int8")}


@pytest.fixture(params=["float32", "int8"])
def case(request, cases):
    return cases[request.param]


@pytest.fixture(scope="module")
def float_case(cases):
    return cases["float32"]


@pytest.fixture
def classify(capsys):
    """The script without a process of its own: rows of its JSON lines."""

    def call(*arguments):
        on_device.main([*map(str, arguments), "--json"])
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return call


@pytest.fixture
def refused(capsys):
    """Its message when it exits with status 2."""

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            on_device.main(list(map(str, arguments)))
        assert stop.value.code == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err

    return call


def script(*arguments, python=(str(SCRIPT),)):
    command = [sys.executable, *python, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# Counts.


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_what_it_takes_and_has_the_types_of_the_page(case, name):
    """The tables in "From your own program" of docs/learn/on-a-device.md."""
    network = on_device.open_network(case.folder / name, 1)
    form, suffix = name.split(".")
    integer, scaled = case.program.is_integer, case.program.is_integer and suffix == "tflite"
    types = {key: np.dtype(dtype) for key, (_, dtype) in network.inputs.items()}
    state = {True: "int16" if scaled else "int32", False: "float32"}[integer]
    states = {f"v_{layer.name}" for layer in case.program.neurons}
    more = {"step": states, "loop": {"time_steps"}, "stateful": {"keep"}}.get(form, set())
    assert set(types) == {"image", *more}
    assert types.get("time_steps", "int64") == "int64"
    assert json.loads(json.dumps(network.inputs))  # plain numbers and names
    assert types["image"] == types.get("keep", types["image"]) == ("int16" if scaled else "float32")
    assert {types[key] for key in states & set(types)} <= {np.dtype(state)}
    result = "spikes" if form in ("step", "stateful") else "spike_counts"
    kept = {f"{v}_out" for v in states} if form == "step" else set()
    assert set(network.outputs) == {result, *kept}
    assert ("input_scale" in network.facts) == scaled
    assert network.facts["input"].startswith(
        "int16 image, round(" if scaled else "float32 image, p"
    )
    image = case.images[:1]
    if "input_scale" in network.facts:
        image = np.rint(image * network.facts["input_scale"]).astype("int16")
    found = on_device.simulate(network, image, T, "never", 0.0)
    np.testing.assert_array_equal(found.spike_counts, case.counts[0, -1])
    zeros = {key: np.zeros(shape, dtype) for key, (shape, dtype) in network.inputs.items()}
    steps = {"time_steps": np.full_like(zeros["time_steps"], T)} if form == "loop" else {}
    outputs = network.infer({**zeros, "image": image, **steps})
    assert outputs[result].dtype == ("int16" if scaled else "float32")


@pytest.mark.parametrize("name", FILES)
def test_counts_of_every_form_equal_the_interpreter(case, name):
    # Of a picture's bytes, k/255, only black and white have float32 sums without rounding.
    rng = np.random.default_rng(1)
    picture = rng.choice(256 if case.program.is_integer else [0, 255], (8, 8)).astype("uint8")
    path = case.folder / "picture.png"
    Image.fromarray(picture).save(path)
    pixels = (picture / np.float32(255))[None, ..., None]
    expected = interpreter.run(case.program, np.concatenate([case.images, pixels])).spike_counts
    assert len(np.unique(expected.argmax(axis=1))) == 4

    file, npy = case.folder / name, case.folder / "images.npy"
    done = script(file, npy, path, "--stop", "never", "--json")
    assert (done.returncode, done.stderr) == (0, "")  # no line of LiteRT either
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    np.testing.assert_array_equal([row["spike_counts"] for row in rows], expected)
    assert [row["class"] for row in rows] == expected.argmax(axis=1).tolist()
    assert not any("scores" in row for row in rows)
    assert {(row["steps"], row["time_steps"]) for row in rows} == {(T, T)}
    assert all(row["ms"] > 0 for row in rows)
    assert [row["image"] for row in rows] == [f"{npy}[{n}]" for n in range(40)] + [str(path)]


@pytest.mark.each_backend
def test_a_model_from_keras(classify, tmp_path):
    model = keras_proxy_snn.build("4C3-P2-5F", input_shape=(8, 8, 1), time_steps=9)
    for weight in model.ann.trainable_variables:
        weight.assign(np.round(keras.ops.convert_to_numpy(weight) * 256) / 256)
    litert.write(from_model(model), tmp_path / "net.tflite", form="step")
    images = make_images(6)
    np.save(tmp_path / "images.npy", images)
    rows = classify(tmp_path / "net.tflite", tmp_path / "images.npy", "--stop", "never")
    counts = model.predict(images, verbose=0)
    assert counts.max() > 0
    np.testing.assert_array_equal([row["spike_counts"] for row in rows], counts)


def test_a_file_of_another_batch_size_and_more_threads(case, classify):
    for form in litert.FORMS:
        path = case.folder / f"batch_{form}.tflite"
        litert.write(case.program, path, form=form, batch_size=3)
        rows = classify(path, case.folder / "images.npy", "--stop", "never", "--threads", 2)
        np.testing.assert_array_equal([r["spike_counts"] for r in rows], case.counts[:, -1])


# Stopping early.


def test_certain_is_exactly_when_no_future_changes_the_class():
    """All counts of three classes after t of 4 steps, against all that may follow."""
    for step in range(5):
        futures = np.array(list(itertools.product(range(5 - step), repeat=3)))
        for counts in map(np.array, itertools.product(range(step + 1), repeat=3)):
            alone = len(set((counts + futures).argmax(axis=1))) == 1
            assert on_device.should_stop(counts, step, 4, "certain", 1) == alone


@given(arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 6))))
def test_certain_never_changes_the_winner(spikes):
    counts = spikes.cumsum(axis=0)
    time_steps = len(counts)
    stops = [
        on_device.should_stop(after, step, time_steps, "certain", 1)
        for step, after in enumerate(counts, 1)
    ]
    assert stops[-1]
    assert counts[stops.index(True)].argmax() == counts[-1].argmax()
    # Once certain, always certain.
    assert stops == sorted(stops)


@pytest.mark.parametrize(
    ("counts", "step", "stop", "margin", "expected"),
    [
        # A tie goes to the first class, so a lead equal to the rest is enough for the first ...
        ([5, 3, 0], 8, "certain", 1, True),
        # ... and one more is needed for the others.
        ([3, 5, 0], 8, "certain", 1, False),
        ([3, 6, 0], 8, "certain", 1, True),
        ([0, 0, 0], 8, "certain", 1, False),
        ([0, 0, 0], 10, "certain", 1, True),
        ([2, 5, 0], 5, "margin", 4, False),
        ([2, 6, 0], 6, "margin", 4, True),
        ([6, 6, 0], 6, "margin", 1, False),
        ([2, 6, 0], 10, "margin", 9, True),
        ([2.25, 4.5, 0], 5, "margin", 2.5, False),
        ([2.25, 4.75, 0], 5, "margin", 2.5, True),
        ([-3.0, -1.0, -2.5], 5, "margin", 1.5, True),
        ([9, 0, 0], 9, "never", 1, False),
        ([9, 0, 0], 10, "never", 1, True),
    ],
)
def test_rules(counts, step, stop, margin, expected):
    assert on_device.should_stop(np.array(counts), step, 10, stop, margin) is expected


@pytest.mark.parametrize("name", STREAMING)
def test_certain_saves_steps_and_keeps_every_class(case, classify, name):
    rows = classify(case.folder / name, case.folder / "images.npy")
    steps = np.array([row["steps"] for row in rows])
    np.testing.assert_array_equal([row["class"] for row in rows], case.classes)
    expected = case.counts[np.arange(40), steps - 1]
    np.testing.assert_array_equal([row["spike_counts"] for row in rows], expected)
    assert steps.mean() < 0.9 * T


@pytest.mark.parametrize("name", STREAMING)
def test_margin_saves_more(case, classify, name):
    scores = case.counts if name.startswith("stateful") else case.activity
    top = np.sort(scores, axis=-1)
    lead = top[..., -1] - top[..., -2]
    means = []
    for margin in (0.75, 1, 2, 3, 5):
        rows = classify(
            case.folder / name, case.folder / "images.npy", "--stop", "margin", "--margin", margin
        )
        assert {"scores" in row for row in rows} == {not name.startswith("stateful")}
        steps = np.array([row["steps"] for row in rows])
        reached = np.where((lead >= margin).any(axis=1), (lead >= margin).argmax(axis=1) + 1, T)
        np.testing.assert_array_equal(steps, reached)
        winners = scores[np.arange(40), steps - 1].argmax(axis=1)
        np.testing.assert_array_equal([row["class"] for row in rows], winners)
        expected = case.counts[np.arange(40), steps - 1]
        np.testing.assert_array_equal([row["spike_counts"] for row in rows], expected)
        means.append(steps.mean())
    assert means == sorted(means)
    assert means[1] < T / 4
    assert means[3] < 2 / 3 * T


@pytest.fixture(scope="module", params=["float32", "int8"])
def by_potential(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("potential")
    return Case(request.param, folder, v_0=0.5, readout="potential")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("stop", ["certain", "never"])
def test_a_readout_by_potential_tells_the_class(by_potential, classify, name, stop):
    case, final = by_potential, by_potential.activity[:, -1]
    trace = interpreter.run(case.program, case.images)
    scores = case.program.scores(trace.spike_counts, trace.potentials[-1])
    np.testing.assert_array_equal(final, scores)
    assert (final.argmax(axis=1) != case.classes).any()
    rows = classify(case.folder / name, case.folder / "images.npy", "--stop", stop)
    assert [row["class"] for row in rows] == final.argmax(axis=1).tolist()
    np.testing.assert_array_equal([row["spike_counts"] for row in rows], case.counts[:, -1])
    np.testing.assert_array_equal([row["scores"] for row in rows], final)
    assert {row["steps"] for row in rows} == {T}


def test_the_table_shows_the_scores_that_tell_the_class(by_potential):
    file, npy = by_potential.folder / "unrolled.onnx", by_potential.folder / "images.npy"
    lines = script(file, npy).stdout.splitlines()
    for line, counts, scores in zip(
        lines, by_potential.counts[:, -1], by_potential.activity[:, -1], strict=True
    ):
        assert f"class {scores.argmax()} " in line
        shown = [round(score, 3) for score in scores.tolist()]
        assert line.endswith(f"spikes {counts.tolist()} scores {shown}")


@pytest.mark.parametrize("name", STREAMING)
def test_a_start_shifts_all_classes_alike_and_no_decision(by_potential, classify, name):
    case = by_potential
    np.testing.assert_allclose(case.activity, case.shifted + 0.5, rtol=1e-12)
    top = np.sort(case.shifted, axis=-1)
    lead = top[..., -1] - top[..., -2]
    margin = 2.01  # between two leads, which are multiples of 1/50
    arguments = ("--stop", "margin", "--margin", margin)
    rows = classify(case.folder / name, case.folder / "images.npy", *arguments)
    steps = np.array([row["steps"] for row in rows])
    reached = np.where((lead >= margin).any(axis=1), (lead >= margin).argmax(axis=1) + 1, T)
    np.testing.assert_array_equal(steps, reached)
    assert steps.mean() < 0.9 * T
    winners = case.shifted[np.arange(40), steps - 1].argmax(axis=1)
    np.testing.assert_array_equal([row["class"] for row in rows], winners)


def test_fewer_steps(case, classify, refused):
    npy = case.folder / "images.npy"
    for name in STREAMING:
        rows = classify(case.folder / name, npy, "--stop", "never", "--time-steps", 7)
        np.testing.assert_array_equal([row["spike_counts"] for row in rows], case.counts[:, 6])
        assert {row["steps"] for row in rows} == {7}
    message = refused(case.folder / "unrolled.tflite", npy, "--time-steps", 7)
    assert "runs all steps in one call: export the form 'step'" in message
    # A number that changes nothing is no error.
    assert classify(case.folder / "unrolled.onnx", npy, "--time-steps", T)[0]["steps"] == T


def test_more_steps_for_floats_only(case, classify, refused):
    arguments = (case.folder / "step.onnx", case.folder / "images.npy", "--time-steps", T + 9)
    if case.program.is_integer:
        assert f"may overflow after {T} steps" in refused(*arguments)
    else:
        expected = interpreter.run(case.program, case.images, T + 9).spike_counts
        rows = classify(*arguments, "--stop", "never")
        np.testing.assert_array_equal([row["spike_counts"] for row in rows], expected)


def test_a_file_that_does_not_say_its_steps(float_case, classify, refused):
    model = onnx_library.load(float_case.folder / "step.onnx")
    del model.metadata_props[:]
    path = float_case.folder / "plain.onnx"
    onnx_library.save(model, path)
    npy = float_case.folder / "images.npy"
    assert "give --time-steps" in refused(path, npy)
    rows = classify(path, npy, "--time-steps", T, "--stop", "never")
    np.testing.assert_array_equal([row["spike_counts"] for row in rows], float_case.counts[:, -1])


# Images.


def network_of(channels, size=(6, 7), dtype="float32"):
    return on_device.Network({"image": ((1, *size, channels), dtype)}, [], {"input_scale": 9}, None)


@pytest.mark.parametrize("old", [(6, 7), (31, 9), (3, 50), (1, 1)])
def test_resizing_is_that_of_pillow(rng, old):
    pixels = rng.random(old, "float32")
    mine = on_device.prepare(pixels, network_of(1), False)
    pillow = Image.fromarray(pixels).resize((7, 6), Image.Resampling.BILINEAR)
    assert mine.shape == (1, 6, 7, 1)
    np.testing.assert_allclose(mine[0, ..., 0], pillow, atol=1e-6)
    if old == (6, 7):
        np.testing.assert_array_equal(mine[0, ..., 0], pixels)


def test_channels_opacity_and_inversion(rng):
    colour = rng.integers(0, 256, (6, 7, 3)).astype("uint8")
    grey = np.asarray(Image.fromarray(colour).convert("L"))[..., None] / 255
    share = rng.integers(0, 256, (6, 7, 1)).astype("uint8")
    cases = [
        (colour, 3, False, colour / 255),
        (colour, 3, True, 1 - colour / 255),
        (colour, 1, False, grey),
        (grey, 3, True, np.repeat(1 - grey, 3, axis=-1)),
        (np.concatenate([colour, share], axis=-1), 1, True, (1 - grey) * share / 255),
        (np.concatenate([colour, share], axis=-1), 4, False, None),
        (grey > 0.5, 1, False, grey > 0.5),
    ]
    for pixels, channels, invert, expected in cases:
        found = on_device.prepare(pixels, network_of(channels), invert)
        assert found.dtype == "float32"
        expected = pixels / 255 if expected is None else expected
        # Pillow rounds grey to bytes.
        np.testing.assert_allclose(found[0], expected, atol=0.51 / 255 + 1e-6)


def test_integer_networks_get_scaled_and_rounded_pixels():
    pixels = np.array([[0, 14, 15, 128, 255]], "uint8")
    found = on_device.prepare(pixels, network_of(1, (1, 5), "int16"), False)
    assert found.dtype == "int16"
    assert found.ravel().tolist() == [0, 0, 1, 5, 9]


def test_pictures_of_many_kinds(tmp_path, rng):
    grey = rng.integers(0, 256, (6, 7)).astype("uint8")
    picture = Image.fromarray(grey)
    picture.convert("P").save(tmp_path / "palette.gif")
    picture.save(tmp_path / "grey.pgm")
    picture.convert("RGB").save(tmp_path / "colour.bmp")
    Image.fromarray(grey.astype("uint16") * 257).save(tmp_path / "deep.png")
    turned = Image.Exif()
    turned[0x0112] = 6  # to be shown after a quarter turn clockwise
    picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=turned)
    for path in tmp_path.iterdir():
        (pixels,) = on_device.read_images(path)
        found = on_device.prepare(pixels, network_of(1), False)
        np.testing.assert_allclose(found[0, ..., 0], grey / 255, atol=1e-6, err_msg=path.name)


@pytest.mark.parametrize("size", [(48, 48), (33, 57), (7, 5), (64, 24)])
@pytest.mark.parametrize("channels", [1, 3])
def test_white_stays_white_when_it_is_resized(size, channels):
    """Weights of a resized pixel add up to 1 or to 1.0000001; the latter is in no range."""
    white = np.full((*size, 3), 255, "uint8")
    found = [
        on_device.prepare(white, network_of(channels, (32, 32)), False)[0],
        prepare(white, (32, 32, channels), False),
    ]
    for pixels in found:
        np.testing.assert_allclose(pixels, 1, atol=1e-6)
        assert pixels.max() <= 1


def test_a_rounding_above_white_is_white_and_more_is_refused():
    above = np.float32([[0, 1.0000001]])
    found = [
        on_device.prepare(above, network_of(1, (1, 2)), False)[0],
        prepare(above, (1, 2, 1), False),
    ]
    for pixels in found:
        assert pixels.ravel().tolist() == [0, 1]
    for refuse in (
        lambda x: on_device.prepare(x, network_of(1, (1, 2)), False),
        lambda x: prepare(x, (1, 2, 1), False),
    ):
        with pytest.raises(
            ValueError, match=r"from 0 to 1\. Received: float32 from 0 to 1\.00000[0-9]+$"
        ):
            refuse(np.float32([[0, 1.000004]]))


def test_a_network_for_bytes_gets_bytes():
    network = network_of(1)._replace(facts={"input_range": "[0.0, 255.0]"})
    found = on_device.prepare(np.full((6, 7), 51, "uint8"), network, False)
    np.testing.assert_allclose(found, 51, rtol=1e-6)


def test_a_folder_is_searched_and_what_is_broken_is_left_out(float_case, tmp_path):
    bad_files.write_folder(tmp_path)
    done = script(float_case.folder / "step.onnx", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    found = [Path(json.loads(line)["image"]).name for line in done.stdout.splitlines()]
    assert found == bad_files.GOOD
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"left out: image {tmp_path / 'broken.png'}: ")


def test_arrays_of_one_or_many_images(float_case, classify, tmp_path):
    file = float_case.folder / "unrolled.tflite"
    shapes = {
        (8, 8): 1,
        (8, 8, 1): 1,
        (8, 8, 3): 1,
        (5, 8, 8): 5,
        (2, 9, 10, 3): 2,
        (0, 8, 8, 1): 0,
    }
    for shape, count in shapes.items():
        np.save(tmp_path / "array.npy", np.zeros(shape, "uint8"))
        assert len(classify(file, tmp_path / "array.npy")) == count


# Output.


def test_a_folder_with_labels_as_a_table(float_case, tmp_path):
    for index in (2, 1, 0):
        np.save(tmp_path / f"{index}.npy", float_case.images[index])
    (tmp_path / "notes.txt").write_text("a\nb\nc\nd\nlast class\n")
    done = script(float_case.folder / "step.tflite", tmp_path, "--labels", tmp_path / "notes.txt")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    names = ["a", "b", "c", "d", "last class"]
    for index, line in enumerate(lines):
        assert line.startswith(str(tmp_path / f"{index}.npy"))
        assert f"class {names[float_case.classes[index]]} " in line
        steps = int(line.split("steps")[1].split("/")[0])
        assert f"/{T} " in line
        assert line.endswith(str(float_case.counts[index, steps - 1].tolist()))


@pytest.mark.parametrize("name", ["unrolled.onnx", "step.tflite"])
def test_classes_that_tie_are_named(float_case, classify, name):
    rows = classify(float_case.folder / name, float_case.folder / "images.npy", "--stop", "never")
    final = float_case.counts[:, -1]
    best = [np.flatnonzero(counts == counts.max()) for counts in final]
    expected = [[str(i) for i in first] if len(first) > 1 else [] for first in best]
    assert final.any(axis=1).all()
    assert any(expected)
    assert not all(expected)
    assert [row["tied_labels"] for row in rows] == expected
    assert [row["label"] for row in rows] == [str(first[0]) for first in best]
    assert not any(row["silent"] for row in rows)
    for row, labels in zip(rows, expected, strict=True):
        line = on_device.as_text(row, width=8)
        assert f"class {' = '.join(labels) or row['label']} " in line


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([2, 5, 5], [1, 2]), ([2, 5, 4], []), ([0, 0, 0], []), ([-1.5, -1.5, -2], [0, 1])],
)
def test_classes_tie_if_they_share_a_highest_score_that_is_one(scores, expected):
    assert on_device.tied(np.array(scores)) == expected


def test_silence_is_no_answer(case, classify, tmp_path):
    np.save(tmp_path / "black.npy", np.zeros((8, 8), "uint8"))
    for name in ("unrolled.onnx", "stateful.tflite"):
        (row,) = classify(case.folder / name, tmp_path / "black.npy")
        assert (row["class"], row["tied_labels"], row["spike_counts"]) == (0, [], [0] * 5)
        assert row["silent"]
        assert "class no spike     steps" in on_device.as_text(row, width=8)
    answer = {**row, "scores": [0.25, 0.5, 0.0, 0.0, 0.0], "label": "1", "silent": False}
    assert "class 1  " in on_device.as_text(answer, width=8)


# What it needs.

ISOLATED = """
import json, runpy, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

BLOCKED = sys.argv[1].split(",")
sys.meta_path.insert(0, Blocker())
sys.argv = sys.argv[2:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    loaded = {name.split(".")[0] for name in sys.modules} - sys.stdlib_module_names
    print("LOADED", json.dumps(sorted(loaded)))
"""
FRAMEWORKS = "keras,tensorflow,jax,torch,keras_proxy_snn,onnx,tf2onnx,nir,scipy,tflite_micro"


def isolated(blocked, *arguments):
    """The script in isolated mode (-I), with modules that cannot be imported."""
    python = ("-I", "-c", ISOLATED, f"{FRAMEWORKS},{blocked}", str(SCRIPT))
    done = script(*arguments, python=python)
    text, loaded = done.stdout.split("LOADED")
    return done, text, set(json.loads(loaded))


@pytest.mark.parametrize(
    ("name", "runtime", "other"),
    [
        # `flatbuffers` is a part of what LiteRT's package installs.
        ("step.tflite", {"ai_edge_litert", "flatbuffers"}, "onnxruntime"),
        ("step.onnx", {"onnxruntime"}, "ai_edge_litert,flatbuffers"),
    ],
)
def test_it_needs_numpy_and_one_runtime_alone(case, name, runtime, other):
    npy = case.folder / "images.npy"
    done, text, loaded = isolated(f"{other},PIL", case.folder / name, npy, "--json")
    assert done.returncode == 0, done.stderr
    classes = [json.loads(line)["class"] for line in text.splitlines()]
    np.testing.assert_array_equal(classes, case.classes)
    assert {"numpy", *runtime} <= loaded
    # Start-up files of an environment may load helpers of its installer.
    assert loaded - {"numpy", *runtime} <= {"__main__", "_distutils_hack", "_virtualenv"}


@pytest.mark.parametrize(
    ("blocked", "name", "image", "package"),
    [
        ("ai_edge_litert", "step.tflite", "images.npy", "ai-edge-litert"),
        ("onnxruntime", "step.onnx", "images.npy", "onnxruntime"),
        ("PIL", "step.onnx", "blank.png", "pillow"),
    ],
)
def test_what_to_install(float_case, blocked, name, image, package):
    Image.new("L", (8, 8)).save(float_case.folder / "blank.png")
    done, text, _ = isolated(blocked, float_case.folder / name, float_case.folder / image)
    assert done.returncode == 2
    assert text == ""
    assert done.stderr.endswith(f"No module named '{blocked}': pip install {package}\n")


# Errors.


@pytest.fixture(scope="module")
def bad(float_case):
    """A folder of files that are not what they should be."""
    folder = float_case.folder / "bad"
    (folder / "empty").mkdir(parents=True)
    (folder / "text.tflite").write_text("no model")
    (folder / "text.onnx").write_text("no model")
    content = (float_case.folder / "step.tflite").read_bytes()
    (folder / "cut.tflite").write_bytes(content[: len(content) // 2])
    (folder / "net.keras").write_text("")
    (folder / "net.nir").write_text("")
    litert.write_twin(float_case.program, folder / "ann.tflite")
    helper = onnx_library.helper
    of_bytes = [
        helper.make_tensor_value_info(name, onnx_library.TensorProto.UINT8, [4]) for name in "xy"
    ]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "g", of_bytes[:1], of_bytes[1:]
    )
    opsets = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx_library.save(model, folder / "bytes.onnx")
    (folder / "text.png").write_text("no picture")
    (folder / "text.npy").write_text("no array")
    (folder / "empty.npy").write_bytes(b"")
    (folder / "names.txt").write_text("one\ntwo\n")
    bad_files.write_bad(folder)
    for name, array in {
        "large": np.full((8, 8), 2.0),
        "nan": np.full((8, 8), np.nan),
        "words": np.full((8, 8), "x"),
        "line": np.zeros(8),
        "two": np.zeros((8, 8, 2)),
        "nothing": np.zeros((0, 8)),
    }.items():
        np.save(folder / f"{name}.npy", array)
    return folder


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("none.tflite", "No such file"),
        ("pipe.tflite", "pipe.tflite is not a regular file"),
        ("empty", "is not a regular file"),
        ("none.onnx", "No such file"),
        ("text.tflite", "text.tflite is not a network that runs here: "),
        ("cut.tflite", "cut.tflite is not a network that runs here: "),
        ("text.onnx", "text.onnx is not a network that runs here: "),
        (
            "net.nir",
            "net.nir is a NIR file, which other libraries run: see https://keras-proxy-snn",
        ),
        ("net.keras", "net.keras is neither a .tflite nor an .onnx file: export the model to one"),
        ("ann.tflite", "ann.tflite is not an exported spiking network"),
        ("bytes.onnx", "bytes.onnx is not an exported spiking network"),
    ],
)
def test_bad_models(float_case, bad, refused, model, message):
    assert message in refused(bad / model, float_case.folder / "images.npy")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("none.png", "none.png: No such file or directory"),
        ("none.npy", "none.npy: No such file or directory"),
        ("text.png", "text.png: cannot identify image file"),
        ("text.npy", "text.npy: "),
        ("empty.npy", "empty.npy: "),
        ("empty", "empty: no image is in this folder"),
        ("pipe.png", "pipe.png is not a regular file"),
        ("huge.npy", "huge.npy: an array (1000000000000,) of float64 needs 8000000000000 bytes"),
        ("deep.npy", "deep.npy: "),
        ("token.npy", "token.npy: "),
        ("bomb.png", "bomb.png: Image size (400000000 pixels) exceeds limit"),
        ("broken.png", "broken.png: "),
        ("names.txt", "names.txt: cannot identify image file"),
        ("large.npy", "large.npy: pixels must be bytes, or numbers from 0 to 1"),
        ("nan.npy", "nan.npy: pixels must be bytes, or numbers from 0 to 1"),
        ("words.npy", "words.npy: not an image: an array (8, 8) of <U1"),
        ("line.npy", "line.npy: not an image: an array (8,) of float64"),
        ("nothing.npy", "nothing.npy: not an image: an array (0, 8) of float64"),
        ("two.npy", "two.npy: it has 2 channels, the network 1"),
    ],
)
def test_bad_images(float_case, bad, refused, image, message):
    assert f"{bad}/{message}" in refused(float_case.folder / "step.tflite", bad / image)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--time-steps", 0], "must be at least 1"),
        (["--time-steps", "many"], "invalid int value: 'many'"),
        (["--margin", 0, "--stop", "margin"], "--margin must be above 0"),
        (["--margin", 3], "--margin has an effect only with --stop margin"),
        (["--margin", 3, "--stop", "certain"], "--margin has an effect only with --stop margin"),
        (["--threads", -1], "must be at least 1"),
        (["--stop", "soon"], "invalid choice: 'soon'"),
        (["--labels", "none.txt"], "No such file"),
        (["--labels", "."], ". is not a regular file"),
    ],
)
def test_bad_options(float_case, refused, arguments, message):
    folder = float_case.folder
    assert message in refused(folder / "step.tflite", folder / "images.npy", *arguments)


def test_options_that_do_not_fit_the_network(float_case, bad, refused):
    folder = float_case.folder
    message = refused(folder / "unrolled.onnx", folder / "images.npy", "--stop", "margin")
    assert "runs all steps in one call: export the form 'step'" in message
    labels = ["--labels", bad / "names.txt"]
    message = refused(folder / "step.tflite", folder / "images.npy", *labels)
    assert "names.txt has 2 names, not 5" in message


@pytest.mark.parametrize("name", FILES)
def test_stop_certain_says_where_it_has_no_effect(float_case, name, capsys):
    arguments = [str(float_case.folder / name), str(float_case.folder / "images.npy")]
    on_device.main([*arguments, "--stop", "certain"])
    warned = "warning: --stop certain has no effect: this network runs all steps in one call"
    assert (warned in capsys.readouterr().err) is (name not in STREAMING)
    on_device.main(arguments)
    assert capsys.readouterr().err == ""


def test_stop_certain_has_no_effect_on_a_readout_by_potential(by_potential, capsys):
    folder = by_potential.folder
    on_device.main([str(folder / "step.onnx"), str(folder / "images.npy"), "--stop", "certain"])
    assert "--stop certain has no effect: potentials count" in capsys.readouterr().err


def test_a_file_that_a_tool_changed_runs_after_a_warning(float_case, tmp_path, capsys):
    quantize_dynamic(float_case.folder / "unrolled.onnx", tmp_path / "changed.onnx")
    content = (float_case.folder / "step.tflite").read_bytes()
    (tmp_path / "changed.tflite").write_bytes(content.replace(b"time steps", b"steps in T"))
    for name in ("changed.onnx", "changed.tflite"):
        on_device.main([str(tmp_path / name), str(float_case.folder / "images.npy")])
        shown = capsys.readouterr()
        assert f"warning: {tmp_path / name} was changed after its export" in shown.err
        assert shown.out.count(" class ") == 40


@pytest.mark.parametrize("name", FILES)
def test_a_file_as_it_was_written_is_sealed(case, name, capsys):
    network = on_device.open_network(case.folder / name, 1)
    assert network.facts["seal"].startswith("keras_proxy_snn sha256 ")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("facts", "arguments"),
    [
        ({"number_format": None}, ["--time-steps", 99]),
        ({"v_threshold": "3"}, []),
        ({"class_names": "5"}, []),
    ],
)
def test_facts_of_another_form_are_told_in_one_line(
    float_case, refused, monkeypatch, facts, arguments
):
    network = on_device.open_network(float_case.folder / "step.onnx", 1)
    changed = {k: v for k, v in {**network.facts, **facts}.items() if v is not None}
    monkeypatch.setattr(on_device, "open_network", lambda *_: network._replace(facts=changed))
    text = refused("step.onnx", float_case.folder / "images.npy", *arguments)
    assert "step.onnx does not run as exported files do: " in text


def test_a_runtime_that_stops_is_told_in_one_line(float_case, refused, monkeypatch):
    def infer(feed):
        raise MemoryError("no room for a tensor")

    network = on_device.open_network(float_case.folder / "step.onnx", 1)
    monkeypatch.setattr(on_device, "open_network", lambda *_: network._replace(infer=infer))
    text = refused("step.onnx", float_case.folder / "images.npy")
    assert "MemoryError: no room for a tensor" in text


def test_the_export_puts_the_script_beside_the_file(float_case, tmp_path):
    for suffix in ("onnx", "tflite"):  # the same script is there already: no error
        export(float_case.program, tmp_path / f"net.{suffix}", with_runner=True)
    assert (tmp_path / "on_device.py").read_bytes() == SCRIPT.read_bytes()
    (tmp_path / "on_device.py").write_text("mine")
    with pytest.raises(FileExistsError, match=r"on_device\.py"):
        export(float_case.program, tmp_path / "again.onnx", with_runner=True)
    assert not (tmp_path / "again.onnx").exists()
    assert (tmp_path / "on_device.py").read_text() == "mine"
    export(float_case.program, tmp_path / "net.onnx", with_runner=True, overwrite=True)
    assert (tmp_path / "on_device.py").read_bytes() == SCRIPT.read_bytes()


@pytest.mark.parametrize(
    ("format", "value", "message"),
    [
        ("nir", True, r"is for the formats onnx and litert, .* Received: 'nir'"),
        ("onnx", "yes", "must be True or False. Received: 'yes'"),
    ],
)
def test_where_there_is_no_script(float_case, tmp_path, format, value, message):
    with pytest.raises((ValueError, TypeError), match=f"`with_runner` {message}"):
        export(float_case.program, tmp_path / f"net.{format}", with_runner=value)
    assert not list(tmp_path.iterdir())


def test_who_reads_the_lines_may_have_enough(float_case):
    words = [SCRIPT, float_case.folder / "step.onnx", float_case.folder / "images.npy"]
    running = subprocess.Popen(
        [sys.executable, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    running.stdout.close()
    assert running.stderr.read() == b""
    running.stderr.close()
    assert running.wait() == 0


def test_an_error_is_one_line_and_a_status():
    done = script("none.tflite", "none.png")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "on_device.py: none.tflite: No such file or directory\n"


@pytest.mark.any_backend
@pytest.mark.parametrize("readout", ["counts", "potential"])
@pytest.mark.each_backend
def test_statistics_of_early_stopping_are_of_the_same_rule(readout):
    rng = np.random.default_rng(3)
    model = keras_proxy_snn.build("5F-4F", input_shape=(2, 2, 1), time_steps=9, readout=readout)
    model.set_weights([oracle.dyadic(rng, w.shape, low=-64, high=257) for w in model.get_weights()])
    x, y = oracle.dyadic(rng, (40, 2, 2, 1), low=0, high=257), rng.integers(0, 4, 40)
    scores = np.stack([model.predict(x, time_steps=t, verbose=0) for t in range(1, 10)], axis=1)
    margins = (0.5, 1.0, 2.0, 100.0)
    found = keras_proxy_snn.statistics.early_stopping(model, x, y, margins, batch_size=7)
    for margin, stopping in zip(margins, found, strict=True):
        stopped = [
            next(
                t
                for t, s in enumerate(image, 1)
                if on_device.should_stop(s, t, 9, "margin", margin)
            )
            for image in scores
        ]
        right = [
            image[t - 1].argmax() == label
            for image, t, label in zip(scores, stopped, y, strict=True)
        ]
        assert stopping.margin == margin
        assert stopping.mean_steps == np.mean(stopped)
        assert stopping.accuracy == np.mean(right)
    steps = [stopping.mean_steps for stopping in found]
    assert steps == sorted(steps)  # a clearer lead takes longer
    assert 1 < steps[0] < steps[-1] == 9
