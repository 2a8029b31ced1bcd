"""Model in, checked file out, for every format, on whichever backend the suite runs."""

import functools
import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_proxy_snn as kps
from keras_proxy_snn.export import FORMATS, ExportError, Program, export, from_model, load
from keras_proxy_snn.export.check import check
from keras_proxy_snn.export.formats import writer
from keras_proxy_snn.export.interpreter import run as interpret
from keras_proxy_snn.export.program import Dense, Flatten
from keras_proxy_snn.export.quantise import quantise
from keras_proxy_snn.export.rounding import rounding

from . import oracle
from .scripts import run_script

ROOT = Path(__file__).resolve().parent.parent
SPEC, SHAPE = "4C3-P2-6C3-8F-5F", (6, 6, 2)


FORMS = [
    ("onnx", "unrolled"),
    ("onnx", "step"),
    ("onnx", "loop"),
    ("litert", "unrolled"),
    ("litert", "step"),
    ("litert", "stateful"),
    ("nir", "graph"),
]


def exact_model(rng, **fields):
    fields = {"time_steps": 7, "v_threshold": 0.5, **fields}
    model = kps.build(SPEC, input_shape=SHAPE, **fields)
    for layer in model.snn.if_layers:
        layer.twin.set_weights([oracle.dyadic(rng, w.shape) for w in layer.twin.get_weights()])
    return model


@pytest.fixture
def model(rng):
    return exact_model(rng)


@pytest.fixture
def images(rng):
    return oracle.dyadic(rng, (6, *SHAPE), low=0, high=257)


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("v_0", [0.0, 0.5])
def test_the_interpreter_equals_the_model_and_the_oracle(images, rng, reset, v_0):
    model = exact_model(rng, reset=reset, v_0=v_0)
    program = from_model(model)
    assert {(layer.v_threshold, layer.v_0) for layer in program.neurons} == {(0.5, v_0 / 2)}
    spikes, potentials = oracle.run(SPEC, model.get_weights(), images, 7, 0.5, reset, v_0)
    trace = interpret(program, images)
    np.testing.assert_array_equal(trace.spike_counts, spikes[-1].sum(axis=1))
    np.testing.assert_array_equal(trace.potentials[-1], potentials[-1] - v_0 / 2)
    np.testing.assert_array_equal(trace.spike_counts, model.predict(images, verbose=0))
    assert program.shapes()[-1] == (5,)
    assert program.metadata["spec"] == SPEC


@pytest.mark.any_backend
def test_batch_norm_and_reset_by_subtraction_are_part_of_the_program(images, rng):
    model = kps.build(
        SPEC, input_shape=SHAPE, time_steps=7, batch_norm=True, use_bias=True, reset="subtract"
    )
    for layer in model.ann.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.get_weights()])
    program = from_model(model)
    assert all(layer.bias is not None for layer in program.neurons)
    result = check(program, images, lambda p, x: model.predict(x, verbose=0).astype(int))
    assert result.passed
    assert result.borderline <= 1


@pytest.mark.parametrize("readout", ["counts", "potential"])
def test_the_scores_are_what_the_model_gives(images, rng, readout):
    """With thresholds of their own, learned, which no power of two divides out."""
    logarithms = (-0.9, -0.4, 0.2)
    model = exact_model(rng, learn_threshold=True, reset="subtract", v_0=0.5, readout=readout)
    for name, logarithm in zip(("conv1", "conv2", "dense1"), logarithms, strict=True):
        model.ann.get_layer(f"{name}_threshold").set_weights([np.float32(logarithm)])
    program = from_model(model)
    assert program.readout == readout
    thetas = [layer.v_threshold for layer in program.neurons]
    np.testing.assert_allclose(thetas, [*np.exp(logarithms), 0.5], rtol=1e-6)
    assert [layer.v_0 for layer in program.neurons] == [theta / 2 for theta in thetas]
    result = check(program, images, lambda p, x: model.predict(x, verbose=0))
    assert (result.passed, result.borderline) == (True, 0)
    assert result.worst < 1e-5


def test_a_program_is_saved_and_loaded(rng, images, tmp_path):
    model = exact_model(rng, v_0=0.5, readout="potential")
    program = from_model(model, accuracy=0.5)
    program.save(tmp_path / "net.kps")
    again = load(tmp_path / "net.kps")
    assert again.metadata == program.metadata
    assert (again.input_shape, again.readout) == (SHAPE, "potential")
    for a, b in zip(again.neurons, program.neurons, strict=True):
        np.testing.assert_array_equal(a.kernel, b.kernel)
        assert a.kernel.dtype == b.kernel.dtype
        assert (a.name, a.v_threshold, a.reset) == (b.name, b.v_threshold, b.reset)
        assert a.v_0 == b.v_0 == 0.25
    np.testing.assert_array_equal(
        interpret(again, images).spike_counts, interpret(program, images).spike_counts
    )
    with pytest.raises(FileExistsError, match=r"net\.kps exists"):
        program.save(tmp_path / "net.kps")
    (tmp_path / "text.kps").write_text("no program")
    with pytest.raises(ValueError, match=r"A program file of version 1 is expected.*text\.kps"):
        load(tmp_path / "text.kps")
    with pytest.raises(ValueError, match=r"`readout` must be one of .* Received: 'spikes'"):
        replace(program, readout="spikes")


def test_a_program_from_before_starts_is_loaded(model, images, tmp_path):
    """Files written before there were `v_0` and `readout`."""
    program = from_model(model)
    program.save(tmp_path / "new.kps")
    with (
        zipfile.ZipFile(tmp_path / "new.kps") as new,
        zipfile.ZipFile(tmp_path / "old.kps", "w") as old,
    ):
        for name in new.namelist():
            content = new.read(name)
            if name == "program.json":
                head = json.loads(content)
                del head["readout"]
                for entry in head["layers"]:
                    entry.pop("v_0", None)
                content = json.dumps(head).encode()
            old.writestr(name, content)
    again = load(tmp_path / "old.kps")
    assert (again.readout, {layer.v_0 for layer in again.neurons}) == ("counts", {0.0})
    counts = [interpret(p, images).spike_counts for p in (program, again)]
    np.testing.assert_array_equal(*counts)


@pytest.mark.parametrize(("format", "form"), FORMS)
def test_every_format_and_form_has_the_models_counts(format, form, model, images, tmp_path):
    path = tmp_path / f"net{FORMATS[format].suffix}"
    exported = model.export(path, format=format, form=form, images=images)
    assert exported.check.images == 6
    assert exported.check.worst == 0
    assert exported.size == path.stat().st_size
    np.testing.assert_array_equal(exported.run(images), model.predict(images, verbose=0))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.any_backend
@pytest.mark.parametrize(("format", "form"), FORMS)
@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_every_format_and_form_starts_where_the_model_does(
    format, form, reset, rng, images, tmp_path
):
    model = exact_model(rng, v_0=0.5, reset=reset)
    path = tmp_path / f"net{FORMATS[format].suffix}"
    if (format, reset) == ("nir", "subtract"):
        with pytest.raises(ValueError, match="reset must be 'zero'"):
            model.export(path, form=form, images=images)
        return
    exported = model.export(path, form=form, images=images)
    assert exported.check.worst == 0
    np.testing.assert_array_equal(exported.run(images), model.predict(images, verbose=0))


@pytest.mark.any_backend
@pytest.mark.parametrize(("format", "form"), FORMS)
def test_every_format_and_form_of_a_readout_by_potential(format, form, rng, images, tmp_path):
    fields = {"v_0": 0.5, "readout": "potential"}
    model = exact_model(rng, reset="zero" if format == "nir" else "subtract", **fields)
    path = tmp_path / f"net{FORMATS[format].suffix}"
    scores = model.predict(images, verbose=0)
    labels = scores.argmax(axis=1)
    if format == "nir":
        with pytest.raises(ValueError, match=r"only spikes.*`model.readout = \"counts\"`"):
            model.export(path, form=form, images=images)
        model.readout = "counts"
        scores = model.predict(images, verbose=0)
        labels = scores.argmax(axis=1)
    exported = model.export(path, form=form, images=images, test=(images, labels))
    assert (exported.check.worst, exported.accuracy) == (0, 1.0)
    np.testing.assert_array_equal(exported.run(images), scores)


@pytest.mark.parametrize("suffix", [".onnx", ".tflite", ".nir"])
def test_accuracy_on_labelled_images_is_kept_in_the_file(suffix, model, images, tmp_path):
    labels = model.predict(images, verbose=0).argmax(axis=1)
    labels[0] = (labels[0] + 1) % 5
    path = tmp_path / f"net{suffix}"
    exported = model.export(path, images=images, test=(images, labels))
    assert exported.accuracy == pytest.approx(5 / 6)
    assert b"accuracy_images" in path.read_bytes()
    np.testing.assert_array_equal(exported.run(images), model.predict(images, verbose=0))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    with pytest.raises(ValueError, match=r"6 images and labels of shape \(5,\)"):
        model.export(path, test=(images, labels[1:]), overwrite=True)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("tested", [False, True])
def test_a_file_is_written_once(format, tested, model, images, tmp_path, monkeypatch):
    """What was checked and measured is what is delivered; facts come to the written file."""
    module, calls = writer(format), []

    @functools.wraps(module.write)
    def counted(program, path, **options):
        calls.append(path)
        module_write(program, path, **options)

    module_write = module.write
    monkeypatch.setattr(module, "write", counted)
    path = tmp_path / f"net{FORMATS[format].suffix}"
    test = (images, np.zeros(6, int)) if tested else None
    exported = model.export(path, calibration=images, test=test)
    assert len(calls) == 1
    written = tmp_path / "written" / path.name
    written.parent.mkdir()
    module_write(exported.program, written, form=exported.form)
    assert module.node_count(path) == module.node_count(written)
    text = "".join(file.read_text("latin-1") for file in tmp_path.glob("net.*"))
    assert ("accuracy_images" in text) == tested


@pytest.mark.once
@pytest.mark.parametrize("format", FORMATS)
def test_added_facts_leave_the_graph_as_it_is(format, tmp_path):
    layer = Dense("readout", np.full((3, 2), 4, "int8"), None, 6, "zero")
    program = Program((Flatten("flatten"), layer), (1, 1, 3), 4, "int8", input_scale=9.0)
    module, suffix = writer(format), FORMATS[format].suffix
    one, other = ({"spec": "2F", "accuracy": value, "more": [1, None]} for value in (0.5, 0.25))
    for name, facts in (("one", one), ("other", other)):
        (tmp_path / name).mkdir()
        module.write(replace(program, metadata=facts), tmp_path / name / f"net{suffix}")
    module.add_facts(tmp_path / "other" / f"net{suffix}", {"accuracy": 0.5})
    if format == "nir":  # HDF5 keeps the place of the older text
        read = [module.read(tmp_path / name / "net.nir") for name in ("one", "other")]
        assert read[0].metadata == read[1].metadata
        np.testing.assert_array_equal(*(r.neurons[0].kernel for r in read))
    else:
        for file in (tmp_path / "one").iterdir():
            assert file.read_bytes() == (tmp_path / "other" / file.name).read_bytes()
    module.add_facts(tmp_path / "one" / f"net{suffix}", {"new": "of */ now"})
    images = np.random.default_rng(0).random((5, 1, 1, 3))
    counts = module.run(tmp_path / "one" / f"net{suffix}", program, images)
    np.testing.assert_array_equal(counts, interpret(program, images).spike_counts)


def test_a_file_that_differs_is_refused_and_kept_aside(model, images, tmp_path, monkeypatch):
    """A writer with a fault: it writes another network than the one it was given."""
    from keras_proxy_snn.export import onnx

    write = onnx.write

    def faulty(program, path, **options):
        first = program.neurons[0]
        layers = [replace(first, v_threshold=2.0), *program.layers[1:]]
        write(replace(program, layers=tuple(layers)), path, **options)

    monkeypatch.setattr(onnx, "write", faulty)
    with pytest.raises(
        ExportError, match=r"counts differ, worst difference [1-9].*net.onnx.failed"
    ):
        export(model, tmp_path / "net.onnx", images=images)
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx.failed"]
    exported = export(model, tmp_path / "net.onnx", images=images, verify=False)
    assert exported.check is None
    assert (tmp_path / "net.onnx").exists()


@pytest.mark.once
def test_rounding_at_a_threshold_is_told_from_a_fault():
    weight = np.float32(1 / 3)
    layer = Dense("readout", np.full((1, 1), weight), None, float(3 * weight), "zero")
    program = Program((Flatten("flatten"), layer), (1, 1, 1), time_steps=9)
    x = np.ones((1, 1, 1, 1), "float32")
    rounded = check(program, x, lambda p, x: interpret(p, x).spike_counts - 1)
    assert (rounded.passed, rounded.borderline, rounded.worst) == (True, 1, 1)
    clear = replace(program, layers=(program.layers[0], replace(layer, v_threshold=0.5)))
    fault = check(clear, x, lambda p, x: interpret(p, x).spike_counts - 1)
    assert (fault.passed, fault.differing) == (False, 1)


@pytest.mark.once
@pytest.mark.parametrize(("off", "borderline"), [(1e-7, 1), (2e-6, 1), (5e-6, 0), (1e-4, 0)])
@pytest.mark.parametrize("v_0", [0.0, 0.5])
def test_how_far_from_a_level_is_rounding(off, borderline, v_0):
    """A first spike that lacks a share `off` of the threshold, and a file that makes it."""
    weight = np.float32(1 - v_0 - off)
    layer = Dense("readout", np.full((1, 1), weight), None, 1.0, "zero", v_0)
    program = Program((Flatten("flatten"), layer), (1, 1, 1), time_steps=1)
    x = np.ones((1, 1, 1, 1), "float32")
    result = check(program, x, lambda p, x: interpret(p, x).spike_counts + 1)
    assert (result.borderline, result.passed) == (borderline, bool(borderline))


@pytest.mark.once
@pytest.mark.parametrize(
    ("number_format", "error", "differing"),
    [("float32", 4e-5, 0), ("float32", 9e-5, 0), ("float32", 2e-4, 2), ("int8", 1e-12, 2)],
)
def test_scores_by_potential_are_equal_to_within_rounding(number_format, error, differing):
    """Scores of 3/4 and -3/8 after a step; in integers there is no rounding."""
    kernel = (
        np.array([[4, -14]], "int8") if number_format == "int8" else np.float32([[0.25, -0.875]])
    )
    theta, v_0 = (16, 8) if number_format == "int8" else (1.0, 0.5)
    layer = Dense("readout", kernel, None, theta, "subtract", v_0)
    layers = (Flatten("flatten"), layer)
    program = Program(layers, (1, 1, 1), 1, number_format, readout="potential")
    x = np.ones((1, 1, 1, 1), "float32")
    result = check(program, x, lambda p, x: np.array([[0.75, -0.375]]) + error)
    assert (result.differing, result.borderline) == (differing, 0)
    assert result.worst == pytest.approx(error, rel=1e-3)
    # Of an image whose largest score is 117 spikes, as much as 0.0117 is rounding.
    high = replace(program, time_steps=134)
    if number_format == "float32":
        result = check(high, x, lambda p, x: np.array([[34.0, -116.75]]) + 50 * error)
        assert result.passed == (50 * error <= 1e-4 * 116.75)


def test_time_steps_and_overwriting(model, images, tmp_path):
    path = tmp_path / "net.onnx"
    exported = model.export(path, time_steps=3, images=images)
    expected = model.predict(images, time_steps=3, verbose=0)
    np.testing.assert_array_equal(exported.run(images), expected)
    with pytest.raises(FileExistsError, match=r"net\.onnx exists already"):
        model.export(path)
    assert model.export(path, overwrite=True).program.time_steps == 7


@pytest.mark.once
def test_of_scores_by_potential_rounding_tells_the_classes_alone(rng):
    images = rng.random((40, 3, 3, 1), "float32")
    readout = Dense("readout", rng.normal(size=(9, 4)).astype("float32"), None, 1.0, "zero")
    program = Program((Flatten("flatten"), readout), (3, 3, 1), time_steps=5)
    coarse = quantise(program, images, bits=2)
    before, after = (interpret(p, images).spike_counts for p in (program, coarse))
    found = rounding(program, coarse, images, "test")
    assert (found.counts, found.compared) == ((before != after).sum(), before.size)
    assert found.counts > 0
    pair = [replace(p, readout="potential") for p in (program, coarse)]
    traces = [(p, interpret(p, images)) for p in pair]
    a, b = (p.scores(t.spike_counts, t.potentials[-1]).argmax(axis=1) for p, t in traces)
    found = rounding(*pair, images, "test")
    told = (
        f"{(a != b).sum()} of 40 compared test images get another class than from the float network"
    )
    assert str(found) == told
    assert (a != b).any()


def test_a_written_file_shows_itself_in_a_few_lines(model, images, tmp_path):
    exported = export(model, tmp_path / "net.nir", images=images[:4])
    first, second, third = repr(exported).splitlines()
    assert first == f"Exported {tmp_path / 'net.nir'}"
    assert second.startswith(f"  nir, graph: float32, T = {model.time_steps}, ")
    assert third.startswith("  check: 4 images, 0 counts differ")
    assert third.endswith(", compared with the float network")
    exported = export(
        model, tmp_path / "b.nir", verify=False, test=(images[:4], [0] * 4), images=images[:4]
    )
    assert "check: not made\n  accuracy: " in repr(exported)
    assert repr(exported).endswith("% of 4 test images")


def test_an_integer_network_by_one_call_is_that_of_two(model, images, tmp_path, capsys):
    expected = quantise(from_model(model), images, bits=8)
    for number, bits in enumerate((8, True)):
        path = tmp_path / f"net{number}.tflite"
        labels = np.arange(len(images)) % 3
        options = {"calibration": images, "test": (images, labels), "verbose": not number}
        exported = model.export(path, quantise=bits, **options)
        for ours, theirs in zip(exported.program.neurons, expected.neurons, strict=True):
            np.testing.assert_array_equal(ours.kernel, theirs.kernel)
        assert exported.check.images == len(images)
        assert exported.accuracy == (exported.run(images).argmax(1) == labels).mean()
        said = capsys.readouterr().out
        assert ("net0.tflite\n  litert, unrolled: int8" in said) == (not number)


@pytest.mark.parametrize("verbose", [0, False, "auto", 1, 2, True])
def test_verbose_is_keras_own(model, tmp_path, capsys, verbose):
    model.export(tmp_path / "net.nir", verify=False, verbose=verbose)
    assert ("net.nir\n  nir, graph: float32" in capsys.readouterr().out) == (verbose in (1, 2))


def test_formats_of_keras_are_its_own(model, monkeypatch):
    def export(self, filepath, **options):
        assert self is model
        return filepath, options

    monkeypatch.setattr(keras.Model, "export", export)
    for format in ("tf_saved_model", "openvino", "torch"):
        found = model.export("folder", format=format, verbose=False, opset_version=18)
        filepath, options = found
        (image,) = options.pop("input_signature")
        assert (filepath, image.shape) == ("folder", (None, *SHAPE))
        assert options == {"format": format, "verbose": False, "opset_version": 18}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"path": "net.bin"}, ValueError, r"ends in one of \('.onnx', '.tflite', '.nir', '.c'\)"),
        ({"quantise": 8}, ValueError, "give `calibration`"),
        ({"quantise": 0}, ValueError, "give `calibration`"),
        ({"quantise": 1, "images": np.zeros((2, *SHAPE))}, ValueError, "`quantise` .*2 to 8.* 1.$"),
        ({"batch": 2}, TypeError, r"form, time_steps, quantise,.*chunk_steps. Received: batch=2"),
        ({"path": "net.tflite", "chunk_steps": 2}, TypeError, "weights, batch_size. Received: ch"),
        ({"input_signature": []}, TypeError, "image of the model's shape"),
        ({"format": "coreml"}, ValueError, "Received: 'coreml'"),
        ({"overwrite": "yes"}, TypeError, "`overwrite` must be True or False. Received: 'yes'"),
        ({"calibration": iter([])}, TypeError, r"`stream\.arrays\(\)\[0\]` of an ImageStream"),
        ({"images": {"x": 1}}, TypeError, "an array of images .*Received: a dict"),
        ({"verify": "no"}, TypeError, "`verify` must be True or False. Received: 'no'"),
        ({"verbose": "x"}, ValueError, "`verbose` must be .*, 0, 1 or 2, .*. Received: 'x'"),
        ({"verbose": None}, ValueError, "`verbose` must be .*, 0, 1 or 2, .*. Received: None"),
        ({"time_steps": 10**9}, ValueError, "`time_steps` must be at most 1048576"),
        ({"form": "scan"}, ValueError, r"'unrolled'.*Received: 'scan'"),
        ({"time_steps": 0}, ValueError, "positive integer. Received: 0"),
        ({"path": "missing/net.onnx"}, FileNotFoundError, "missing does not exist"),
        ({"images": np.zeros((2, 5, 5, 1))}, ValueError, r"\(batch, 6, 6, 2\)"),
        ({"images": np.full((2, *SHAPE), np.nan)}, ValueError, "finite"),
        ({"images": np.zeros((0, *SHAPE))}, ValueError, "at least one image. Received: an empty"),
        ({"form": ""}, ValueError, "`form` must be one of .*Received: ''"),
        ({"format": ""}, ValueError, "`format` must be one of .*Received: ''"),
        ({"images": np.zeros((2, *SHAPE), complex)}, ValueError, "real numbers.*of complex128"),
        ({"images": np.ma.masked_equal(np.zeros((2, *SHAPE)), 0)}, ValueError, "must have no mask"),
        ({"test": 5}, TypeError, r"must be a pair \(images, labels\). Received: int"),
        ({"test": {"x": 1, "y": 2}}, TypeError, "Received: dict"),
        ({"test": (np.zeros((2, *SHAPE)),)}, TypeError, "Received: 1 values"),
        ({"test": (np.zeros((2, *SHAPE)), np.ma.array([0, 1]))}, ValueError, "Labels .*no mask"),
        ({"test": (np.zeros((2, *SHAPE)), [0, 99])}, ValueError, "Received: 99 at 1"),
        ({"test": (np.zeros((2, *SHAPE)), [0, np.nan])}, ValueError, "Received: nan at 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, message, model, tmp_path):
    path = tmp_path / arguments.pop("path", "net.onnx")
    with pytest.raises(error, match=message):
        export(model, path, **arguments)
    assert not list(tmp_path.iterdir())


def test_test_images_of_another_range_are_told(model, images, tmp_path):
    with pytest.warns(UserWarning, match="Images go from 0 to 255, and this network was trained"):
        model.export(tmp_path / "net.onnx", test=(255 * images, np.zeros(len(images))))


def test_the_door_names_paths_and_all_formats(model, tmp_path):
    with pytest.raises(TypeError, match=r"A path is expected, such as 'net.onnx'. Received: None"):
        model.export(None)
    with pytest.raises(ValueError, match=r"'c', 'tf_saved_model', 'openvino', 'torch'\).*'coreml'"):
        model.export(tmp_path / "net.bin", format="coreml")
    assert model.export(tmp_path / "NET.NIR").format == "nir"


def test_only_a_proxy_model_is_exported(tmp_path):
    with pytest.raises(TypeError, match="`model` must be a ProxyModel"):
        export(keras.Sequential([keras.layers.Dense(1)]), tmp_path / "net.onnx")


def test_what_nir_cannot_express_is_refused(tmp_path):
    model = kps.build("digits", reset="subtract", time_steps=2)
    with pytest.raises(ValueError, match="subtract"):
        export(model, tmp_path / "net.nir")


def call(script, *arguments):
    return run_script(f"export/{script}", *arguments)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A digits network, untrained but with rates that differ."""
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("saved") / "digits.keras"
    kps.build("digits", time_steps=6).save(path)
    return path


@pytest.mark.any_backend
@pytest.mark.parametrize("script", ["to_onnx.py", "to_tflite.py", "to_nir.py", "to_c.py"])
def test_each_script_prints_a_table(script, saved):
    done = call(script, saved)
    assert done.returncode == 0, done.stderr
    for line in ("time steps", "size", "nodes", "64 images, 0 counts differ", "360 test images"):
        assert line in done.stdout
    on_the_device = re.search(r"flash (\S+) KiB of tables besides code, RAM (\S+) KiB", done.stdout)
    assert (on_the_device is not None) == ("KiB of text" in done.stdout) == (script == "to_c.py")
    if on_the_device:
        header = saved.with_suffix(".h").read_text()
        sizes = re.findall(r"_(?:TABLE|STATE)_BYTES (\d+)", header)
        shown = [f"{int(size) / 1024:.1f}" for size in sizes]
        assert sorted(on_the_device.groups()) == sorted(shown)
    again = call(script, saved)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert call(script, saved, "--force", "--no-check").returncode == 0


@pytest.mark.any_backend
def test_the_integer_network_from_the_command_line(saved, tmp_path):
    output = tmp_path / "int8.tflite"
    done = call("to_tflite.py", saved, "--quantise", "--time-steps", 4, "--output", output)
    assert done.returncode == 0, done.stderr
    assert "int8" in done.stdout
    assert "64 images, 0 counts differ, worst difference 0" in done.stdout


@pytest.mark.any_backend
@pytest.mark.slow
def test_a_training_framework_is_not_needed_for_a_program(saved, tmp_path):
    """A `.kps` program, and no TensorFlow in the process on the other backends."""
    program = tmp_path / "net.kps"
    from_model(keras.models.load_model(saved, compile=False)).save(program)
    code = (
        "import atexit, sys; from keras_proxy_snn.cli import commands;"
        "atexit.register(lambda: print('tensorflow' in sys.modules)); commands(sys.argv[1:])"
    )
    arguments = ["export", program, "--format", "onnx", "--output", tmp_path / "n.onnx"]
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]
    assert loaded == str(keras.config.backend() == "tensorflow")


@pytest.mark.once
def test_a_script_in_a_process_of_its_own():
    command = [sys.executable, str(ROOT / "export" / "to_onnx.py"), "nothing.keras"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no file nothing.keras" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.keras"], "There is no file nothing.keras"),
        ([__file__], "is not a saved Keras model"),
        (["{saved}", "--time-steps", "0"], "0 is not in the range x>=1"),
        (["{saved}", "--calibration", "{nan}", "--quantise"], "finite|NaN"),
        (["{saved}", "--calibration", "cifar11"], "cifar11"),
    ],
)
def test_bad_input_of_a_script(arguments, message, saved, tmp_path):
    np.save(tmp_path / "nan.npy", np.full((4, 8, 8, 1), np.nan))
    names = {"saved": saved, "nan": tmp_path / "nan.npy"}
    output = tmp_path / "x.onnx"
    done = call("to_onnx.py", *[a.format(**names) for a in arguments], "--output", output)
    assert done.returncode == 2
    assert re.search(message, done.stderr)
    assert "Traceback" not in done.stderr
    assert not output.exists()
