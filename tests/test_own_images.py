"""Pictures of a user's own: from a folder into a network, with the names of the classes."""

import json
import re
import runpy
import shutil
import sys

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import keras_proxy_snn as kps
from keras_proxy_snn import datasets
from keras_proxy_snn.cli import commands
from keras_proxy_snn.export import on_device
from keras_proxy_snn.saving.model_file import load_model, read_record, save_model

from .class_folders import write


def call(*arguments):
    return CliRunner().invoke(commands, [*map(str, arguments)])


def good(*arguments):
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result


def small(**settings):
    return kps.build("2C3-P4-2F", input_shape=(8, 8, 1), time_steps=2, **settings)


def test_a_stream_trains_as_its_arrays_do_and_gives_the_names(tmp_path):
    train, test = datasets.from_folder(write(tmp_path / "my", 5, 5), batch_size=4)
    weights, logs = [], []
    for data in (train, None):
        keras.utils.set_random_seed(0)
        model = small(reset="subtract", v_threshold=0.2)
        # Adam would make a step of full size of a gradient that rounding decides.
        model.compile("sgd", kps.SpikeCountCrossentropy(), metrics=[kps.SpikeAccuracy()])
        if data is None:
            x, y = (np.concatenate(parts) for parts in zip(*train.at(0), strict=True))
            history = model.fit(
                x, y, batch_size=4, shuffle=False, validation_data=test.arrays(), verbose=0
            )
            assert model.class_names is None
        else:
            history = model.fit(data.at(0), shuffle=False, validation_data=test, verbose=0)
            assert model.class_names == ("bright", "dark")
        weights.append(model.get_weights())
        logs.append(history.history)
    assert logs[0]["loss"] == pytest.approx(logs[1]["loss"], rel=1e-5)
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_names_stay_in_files_and_other_names_are_refused(tmp_path):
    model = small()
    with pytest.raises(ValueError, match=r"2 different texts.*Received: \['cat', 'cat'\]"):
        model.class_names = ["cat", "cat"]
    model.class_names = ["dark", "bright"]
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", compile=False)
    assert loaded.class_names == ("dark", "bright")
    exported = loaded.export(tmp_path / "m.nir")
    assert exported.program.class_names == ("dark", "bright")
    assert kps.from_nir(tmp_path / "m.nir").class_names == ("dark", "bright")
    train, _ = datasets.from_folder(write(tmp_path / "my", 2, 2))
    for use in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"the model, \['dark', 'bright'\], in this order"):
            use(train, verbose=0)
    stream = datasets.open_folder(tmp_path / "my", class_names=model.class_names)
    assert sorted(stream.arrays()[0][stream.arrays()[1] == 0].mean(axis=(1, 2, 3)) < 0.5) == [
        True,
        True,
    ]
    model.compile(loss=kps.SpikeCountCrossentropy())
    model.evaluate(stream, verbose=0)


SPEC = ["2C3-P4-2F", "--time-steps", 2, "--set", "reset=subtract", "--set", "v_threshold=0.2"]


@pytest.mark.any_backend
def test_evaluate_lists_the_files_that_are_wrong(tmp_path, monkeypatch):
    """A network whose output neurons are equal: all pictures are ties."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "my", 3, 4)
    model = kps.build("2F", input_shape=(8, 8, 1), time_steps=2)
    model.ann.layers[-1].set_weights([np.ones((64, 2))])
    model.class_names = ("bright", "dark")
    model.save("equal.keras")
    stream = datasets.open_folder("my")
    dark = np.flatnonzero(stream.labels[stream.numbers] == 1).tolist()
    options = ["evaluate", "equal.keras", "--data", "my", "--wrong", "--batch-size", 2]
    found = json.loads(good(*options, "--json").stdout)
    assert found["tied_images"] == 7
    assert found["wrong"] == [
        {"number": n, "file": stream.files[n], "class": "dark", "answers": ["bright", "dark"]}
        for n in dark
    ]
    assert len(dark) == 4
    lines = good(*options).stdout.splitlines()[-5:]
    assert [re.split("  +", line) for line in lines] == [
        ["image", "file", "class", "taken for"],
        *([str(n), stream.files[n], "dark", "bright = dark"] for n in dark),
    ]


@pytest.mark.any_backend
def test_one_command_learns_a_folder_and_every_command_knows_its_classes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "my", 5, 5)
    done = good("train", *SPEC, "--data", "my", "--epochs", 1, "--output", "m.keras")
    assert "my: 10 pictures of 2 classes (bright, dark), as 8 x 8 x 1; 2 of them" in done.stderr
    assert "2 held-out images of my, T=2" in done.stdout
    assert load_model("m.keras").class_names == ("bright", "dark")
    assert re.search(r"\nclasses +2: bright, dark\n", good("inspect", "m.keras").stdout)
    labels = [row["label"] for row in json.loads(good("predict", "m.keras", "my", "--json").stdout)]
    assert set(labels) <= {"bright", "dark"}
    for data, count in (([], 2), (["--data", "my"], 2), (["--data", tmp_path / "other"], 3)):
        write(tmp_path / "other", 1, 2)
        found = json.loads(good("evaluate", "m.keras", *data, "--json").stdout)
        assert found["images"] == count
    _, held_out = datasets.from_folder("my")
    drawn = good("draw", "m.keras", "--picture", "confusion_matrix", "--picture", "spike_raster")
    name = ["bright", "dark"][held_out.labels[held_out.numbers[0]]]
    assert f"Image 0 of my, {held_out.files[0]}: class {name}.\n" in drawn.stdout
    again = good("draw", "m.keras", "--picture", "confusion_matrix", "--force")
    assert "Image 0" not in again.stdout  # no picture is of one image
    # Resumed for an epoch, it goes on with the same pictures.
    good("train", *SPEC, "--data", "my", "--epochs", 2, "--output", "m.keras", "--resume")
    assert len(read_record("m.keras")["history"]) == 2
    write(tmp_path / "my", 6)
    refused = call("train", *SPEC, "--epochs", 3, "--output", "m.keras", "--resume")
    assert "--resume needs the same pictures as before: [8, 2]" in refused.stderr
    assert "has changed since the training" in good("evaluate", "m.keras").stderr
    write(tmp_path / "other", 0, 0, 1)
    told = call("evaluate", "m.keras", "--data", "other").stderr
    assert "must be ['bright', 'dark'], each with pictures." in told
    assert "other with 'grey', which is no class." in told


@pytest.mark.any_backend
def test_the_part_that_a_folder_holds_out_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "my" / "train", 2, 2)
    write(tmp_path / "my" / "test", 1, 1)
    told = good("train", *SPEC, "--data", "my", "--epochs", 1, "--output", "m.keras").stderr
    assert "my: 6 pictures of 2 classes" in told
    assert "2 of them (those in test) are held out." in told


@pytest.mark.any_backend
def test_the_folder_of_a_training_and_its_copies_give_the_held_out_pictures(tmp_path, monkeypatch):
    place = tmp_path / "my"
    write(place, 5, 5)
    monkeypatch.chdir(tmp_path)
    told = good("train", *SPEC, "--data", "my", "--epochs", 1, "--images", 3, "--output", "m.keras")
    assert "my: 10 pictures of 2 classes" in told.stderr
    assert "2 of them are held out, 3 of the others are used." in told.stderr
    assert read_record("m.keras")["settings"]["data"] == str(place)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "link").symlink_to(place)
    shutil.copytree(place, tmp_path / "copy")

    def evaluated(*options):
        result = good("evaluate", "../m.keras", *options, "--json")
        facts = json.loads(result.stdout)
        return facts["images"], facts["part"], result.stderr

    assert evaluated() == (2, "held-out", "")
    for data in ("../my", "link", place, "../copy"):
        assert evaluated("--data", data) == (2, "held-out", "")
    # Of the same number and with the same names, but not the same pictures.
    (place / "dark" / "0.png").write_bytes((place / "bright" / "0.png").read_bytes() + b" ")
    assert evaluated()[2].startswith(f"warning: {place} has changed since the training")
    assert evaluated("--data", "../copy") == (2, "held-out", "")
    shutil.rmtree(place)
    lost = call("evaluate", "../m.keras").stderr
    assert (
        f"or --data must name the folder in which the pictures are now. Received: {place}" in lost
    )
    # A moved folder is taken to go on with the training, too.
    good(
        "train",
        *SPEC,
        "--data",
        "../copy",
        "--images",
        3,
        "--epochs",
        2,
        "--output",
        "../m.keras",
        "--resume",
    )
    assert read_record("../m.keras")["settings"]["data"] == str(tmp_path / "copy")


@pytest.mark.any_backend
def test_pictures_of_the_training_in_another_folder_are_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)

    def picture(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(path, rng.integers(0, 256, (8, 8, 1)), scale=False)

    for label in ("bright", "dark"):
        for number in range(5):
            picture(tmp_path / "my" / label / f"{number}.png")
    trained = good("train", *SPEC, "--data", "my", "--epochs", 1, "--output", "m.keras", "--json")
    for result in (trained, good("inspect", "m.keras", "--json")):
        assert "trained_on" not in result.stdout  # a long text for nobody
    train, test = datasets.from_folder("my")
    shutil.move("my", "moved")
    (tmp_path / "moved" / test.files[0]).unlink()
    told = good("evaluate", "m.keras", "--data", "moved")
    assert "9 images of moved" in told.stdout
    assert "warning: 8 of the 9 pictures of moved are of the training" in told.stderr
    # Names do not decide, nor does the number of pictures.
    for label in ("bright", "dark"):
        picture(tmp_path / "new" / label / "0.png")
    assert "of the training" not in good("evaluate", "m.keras", "--data", "new").stderr
    known = train.files[0]
    shutil.copy(f"moved/{known}", f"new/{known.split('/')[0]}/other.png")
    told = good("evaluate", "m.keras", "--data", "new").stderr
    assert "warning: 1 of the 3 pictures of new is of the training" in told


@pytest.mark.any_backend
def test_a_class_without_pictures_is_told_before_the_number_of_classes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "my", 2, 2)
    (tmp_path / "my" / "empty").mkdir()
    told = call("train", *SPEC, "--data", "my", "--output", "m.keras").stderr
    assert "A class must have pictures" in told
    assert "my/empty without any" in told


@pytest.mark.any_backend
def test_files_from_before_paths_were_whole_still_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "my", 5, 5)
    good("train", *SPEC, "--data", "my", "--epochs", 1, "--output", "m.keras")
    record = read_record("m.keras")
    record["settings"] |= {"data": "my", "dataset": "my"}
    del record["settings"]["fingerprint"], record["settings"]["trained_on"]
    save_model(load_model("m.keras", compile=True), "m.keras", record)
    assert "2 held-out images of my" in good("evaluate", "m.keras").stdout
    shutil.copytree("my", "copy")
    told = good("evaluate", "m.keras", "--data", "copy")
    assert "10 images of copy" in told.stdout
    assert (
        "note: all 10 pictures of copy are taken, also those on which the model may" in told.stderr
    )
    good("train", *SPEC, "--data", "my", "--epochs", 2, "--output", "m.keras", "--resume")
    assert read_record("m.keras")["settings"]["dataset"] == str(tmp_path / "my")


@pytest.mark.any_backend
def test_a_model_trained_in_python_gets_no_data_set_of_other_classes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = small()
    model.class_names = ["bright", "dark"]
    model.save("py.keras")
    for command in ("evaluate", "draw"):
        told = call(command, "py.keras")
        assert told.exit_code == 2
        assert "Give --data, a folder of pictures" in told.stderr
        assert "(8, 8, 1) and 2 classes (bright, dark), and no data set" in told.stderr
    write(tmp_path / "my", 2, 2)
    told = good("evaluate", "py.keras", "--data", "my")
    assert "note: all 4 pictures of my are taken, also those on which" in told.stderr


@pytest.mark.any_backend
def test_new_pictures_in_python_are_what_predict_sees(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "my", 2, 2, size=(10, 6), channels=3)
    model = small(v_threshold=0.2, reset="subtract")
    model.input_range, model.class_names = (-1, 1), ["bright", "dark"]
    model.save("py.keras")
    x, files = datasets.from_files(["my/dark", "my/bright/0.png"], model)
    scores = model.predict(x, verbose=0)
    rows = json.loads(good("predict", "py.keras", "my/dark", "my/bright/0.png", "--json").stdout)
    assert [row["image"] for row in rows] == files
    assert [row["spike_counts"] for row in rows] == scores.tolist()
    assert datasets.from_files("my/bright/0.png", model)[0].tobytes() == x[2:].tobytes()
    (tmp_path / "my" / "dark" / "bad.png").write_text("no picture")
    with pytest.warns(UserWarning, match=r"left out: image my/dark/bad\.png: "):
        assert len(datasets.from_files("my/dark", model)[0]) == 2
    with pytest.raises(datasets.DatasetError, match=r"image my/dark/bad\.png: "):
        datasets.from_files("my/dark/bad.png", model)
    with pytest.raises(TypeError, match=r"second argument, .* Received: \['my/dark'\]"):
        datasets.from_files(model, ["my/dark"])


def test_data_of_another_number_of_classes_are_told_by_their_number(tmp_path):
    train, _ = datasets.from_folder(write(tmp_path / "my", 2, 2, 2))
    model = small()
    model.compile(loss=kps.SpikeCountCrossentropy())
    for use in (model.fit, model.evaluate):
        with pytest.raises(
            ValueError, match=r"3 classes; .* ends in -3F, .* classes=3\. Received: a model of 2"
        ):
            use(train, verbose=0)


@pytest.mark.any_backend
def test_names_and_calibration_of_a_folder_reach_a_device(tmp_path, monkeypatch, capsys):
    pytest.importorskip("ai_edge_litert", reason='pip install "keras-proxy-snn[export]"')
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "my", 5, 5)
    good("train", *SPEC, "--data", "my", "--epochs", 1, "--output", "m.keras")
    own = json.loads(good("export", "m.keras", "--format", "litert", "--quantise", "--json").stdout)
    assert (own["number_format"], own["accuracy_images"], own["check"]["images"]) == ("int8", 2, 8)
    options = ["--format", "litert", "--quantise", "--force", "--calibration"]
    write(tmp_path / "flat", 3)
    facts = json.loads(good("export", "m.keras", *options, "flat", "--json").stdout)
    assert ("accuracy" in facts, facts["check"]["images"]) == (False, 3)
    (tmp_path / "flat" / "bad.png").write_text("no picture")
    assert "image flat/bad.png" in call("export", "m.keras", *options, "flat").stderr
    (tmp_path / "my").rename(tmp_path / "moved")
    words = ["export", "m.keras", *options[:2], "--force"]
    told = good(*words).stderr
    assert "my, is not there. If you moved it, say --calibration" in told
    assert "check has images of noise alone, no accuracy is measured, and integers cannot" in told
    assert "say --calibration" not in good(*words, "--calibration", "moved").stderr
    (tmp_path / "moved").rename(tmp_path / "my")
    monkeypatch.setattr(sys, "argv", ["on_device.py", "m.tflite", "my", "--json"])
    runpy.run_path(on_device.__file__, run_name="__main__")
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["label"] for row in rows] == [["bright", "dark"][row["class"]] for row in rows]
    assert len(rows) == 10


@pytest.mark.any_backend
def test_a_preset_gets_an_output_per_class_and_resizes_the_pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "my", 2, 2, 2, size=(10, 6))
    options = ["--epochs", 1, "--time-steps", 1, "--validation-split", 0.4, "--images", 3]
    good("train", "digits", "--data", "my", *options)
    model = load_model("digits.keras")
    assert (model.image_shape, model.classes) == ((8, 8, 1), 3)


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["train", "2C3-P4-3F", "--data", "my"],
            "2 classes (bright, dark); an architecture for them ends in -2F",
        ),
        (
            ["train", "digits", "--data", "none"],
            "error: A folder of pictures must exist. Received: none.",
        ),
        (["train", "digits", "--data", "may"], "Received: may; there is a folder my."),
        (
            ["train", "digits", "--data", "my", "--set", "classes=2"],
            "takes the number of classes from the images",
        ),
        (["train", "digits", "--data", "~nobody-here/my"], "Received: ~nobody-here/my."),
        (["train", "digits", "--data", "my", "--dataset", "digits"], "--data or --dataset"),
        (["train", "2C3-P4-2F"], "or with --data, a folder of pictures"),
        (["train", "digits", "--data", "my", "--validation-split", 0], "above 0 and below 1"),
        (["evaluate", "plain.keras", "--data", "my"], "of 2 classes"),
        (
            ["train", "2C3-P4-10F", "--data", "idx"],
            "is --dataset fashion_mnist --data-dir idx. Received: --data idx.",
        ),
        (
            ["evaluate", "plain.keras", "--dataset", "fashion_mnist"],
            "of 10 classes; the model needs --data, a folder with a subfolder per class, 3 here. "
            "Received: a model for (8, 8, 1) and 3 classes.",
        ),
        (
            ["draw", "digits", "--dataset", "fashion_mnist", "--output", "drawn"],
            "images for the model are those of --dataset digits. Received: a model for (8, 8, 1)",
        ),
        (
            ["train", "digits", "--dataset", "digits", "--set", "input_shape=(9, 9, 1)"],
            "of 10 classes; a model for them has --set input_shape=(8, 8, 1). Received: a model",
        ),
    ],
)
def test_folders_that_do_not_fit_are_refused_in_one_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "my", 2, 2)
    (tmp_path / "idx").mkdir()
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (tmp_path / "idx" / f"{part}-{kind}-ubyte.gz").touch()
    if "plain.keras" in arguments:
        kps.build("3F", input_shape=(8, 8, 1), time_steps=1).save("plain.keras")
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr.splitlines()[-1]
