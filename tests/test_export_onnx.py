"""ONNX files spike exactly like the interpreter, in ONNX Runtime and in OpenVINO."""

import json
import sys
from dataclasses import replace

import keras
import numpy as np
import onnx as onnx_library
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import version_converter
from onnx.reference import ReferenceEvaluator
from onnxruntime.transformers import float16

import keras_proxy_snn
from keras_proxy_snn.basics.checks import require
from keras_proxy_snn.export import from_model, interpreter, onnx
from keras_proxy_snn.export.converters import tf2onnx as tf2onnx_converter
from keras_proxy_snn.export.program import Conv, Dense, Flatten, Pool, Program

from . import oracle
from .programs import scores_of

pytestmark = pytest.mark.once

PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))
CONV = st.fixed_dictionaries(
    {
        "filters": st.integers(1, 4),
        "size": st.tuples(st.integers(1, 4), st.integers(1, 4)),
        "strides": PAIR,
        "dilation": st.sampled_from([(1, 1), (1, 1), (2, 2), (1, 3)]),
        "padding": st.sampled_from(["same", "valid"]),
    }
)
POOL = st.fixed_dictionaries(
    {"size": PAIR, "strides": PAIR, "padding": st.sampled_from(["same", "valid"])}
)
NETWORKS = st.fixed_dictionaries(
    {
        "maps": st.lists(CONV | POOL, max_size=4),
        "units": st.lists(st.integers(1, 6), min_size=1, max_size=3),
        "input_shape": st.tuples(st.integers(3, 8), st.integers(3, 8), st.integers(1, 3)),
        "time_steps": st.integers(1, 9),
        "seed": st.integers(0, 2**16),
        "readout": st.sampled_from(["counts", "counts", "potential"]),
    }
)


class Weights:
    """Random weights: multiples of 1/256, or integers."""

    def __init__(self, rng, number_format):
        self.rng, self.is_integer = rng, number_format != "float32"
        (self.coin,) = rng.spawn(1)

    def kernel(self, *shape):
        if self.is_integer:
            return self.rng.integers(-96, 120, shape).astype("int8")
        return oracle.dyadic(self.rng, shape, low=-96, high=120)

    def neurons(self, filters, first):
        """Bias, threshold, start and reset, each of its kinds now and then."""
        if self.is_integer:
            bias = self.rng.integers(-60, 60, filters).astype("int32")
            theta = self.rng.integers(20, 200, filters) * (255 if first else 1)
            start = theta // 2
        else:
            bias = oracle.dyadic(self.rng, filters, low=-60, high=60)
            theta = oracle.dyadic(self.rng, filters, low=20, high=200)
            start = theta / 2
        bias = bias if self.rng.random() < 0.5 else None
        if self.rng.random() < 0.5:
            theta, start = theta[0].item(), start[0].item()
        reset = str(self.rng.choice(["zero", "subtract"]))
        start = start if self.coin.random() < 0.5 else 0
        return {"bias": bias, "v_threshold": theta, "reset": reset, "v_0": start}


def random_program(
    maps,
    units,
    input_shape,
    time_steps,
    seed,
    number_format="float32",
    input_scale=1.0,
    readout="counts",
):
    weights = Weights(np.random.default_rng(seed), number_format)
    layers, shape, first = [], input_shape, True

    def append(layer):
        layers.append(layer)
        return Program(tuple(layers), input_shape, 1).shapes()[-1]

    for place, options in enumerate(maps):
        options = dict(options)
        span = [
            (k - 1) * d + 1
            for k, d in zip(options["size"], options.get("dilation", (1, 1)), strict=True)
        ]
        if span[0] > shape[0] or span[1] > shape[1]:
            options["padding"] = "same"
        if "filters" in options:
            filters = options.pop("filters")
            kernel = weights.kernel(*options.pop("size"), shape[-1], filters)
            neurons = weights.neurons(filters, first)
            shape = append(Conv(name=f"conv{place}", kernel=kernel, **neurons, **options))
            first = False
        else:
            shape = append(Pool(f"pool{place}", **options))
    (features,) = append(Flatten("flatten"))
    for place, count in enumerate(units):
        kernel = weights.kernel(features, count)
        layers.append(Dense(f"dense{place}", kernel, **weights.neurons(count, first)))
        features, first = count, False
    return Program(
        tuple(layers), input_shape, time_steps, number_format, input_scale, readout=readout
    )


def images_for(program, count, seed=0):
    shape = (count, *program.input_shape)
    return oracle.dyadic(np.random.default_rng(seed), shape, low=0, high=257)


def small_program(time_steps=7, reset="zero", number_format="float32", v_0=0, **fields):
    """3C3-P2-4C4-P2-6F-5F, all thresholds and biases of their own; `v_0` a fraction of them."""
    maps = [
        {"filters": 3, "size": (3, 3)},
        {"size": (2, 2), "strides": (2, 2)},
        {"filters": 4, "size": (4, 4)},
        {"size": (2, 2), "strides": (2, 2)},
    ]
    scale = 1.0 if number_format == "float32" else 255.0
    program = random_program(maps, [6, 5], (9, 8, 2), time_steps, 3, number_format, scale)

    def changed(layer):
        if not isinstance(layer, Conv | Dense):
            return layer
        start = np.multiply(v_0, layer.v_threshold)
        return replace(layer, reset=reset, v_0=np.trunc(start) if program.is_integer else start)

    return replace(program, layers=tuple(map(changed, program.layers)), **fields)


def probe_program(time_steps, number_format="float32"):
    """8C3-P2-16C3-P2-32F-10F on 28 x 28 x 1, one threshold, no biases."""
    kernel = Weights(np.random.default_rng(0), number_format).kernel
    layers = (
        Conv("conv1", kernel(3, 3, 1, 8), None, 1.0, "zero"),
        Pool("pool1", (2, 2), (2, 2)),
        Conv("conv2", kernel(3, 3, 8, 16), None, 1.0, "zero"),
        Pool("pool2", (2, 2), (2, 2)),
        Flatten("flatten"),
        Dense("dense1", kernel(784, 32), None, 1.0, "zero"),
        Dense("readout", kernel(32, 10), None, 1.0, "zero"),
    )
    return Program(layers, (28, 28, 1), time_steps, number_format)


def written(folder, program, **options):
    path = folder / "net.onnx"
    onnx.write(program, path, **options)
    onnx_library.checker.check_model(str(path), full_check=True)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("onnx")


@settings(max_examples=60)
@given(network=NETWORKS, chunk_steps=st.integers(1, 10))
def test_random_networks_equal_the_interpreter_in_every_form(folder, network, chunk_steps):
    program = random_program(**network)
    images = images_for(program, 5)
    expected = scores_of(program, images)
    for form in onnx.FORMS:
        options = {"chunk_steps": chunk_steps} if form == "unrolled" else {}
        path = written(folder, program, form=form, **options)
        np.testing.assert_array_equal(onnx.run(path, program, images), expected)
        np.testing.assert_array_equal(onnx.run(path, program, images[:1]), expected[:1])


@settings(max_examples=60)
@given(network=NETWORKS, scale=st.sampled_from([255.0, 127.0, 7.5]))
def test_random_integer_networks_equal_the_interpreter_in_every_form(folder, network, scale):
    program = random_program(**network, number_format="int8", input_scale=scale)
    images = np.random.default_rng(0).random((4, *program.input_shape), "float32")
    expected = scores_of(program, images)
    for form in onnx.FORMS:
        path = written(folder, program, form=form)
        np.testing.assert_array_equal(onnx.run(path, program, images), expected)


@pytest.mark.parametrize("number_format", ["float32", "int8"])
@pytest.mark.parametrize("form", onnx.FORMS)
@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("v_0", [0, 0.5])
def test_openvino_gives_the_same_counts(tmp_path, form, reset, number_format, v_0):
    program = small_program(reset=reset, number_format=number_format, v_0=v_0)
    images = images_for(program, 20)
    path = written(tmp_path, program, form=form)
    counts = onnx.run(path, program, images, runtime="openvino", threads=2)
    np.testing.assert_array_equal(counts, scores_of(program, images))
    assert len(np.unique(counts)) > 3


@pytest.mark.parametrize("number_format", ["float32", "int8"])
@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("v_0", [0, 0.5])
def test_potentials_of_the_step_are_the_interpreters(tmp_path, reset, number_format, v_0):
    program = small_program(time_steps=5, reset=reset, number_format=number_format, v_0=v_0)
    images = images_for(program, 3)
    session = onnxruntime.InferenceSession(str(written(tmp_path, program, form="step")))
    dtype = "int32" if program.is_integer else "float32"
    shapes = [(3, 9, 8), (4, 4, 4), (6,), (5,)]
    names = ["v_conv0", "v_conv2", "v_dense0", "v_dense1"]
    state = {n: np.zeros((3, *s), dtype) for n, s in zip(names, shapes, strict=True)}
    outputs = ["spikes", *(f"{name}_out" for name in names)]
    assert [item.name for item in session.get_inputs()] == ["image", *names]
    assert [item.name for item in session.get_outputs()] == outputs
    for _ in range(program.time_steps):
        spikes, *potentials = session.run(outputs, {"image": images, **state})
        assert spikes.dtype == np.float32
        assert set(np.unique(spikes)) <= {0, 1}
        state = dict(zip(names, potentials, strict=True))
    for ours, theirs in zip(potentials, interpreter.run(program, images).potentials, strict=True):
        maps_last = np.moveaxis(ours, 1, -1) if ours.ndim == 4 else ours
        np.testing.assert_array_equal(maps_last, theirs)


@pytest.mark.parametrize("chunk_steps", [1, 2, 3, 5, 10, 11, 99])
def test_chunks_never_change_a_count(tmp_path, chunk_steps):
    program = small_program(time_steps=11)
    images = images_for(program, 4)
    path = written(tmp_path, program, chunk_steps=chunk_steps)
    np.testing.assert_array_equal(onnx.run(path, program, images), scores_of(program, images))


@pytest.mark.parametrize("number_format", ["float32", "int8"])
def test_every_runtime_is_told_the_steps_of_a_loop(tmp_path, number_format):
    """An input with a default, or an empty condition, is one that some clients ignore."""
    program = small_program(time_steps=6, number_format=number_format)
    images = images_for(program, 3)
    path = written(tmp_path, program, form="loop")
    model = onnx_library.load(path)
    inputs = {item.name for item in model.graph.input}
    assert inputs == {"image", "time_steps"}
    assert not inputs & {item.name for item in model.graph.initializer}
    (loop,) = (node for node in model.graph.node if node.op_type == "Loop")
    assert all(loop.input)
    (own,) = (entry.value for entry in model.metadata_props if entry.key == "time_steps")
    assert own == "6"
    reference = ReferenceEvaluator(model)
    for steps in (1, 3, 6, 20):
        longer = program.with_time_steps(steps)
        expected = scores_of(longer, images)
        for runtime in ("onnxruntime", "openvino"):
            counts = onnx.run(path, longer, images, runtime=runtime)
            np.testing.assert_array_equal(counts, expected)
        feeds = {"image": images, "time_steps": np.asarray(steps, "int64")}
        np.testing.assert_array_equal(reference.run(["spike_counts"], feeds)[0], expected)


def test_thresholds_are_hit_exactly(tmp_path):
    """Currents of a half and a quarter against a threshold of one: fires at 2 and at 4."""
    kernel = np.float32([[0.5, 0.25, -0.5]])
    program = Program(
        (Flatten("flatten"), Dense("readout", kernel, None, 1.0, "zero")), (1, 1, 1), time_steps=8
    )
    path = written(tmp_path, program)
    assert onnx.run(path, program, np.ones((1, 1, 1, 1))).tolist() == [[4, 2, 0]]


@pytest.mark.parametrize("form", onnx.FORMS)
@pytest.mark.parametrize("number_format", ["float32", "int8"])
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_readout_by_potential_is_exact(tmp_path, form, number_format, runtime):
    settings = {"reset": "subtract", "v_0": 0.5, "readout": "potential"}
    program = small_program(number_format=number_format, **settings)
    images = images_for(program, 5)
    path = written(tmp_path, program, form=form)
    scores = onnx.run(path, program, images, runtime=runtime)
    counts = interpreter.run(program, images).spike_counts
    assert scores.dtype == np.float64
    assert (scores != counts).any()
    np.testing.assert_array_equal(scores, scores_of(program, images))
    if form != "step":
        session = onnxruntime.InferenceSession(str(path))
        names = [output.name for output in session.get_outputs()]
        assert names == ["spike_counts", "v_dense1_out"]
        feeds = {"image": images}
        if form == "loop":
            feeds["time_steps"] = np.asarray(program.time_steps, "int64")
        np.testing.assert_array_equal(session.run(names[:1], feeds)[0], counts)
        assert session.get_modelmeta().custom_metadata_map["readout"] == "potential"


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_a_start_at_half_the_threshold(tmp_path, reset):
    """Currents of 1/4 and -1/4 of the threshold 1: the first reaches the level at step 2."""
    dense = Dense("readout", np.float32([[0.25, 0.5, -0.25]]), None, 1.0, reset, v_0=0.5)
    program = Program((Flatten("flatten"), dense), (1, 1, 1), time_steps=10)
    expected = [[3, 5, 0]]  # steps 2, 6, 10; every second; never
    assert scores_of(program, np.ones((1, 1, 1, 1))).tolist() == expected
    for form in onnx.FORMS:
        path = written(tmp_path, program, form=form)
        assert onnx.run(path, program, np.ones((1, 1, 1, 1))).tolist() == expected
    model = onnx_library.load(written(tmp_path, program.with_time_steps(1)))
    used = {name for node in model.graph.node for name in node.input}
    assert {item.name for item in model.graph.initializer} <= used


def test_the_first_current_is_computed_once(tmp_path):
    program = small_program(time_steps=9)
    for form in ("unrolled", "loop"):
        graph = onnx_library.load(written(tmp_path, program, form=form)).graph
        assert [node.op_type for node in graph.node].count("Transpose") == 1
        assert sum("conv0/kernel" in node.input for node in graph.node) == 1


def test_names_in_a_loops_body_shadow_nothing(tmp_path):
    graph = onnx_library.load(written(tmp_path, small_program(), form="loop")).graph
    (loop,) = (node for node in graph.node if node.op_type == "Loop")
    (body,) = (attribute.g for attribute in loop.attribute)
    outer = {item.name for item in [*graph.initializer, *graph.input]}
    outer |= {name for node in graph.node for name in node.output}
    inner = [item.name for item in body.input]
    inner += [name for node in body.node for name in node.output]
    assert len(set(inner)) == len(inner)
    assert not outer.intersection(inner)


def test_sizes_hardly_grow_with_time(tmp_path):
    """Weights are stored once: 104 KiB of float32 here, 26 KiB of int8; names take the rest."""
    sizes = {}
    for number_format in ("float32", "int8"):
        for steps in (10, 50):
            path = written(tmp_path, probe_program(steps, number_format=number_format))
            sizes[number_format, steps] = path.stat().st_size
    weights = 26_632
    layers = 4
    assert 4 * weights < sizes["float32", 10] < 4 * weights + 16_000
    for number_format in ("float32", "int8"):
        growth = sizes[number_format, 50] - sizes[number_format, 10]
        assert growth < 40 * layers * 350
    for form in ("step", "loop"):
        path = written(tmp_path, probe_program(50), form=form)
        assert path.stat().st_size < 4 * weights + 6_000


def test_node_counts(tmp_path):
    def nodes(steps, **options):
        return onnx.node_count(written(tmp_path, probe_program(steps), **options))

    assert nodes(10) == 174
    assert nodes(50) == 814
    assert nodes(50, chunk_steps=1) > nodes(50, chunk_steps=10) > nodes(50, chunk_steps=50)
    assert nodes(50, form="step") == nodes(10, form="step") == 37
    assert nodes(50, form="loop") == nodes(10, form="loop") == 46


def test_names_say_layer_role_and_step(tmp_path):
    step, unrolled = (
        onnx_library.load(written(tmp_path, small_program(), form=form)).graph
        for form in ("step", "unrolled")
    )
    one_step = {"current", "charged", "silent", "kept", "v", "fired", "spikes"}
    all_steps = one_step | {"currents", "all_silent"}
    for graph, expected in ((step, one_step), (unrolled, all_steps)):
        names = [name for node in graph.node for name in node.output]
        assert {n.split("/")[1] for n in names if n.startswith("conv2/")} == expected
        assert [node.name for node in graph.node] == [node.output[0] for node in graph.node]
    names = {name for node in unrolled.node for name in node.output}
    assert {"conv2/v", "conv2/v/2", "conv2/v/6", "conv2/current/7", "pool1/spikes"} < names
    assert "conv2/v/7" not in names  # the potentials after the last step are not needed
    stored = {item.name for item in unrolled.initializer}
    assert {"conv2/kernel", "conv2/firing_level", "dense0/kernel"} < stored


@pytest.mark.parametrize("form", onnx.FORMS)
@pytest.mark.parametrize(("number_format", "reset"), [("float32", "zero"), ("int8", "subtract")])
def test_files_are_of_opset_15_and_convert_to_later_ones(tmp_path, form, number_format, reset):
    program = small_program(number_format=number_format, reset=reset)
    images = images_for(program, 3)
    model = onnx_library.load(written(tmp_path, program, form=form))
    assert [entry.version for entry in model.opset_import] == [15]
    for opset in (16, 18, 21, 24):
        converted = version_converter.convert_version(model, opset)
        onnx_library.save(converted, tmp_path / "converted.onnx")
        counts = onnx.run(tmp_path / "converted.onnx", program, images)
        np.testing.assert_array_equal(counts, scores_of(program, images))


def eighths_program():
    """4C3-5F on 4 x 4 x 1 with weights so short that half precision is exact."""
    rng = np.random.default_rng(4)
    shapes = (3, 3, 1, 4), (64, 5)
    kernels = [rng.integers(-6, 9, shape).astype("float32") / 8 for shape in shapes]
    layers = Conv("conv", kernels[0], None, 1.0, "zero"), Flatten("flatten")
    return Program((*layers, Dense("readout", kernels[1], None, 2.0, "zero")), (4, 4, 1), 6)


@pytest.mark.parametrize("form", ["unrolled", "loop"])
def test_half_precision_by_the_converter_of_onnx_runtime(tmp_path, form):
    program = eighths_program()
    images = np.random.default_rng(1).integers(0, 2, (5, 4, 4, 1)).astype("float16")
    model = onnx_library.load(written(tmp_path, program, form=form))
    halves = float16.convert_float_to_float16(model, keep_io_types=False)
    onnx_library.checker.check_model(halves, full_check=True)
    session = onnxruntime.InferenceSession(halves.SerializeToString())
    steps = {"time_steps": np.array(6)} if form == "loop" else {}
    (counts,) = session.run(None, {"image": images, **steps})
    expected = scores_of(program, images.astype("float32"))
    assert counts.dtype == np.float16
    assert len(np.unique(expected)) > 2
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("form", onnx.FORMS)
def test_no_cast_of_a_float_file_reads_a_float(tmp_path, form):
    """Some converters skip `Cast`. They put another `Cast` before it each time, and never end."""
    graph = onnx_library.load(written(tmp_path, small_program(), form=form)).graph
    bodies = [a.g for node in graph.node for a in node.attribute if a.HasField("g")]
    nodes = [node for part in (graph, *bodies) for node in part.node]
    makers = {name: node.op_type for node in nodes for name in node.output}
    read = {makers[node.input[0]] for node in nodes if node.op_type == "Cast"}
    assert read == {"Less", "Not"}


def test_metadata_and_names(tmp_path):
    facts = {"spec": "3C3-P2-4C4-P2-6F-5F", "accuracy": 0.875, "keras_proxy_snn": "0.0.0"}
    program = small_program(number_format="int8", v_0=0.5, metadata=facts)
    model = onnx_library.load(written(tmp_path, program))
    metadata = {item.key: item.value for item in model.metadata_props}
    assert metadata["spec"] == "3C3-P2-4C4-P2-6F-5F"
    assert metadata["accuracy"] == "0.875"
    assert metadata["time_steps"] == "7"
    assert metadata["form"] == "unrolled"
    assert metadata["number_format"] == "int8"
    assert metadata["input"] == "float32 image, pixels from 0 to 1"
    assert "input_scale" not in metadata  # the graph scales
    assert metadata["keras_proxy_snn"] == model.producer_version == keras_proxy_snn.__version__
    assert json.loads(metadata["reset"]) == {layer.name: "zero" for layer in program.neurons}
    assert metadata["readout"] == "counts"
    thresholds, starts = json.loads(metadata["v_threshold"]), json.loads(metadata["v_0"])
    for layer in program.neurons:
        np.testing.assert_array_equal(thresholds[layer.name], layer.v_threshold)
        np.testing.assert_array_equal(starts[layer.name], layer.v_0)
    (image,), (counts,) = model.graph.input, model.graph.output
    assert image.name == "image"
    assert counts.name == "spike_counts"
    dims = [dim.dim_param or dim.dim_value for dim in image.type.tensor_type.shape.dim]
    assert dims == ["batch", 9, 8, 2]
    assert [op.domain for op in model.opset_import] == [""]


def test_first_integer_current_at_its_extremes(tmp_path):
    """Products of 255 and -128 or 127, whose pairs leave int16."""
    kernel = np.full((64, 2), 127, "int8")
    kernel[:, 1] = -128
    theta = 64 * 255 * 127
    layers = (Flatten("flatten"), Dense("readout", kernel, None, theta, "zero"))
    program = Program(layers, (8, 8, 1), 3, "int8", 255.0)
    step = onnxruntime.InferenceSession(str(written(tmp_path, program, form="step")))
    feeds = {"image": np.ones((1, 8, 8, 1), "float32"), "v_readout": np.zeros((1, 2), "int32")}
    spikes, potentials = step.run(None, feeds)
    assert spikes.tolist() == [[1, 0]]
    assert potentials.tolist() == [[0, -64 * 255 * 128]]


def test_random_float_weights_differ_in_few_counts(tmp_path):
    """Sums in another order may move a spike by a step."""
    rng = np.random.default_rng(0)
    program = probe_program(20)
    layers = tuple(
        replace(layer, kernel=rng.normal(0.02, 0.2, layer.kernel.shape).astype("float32"))
        if isinstance(layer, Conv | Dense)
        else layer
        for layer in program.layers
    )
    program = replace(program, layers=layers)
    images = rng.random((60, 28, 28, 1), "float32")
    counts = onnx.run(written(tmp_path, program), program, images)
    expected = scores_of(program, images)
    assert len(np.unique(expected)) > 5
    assert (counts != expected).mean() <= 0.01


def trained_like_model():
    model = keras_proxy_snn.build(
        "4C3-P2-6C3-8F-5F", input_shape=(10, 9, 2), time_steps=6, v_threshold=0.5, use_bias=True
    )
    rng = np.random.default_rng(5)
    model.set_weights([oracle.dyadic(rng, w.shape) for w in model.get_weights()])
    return model


@pytest.mark.each_backend
@pytest.mark.parametrize("form", onnx.FORMS)
def test_a_keras_model_and_its_file_give_the_same_counts(tmp_path, form):
    model = trained_like_model()
    program = from_model(model)
    images = images_for(program, 6)
    counts = onnx.run(written(tmp_path, program, form=form), program, images)
    np.testing.assert_array_equal(counts, model.predict(images, verbose=0))
    assert counts.max() > 1


@pytest.mark.each_backend
@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="tf2onnx is TensorFlow's")
@pytest.mark.parametrize("form", tf2onnx_converter.FORMS)
@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ("4C3-P2-6C3-8F-5F", {}),
        ("6F-5F", {"v_0": 0.5}),
        ("4C3-P2-8F-5F", {"v_0": 0.5, "reset": "subtract", "readout": "potential"}),
    ],
)
def test_tf2onnx_gives_the_same_counts(tmp_path, form, spec, fields):
    fields = {"time_steps": 6, "v_threshold": 0.5, **fields}
    model = keras_proxy_snn.build(spec, input_shape=(10, 9, 2), **fields)
    rng = np.random.default_rng(5)
    model.set_weights([oracle.dyadic(rng, w.shape) for w in model.get_weights()])
    program = from_model(model)
    images = images_for(program, 6)
    tf2onnx_converter.write(model, tmp_path / "theirs.onnx", form=form)
    session = onnxruntime.InferenceSession(str(tmp_path / "theirs.onnx"))
    facts = session.get_modelmeta().custom_metadata_map
    assert facts.pop("seal").startswith("keras_proxy_snn sha256 ")
    assert facts == onnx.metadata(program, form)
    ours = onnx_library.load(written(tmp_path, program, form=form)).graph
    assert [item.name for item in session.get_inputs()] == [item.name for item in ours.input]
    outputs = [item.name for item in session.get_outputs()]
    assert sorted(outputs) == sorted(item.name for item in ours.output)
    if form == "unrolled":
        results = dict(zip(outputs, session.run(outputs, {"image": images}), strict=True))
        counts = results["spike_counts"]
        assert (tmp_path / "net.onnx").stat().st_size < (tmp_path / "theirs.onnx").stat().st_size
    else:
        pairs = zip(program.neurons, program.state_shapes(), strict=True)
        state = {f"v_{layer.name}": np.zeros((6, *shape), "float32") for layer, shape in pairs}
        counts = 0
        for _ in range(program.time_steps):
            results = session.run(outputs, {"image": images, **state})
            results = dict(zip(outputs, results, strict=True))
            counts = counts + results["spikes"]
            state = {name: results[f"{name}_out"] for name in state}
    scores = program.scores(counts, results.get(f"{program.readout_state}_out"))
    np.testing.assert_array_equal(scores, onnx.run(tmp_path / "net.onnx", program, images))


@pytest.mark.each_backend
def test_tf2onnx_refuses_other_forms_and_backends(tmp_path):
    model = trained_like_model()
    with pytest.raises(ValueError, match=r"`form` must be one of .*'loop'"):
        tf2onnx_converter.write(model, tmp_path / "net.onnx", form="loop")
    if keras.config.backend() != "tensorflow":
        with pytest.raises(ValueError, match="backend must be 'tensorflow'"):
            tf2onnx_converter.write(model, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("form", onnx.FORMS)
def test_latency_is_measured(tmp_path, form, runtime):
    program = small_program()
    path = written(tmp_path, program, form=form)
    assert 0 < onnx.latency(path, program, repeats=3, threads=2, runtime=runtime) < 1


def dense_program(**fields):
    kernel = fields.pop("kernel", np.ones((4, 2), "int8"))
    theta = fields.pop("v_threshold", 3)
    layers = (Flatten("flatten"), Dense("readout", kernel, None, theta, "zero"))
    settings = {"time_steps": 4, "number_format": "int8", "input_scale": 255.0, **fields}
    return Program(layers, (2, 2, 1), **settings)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"input_scale": 256.0}, "at most 255. Received: 256.0"),
        ({"input_scale": 0.0}, "must be above 0"),
        ({"kernel": np.ones((4, 2), "int16")}, "must be int8. Received: int16 in layer 'readout'"),
        ({"v_threshold": 2**31}, "can reach 2147487728 in 4 steps"),
        ({"time_steps": 2**20, "kernel": np.full((4, 2), 3, "int8")}, "must fit int32"),
        ({"number_format": "int4"}, "must be one of .* Received: 'int4'"),
    ],
)
def test_what_cannot_be_expressed_is_refused(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        onnx.write(dense_program(**fields), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_openvino_sends_no_telemetry(tmp_path):
    program = dense_program()
    images = np.ones((1, 2, 2, 1))
    onnx.run(written(tmp_path, program), program, images, runtime="openvino")
    assert not hasattr(sys.modules["openvino_telemetry"], "Telemetry")


def renamed(program, *names):
    """The program with other names of its layers of neurons."""
    new = dict(zip((layer.name for layer in program.neurons), names, strict=True))
    layers = (replace(x, name=new.get(x.name, x.name)) for x in program.layers)
    return replace(program, layers=tuple(layers))


def test_layers_can_have_the_names_of_inputs_and_outputs(tmp_path):
    program = renamed(small_program(), "loop", "image", "spike_counts", "spikes")
    images = images_for(program, 2)
    for form in onnx.FORMS:
        path = written(tmp_path, program, form=form)
        np.testing.assert_array_equal(onnx.run(path, program, images), scores_of(program, images))
    program = renamed(program, "a", "b", "a_out", "c")
    for form in ("unrolled", "loop"):
        written(tmp_path, program, form=form)
    with pytest.raises(ValueError, match=r"rename a layer, .*Received: layers 'a' and 'a_out'"):
        written(tmp_path, program, form="step")


def test_wrong_arguments_are_refused(tmp_path):
    program = dense_program()
    with pytest.raises(ValueError, match=r"`form` must be one of .* Received: 'scan'"):
        onnx.write(program, tmp_path / "net.onnx", form="scan")
    for chunk_steps in (0, 2.5, True):
        with pytest.raises(ValueError, match="`chunk_steps` must be a positive integer"):
            onnx.write(program, tmp_path / "net.onnx", chunk_steps=chunk_steps)
    path = written(tmp_path, program)
    image = np.ones((1, 2, 2, 1))
    with pytest.raises(ValueError, match=r"`runtime` must be one of .* Received: 'tensorrt'"):
        onnx.run(path, program, image, runtime="tensorrt")
    with pytest.raises(ValueError, match="shape"):
        onnx.run(path, program, image[..., 0])
    with pytest.raises(ValueError, match="`repeats` must be a positive integer"):
        onnx.latency(path, program, repeats=0)
    with pytest.raises(ImportError, match=r'pip install "keras-proxy-snn\[export\]"'):
        require("a_library_that_does_not_exist")


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_file_is_not_run_for_another_number_of_steps(tmp_path, runtime):
    program = small_program(time_steps=4)
    images = images_for(program, 2)
    longer = program.with_time_steps(5)
    path = written(tmp_path, program)
    with pytest.raises(ValueError, match=f"In {runtime} this file always runs 4 steps"):
        onnx.run(path, longer, images, runtime=runtime)
    step = written(tmp_path, program, form="step")
    counts = onnx.run(step, longer, images, runtime=runtime)
    np.testing.assert_array_equal(counts, scores_of(longer, images))
