"""LiteRT files: counts equal the interpreter's exactly, in every form, format and runtime."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import keras_proxy_snn
from keras_proxy_snn.export import export, from_model, interpreter, litert, vela
from keras_proxy_snn.export.converters import tflite as tflite_converter
from keras_proxy_snn.export.on_device import is_changed
from keras_proxy_snn.export.program import Conv, Dense, Flatten, Pool, Program

from . import oracle
from .programs import NETWORKS, random_program, scores_of, started
from .runtimes import HAS_MICRO, needs_micro, needs_vela

pytestmark = pytest.mark.once

pytest.importorskip("ai_edge_litert")
RUNTIMES = [litert.run, litert.run_micro] if HAS_MICRO else [litert.run]

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the converter needs TensorFlow"
)


def images_for(rng, program, count=3):
    return oracle.dyadic(rng, (count, *program.input_shape), low=0, high=257)


@given(
    **NETWORKS,
    form=st.sampled_from(litert.FORMS),
    weights=st.sampled_from(["float32", "float16"]),
)
@settings(max_examples=60)
def test_random_float_networks(
    tmp_path_factory, layers, input_shape, steps, reset, v_0, readout, form, weights, seed
):
    rng = np.random.default_rng(seed)
    neurons = {"reset": reset, "v_0": v_0}
    program = random_program(rng, layers, input_shape, steps, readout=readout, **neurons)
    images = images_for(rng, program)
    path = tmp_path_factory.getbasetemp() / "float.tflite"
    litert.write(program, path, form=form, weights=weights)
    for run in RUNTIMES if weights == "float32" else [litert.run]:
        np.testing.assert_array_equal(run(path, program, images), scores_of(program, images))


@given(
    **NETWORKS,
    form=st.sampled_from(litert.FORMS),
)
@settings(max_examples=60)
def test_random_integer_networks(
    tmp_path_factory, layers, input_shape, steps, reset, v_0, readout, form, seed
):
    rng = np.random.default_rng(seed)
    neurons = {"reset": reset, "v_0": v_0, "readout": readout}
    program = random_program(rng, layers, input_shape, steps, integer=True, **neurons)
    images = images_for(rng, program)
    trace = interpreter.run(program, images)
    # So small that no current and no sum of one with a potential exceeds int16.
    assume(max(*trace.v_max, *np.negative(trace.v_min)) < 16000)
    path = tmp_path_factory.getbasetemp() / "integer.tflite"
    litert.write(program, path, form=form)
    for run in RUNTIMES:
        np.testing.assert_array_equal(run(path, program, images), scores_of(program, images))


def reference(time_steps=10, integer=False, reset="zero", seed=0, v_0=0, **settings):
    """8C3-P2-16C3-P2-32F-10F on 28 x 28 pixels, of which every layer spikes, with exact sums."""
    rng = np.random.default_rng(seed)
    shapes = [(3, 3, 1, 8), (3, 3, 8, 16), (784, 32), (32, 10)]
    means, spreads = [0.05, 0.01, 0.0006, 0.02], [0.25, 0.12, 0.04, 0.2]
    scale = 64 if integer else 128
    kernels = [
        np.clip(np.round(rng.normal(m, s, shape) * scale), -127, 127)
        for shape, m, s in zip(shapes, means, spreads, strict=True)
    ]
    thetas: list = [1.0] * 4
    if integer:
        kernels = [kernel.astype("int8") for kernel in kernels]
        thetas = [64 * 16, 64, 64, 64]
        settings = {"number_format": "int8", "input_scale": 16.0, **settings}
    else:
        kernels = [kernel.astype("float32") / 128 for kernel in kernels]
    layers = (
        Conv("conv1", kernels[0], None, thetas[0], reset),
        Pool("pool1", (2, 2), (2, 2)),
        Conv("conv2", kernels[1], None, thetas[1], reset),
        Pool("pool2", (2, 2), (2, 2)),
        Flatten("flatten"),
        Dense("dense1", kernels[2], None, thetas[2], reset),
        Dense("readout", kernels[3], None, thetas[3], reset),
    )
    layers = tuple(started(layer, v_0, integer) for layer in layers)
    return Program(layers, (28, 28, 1), time_steps, **settings)


def smooth_images(count, seed=1):
    """Images on which `reference` spikes in all layers."""
    x = np.random.default_rng(seed).random((count, 28, 28, 1))
    for axis in (1, 2):
        x = sum(np.roll(x, shift, axis) for shift in range(-2, 3)) / 5
    x = (x - x.min()) / (x.max() - x.min())
    return np.round(x * 128).astype("float32") / 128


@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize("form", litert.FORMS)
def test_any_number_of_images_in_files_of_any_batch_size(tmp_path, form, integer):
    program = reference(5, integer)
    images = smooth_images(35)
    counts = scores_of(program, images)
    assert 0 < counts.mean() < 5
    for batch_size in (1, 3):
        path = tmp_path / f"{batch_size}.tflite"
        litert.write(program, path, form=form, batch_size=batch_size)
        for count in (0, 1, 4, 35):
            for run in RUNTIMES:
                got = run(path, program, images[:count])
                assert got.dtype == np.int64
                np.testing.assert_array_equal(got, counts[:count])


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("theta", [0.1, 0.75, 1.0, 1.9999999, 1000.3, 3e-5, [0.3, 2.0]])
def test_fires_at_the_threshold_and_not_below(tmp_path, theta, reset):
    """Weights that are the threshold, its neighbours, and such that add up to them."""
    theta = np.asarray(theta, "float32")
    at = np.broadcast_to(theta, 2)
    below = np.nextafter(at, np.float32(0))
    kernel = np.stack([at, below, at / 2, below / 2])[None]
    path = tmp_path / "net.tflite"
    for row in range(4):
        dense = Dense("readout", kernel[:, row], None, theta, reset)
        program = Program((Flatten("flatten"), dense), (1, 1, 1), 4)
        counts = {0: [4, 4], 1: [2, 2], 2: [2, 2], 3: [1, 1]}[row]
        if reset == "subtract":
            counts = {**{0: [4, 4], 2: [2, 2]}, 1: [3, 3], 3: [1, 1]}[row]
        one = np.ones((1, 1, 1, 1))
        np.testing.assert_array_equal(scores_of(program, one), [counts])
        for form in litert.FORMS:
            litert.write(program, path, form=form)
            for run in RUNTIMES:
                np.testing.assert_array_equal(run(path, program, one), [counts])


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("theta", [0.1, 0.75, 1000.3, 3e-5, [0.3, 2.0]])
def test_fires_at_the_level_and_not_below(tmp_path, theta, reset):
    """From half the threshold the level is the other half, and so is the fall of a reset."""
    theta = np.asarray(theta, "float32")
    at = np.broadcast_to(theta / 2, 2)
    path = tmp_path / "net.tflite"
    below = np.nextafter(at, np.float32(0))
    # At the level: up to it, down to -level or 0, ... Below it: at step 2, and from there again.
    for kernel, counts in ((at, 2), (below, {"zero": 1, "subtract": 2}[reset])):
        dense = Dense("readout", kernel[None], None, theta, reset, v_0=theta / 2)
        program = Program((Flatten("flatten"), dense), (1, 1, 1), 4)
        one = np.ones((1, 1, 1, 1))
        np.testing.assert_array_equal(scores_of(program, one), [[counts] * 2])
        for form in litert.FORMS:
            litert.write(program, path, form=form)
            for run in RUNTIMES:
                np.testing.assert_array_equal(run(path, program, one), [[counts] * 2])


@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("v_0", [0, 0.5])
def test_step_form_tells_the_potentials(tmp_path, integer, reset, v_0):
    from ai_edge_litert.interpreter import Interpreter

    program = reference(3, integer, reset, v_0=v_0)
    images = smooth_images(1)
    path = tmp_path / "step.tflite"
    litert.write(program, path, form="step")
    call = Interpreter(model_path=str(path)).get_signature_runner("serving_default")
    x = interpreter.prepare_images(program, images)
    dtype = "int16" if integer else "float32"
    state = {
        f"v_{layer.name}": np.zeros((1, *shape), dtype)
        for layer, shape in zip(program.neurons, program.state_shapes(), strict=True)
    }
    for steps in range(1, 4):
        out = call(image=x.astype(dtype), **state)
        assert set(out) == {"spikes", *(f"{name}_out" for name in state)}
        state = {name: out[f"{name}_out"] for name in state}
        trace = interpreter.run(program, images, steps)
        for v, reference_v in zip(state.values(), trace.potentials, strict=True):
            np.testing.assert_array_equal(v, reference_v)


@pytest.mark.parametrize("settings", [{}, {"number_format": "int8"}], ids=["float32", "int8"])
@pytest.mark.parametrize("name", ["image", "keep"])
def test_a_stateful_file_cannot_be_resized(tmp_path, name, settings):
    """LiteRT would write past the end of variables that keep their size."""
    from ai_edge_litert.interpreter import Interpreter

    path = tmp_path / "stateful.tflite"
    litert.write(
        tiny(**settings, **({"theta": 2, "kernel": 1} if settings else {})), path, form="stateful"
    )
    assert litert.read_metadata(path)["batch"] == "fixed"
    interpreter = Interpreter(model_path=str(path))
    entry = next(e for e in interpreter.get_input_details() if name in e["name"])
    interpreter.resize_tensor_input(entry["index"], [4, *entry["shape"][1:]])
    with pytest.raises(RuntimeError, match=r"(?i)reshape"):
        interpreter.allocate_tensors()


def test_stateful_form_resets_when_told(tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    program = reference(4)
    images = smooth_images(2)
    path = tmp_path / "stateful.tflite"
    litert.write(program, path, form="stateful")
    call = Interpreter(model_path=str(path)).get_signature_runner("serving_default")
    for image, counts in zip(images, scores_of(program, images), strict=True):
        keeps = [np.float32([k]) for k in (0, 1, 1, 1)]
        spikes = [call(image=image[None], keep=keep)["spikes"][0] for keep in keeps]
        np.testing.assert_array_equal(sum(spikes), counts)


@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize("form", litert.FORMS)
def test_a_readout_by_potential_is_exact(tmp_path, form, integer):
    settings = {"reset": "subtract", "v_0": 0.5, "readout": "potential"}
    program, images = reference(4, integer, **settings), smooth_images(5)
    path = tmp_path / "net.tflite"
    for batch_size in (1, 3):
        litert.write(program, path, form=form, batch_size=batch_size)
        for run in RUNTIMES:
            scores = run(path, program, images)
            assert (scores != np.rint(scores)).any()
            np.testing.assert_array_equal(scores, scores_of(program, images))
    assert litert.read_metadata(path)["readout"] == "potential"


def test_input_scale(tmp_path):
    program = reference(5)
    scaled = Program(program.layers, program.input_shape, 5, input_scale=0.7)
    images = smooth_images(4)
    path = tmp_path / "net.tflite"
    litert.write(scaled, path)
    assert (scores_of(scaled, images) != scores_of(program, images)).any()
    facts = litert.read_metadata(path)
    assert facts["input"] == "float32 image, pixels from 0 to 1"
    assert "input_scale" not in facts  # the graph scales
    close = litert.run(path, scaled, images) != scores_of(scaled, images)
    assert close.mean() < 0.05  # 0.7 is no multiple of 1/128, so the order of sums counts


def test_float16_halves_the_file_and_means_rounded_kernels(tmp_path):
    rng = np.random.default_rng(0)
    kernel = rng.normal(0.01, 0.1, (64, 4)).astype("float32")
    images = oracle.dyadic(rng, (20, 8, 8, 1), low=0, high=257)
    programs = [
        Program((Flatten("f"), Dense("readout", k, None, 1.0, "zero")), (8, 8, 1), 8)
        for k in (kernel, kernel.astype("float16").astype("float32"))
    ]
    path = tmp_path / "net.tflite"
    litert.write(programs[0], path, weights="float16")
    counts = litert.run(path, programs[0], images)
    np.testing.assert_array_equal(counts, scores_of(programs[1], images))
    whole, half = tmp_path / "whole.tflite", tmp_path / "half.tflite"
    litert.write(reference(2), whole)
    litert.write(reference(2), half, weights="float16")
    assert half.stat().st_size < 0.6 * whole.stat().st_size


def test_an_export_in_float16_is_compared_with_the_rounded_network(tmp_path):
    rng = np.random.default_rng(0)
    kernel = rng.normal(0.01, 0.1, (64, 4)).astype("float32")
    layers = (Flatten("f"), Dense("readout", kernel, None, 1.0, "subtract"))
    program = Program(layers, (8, 8, 1), 400)
    images = oracle.dyadic(rng, (20, 8, 8, 1), low=0, high=257)
    made = export(program, tmp_path / "net.tflite", images=images, form="step", weights="float16")
    assert made.check.differing == 0
    assert "float32, weights in float16, T = 400" in repr(made)
    halves = kernel.astype("float16").astype("float32")
    np.testing.assert_array_equal(made.program.layers[-1].kernel, halves)
    np.testing.assert_array_equal(made.run(images), scores_of(made.program, images))
    assert (scores_of(program, images) != scores_of(made.program, images)).any()
    with pytest.raises(ValueError, match="within float16's 65504"):
        export(tiny(kernel=1e5), tmp_path / "large.tflite", weights="float16")


def opened(path):
    from ai_edge_litert import schema_py_generated as schema

    return schema, schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)


@pytest.mark.parametrize("integer", [False, True])
def test_builtin_operators_only_and_weights_stored_once(tmp_path, integer):
    sizes = {}
    for steps in (10, 50):
        path = tmp_path / f"{steps}.tflite"
        litert.write(reference(steps, integer), path)
        schema, model = opened(path)
        codes = {entry.builtinCode for entry in model.operatorCodes}
        assert schema.BuiltinOperator.CUSTOM not in codes
        assert all(entry.customCode is None for entry in model.operatorCodes)
        convolutions = [
            operator
            for operator in model.subgraphs[0].operators
            if model.operatorCodes[operator.opcodeIndex].builtinCode
            == schema.BuiltinOperator.CONV_2D
        ]
        # The first layer's once, the second's for each (chunk of) steps.
        assert len(convolutions) == 1 + (steps if integer else -(-steps // 4))
        sizes[steps] = path.stat().st_size
        assert len({tuple(operator.inputs)[1] for operator in convolutions}) == 2
    # 100 KiB of float32 weights, 26 KiB of int8 ones; the rest is the graph.
    limits = (130, 220) if not integer else (70, 240)
    assert sizes[10] < limits[0] * 1024
    assert sizes[50] < limits[1] * 1024


@pytest.mark.parametrize("weights", ["float32", "float16"])
@pytest.mark.parametrize(("reset", "v_0"), [("zero", 0), ("subtract", 0), ("zero", 0.5)])
def test_float_file_is_one_piece_in_xnnpack(tmp_path, weights, reset, v_0):
    """What XNNPACK does not take runs outside of it, at a cost for each change."""
    from ai_edge_litert.interpreter import Interpreter

    path = tmp_path / "net.tflite"
    litert.write(reference(10, reset=reset, v_0=v_0), path, weights=weights)
    loaded = Interpreter(model_path=str(path))
    loaded.allocate_tensors()
    (piece,) = (op for op in loaded._get_ops_details() if op["op_name"] == "DELEGATE")
    assert loaded.get_input_details()[0]["index"] in piece["inputs"]
    assert list(piece["outputs"]) == [loaded.get_output_details()[0]["index"]]


def test_signature_metadata_and_description(tmp_path):
    facts = {"spec": "8C3-P2-16C3-P2-32F-10F", "accuracy": 0.9, "keras_proxy_snn": "1.0"}
    program = reference(10, integer=True, v_0=0.5, metadata=facts)
    path = tmp_path / "net.tflite"
    litert.write(program, path, form="stateful")
    _, model = opened(path)
    (signature,) = model.signatureDefs
    assert signature.signatureKey == b"serving_default"
    assert [entry.name for entry in signature.inputs] == [b"image", b"keep"]
    assert [entry.name for entry in signature.outputs] == [b"spikes"]
    assert model.description.decode() == (
        "8C3-P2-16C3-P2-32F-10F, 10 time steps, stateful; int16 image = round(pixel * 16.0), "
        "pixels in [0, 1], int8 weights. keras_proxy_snn"
    )
    found = litert.read_metadata(path)
    assert not is_changed(path.read_bytes(), found.pop("seal"))
    assert found == {
        **facts,
        "form": "stateful",
        "batch": "fixed",
        "time_steps": 10,
        "number_format": "int8",
        "weights": "int8",
        "input": "int16 image, round(pixel * input_scale), half to even, of pixels from 0 to 1",
        "input_scale": 16.0,
        "v_threshold": {"conv1": 1024, "conv2": 64, "dense1": 64, "readout": 64},
        "v_0": {"conv1": 512, "conv2": 32, "dense1": 32, "readout": 32},
        "reset": dict.fromkeys(("conv1", "conv2", "dense1", "readout"), "zero"),
        "readout": "counts",
    }


def tiny(theta=1.0, kernel=0.5, v_0=0.0, **settings):
    kernel = np.full((1, 1), kernel)
    kernel = kernel.astype("int8" if "number_format" in settings else "float32")
    layers = (Flatten("flatten"), Dense("readout", kernel, None, theta, "zero", v_0))
    return Program(layers, (1, 1, 1), settings.pop("time_steps", 2), **settings)


INT8 = {"number_format": "int8"}


@pytest.mark.parametrize(
    ("program", "arguments", "message"),
    [
        (tiny(), {"form": "loop"}, "`form` must be one of"),
        (tiny(), {"weights": "int4"}, "`weights` must be one of"),
        (tiny(), {"batch_size": 0}, "positive integer"),
        (tiny(), {"batch_size": True}, "positive integer"),
        (tiny(theta=-1.0), {}, "Thresholds must be between"),
        (tiny(theta=np.float32([np.nan])), {}, "Thresholds must be between"),
        (tiny(v_0=1.0), {}, r"at least 9.*e-13 below the threshold.*: v_0 1.0 and"),
        (tiny(v_0=-0.5), {}, "`v_0` must be at least 0"),
        (tiny(v_0=np.nan), {}, "`v_0` must be at least 0"),
        (
            tiny(theta=5, kernel=3, v_0=2.5, **INT8),
            {},
            "in an integer network it must be an integer",
        ),
        (tiny(theta=5, kernel=3, v_0=5, **INT8), {}, "at least 1 below the threshold"),
        (tiny(kernel=1e5), {"weights": "float16"}, "within float16"),
        (tiny(theta=5, kernel=3, **INT8), {"weights": "float16"}, "must have int8 weights"),
        (tiny(theta=1.5, kernel=3, **INT8), {}, "thresholds must be integers from 1 to 32767"),
        (tiny(theta=40000, kernel=3, **INT8), {}, "thresholds must be integers from 1 to 32767"),
        (tiny(theta=5, kernel=-128, **INT8), {}, "from -127 to 127"),
        (tiny(theta=5, kernel=3, input_scale=40000.0, **INT8), {}, "must be at most 32767"),
        (tiny(theta=5, kernel=3, time_steps=40000, **INT8), {}, "must be at most 32767"),
    ],
)
def test_refusals(tmp_path, program, arguments, message):
    path = tmp_path / "net.tflite"
    with pytest.raises(ValueError, match=message):
        litert.write(program, path, **arguments)
    with pytest.raises(ValueError, match=message):
        litert.refuse(program, **{"form": "unrolled", **arguments})
    assert not path.exists()


def test_bad_files_and_images(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_text("not a file of this format")
    for read in (litert.node_count, litert.read_metadata):
        with pytest.raises(ValueError, match=r"A \.tflite file is expected"):
            read(path)
    litert.write(tiny(), path)
    integers = tiny(theta=5, kernel=3, input_scale=200.0, **INT8)
    for run in RUNTIMES:
        with pytest.raises(ValueError, match="Images must have shape"):
            run(path, tiny(), np.zeros((1, 2, 2, 1)))
        with pytest.raises(ValueError, match="finite"):
            run(path, tiny(), np.full((1, 1, 1, 1), np.nan))
        with pytest.raises(ValueError, match="must fit int16"):
            run(path, integers, np.full((1, 1, 1, 1), 255.0))


def test_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.schema_py_generated", None)
    with pytest.raises(ImportError, match=r'pip install "keras-proxy-snn\[export\]"'):
        litert.write(tiny(), tmp_path / "net.tflite")


@pytest.mark.each_backend
def test_a_model_built_with_keras(tmp_path):
    """Weights of no special kind: a sum in another order may move a spike, seldom."""
    model = keras_proxy_snn.build(
        "4C3-P2-16F-10F", input_shape=(8, 8, 1), time_steps=6, batch_norm=True
    )
    program = from_model(model)
    images = np.random.default_rng(0).random((50, 8, 8, 1))
    counts = model.predict(images, verbose=0)
    assert counts.any()
    for form in litert.FORMS:
        path = tmp_path / f"{form}.tflite"
        litert.write(program, path, form=form)
        assert (litert.run(path, program, images) != counts).mean() < 0.01


@needs_micro
def test_micro_arena(tmp_path):
    path = tmp_path / "net.tflite"
    litert.write(reference(2, integer=True), path, form="step")
    arena = litert.arena_bytes(path)
    assert 50_000 < arena < 200_000
    program, images = reference(2, integer=True), smooth_images(1)
    counts = litert.run_micro(path, program, images, arena_size=arena + 1024)
    np.testing.assert_array_equal(counts, scores_of(program, images))
    with pytest.raises(RuntimeError, match="TFLM"):
        litert.run_micro(path, program, images, arena_size=arena // 2)
    litert.write(reference(2), path, weights="float16")
    with pytest.raises(RuntimeError, match="cannot run"):
        litert.arena_bytes(path)


@needs_vela
@pytest.mark.parametrize("accelerator", ["ethos-u55-128", "ethos-u65-256", "ethos-u85-256"])
@pytest.mark.parametrize(
    ("form", "neurons"),
    [
        ("unrolled", {"reset": "zero"}),
        ("unrolled", {"reset": "zero", "v_0": 0.5}),
        ("unrolled", {"reset": "subtract", "v_0": 0.5, "readout": "potential"}),
        ("step", {"reset": "subtract"}),
    ],
)
def test_vela_places_the_integer_net_wholly_on_the_npu(tmp_path, accelerator, form, neurons):
    path = tmp_path / "net.tflite"
    litert.write(reference(10, integer=True, **neurons), path, form=form)
    report = vela.report(path, accelerator)
    assert report.accelerator == accelerator
    assert (report.npu_share, report.cpu_operators) == (1.0, 0)
    assert 0 < report.milliseconds < 4
    assert 0 < report.sram_kib < 384


@needs_vela
@pytest.mark.parametrize("v_0", [0, 0.5])
def test_memory_on_the_npu_does_not_grow_with_time(tmp_path, v_0):
    path = tmp_path / "net.tflite"
    kib = []
    for time_steps in (10, 50):
        litert.write(reference(time_steps, integer=True, v_0=v_0), path)
        kib.append(vela.report(path).sram_kib)
    assert kib[1] < 1.1 * kib[0] < 120


@needs_vela
def test_vela_reports_what_it_cannot_place(tmp_path):
    path = tmp_path / "net.tflite"
    litert.write(reference(2), path)
    report = vela.report(path)
    assert (report.npu_share, report.npu_operators) == (0.0, 0)
    assert report.cpu_operators == litert.node_count(path)
    with pytest.raises(RuntimeError, match="ethos-u1"):
        vela.report(path, "ethos-u1")
    with pytest.raises(FileNotFoundError):
        vela.report(tmp_path / "none.tflite")


@pytest.mark.each_backend
@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("proxy_activation", ["relu", "clip"])
def test_twin_has_the_scores_of_the_ann(proxy_activation, pooling, tmp_path, rng):
    keras.utils.set_random_seed(0)
    fields = {"batch_norm": True, "use_bias": True, "v_threshold": {"conv1": 0.5, "readout": 3}}
    fields["pooling"] = pooling
    model = keras_proxy_snn.build(
        "4C3-P2-6C3-8F-5F", input_shape=(8, 8, 2), proxy_activation=proxy_activation, **fields
    )
    x = rng.random((3, 8, 8, 2), "float32")
    path, clip = tmp_path / "twin.tflite", proxy_activation == "clip"
    litert.write_twin(from_model(model), path, clip=clip, batch_size=3)
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], 9 * x)
    interpreter.invoke()
    scores = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(scores, model.ann.predict(9 * x, verbose=0), rtol=1e-3, atol=1e-4)


def test_twin_has_the_same_weights(tmp_path):
    program = reference(2)
    path = tmp_path / "twin.tflite"
    litert.write_twin(program, path)
    assert litert.node_count(path) == 6
    assert 0 < litert.latency(path, program, repeats=3) < 100
    with pytest.raises(ValueError, match="float32"):
        litert.write_twin(reference(2, integer=True), path)


@pytest.mark.each_backend
@on_tensorflow
@pytest.mark.parametrize("form", tflite_converter.FORMS)
@pytest.mark.parametrize(
    "neurons",
    [{}, {"v_0": 0.5}, {"v_0": 0.5, "reset": "subtract", "readout": "potential"}],
)
def test_converter_gives_equal_counts(tmp_path, form, neurons):
    ann = keras_proxy_snn.build_ann(keras_proxy_snn.parse_spec("4C3-P2-6C3-8F-5F"), (8, 8, 1))
    model = keras_proxy_snn.ProxyModel(ann, time_steps=6, v_threshold=0.5, **neurons)
    rng = np.random.default_rng(0)
    model.set_weights([oracle.dyadic(rng, w.shape) for w in model.get_weights()])
    program = from_model(model)
    images = images_for(rng, program, 5)
    ours, theirs = tmp_path / "ours.tflite", tmp_path / "theirs.tflite"
    litert.write(program, ours, form=form)
    tflite_converter.write(model, theirs, form=form)
    facts, wanted = litert.read_metadata(theirs), litert.read_metadata(ours)
    for path, seal in ((ours, wanted.pop("seal")), (theirs, facts.pop("seal"))):
        assert not is_changed(path.read_bytes(), seal)
    assert facts == {**wanted, "converter": "tflite"}
    counts = litert.run(theirs, program, images)
    assert 0 < counts.mean() < 6
    np.testing.assert_array_equal(counts, scores_of(program, images))
    np.testing.assert_array_equal(litert.run(ours, program, images), counts)


@pytest.mark.each_backend
def test_converter_refuses(tmp_path, monkeypatch):
    path = tmp_path / "net.tflite"
    with pytest.raises(ValueError, match="`form` must be one of"):
        tflite_converter.write(None, path, form="stateful")
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="'jax'"):
        tflite_converter.write(None, path)


@pytest.mark.each_backend
@on_tensorflow
def test_smaller_than_the_converters_file(tmp_path):
    spec = keras_proxy_snn.parse_spec("8C3-P2-16C3-P2-32F-10F")
    ann = keras_proxy_snn.build_ann(spec, (28, 28, 1))
    model = keras_proxy_snn.ProxyModel(ann, time_steps=10)
    ours, theirs = tmp_path / "ours.tflite", tmp_path / "theirs.tflite"
    litert.write(from_model(model), ours)
    tflite_converter.write(model, theirs)
    assert ours.stat().st_size < theirs.stat().st_size


def test_litert_writes_no_line_of_its_own_above_a_commands_output(tmp_path):
    script = """
import sys; sys.argv = ["keras-proxy-snn"]  # so no backend is loaded
import numpy as np
from keras_proxy_snn.export import Program, litert
from keras_proxy_snn.export.program import Dense, Flatten
dense = Dense("readout", np.float32([[0.5], [0.5]]), None, 1.0, "zero")
program = Program((Flatten("flatten"), dense), (1, 2, 1), time_steps=4)
litert.write(program, "net.tflite")
print(litert.run("net.tflite", program, np.ones((1, 1, 2, 1), "float32")))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(keras_proxy_snn.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip(), done.stderr) == ("[[4]]", "")
