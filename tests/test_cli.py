"""The command line: every command, its help, its errors, and what Ctrl-C leaves."""

import inspect
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import keras_proxy_snn as kps
from keras_proxy_snn import __main__ as entry
from keras_proxy_snn.basics.quiet import start_tensorflow, without_standard_error
from keras_proxy_snn.basics.stopwatch import disturbance
from keras_proxy_snn.cli import _training, commands
from keras_proxy_snn.cli._classes import Answers, by_class, print_classes
from keras_proxy_snn.cli._interrupts import Interrupts
from keras_proxy_snn.cli._output import Output
from keras_proxy_snn.cli._own import kept_data_dir
from keras_proxy_snn.cli._shared import BadInput, reading
from keras_proxy_snn.cli.inspect import _FURTHER
from keras_proxy_snn.datasets import pictures
from keras_proxy_snn.datasets.new_pictures import find
from keras_proxy_snn.export import FORMATS, litert, on_device
from keras_proxy_snn.presets import PURPOSES
from keras_proxy_snn.saving.model_file import load_model, read_record, save_model
from keras_proxy_snn.verification import runner, worker

from . import bad_files, class_folders
from .pages import quick
from .workers import run_forked

ROOT = Path(__file__).resolve().parent.parent
# Everything that makes a training of the digits take a second.
TINY = ["--images", 60, "--time-steps", 3, "--batch-size", 30]
TINY += ["--set", "spec=4C3-P2-10F", "--set", "readout_v_threshold=0.5"]


# What examples of the help are given beside, so that they are quick.
QUICK = {
    "train": [*TINY, "--epochs", 1],
    "bench": ["--repeats", 1],
    "verify": ["--networks", 1, "--only", "interpreter"],
}


def call(*arguments):
    """A command in this very process."""
    return CliRunner().invoke(commands, [*map(str, arguments)])


def good(*arguments):
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments, status=2):
    """The one line with which a command refuses."""
    result = call(*arguments)
    assert result.exit_code == status, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def train(output, *arguments):
    return json.loads(good("train", "digits", *TINY, "--output", output, "--json", *arguments))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A file of the command `train`, and what it printed."""
    path = tmp_path_factory.mktemp("trained") / "digits.keras"
    return path, train(path, "--epochs", 2)


@pytest.fixture
def folder(tmp_path, monkeypatch, trained):
    """A working folder with a trained model and an image."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.keras").write_bytes(trained[0].read_bytes())
    pixels = np.random.default_rng(0).integers(0, 256, (20, 14, 3), "uint8")
    Image.fromarray(pixels).save(tmp_path / "three.png")
    return tmp_path


def test_training_writes_a_model_and_its_record(trained):
    path, result = trained
    assert result["model"] == str(path)
    assert result["settings"]["seed"] == 0
    assert result["settings"]["fields"] == {"spec": "4C3-P2-10F", "readout_v_threshold": 0.5}
    assert [set(logs) >= {"loss", "accuracy", "val_accuracy"} for logs in result["history"]] == [
        True,
        True,
    ]
    accuracy = result["test"]["accuracy"]
    assert 0 <= accuracy["strict"] <= accuracy["tie_inclusive"] <= 1
    model = keras.models.load_model(path)
    assert (model.time_steps, model.compiled) == (3, True)
    record = read_record(path)
    assert record["history"] == result["history"]
    assert record["versions"]["backend"] == keras.config.backend()
    assert [file.name for file in path.parent.iterdir()] == ["digits.keras"]


@contextmanager
def ctrl_c_in_epoch(number):
    """The user presses Ctrl-C in an epoch, numbered from 0."""

    def run(model, data, settings, epoch, *rest):
        if epoch == number:
            raise KeyboardInterrupt
        return whole(model, data, settings, epoch, *rest)

    whole = _training._epoch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_training, "_epoch", run)
        yield


def test_a_resumed_training_ends_where_a_whole_one_does(trained, tmp_path):
    path, whole = trained
    output = tmp_path / "digits.keras"
    with ctrl_c_in_epoch(1):
        cut = call("train", "digits", *TINY, "--epochs", 2, "--output", output)
    assert (cut.exit_code, cut.stdout) == (130, "")
    assert "digits.keras holds the model after epoch 1 of 2;" in cut.stderr.splitlines()[-1]
    assert len(read_record(output)["history"]) == 1
    with ctrl_c_in_epoch(0):  # which it need not run again
        resumed = json.loads(good("train", "digits", "--output", output, "--resume", "--json"))
    assert max(logs["rate_readout"] for logs in whole["history"]) > 0.01
    for ours, theirs in zip(resumed["history"], whole["history"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)
    for a, b in zip(load_model(output).get_weights(), load_model(path).get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.any_backend
def test_a_spec_takes_the_shape_of_the_data(tmp_path):
    options = ["--dataset", "digits", "--images", 30, "--epochs", 1, "--validation-split", 0]
    options += ["--set", "reset=subtract", "--set", "batch_norm=True"]
    output = tmp_path / "net.keras"
    text = good("train", "2C3-P4-10F", *options, "--time-steps", 2, "--output", output)
    assert "360 test images of digits, T=2" in text
    model = load_model(output)
    assert (model.ann.input_shape, model.reset) == ((None, 8, 8, 1), "subtract")
    assert "val_loss" not in read_record(output)["history"][0]


@pytest.mark.any_backend
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
@pytest.mark.slow
def test_ctrl_c_leaves_a_model_that_resumes(tmp_path):
    output = tmp_path / "digits.keras"
    command = ["train", "digits", *map(str, TINY), "--epochs", "9999", "--output", str(output)]
    # A shell's background job ignores SIGINT, and so would its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "keras_proxy_snn", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 300
    while not output.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    done = len(read_record(output)["history"])
    assert f"{output} holds the model after epoch {done} of 9999" in " ".join(err.split())
    assert [file.name for file in tmp_path.iterdir()] == ["digits.keras"]
    again = train(output, "--resume", "--epochs", done + 1)
    assert len(again["history"]) == done + 1


@pytest.mark.once
def test_two_trainings_never_write_one_file(tmp_path):
    path, draft = tmp_path / "net.keras", tmp_path / "draft"
    first, second = (Output(path, resume=False, force=False) for _ in range(2))
    for text in ("epoch 1", "epoch 2"):
        with first.written():
            draft.write_text(text)
            draft.replace(path)
    with pytest.raises(BadInput, match=r"One training at a time .*another process") as refused:
        second.written().__enter__()
    assert str(path) in refused.value.format_message()
    assert path.read_text() == "epoch 2"
    path.unlink()  # then there is nothing to lose
    with second.written():
        path.write_text("epoch 1")


@pytest.mark.once
def test_ctrl_c_waits_for_the_end_of_the_batch():
    """Where it falls into a finaliser, Python would print the exception and go on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Interrupts() as interrupts:
            interrupts.on_train_batch_end(0)
            signal.raise_signal(signal.SIGINT)
            for end in (interrupts.on_train_batch_end, interrupts.on_test_batch_end):
                with pytest.raises(KeyboardInterrupt):
                    end(1)
            with pytest.raises(KeyboardInterrupt):  # the second is not waited for
                signal.raise_signal(signal.SIGINT)
            interrupts._heard = False
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        with pytest.raises(KeyboardInterrupt), Interrupts():  # after the last batch
            signal.raise_signal(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with Interrupts():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_before_the_first_epoch(tmp_path):
    with ctrl_c_in_epoch(0):
        line = refused("train", "digits", *TINY, "--output", tmp_path / "d.keras", status=130)
    assert line == "interrupted: no epoch was complete, so nothing was written."
    assert not list(tmp_path.iterdir())


def test_evaluate(trained):
    path, result = trained
    found = json.loads(good("evaluate", path, "--json"))
    assert found["accuracy"] == pytest.approx(result["test"]["accuracy"])
    assert (found["dataset"], found["images"], found["time_steps"]) == ("digits", 360, 3)
    rows = found["by_class"]
    assert [row["class"] for row in rows] == [str(digit) for digit in range(10)]
    assert sum(row["images"] for row in rows) == 360
    right = sum(row["accuracy"] * row["images"] for row in rows)
    assert right / 360 == pytest.approx(found["accuracy"]["strict"])
    text = good("evaluate", path, "--time-steps", 2, "--images", 20)
    assert "20 test images of digits, T=2" in text
    assert re.search(r"\n\nclass  images  strict +most often taken for\n0 ", text)


def test_each_class_has_its_accuracy_and_its_most_frequent_mistake(capsys):
    answers = Answers(3)
    scores = np.float32([[2, 0, 0], [0, 2, 1], [0, 0, 1], [0, 3, 4], [-1, -1, -2]])
    for part in (slice(0, 2), slice(2, 5)):
        answers.update_state(np.array([0, 0, 0, 1, 1])[part], scores[part])
    matrix = keras.ops.convert_to_numpy(answers.matrix)
    assert matrix.tolist() == [[1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    assert float(answers.result()) == 5
    rows = by_class(matrix, ["cat", "dog", "owl"])
    assert [tuple(row.values()) for row in rows] == [
        ("cat", 3, 1 / 3, "dog", 1),
        ("dog", 2, 0.0, "cat", 1),
        ("owl", 0, None, None, 0),
    ]
    print_classes(rows)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "class  images  strict  most often taken for",
        "cat    3       33.33%  dog (1)",
        "dog    2       0.00%   cat (1)",
        "owl    0       -       -",
    ]
    print_classes(rows * 7)
    assert capsys.readouterr().out == ""


def test_an_image_without_a_spike_is_not_taken_for_the_first_class(capsys):
    answers = Answers(2)
    answers.update_state(np.array([0, 0, 1, 1, 1, 1]), np.float32([[0, 0]] * 4 + [[2, 1], [0, 1]]))
    matrix = keras.ops.convert_to_numpy(answers.matrix)
    assert matrix.tolist() == [[0, 0, 2], [1, 1, 2]]
    # The strict rule counts it as right in the first class.
    rows = by_class(matrix, ["cat", "dog"])
    assert [tuple(row.values()) for row in rows] == [
        ("cat", 2, 1.0, None, 0),
        ("dog", 4, 0.25, "no spike", 2),
    ]
    print_classes(rows)
    assert capsys.readouterr().out.splitlines()[2:] == [
        "cat    2       100.00%  -",
        "dog    4       25.00%   no spike (2)",
    ]


def test_a_data_set_that_was_guessed_is_told(tmp_path, monkeypatch):
    """A network of three other classes of small images would be measured on digits otherwise."""
    monkeypatch.chdir(tmp_path)
    model = kps.build("10F", input_shape=(8, 8, 1), time_steps=2)
    model.save("own.keras")
    model.class_names = kps.datasets.class_names("digits")
    model.save("named.keras")
    notes = [
        call("evaluate", *arguments, "--images", 10, "--json").stderr
        for arguments in (["own.keras"], ["own.keras", "--dataset", "digits"], ["named.keras"])
    ]
    assert notes[0].startswith("note: digits was chosen because")
    assert notes[1:] == ["", ""]
    assert call("evaluate", "digits", "--images", 10).stderr == ""  # a preset


def test_evaluate_and_draw_tell_images_without_an_output_spike(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = kps.build("10F", input_shape=(8, 8, 1), time_steps=4)
    # Pixels of an image sum to 14.1 to 25.3, so the potential reaches 1 in step 3 or later.
    model.ann.layers[-1].set_weights([np.full((64, 10), 0.019)])
    model.save("late.keras")
    rows = json.loads(good("evaluate", "late.keras", "--time-steps", 2, "--json"))["by_class"]
    assert [row["mistaken_for"] for row in rows] == [None, *["no spike"] * 9]
    assert all(row["mistakes"] == row["images"] for row in rows[1:])
    notes = []
    draw = kps.visualization.accuracy_against_time_steps
    monkeypatch.setattr(
        kps.visualization,
        "accuracy_against_time_steps",
        lambda *args, note, **named: notes.append(note) or draw(*args, note=note, **named),
    )
    picture = ["--picture", "accuracy_against_time_steps", "--images", 10, "--force"]
    for steps in (4, 1):
        good("draw", "late.keras", *picture, "--time-steps", steps)
    model.ann.layers[-1].set_weights([np.full((64, 10), 0.1)])
    model.save("late.keras")
    good("draw", "late.keras", *picture)
    rest = "T = {} most images have no output spike; they count as the first class."
    assert notes == ["Up to " + rest.format(2), "At " + rest.format(1), ""]


@pytest.mark.any_backend
def test_the_place_of_a_data_set_is_kept(tmp_path, monkeypatch):
    """`evaluate` finds it again, from another folder too."""
    if (place := kps.datasets.locate("fashion_mnist")) is None:
        pytest.skip("Fashion-MNIST is not on this machine")
    (tmp_path / "place").symlink_to(place.path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KERAS_PROXY_SNN_DATA", raising=False)
    small = ["--set", "input_shape=(28, 28, 1)", "--images", 40, "--time-steps", 2]
    own = ["--data-dir", "place", "--epochs", 1, "--output", "f.keras"]
    good("train", "2C3-P4-10F", "--dataset", "fashion_mnist", *small, *own)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert "50 test images of fashion_mnist" in good("evaluate", "../f.keras", "--images", 50)
    record = json.loads(good("inspect", "../f.keras", "--json"))["training"]
    assert kept_data_dir(record, "fashion_mnist") == str(tmp_path / "place")
    assert kept_data_dir(record, "cifar10") is None
    (tmp_path / "place").unlink()
    assert kept_data_dir(record, "fashion_mnist") is None


@pytest.mark.parametrize("format", FORMATS)
def test_export(format, trained, tmp_path):
    output = tmp_path / f"net{FORMATS[format].suffix}"
    facts = json.loads(good("export", trained[0], "--format", format, "--output", output, "--json"))
    # A C file has a header beside it.
    assert facts["bytes"] == sum(file.stat().st_size for file in tmp_path.glob("net.*"))
    assert (facts["format"], facts["time_steps"]) == (format, 3)
    assert (facts["check"]["images"], facts["check"]["differing"]) == (64, 0)
    assert "exists already" in refused("export", trained[0], "--format", format, "--output", output)
    options = ["--output", output, "--force", "--no-check", "--time-steps", 2]
    shown = good("export", trained[0], "--format", format, *options)
    assert "not made" in shown
    assert ("ms per image, 1 thread" in shown) == (format in ("onnx", "litert"))


def test_an_integer_network(trained, tmp_path):
    output = tmp_path / "net.tflite"
    arguments = ["export", trained[0], "--format", "litert", "--output", output, "--quantise"]
    assert "int8\n" in good(*arguments)
    assert "int8, weights of 4 bits\n" in good(*arguments, 4, "--force")


@pytest.mark.parametrize(
    ("options", "compared_with"),
    [
        (["--quantise", 2], "the integer network"),
        (["--weights", "float16"], "the network with rounded weights"),
    ],
)
def test_a_rounded_network_is_told_from_the_model(
    options, compared_with, trained, tmp_path, digits
):
    _, (x, _) = digits  # what rounding changes is told of test images
    output = tmp_path / "net.tflite"
    words = ["export", trained[0], "--format", "litert", "--output", output, *options]
    facts = json.loads(good(*words, "--json"))
    model = load_model(trained[0]).predict(x[:64], verbose=0)
    network = on_device.open_network(output, threads=1)
    kind = network.inputs["image"][1]
    scaled = x[:64] * np.float32(network.facts.get("input_scale", 1))
    pixels = np.rint(scaled).astype(kind) if np.issubdtype(kind, np.integer) else scaled
    file = np.concatenate([network.infer({"image": p[None]})["spike_counts"] for p in pixels])
    counts = int((file != model).sum())
    classes = int((file.argmax(axis=1) != model.argmax(axis=1)).sum())
    assert facts["check"]["differing"] == 0
    assert facts["compared_with"] == compared_with
    told = {"images": 64, "kind": "test", "classes": classes, "counts": counts, "compared": 640}
    assert facts["rounding"] == told
    assert counts > 0 or "float16" in options
    shown = good(*words, "--force")
    assert (
        f"64 images, 0 counts differ, worst difference 0, compared with {compared_with}\n" in shown
    )
    of = f"{counts} of 640 counts differ, {classes} of 64 compared test images get another class"
    assert f"{of} than from the float network\n" in shown


def test_half_the_weights(trained, tmp_path):
    output = tmp_path / "net.tflite"
    words = ["export", trained[0], "--format", "litert", "--no-check", "--output", output]
    assert "float32, weights in float16\n" in good(*words, "--weights", "float16")
    assert litert.read_metadata(output)["weights"] == "float16"


def test_a_file_that_fails_its_check(trained, tmp_path, monkeypatch):
    from keras_proxy_snn.cli import _export as export_command
    from keras_proxy_snn.export import ExportError

    def fails(*arguments, **options):
        raise ExportError("The written file gives other spikes.")

    monkeypatch.setattr(export_command, "export", fails)
    arguments = ["export", trained[0], "--format", "onnx", "--output", tmp_path / "net.onnx"]
    assert refused(*arguments, status=1) == "error: The written file gives other spikes."


def test_predict(folder, digits):
    _, (x, _) = digits
    np.save("many.npy", x[:3])
    rows = json.loads(good("predict", "net.keras", "three.png", "many.npy", "--json"))
    assert [row["image"] for row in rows] == ["three.png", *(f"many.npy[{i}]" for i in range(3))]
    counts = load_model("net.keras").predict(x[:3], verbose=0)
    assert [row["spike_counts"] for row in rows[1:]] == counts.tolist()
    assert [row["label"] for row in rows] == [str(row["class"]) for row in rows]
    Path("names.txt").write_text("\n".join(f"digit {n}" for n in range(10)))
    text = good("predict", "net.keras", ".", "--labels", "names.txt", "--time-steps", 2)
    assert [line.count("digit ") > 0 for line in text.splitlines()] == [False, *[True] * 4]


def test_an_image_without_spikes_is_told(folder, digits):
    _, (x, _) = digits
    model = load_model("net.keras")
    model.set_weights([0 * weights for weights in model.get_weights()])
    model.save("silent.keras")
    np.save("three.npy", x[:3])
    done = CliRunner().invoke(commands, ["predict", "silent.keras", "three.npy", "three.png"])
    assert "no spikes of the readout for 4 of 4 images: their class is the first" in done.stderr
    assert done.stdout.count("[0, 0, 0") == done.stdout.count(" no spike ") == 4


def test_a_tie_is_marked_and_silent_images_are_counted(folder, digits):
    """Of ten equal class neurons all have the same count."""
    _, (x, _) = digits
    model = load_model("net.keras")
    *hidden, readout = model.get_weights()
    model.set_weights([*hidden, np.repeat(np.abs(readout).mean(1, keepdims=True), 10, axis=1)])
    model.save("equal.keras")
    names = [f"digit {n}" for n in range(10)]
    Path("names.txt").write_text("\n".join(names))
    np.save("some.npy", np.concatenate([x[:2], 0 * x[:1]]))
    done = CliRunner().invoke(
        commands, ["predict", "equal.keras", "some.npy", "--labels", "names.txt"]
    )
    assert "several classes have the highest score for 2 of 3 images" in done.stderr
    assert "no spikes of the readout for 1 of 3 images" in done.stderr
    assert done.stdout.count(" = ".join(names)) == 2
    rows = json.loads(good("predict", "equal.keras", "some.npy", "--labels", "names.txt", "--json"))
    assert [row["tied_labels"] for row in rows] == [names, names, []]
    assert [row["silent"] for row in rows] == [False, False, True]
    assert {row["label"] for row in rows} == {"digit 0"}
    model.set_weights([0 * weights for weights in model.get_weights()])
    model.save("silent.keras")
    text = good("evaluate", "silent.keras", "--dataset", "digits", "--images", 45)
    assert "The output neurons do not spike for 45 of the images." in text
    assert json.loads(good("evaluate", "net.keras", "--dataset", "digits", "--json"))[
        "silent_images"
    ] == int((load_model("net.keras").predict(x, verbose=0) == 0).all(axis=1).sum())


def test_evaluate_tells_ties_and_which_images_are_wrong(folder, digits):
    _, (x, y) = digits
    options = ["evaluate", "net.keras", "--dataset", "digits"]
    found = json.loads(good(*options, "--wrong", "--json"))
    scores = load_model("net.keras").predict(x, verbose=0)
    best = [np.flatnonzero((row == row.max()) & row.any()).tolist() for row in scores]
    assert found["tied_images"] == sum(len(labels) > 1 for labels in best) > 0
    wrong = np.flatnonzero(scores.argmax(axis=1) != y)
    assert len(wrong) == round(360 * (1 - found["accuracy"]["strict"])) > 20
    assert [row["number"] for row in found["wrong"]] == wrong.tolist()
    for row in found["wrong"]:
        number = row["number"]
        assert row["class"] == str(y[number])
        assert row["file"] is None
        assert row["answers"] == [str(label) for label in best[number]]
    text = good(*options, "--wrong")
    assert f"Several classes have the highest score for {found['tied_images']} of the im" in text
    head, *lines, last = text.split("\n\n")[-1].splitlines()
    assert head.split("  ") == ["image", "class", "taken for"]
    for line, row in zip(lines, found["wrong"][:20], strict=True):
        answer = " = ".join(row["answers"]) or "no spike"
        assert re.split("  +", line) == [str(row["number"]), row["class"], answer]
    assert last == f"and {len(wrong) - 20} more; --json has all"
    assert "wrong" not in json.loads(good(*options, "--images", 5, "--json"))
    assert good("evaluate", "digits", "--images", 5, "--wrong").endswith(
        "\n\nThe strict rule counts no image as wrong.\n"
    )


@pytest.mark.parametrize("readout", ["counts", "potential"])
def test_the_class_is_the_models_own(readout, tmp_path, digits):
    _, (x, _) = digits
    few = {"time_steps": 1, "reset": "subtract", "v_0": 0.5, "readout": readout}
    model = kps.build("digits", weights="pretrained", **few)
    model.save(tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", x[:60])
    scores = model.predict(x[:60], verbose=0)
    assert (scores.argmax(axis=1) != np.floor(scores).argmax(axis=1)).any() == (
        readout == "potential"
    )
    rows = json.loads(good("predict", tmp_path / "m.keras", tmp_path / "x.npy", "--json"))
    assert [row["class"] for row in rows] == scores.argmax(axis=1).tolist()
    name = "spike_counts" if readout == "counts" else "scores"
    assert [row[name] for row in rows] == scores.tolist()
    assert not {"spike_counts", "scores"} <= set(rows[0])
    text = good("predict", tmp_path / "m.keras", tmp_path / "x.npy").splitlines()
    assert text[0].endswith(name.replace("_", " "))
    shown = [round(score, 3) for score in rows[0][name]]
    assert text[1].endswith(str(shown))
    assert readout in good("inspect", tmp_path / "m.keras")


def test_scores_that_are_not_numbers(tmp_path):
    model = kps.build("2F", input_shape=(1, 1, 1), readout="potential", time_steps=1)
    model.set_weights([np.full(w.shape, np.nan) for w in model.get_weights()])
    model.save(tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", np.ones((1, 1)))
    line = refused("predict", tmp_path / "m.keras", tmp_path / "x.npy")
    assert "Scores of the classes must be finite" in line


@pytest.mark.once
@pytest.mark.parametrize("shape", [(8, 8, 1), (5, 9, 3)])
@pytest.mark.parametrize("invert", [False, True])
def test_images_are_those_of_the_script_for_devices(shape, invert, tmp_path):
    network = on_device.Network({"image": ((1, *shape), "float32")}, [], {}, None)
    pixels = np.random.default_rng(0).integers(0, 256, (11, 6, 4), "uint8")
    for mode in ("L", "RGB", "RGBA", "P", "I;16"):
        Image.fromarray(pixels).convert("L" if mode == "I;16" else "RGBA").convert(mode).save(
            tmp_path / f"{mode[0]}{len(mode)}.png"
        )
    np.save(tmp_path / "one.npy", pixels[..., 0])
    np.save(tmp_path / "many.npy", pixels[None, ..., :1] / np.float32(255))
    Image.fromarray(pixels[..., 0]).save(tmp_path / "transparent.png", transparency=7)
    Image.fromarray(pixels[..., 0] / np.float32(255)).save(tmp_path / "float.tiff")
    files = list(find((tmp_path,)))
    assert files == list(on_device.find_images([tmp_path]))
    assert len(files) == 9
    for file, _ in files:
        pairs = zip(pictures.read(file), on_device.read_images(file), strict=True)
        for ours, theirs in pairs:
            x = pictures.prepare(ours, shape, invert)
            np.testing.assert_array_equal(x[None], on_device.prepare(theirs, network, invert))


# Pixels of a file, the network's range, and the pixels that the network gets.
OWN = [
    ([[0, 0.7], [33.3, 254.9]], (0, 255), [[0, 0.7], [33.3, 254.9]]),
    ([[0, 7], [33, 254]], (0, 255), [[0, 7], [33, 254]]),
    ([[0, 0.5], [0.25, 1]], (0, 255), [[0, 127.5], [63.75, 255]]),
    ([[0, 0.5], [0.25, 1]], (-1, 1), [[-1, 0], [-0.5, 1]]),
]


@pytest.mark.once
@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize(("pixels", "ends", "expected"), OWN)
def test_pixels_of_the_network_s_own_range_stay_as_they_are(
    pixels, ends, expected, invert, tmp_path
):
    facts = {"input_range": list(ends)}
    network = on_device.Network({"image": ((1, 2, 2, 1), "float32")}, [], facts, None)
    whole = isinstance(pixels[1][0], int)
    image = np.array(pixels, "int64" if whole else "float32")
    np.save(tmp_path / "images.npy", np.stack([image, 0 * image])[..., None])
    read = pictures.read(tmp_path / "images.npy")
    top = pictures.white_of(read, ends)
    assert top == on_device.white_of(read, network)
    black = np.full((2, 2), ends[0])
    for found, goal in zip(read, (np.float32(expected), black), strict=True):
        goal = ends[1] + ends[0] - goal if invert else goal
        x = pictures.prepare(found, (2, 2, 1), invert, ends, top)
        np.testing.assert_array_equal(x[..., 0], np.float32(goal))
        np.testing.assert_array_equal(x[None], on_device.prepare(found, network, invert, top))


@pytest.mark.once
def test_a_dark_image_among_others_of_a_file_is_not_brightened(tmp_path):
    images = [np.full((2, 2, 1), value, "float32") for value in (0.9, 200)]
    top = pictures.white_of(images, (0, 255))
    dark = pictures.prepare(images[0], (2, 2, 1), False, (0, 255), top)
    np.testing.assert_array_equal(dark, images[0])
    rgba = np.stack([np.full((2, 2), v, "float32") for v in (100, 100, 100, 127.5)], -1)
    half = pictures.prepare(rgba, (2, 2, 1), False, (0, 255), 255.0)
    np.testing.assert_allclose(half, 50, rtol=1e-6)


@pytest.mark.once
@pytest.mark.parametrize(
    ("ends", "pixels", "message"),
    [
        ((0, 1), [-1, 2], r"numbers from 0 to 1\. Received: float64 from -1 to 2$"),
        ((-1, 1), [-1, 1], r"from 0 to 1, which become -1 to 1\. Received: float64 from -1 to 1$"),
        ((0, 4), [0, 3], r"from 0 to 1, which become 0 to 4\. Received: float64 from 0 to 3$"),
        ((0, 255), [0, 300], r"from 0 to 1, or from 0 to 255\. Received: float64 from 0 to 300$"),
    ],
)
def test_pixels_of_a_range_that_is_not_known_are_refused(ends, pixels, message):
    image = np.float64(pixels)[None]
    facts = {"input_range": json.dumps(ends)}
    network = on_device.Network({"image": ((1, 1, 2, 1), "float32")}, [], facts, None)
    with pytest.raises(ValueError, match=message):
        on_device.prepare(image, network, False, on_device.white_of([image], network))
    top = pictures.white_of([image], ends)
    with pytest.raises(ValueError, match=message):
        pictures.prepare(image, (1, 2, 1), False, ends, top)


@pytest.mark.any_backend
@pytest.mark.parametrize(("range", "scale"), [((0, 1), 1.0), ((0, 255), 255.0), ((-1, 1), None)])
def test_images_come_in_the_models_range(range, scale, tmp_path):
    x = np.arange(64, dtype="uint8").reshape(1, 8, 8, 1) * 4
    model = kps.build("digits", weights="pretrained", time_steps=5, readout="potential")
    model.input_range = range
    model.save(tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", x)
    pixels = x / np.float32(255)
    scores = model.predict(2 * pixels - 1 if scale is None else scale * pixels, verbose=0)
    (row,) = json.loads(good("predict", tmp_path / "m.keras", tmp_path / "x.npy", "--json"))
    np.testing.assert_allclose(row["scores"], scores[0], rtol=1e-4, atol=1e-4)
    black, white = range
    assert f"8 x 8 x 1, from {black} to {white}" in good("inspect", tmp_path / "m.keras")


def save_grey(path, grey, **settings):
    Image.fromarray(grey).save(path, **settings)


@pytest.mark.once
def test_pictures_of_every_mode_have_their_values(tmp_path):
    grey = np.zeros((8, 8), "uint8")
    grey[:, :4], grey[2:6, 4:] = 255, 119  # 7 of 15, 1 of 3 is 85
    opaque = np.where(grey == 255, 0, grey) / 255
    few = (grey // 17).astype("uint8")
    save_grey(tmp_path / "level.png", grey, transparency=255)
    save_grey(tmp_path / "level16.png", grey.astype("uint16") * 257, transparency=65535)
    save_grey(tmp_path / "float.tiff", (grey / 255).astype("float32"))
    save_grey(tmp_path / "deep.pgm", grey.astype("uint16") * 257)
    save_grey(tmp_path / "bits.png", grey == 255)
    Image.fromarray(np.stack([grey, np.where(grey == 255, 0, 255).astype("uint8")], -1)).save(
        tmp_path / "alpha.png"
    )
    (tmp_path / "level4.png").write_bytes(bad_files.grey_png(few, bits=4, level=15))
    expected = {"float": grey / 255, "deep": grey / 255, "bits": (grey == 255) * 1.0}
    for path in sorted(tmp_path.iterdir()):
        (pixels,) = pictures.read(path)
        found = pictures.prepare(pixels, (8, 8, 1), False)[..., 0]
        wanted = expected.get(path.stem, opaque)
        np.testing.assert_allclose(found, wanted, atol=1e-5, err_msg=path.name)
    two = [Image.fromarray(grey), Image.fromarray(255 - grey)]
    two[0].save(tmp_path / "pages.tif", save_all=True, append_images=two[1:])
    pages = pictures.read(tmp_path / "pages.tif")
    np.testing.assert_array_equal(pages, [grey, 255 - grey])


@pytest.mark.once
def test_pixels_without_a_known_white_are_refused(tmp_path):
    save_grey(tmp_path / "long.tif", np.arange(64, dtype="int32").reshape(8, 8) * 2000)
    with pytest.raises(ValueError, match="integers of 32 bits"):
        pictures.read(tmp_path / "long.tif")
    for dtype in ("uint32", "uint64", "int64"):
        with pytest.raises(ValueError, match=f"from 0 to 1. Received: {dtype} from 200 to 200"):
            pictures.prepare(np.full((8, 8), 200, dtype), (8, 8, 1), False)


def test_a_folder_is_searched_and_what_is_broken_is_left_out(folder):
    (folder / "data").mkdir()
    bad_files.write_folder(folder / "data")
    result = call("predict", "net.keras", "data", "--json")
    assert result.exit_code == 0, result.output
    assert [Path(row["image"]).name for row in json.loads(result.stdout)] == bad_files.GOOD
    of_scores = ("no spikes", "several classes")
    (line,) = [line for line in result.stderr.splitlines() if not line.startswith(of_scores)]
    assert line.startswith(f"left out: image {Path('data', 'broken.png')}: ")
    (folder / "none").mkdir()
    assert "A folder must have images" in refused("predict", "net.keras", "none")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("huge.npy", "needs 8000000000000 bytes"),
        ("deep.npy", "error: image deep.npy: "),
        ("token.npy", "error: image token.npy: "),
        ("zip.npy", "error: image zip.npy: "),
        ("bomb.png", "exceeds limit"),
        ("broken.png", "error: image broken.png: "),
        ("pipe.png", "error: image pipe.png: "),
    ],
)
def test_files_that_are_no_images(folder, name, message):
    bad_files.write_bad(folder)
    assert message in refused("predict", "net.keras", name)
    if name.endswith(".npy"):
        options = ["--format", "onnx", "--output", "o.onnx", "--calibration", name]
        assert name in refused("export", "net.keras", *options)


MODELS = {
    "empty": b"",
    "text": b"no model",
    "folder": None,
    "cut": 2000,
    "list": {"config.json": "[]"},
    "number": {"config.json": "7"},
    "nested": {"config.json": "[" * 100_000},
    "no class": {"config.json": "{}"},
    "long": {"config.json": " " * (2**26 + 1)},
}


@pytest.mark.parametrize("kind", MODELS)
def test_files_that_are_no_models(folder, kind):
    content = MODELS[kind]
    if content is None:
        Path("bad.keras").mkdir()
    elif isinstance(content, int):
        Path("bad.keras").write_bytes(Path("net.keras").read_bytes()[:content])
    elif isinstance(content, bytes):
        Path("bad.keras").write_bytes(content)
    else:
        with zipfile.ZipFile("bad.keras", "w", zipfile.ZIP_DEFLATED) as file:
            for name, text in content.items():
                file.writestr(name, text)
    for command in (["evaluate"], ["export", "--format", "nir"]):
        assert "bad.keras" in refused(*command, "bad.keras")


@pytest.mark.any_backend
@pytest.mark.parametrize(
    "record",
    [
        [],
        3,
        {},
        {"settings": []},
        {"settings": {}, "versions": {}, "history": []},
        "nested",
        "logs",
    ],
)
def test_records_that_are_not_as_train_writes_them(folder, record):
    if record == "logs":
        record = {**read_record("net.keras"), "history": [[1], {"loss": "x"}]}
    save_model(load_model("net.keras"), "bad.keras", {} if record == "nested" else record)
    if record == "nested":
        with zipfile.ZipFile("net.keras") as good_file, zipfile.ZipFile("bad.keras", "w") as file:
            for member in good_file.namelist():
                own = member == "keras_proxy_snn.json"
                file.writestr(member, "[" * 100_000 if own else good_file.read(member))
    for command in (["inspect"], ["evaluate"], ["draw"]):
        line = refused(*command, "bad.keras")
        assert line.startswith("error: the record of the training in bad.keras: ")
        assert "<class" not in line
    assert "record" in refused("train", "digits", "--output", "bad.keras", "--resume")


def test_reading_tells_the_reason_of_any_error():
    for error in (SyntaxError("bad"), MemoryError(), RecursionError("deep"), KeyError("x")):
        with pytest.raises(BadInput, match=r"^file: (bad|MemoryError|deep|'x')$"), reading("file"):
            raise error
    with pytest.raises(ImportError, match="no click"), reading("file"):
        raise ImportError("no click")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A folder must exist. Received: my.", "A folder must exist. Received: my."),
        ("A picture must be whole. Received: my/1.png (bad).", None),
        ("There is no file my.", None),
        (
            "A folder must have my form. Received: 5.",
            "my/: A folder must have my form. Received: 5.",
        ),
        ("A name is wrong. Received: army.", "my/: A name is wrong. Received: army."),
    ],
)
def test_reading_names_the_file_once(text, shown):
    with pytest.raises(BadInput) as caught, reading("my/"):
        raise ValueError(text)
    assert caught.value.message == (shown or text)


def test_inspect(trained, tmp_path):
    facts = json.loads(good("inspect", trained[0], "--json"))
    assert (facts["time_steps"], facts["reset"], facts["classes"]) == (3, "zero", 10)
    assert facts["v_threshold"] == 0.5
    assert [layer["v_threshold"] for layer in facts["layers"]].count(0.5) == 2
    assert facts["parameters"] == sum(layer["parameters"] for layer in facts["layers"]) == 676
    assert facts["keras_version"] == keras.__version__
    assert len(facts["training"]["history"]) == 2
    text = good("inspect", trained[0])
    assert re.search(r"\nproxy +activations of the ANN\nother settings +defaults\n", text)
    assert "digits on digits, 2 of 2 epochs" in text
    assert re.search(r"^saved +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d, Keras ", text, re.MULTILINE)
    kps.build("2C3-P4-10F", input_shape=(8, 8, 1)).save(tmp_path / "plain.keras")
    assert "unknown" in good("inspect", tmp_path / "plain.keras")


@pytest.mark.any_backend
def test_inspect_shows_every_setting_of_a_model(tmp_path):
    changed = {
        "v_0": 0.5,
        "spike_height": "threshold",
        "chunk_steps": 2,
        "current_dtype": "bfloat16",
        "event_driven": "auto",
        "proxy_activation": "clip",
        "events": False,
        "class_names": list("abc"),
    }
    ann = kps.build_ann(kps.parse_spec("2C3-2C3-3F"), (4, 4, 1))
    kps.ProxyModel(ann, 3, **changed).save(tmp_path / "net.keras")
    facts = json.loads(good("inspect", tmp_path / "net.keras", "--json"))
    arguments = inspect.signature(kps.ProxyModel.__init__).parameters
    assert set(arguments) - set(facts) == {"self", "ann", "kwargs"}
    assert {name: facts[name] for name in changed} == changed
    text = good("inspect", tmp_path / "net.keras")
    assert re.search(r"^proxy +clip$", text, re.MULTILINE)
    assert (
        "v_0=0.5, spike_height='threshold', chunk_steps=2, current_dtype='bfloat16', "
        "event_driven='auto'\n"
    ) in text
    defaults = {name: arguments[name].default for name in _FURTHER}
    assert defaults == _FURTHER


def test_presets():
    presets = json.loads(good("presets", "--json"))
    assert list(presets) == list(kps.PRESETS)
    assert presets["fashion_mnist"]["time_steps"] == 50
    text = good("presets", "digits")
    assert "16C3-32C3-P2-64F-10F" in text
    assert "fashion_mnist" not in text


@pytest.mark.once
def test_presets_say_what_they_are_for_and_which_have_weights():
    assert list(PURPOSES) == list(kps.PRESETS)
    head, *rows = good("presets").split("\n\n")[0].splitlines()
    assert head.split() == ["preset", "images", "T", "weights", "for"]
    assert [row.split()[0] for row in rows] == list(kps.PRESETS)
    trained = {row.split()[0] for row in rows if " pretrained " in row}
    assert trained == {"digits", "fashion_mnist", "fashion_mnist_compact"}
    assert all(row.endswith(PURPOSES[row.split()[0]]) for row in rows)


@pytest.mark.once
@pytest.mark.parametrize(
    ("there", "said"), [(True, "pretrained"), (False, "pretrained (download)")]
)
def test_the_table_of_presets_tells_of_a_download(there, said, monkeypatch):
    module = sys.modules["keras_proxy_snn.cli.presets"]
    monkeypatch.setattr(module, "comes_along", lambda name: there)
    assert re.search(rf"digits .* {re.escape(said)}  +", good("presets"))


PICTURES = {
    "accuracy_against_time_steps.png",
    "confusion_matrix.png",
    "feature_maps.png",
    "firing_rates.png",
    "potential_traces.png",
    "rates_against_relu.png",
    "spike_gif.gif",
    "spike_raster.png",
    "training_curve.png",
}


@pytest.mark.any_backend
def test_draw_draws_everything_and_overwrites_nothing(folder):
    result = json.loads(good("draw", "net.keras", "--images", 50, "--image", 3, "--json"))
    assert (result["dataset"], len(result["files"])) == ("digits", 9)
    label = str(kps.datasets.load("digits")[1][1][3])
    assert result["image"] == {"number": 3, "file": None, "class": label}
    drawn = {path.name: path.read_bytes() for path in Path("net_pictures").iterdir()}
    assert set(drawn) == PICTURES
    for name in PICTURES:
        with Image.open(Path("net_pictures") / name) as picture:
            assert picture.width == (675 if name == "spike_gif.gif" else 900)
            assert np.ptp(np.asarray(picture.convert("L"))) > 200
    assert "spike_raster.png exists already; --force" in refused(
        "draw", "net.keras", "--picture", "spike_raster"
    )
    good("draw", "net.keras", "--picture", "spike_raster", "--force", "--time-steps", 2)
    again = {path.name: path.read_bytes() for path in Path("net_pictures").iterdir()}
    assert [name for name in PICTURES if again[name] != drawn[name]] == ["spike_raster.png"]


@pytest.mark.any_backend
def test_a_preset_is_told_from_the_file_of_its_training(folder):
    assert call("draw", "digits", "--picture", "spike_raster").stderr == ""
    Path("digits.keras").write_bytes(b"")
    result = call("draw", "digits", "--picture", "spike_raster", "--force")
    assert result.exit_code == 0
    told = "preset digits with the pretrained weights of the package, and not digits.keras."
    assert told in result.stderr
    assert [path.name for path in Path("digits_pretrained_pictures").iterdir()] == [
        "spike_raster.png"
    ]


@pytest.mark.any_backend
def test_draw_takes_a_picture_of_no_known_class(folder):
    pixels = np.round(kps.datasets.load("digits")[1][0][3])
    keras.utils.save_img("three.png", pixels)
    result = json.loads(good("draw", "net.keras", "three.png", "--output", "one", "--json"))
    assert result["image"] == {"number": None, "file": "three.png", "class": None}
    assert {path.stem for path in Path("one").iterdir()} == {
        *("spike_raster", "spike_gif", "feature_maps", "potential_traces")
    }
    text = good("draw", "net.keras", "three.png", "--picture", "spike_raster", "--output", "two")
    assert text == "Written to two/: spike_raster.png.\n"
    assert Path("two/spike_raster.png").read_bytes() == Path("one/spike_raster.png").read_bytes()
    chosen = ["three.png", "--picture", "spike_raster", "--output"]
    keras.utils.save_img("three.png", 1 - pixels)  # dark on a light background
    good("draw", "net.keras", *chosen, "three", "--invert")
    assert Path("three/spike_raster.png").read_bytes() == Path("one/spike_raster.png").read_bytes()
    assert "--invert goes with FILE" in refused("draw", "net.keras", "--invert")
    for arguments, message in (
        (["three.png", "--image", 2], "--image chooses test images, and FILE takes their place."),
        (["three.png", "--picture", "confusion_matrix"], "Of one picture, these can be drawn: "),
        (["no.png"], "no.png"),
        (["."], "must be one picture"),
    ):
        assert message in refused("draw", "net.keras", *arguments, "--output", "never")
    assert not Path("never").exists()


@pytest.mark.any_backend
def test_draw_leaves_out_what_there_cannot_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kps.build("10F", input_shape=(8, 8, 1), time_steps=2).save("plain.keras")
    text = good("draw", "plain.keras", "--output", "p", "--images", 10)
    left_out = {"feature_maps.png", "training_curve.png"}
    assert {path.name for path in Path("p").iterdir()} == PICTURES - left_out
    assert text.startswith("Written to p/: spike_raster.png, spike_gif.gif")
    arguments = ["draw", "plain.keras", "--picture", "training_curve"]
    assert "needs a model file that `train` wrote" in refused(*arguments)


BUSY = "load average 6.1 on 2 processors: other work disturbs these times"


@pytest.fixture
def load(monkeypatch):
    """Sets the load average of a machine with two processors."""

    def set_load(average):
        monkeypatch.setattr(os, "getloadavg", lambda: (average, 0.0, 0.0), raising=False)

    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    set_load(2.0)  # as many as there are processors
    return set_load


@pytest.mark.once
def test_a_busy_machine_is_told_where_the_system_knows_it(load, monkeypatch):
    assert disturbance() is None
    load(6.14)
    assert disturbance() == BUSY
    monkeypatch.delattr(os, "getloadavg")  # as on Windows
    assert disturbance() is None


@pytest.mark.any_backend
def test_a_busy_machine_is_told_beside_the_times(folder, load):
    words = ["export", "net.keras", "--format", "onnx", "--force"]
    quick = ["bench", "net.keras", "--batch-size", 1, "--repeats", 1]
    for average, told in ((2.0, None), (6.1, BUSY)):
        load(average)
        (row,) = [r for r in good(*words).splitlines() if r.startswith("latency ")]
        assert row.endswith("ms per image, 1 thread" if told is None else f"1 thread; {BUSY}")
        assert json.loads(good(*words, "--json"))["disturbance"] == told
        assert (good(*quick).splitlines()[-1] == BUSY) == (told is not None)
        assert json.loads(good(*quick, "--json"))["disturbance"] == told


@pytest.mark.any_backend
def test_bench(folder, load):
    options = ["--batch-size", 4, "--time-steps", 1, "--time-steps", 2, "--repeats", 2]
    result = json.loads(good("bench", "net.keras", *options, "--json"))
    assert result["backend"] == keras.config.backend()
    rows = [
        (row["what"], row["network"], row["time_steps"], row["batch_size"])
        for row in result["timings"]
    ]
    assert rows == [
        ("training step", "SNN", 3, 4),
        ("training step", "ANN", None, 4),
        *(("prediction", "SNN", t, images) for images in (4,) for t in (1, 2)),
        ("prediction", "ANN", None, 4),
        *(("prediction", "SNN", t, 1) for t in (1, 2)),
        ("prediction", "ANN", None, 1),
    ]
    for row in result["timings"]:
        low, high = row["quartiles"]
        assert 0 < low <= row["median"] <= high
        assert row["images_per_second"] == pytest.approx(row["batch_size"] / row["median"])
        assert len(row["seconds"]) == 2
    text = good("bench", "net.keras", "--batch-size", 1, "--repeats", 1)
    assert text.splitlines()[0].split() == (
        ["network", "T", "images", "median", "ms", "quartiles", "ms", "images/s"]
    )
    assert len(text.splitlines()) == 5  # of one image there is no second batch


@pytest.mark.once
def test_the_list_of_commands_has_whole_sentences_in_the_order_of_use():
    listed = good("--help").split("Commands:\n")[1].split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in listed] == list(commands.commands)
    assert listed[0].split()[0] == "train"
    for line in listed:
        assert line.endswith(".")
        assert not line.endswith("...")
        assert len(line) < 80


@pytest.mark.any_backend
def test_examples_of_the_help_run(folder, monkeypatch):
    monkeypatch.setattr(runner, "start", lambda task: list(worker.work(task)))  # no more processes
    shown = []
    class_folders.write(folder / "my_images", 2, 2)
    # `train` comes first, for the others take its file.
    for name in ("train", *sorted(set(commands.commands) - {"train"})):
        examples = good(name, "--help").split("Example:")[1].strip().splitlines()
        for example in examples:
            program, *arguments = example.split()
            assert (program, arguments[0]) == ("keras-proxy-snn", name)
            good(*arguments, *(quick(arguments) if "--data" in arguments else QUICK.get(name, [])))
            shown.append(name)
    assert set(shown) == set(commands.commands)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fly"], "No such command 'fly'"),
        (["train"], "Missing argument"),
        (["train", "mnist", "--dataset", "digits"], "one of the presets"),
        (["train", "2C3-10F"], "with --dataset, one of"),
        (["train", "digits", "--dataset", "cats"], "The name of a data set must be one of"),
        (["train", "digits", "--epochs", "0"], "0 is not in the range x>=1"),
        (["train", "digits", "--set", "T"], "It must be FIELD=VALUE. Received: 'T'"),
        (["train", "digits", "--set", "T=3"], "Received: ['T']"),
        (["train", "digits", "--set", "reset=none"], "Received: 'none'"),
        (["train", "digits", "--set", "spec=2C3-5F"], "Received: a model for (8, 8, 1) and 5"),
        (["train", "digits", "--set", "input_shape=(9,9,1)"], "a model for (9, 9, 1)"),
        (["train", "digits", "--output", "d.h5"], "must end in .keras. Received: d.h5"),
        (["train", "digits", "--output", "no/d.keras"], "folder of --output must exist"),
        (["train", "digits", "--output", "net.keras"], "--force replaces it, --resume"),
        (["train", "digits", "--output", "new.keras", "--resume"], "which does not exist"),
        (["train", "digits", "--output", "net.keras", "--resume", "--force"], "Received: both"),
        (["train", "digits", "--output", "plain.keras", "--resume"], "that `train` wrote"),
        (
            ["train", "digits", "--resume", "--output", "net.keras"],
            "has been trained for all its epochs",
        ),
        (
            ["train", "digits", "--resume", "--output", "net.keras", "--seed", "3"],
            "keep seed 0 of net.keras. Received: 3",
        ),
        (["evaluate", "none.keras"], "There is no file none.keras"),
        (["evaluate", "three.png"], "three.png is not a saved Keras model"),
        (
            ["evaluate", "ann.keras"],
            "keras_proxy_snn.from_keras makes one of a CNN. Received: ann.keras",
        ),
        (["evaluate", "net.keras", "--time-steps", "0"], "0 is not in the range"),
        (["evaluate", "plain.keras"], "a model for images (6, 6, 1) and 10"),
        (["export", "net.keras"], "Missing option '--format'"),
        (["export", "net.keras", "--format", "png"], "'png' is not one of"),
        (
            ["export", "net.keras", "--format", "TFLite"],
            "(.tflite) are --format litert. Received: 'T",
        ),
        (["export", "net.keras", "--format", "ONNX", "--form", "x"], "Received: 'x'"),
        (["export", "net.keras", "--format", "onnx", "--form", "x"], "Received: 'x'"),
        (["export", "net.keras", "--format", "nir", "--converter", "tflite"], "Received: 'tfl"),
        (["predict", "net.keras", "none.png"], "Received: none.png, which"),
        (["predict", "net.keras", "net.keras"], "image net.keras: "),
        (["predict", "net.keras", "three.png", "--labels", "two.txt"], "two.txt of 2"),
        (["presets", "mnist"], "Received: ['mnist']"),
        (["draw", "net.keras", "--picture", "x"], "'x' is not one of"),
        (["draw", "net.keras", "--image", "360"], "must be below 360"),
        (["draw", "none.keras"], "There is no file none.keras"),
        (["draw", "cifar10"], "Received: 'cifar10'"),
        (["paper", "table2", "--draw-only", "--again"], "no effect: ['--again']"),
        (["train", "digits", "--set", "use_bias=yes"], "True or False. Received: 'yes'"),
        (["bench", "none.keras"], "There is no file none.keras"),
    ],
)
def test_bad_input_is_one_line(arguments, message, folder):
    Path("two.txt").write_text("a\nb\n")
    if "plain.keras" in arguments:
        kps.build("2C3-P2-10F", input_shape=(6, 6, 1)).save("plain.keras")
    if "ann.keras" in arguments:
        kps.build("digits").ann.save("ann.keras")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    line = refused(*arguments)
    assert line.startswith("error: ")
    assert message in line
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "16C3-3F", "--dataset", "digits"], "ends in -10F. Received: a model for (8, 8"),
        (["train", "digit"], "Did you mean 'digits'? Received: 'digit'."),
        (["train", "digits", "--dataset", "cifar10"], "Images of cifar10 are (32, 32, 3)"),
        (
            ["train", "16C3x-10F", "--dataset", "digits"],
            "token '16C3x' at position 0 of '16C3x-10F'.",
        ),
        (["train", "4C3-P9-10F", "--dataset", "digits"], "must leave at least one pixel"),
        (["train", "digits", "--set", "T=3"], "Received: ['T']"),
        (["train", "2C3-2F", "--data", "none"], "pictures must exist. Received: none"),
        (["train", "2C3-3F", "--data", "my"], "ends in -2F. Received: a model of 3 classes."),
        (["train", "2C3-2F", "--data", "my", "--set", "input_shape=(9, 9)"], "must be (height, "),
        (["train", "2C3-2F", "--data", "my", "--set", "reset=substract"], "Received: 'substract'"),
        (["train", "digits", "--set", "readout_v_treshold=4"], "mean 'readout_v_threshold'?"),
        (
            ["train", "digits", "--data", "parted", "--validation-split", "0.3"],
            "or --validation-split of a command) must not be given",
        ),
        (["train", "digits", "--data", "my/a"], "a subfolder per class. Received: my/a without"),
        (["evaluate", "net.keras", "--data", "digits"], "is --dataset digits. Received: digits"),
        (["evaluate", "net.keras", "--data", ".", "--dataset", "digits"], "Give --data or"),
        (["evaluate", "net.keras", "--dataset", "mnist"], "must be one of 'fashion_mnist'"),
        (["evaluate", "none.keras"], "There is no file none.keras"),
        (["evaluate", "nets"], "There is no file nets. Did you mean net.keras?"),
        (["evaluate", "cifar10"], "Received: 'cifar10'"),
        (["predict", "cifar10", "three.png"], "Received: 'cifar10'"),
        (["inspect", "digits"], "There is no file digits. digits is a preset, and this command"),
        (["export", "digits", "--format", "c"], "weights='pretrained').save('digits.keras')."),
        (["inspect", "cifar10"], "takes a file: `keras-proxy-snn train cifar10` writes one."),
        (["inspect", "three.png"], "its name must end in .keras"),
        (["draw", "net.keras", "--picture", "feature_maps", "--output", "."], "exists already"),
        (["draw", "cifar10"], "Received: 'cifar10'"),
        (
            ["predict", "net.keras", "none.png"],
            "An image must be a file or a folder. Received: none.png, which",
        ),
        (
            ["predict", "net.keras", "three.png", "--labels", "no.txt"],
            "no.txt: Names of classes must be in a file. Received: no",
        ),
        (["bench", "none.keras"], "There is no file none.keras"),
        (["export", "net.kps", "--format", "c"], "There is no file net.kps"),
        (["export", "net.keras", "--format", "c", "--output", "n.onnx"], "must end in '.c'"),
        (["export", "net.keras", "--format", "c", "--form", "step"], "Received: 'step'"),
        (["export", "net.keras", "--format", "c", "--quantise", "9"], "from 2 to 8. Received: 9"),
        (
            ["export", "net.keras", "--format", "c", "--with-runner"],
            "--with-runner is for the form",
        ),
        (["export", "net.keras", "--format", "c", "--form", "x"], "--form must be one of ('event_"),
        (["export", "--format", "onnx", "--quantise", "net.keras"], "put MODEL before the options"),
        (
            ["export", "net.keras", "--format", "onnx", "--quantise", "1"],
            "--quantise must be an in",
        ),
        (
            ["export", "net.keras", "--format", "onnx", "--weights", "float16"],
            "--weights float16 is for --format litert. Received: --format onnx.",
        ),
        (
            ["export", "net.keras", "--format", "litert", "--weights", "float16", "--quantise"],
            "--weights is for float networks. Received: float16, --quantise 8.",
        ),
        (["export", "net.keras", "--format", "c", "--converter", "tflite"], "Received: 'tflite'"),
        (
            ["export", "net.keras", "--format", "onnx", "--calibration", "nothere/"],
            "must be a folder of pictures, a .npy file or the name of a data set, one of "
            "fashion_mnist, cifar10, digits. Received: nothere/ (nothing of this name is here).",
        ),
        (
            ["export", "net.keras", "--format", "onnx", "--calibration", "net.keras"],
            "Received: net.keras (a file of another kind).",
        ),
        (["bench", "net.keras", "--formats", "--calibration", "nothere"], "Received: nothere (no"),
        (["evaluate", "net.keras", "--dataset", "my"], "A folder of pictures is --data FOLDER."),
        (["evaluate", "net.keras", "--data", "my", "--data-dir", "x"], "these pictures are in my"),
        (["train", "2C3-2F", "--data", "my", "--data-dir", "x"], "Received: --data-dir x."),
        (
            ["export", "net.keras", "--format=onnx", "--converter=tf2onnx", "--calibration=digits"],
            "--calibration has no effect with --converter. Received: digits.",
        ),
    ],
)
def test_what_arguments_alone_tell_is_told_before_a_backend_is_loaded(
    arguments, message, folder, monkeypatch
):
    Path("feature_maps.png").touch()
    for name in ("my/a", "my/b", "parted/train", "parted/test"):
        Path(name).mkdir(parents=True, exist_ok=True)
        Path(name, "1.png").touch()
    for name in ("bench", "draw", "evaluate", "export", "inspect", "predict", "train"):
        command = sys.modules[f"keras_proxy_snn.cli.{name}"]
        monkeypatch.setattr(command, "import_backend", lambda: pytest.fail("Keras is loaded"))
    assert message in refused(*arguments)


@pytest.mark.any_backend
def test_a_preset_with_pretrained_weights_is_evaluated_and_predicts(folder):
    found = json.loads(good("evaluate", "digits", "--images", 50, "--time-steps", 10, "--json"))
    assert (found["model"], found["images"], found["dataset"]) == ("digits", 50, "digits")
    assert found["accuracy"]["strict"] > 0.9
    (row,) = json.loads(good("predict", "digits", "three.png", "--time-steps", 2, "--json"))
    assert row["label"] == str(row["class"])


@pytest.mark.once
def test_a_missing_library_is_told_before_a_backend_is_loaded(folder, monkeypatch):
    command = sys.modules["keras_proxy_snn.cli.export"]
    monkeypatch.setattr(command, "import_backend", lambda: pytest.fail("Keras is loaded"))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    message = 'error: onnxruntime is needed: pip install "keras-proxy-snn[export]"'
    assert refused("export", "net.keras", "--format", "onnx") == message


@pytest.mark.once
def test_the_help_of_export_lists_the_forms():
    text = " ".join(good("export", "--help").split())
    for name, format in FORMATS.items():
        assert f"{name}: {', '.join(format.forms)}" in text


@pytest.mark.once
def test_checks_of_arguments_need_no_backend():
    """In a process in which Keras cannot be imported."""
    script = (
        "import sys; sys.modules['keras'] = None; sys.argv = ['keras-proxy-snn'];"
        "import keras_proxy_snn.cli._export_arguments;"
        "import keras_proxy_snn.cli._data_arguments as a;"
        "a.check_data_options(None, 'digits')"
    )
    subprocess.run(
        [sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


def test_force_replaces_an_output(folder):
    assert len(train("net.keras", "--force", "--epochs", 1)["history"]) == 1


MODULE = ["-m", "keras_proxy_snn"]


@pytest.mark.once
@pytest.mark.parametrize(
    "command",
    [
        ["keras-proxy-snn", "--help"],
        [*MODULE, "--help"],
        [*MODULE, "--version"],
        *([*MODULE, name, "-h"] for name in commands.commands),
        [*MODULE, "presets"],
        [*MODULE, "presets", "digits"],
    ],
)
def test_help_loads_no_backend(command, tmp_path):
    """In a process in which Keras is not even there."""
    (tmp_path / "keras.py").write_text("raise AssertionError('Keras is imported')")
    script = "import sys; from keras_proxy_snn.__main__ import main; sys.exit(main())"
    (tmp_path / "keras-proxy-snn").write_text(script)  # as pip writes it
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(rf"Usage|{kps.__version__}|pretrained", done.stdout)


@pytest.mark.any_backend
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "inspect" else pytest.mark.slow)
        for name in commands.commands
    ],
)
def test_each_command_in_a_process_of_its_own(name, folder):
    """The first example of its help; one starts anew, the others are forks."""
    if name != "train":
        Path("net.keras").rename("digits.keras")
    text = good(name, "--help").split("Example:")[1].strip().splitlines()[0]
    arguments = [*text.split()[1:], *map(str, QUICK.get(name, []))]
    command = ["-m", "keras_proxy_snn", *arguments]
    if name == "inspect":
        command = [sys.executable, *command]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    else:
        done = run_forked(*command)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.once
def test_a_reader_that_has_read_enough_ends_a_command_in_silence():
    """As `keras-proxy-snn presets | head -1` does."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "keras_proxy_snn", "presets"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.once
def test_lines_of_libraries_in_c_are_kept_back_while_a_backend_starts(capfd):
    """TensorFlow writes its own to the descriptor, whatever its log level is."""
    with without_standard_error():
        os.write(2, b"I0000 oneDNN custom operations are on\n")
    os.write(2, b"error: shown\n")
    with pytest.raises(ImportError), without_standard_error():
        raise ImportError
    print("shown too", file=sys.stderr)
    assert capfd.readouterr().err == "error: shown\nshown too\n"


@pytest.mark.once
def test_tensorflow_writes_nothing_where_keras_imports_it(tmp_path, monkeypatch, capfd):
    """On JAX and PyTorch that is when a model is saved."""
    (tmp_path / "tensorflow.py").write_text("import os; os.write(2, b'I0000 oneDNN is on')")
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # so that it is put back afterwards
    monkeypatch.delitem(sys.modules, "tensorflow")
    monkeypatch.syspath_prepend(tmp_path)
    start_tensorflow()
    assert sys.modules["tensorflow"].__file__ == str(tmp_path / "tensorflow.py")
    assert capfd.readouterr().err == ""
    monkeypatch.delitem(sys.modules, "tensorflow")
    (tmp_path / "tensorflow.py").write_text("raise ImportError('no such library')")
    start_tensorflow()  # Keras goes on without it, too


@pytest.mark.once
def test_a_backend_that_is_not_there(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "keras_proxy_snn", "inspect", str(tmp_path / "none.keras")],
        env={**os.environ, "KERAS_BACKEND": "theano"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "KERAS_BACKEND must name an installed backend" in done.stderr.splitlines()[-1]
    assert "Received: 'theano'." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.once
@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "digits", "--output", "net.keras"],
        ["train", "digits", "--output", "net.keras", "--resume", "--force"],
        ["evaluate", "none.keras", "--data", "none"],
        ["predict", "none.keras", "none.png"],
        ["export", "net.keras", "--format", "c", "--output", "three.png"],
        ["inspect", "three.png"],
        ["draw", "net.keras", "--picture", "feature_maps", "--output", "."],
        ["bench", "none.keras", "--repeats", "3", "--formats"],
        ["verify", "--only", "none"],
        ["paper"],
    ],
)
def test_a_wrong_backend_is_told_before_other_faults(arguments, folder, monkeypatch):
    Path("feature_maps.png").touch()
    assert "KERAS_BACKEND" not in refused(*arguments)  # the other fault alone
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    monkeypatch.delitem(sys.modules, "keras")  # as in a command of its own
    line = refused(*arguments)
    assert line.startswith("error: KERAS_BACKEND must name an installed backend: ")
    assert line.endswith("Received: 'theano'.")


@pytest.mark.once
def test_without_click_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "click", None)
    assert entry.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith('pip install "keras-proxy-snn[cli]"')
