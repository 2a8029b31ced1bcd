"""NIR files: exact round trips, and the same counts in NumPy, nirtorch and SpikingJelly."""

import sys
from dataclasses import replace
from itertools import pairwise

import keras
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import keras_proxy_snn as kps
from keras_proxy_snn.export import from_model, interpreter, litert, load, onnx
from keras_proxy_snn.export import nir as exporter
from keras_proxy_snn.export.frontend import nir_model
from keras_proxy_snn.export.nir.graph_file import chain
from keras_proxy_snn.export.program import Conv, Dense, Flatten, Pool, Program
from keras_proxy_snn.verification import nir_peers

from .oracle import dyadic

pytestmark = pytest.mark.once

nir = pytest.importorskip("nir", reason='pip install "keras-proxy-snn[export]"')

THETAS = (0.25, 0.5, 1.0, 2.0)


def random_conv(rng, name, channels, filters=3, size=(3, 3), per_filter=False, **window):
    kernel = dyadic(rng, (*size, channels, filters))
    theta = rng.choice(THETAS, filters).astype("float32") if per_filter else 0.5
    return Conv(name, kernel, dyadic(rng, filters), theta, "zero", **window)


def random_dense(rng, name, features, units, bias=True, theta=0.5):
    bias = dyadic(rng, units) if bias else None
    return Dense(name, dyadic(rng, (features, units)), bias, theta, "zero")


def started(program, fraction):
    """The program with neurons that start at a fraction of their threshold."""
    layers = [
        replace(layer, v_0=np.multiply(fraction, layer.v_threshold))
        if isinstance(layer, Conv | Dense)
        else layer
        for layer in program.layers
    ]
    return replace(program, layers=tuple(layers))


def full_program(rng, per_filter=True):
    """Every kind of layer, on images of three channels that are not square."""
    convs = [
        random_conv(rng, "conv1", 3, 4, strides=(2, 2)),
        random_conv(rng, "conv2", 4, 5, padding="valid", per_filter=per_filter),
        random_conv(rng, "conv3", 5, 3, dilation=(2, 2)),
    ]
    head = [convs[0], Pool("pool1", (2, 2), (1, 2)), convs[1]]
    body = [Pool("pool2", (3, 3), (1, 1), "same"), convs[2], Flatten("flatten")]
    features = Program((*head, *body), (14, 18, 3), 1).shapes()[-1][0]
    tail = [random_dense(rng, "dense1", features, 6, bias=False)]
    tail.append(random_dense(rng, "readout", 6, 4, theta=0.25))
    facts = {"spec": "4C3-...-4F", "accuracy": 0.5, "list": [1, None]}
    return Program((*head, *body, *tail), (14, 18, 3), 7, metadata=facts)


@st.composite
def programs(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    input_shape = draw(st.tuples(st.integers(3, 9), st.integers(3, 9), st.integers(1, 3)))
    layers, shape = [], input_shape
    for index in range(draw(st.integers(0, 3))):
        size = draw(st.integers(1, min(4, *shape[:2])))
        stride = draw(st.integers(1, 2))
        padding = draw(st.sampled_from(["same", "valid"]))
        if layers and draw(st.booleans()):
            layer = Pool(f"pool{index}", (size, size), (stride, stride), padding)
        else:
            dilation = 1 if stride > 1 or padding == "valid" else draw(st.integers(1, 3))
            window = {"strides": (stride, stride), "dilation": (dilation, dilation)}
            filters, per_filter = draw(st.integers(1, 4)), draw(st.booleans())
            layer = random_conv(
                rng, f"conv{index}", shape[-1], filters, (size, size), per_filter, padding=padding,
                **window,
            )  # fmt: skip
            layer = replace(layer, bias=draw(st.sampled_from([None, layer.bias])))
        layers.append(layer)
        shape = Program(tuple(layers), input_shape, 1).shapes()[-1]
    layers.append(Flatten("flatten"))
    features = int(np.prod(shape))
    for name in draw(st.sampled_from([["readout"], ["dense1", "readout"]])):
        units = draw(st.integers(1, 5))
        layers.append(random_dense(rng, name, features, units, draw(st.booleans())))
        features = units
    scale = draw(st.sampled_from([1.0, 0.5]))
    program = Program(tuple(layers), input_shape, draw(st.integers(1, 8)), input_scale=scale)
    return started(program, draw(st.sampled_from([0.0, 0.25, 0.5])))


def images_of(program, rng, batch=3):
    return dyadic(rng, (batch, *program.input_shape), low=0, high=257)


def assert_same(one, other):
    """Programs equal in every bit; thresholds as float32; a bias of zeros is none."""
    for key in ("input_shape", "time_steps", "number_format", "input_scale", "metadata", "readout"):
        assert getattr(one, key) == getattr(other, key)
    for layer, twin in zip(one.layers, other.layers, strict=True):
        assert type(layer) is type(twin)
        for key, value in vars(layer).items():
            found = getattr(twin, key)
            if key == "bias" and found is None:
                assert value is None or not value.any()
            elif key in ("v_threshold", "v_0"):
                each = np.broadcast_to(found, np.shape(value))
                np.testing.assert_array_equal(np.asarray(value, "float32"), each)
            elif isinstance(value, np.ndarray):
                assert value.dtype == found.dtype
                np.testing.assert_array_equal(value, found)
            else:
                assert value == found


def written(program, tmp_path, **options):
    path = tmp_path / "net.nir"
    exporter.write(program, path, **options)
    return path


@settings(max_examples=40)
@given(program=programs(), pooling=st.sampled_from(exporter.POOLINGS), seed=st.integers(0, 99))
@example(full_program(np.random.default_rng(0)), "sum", 0)
@example(full_program(np.random.default_rng(1)), "average", 0)
def test_random_programs_survive_and_spike_alike(tmp_path_factory, program, pooling, seed):
    path = tmp_path_factory.mktemp("nir") / "net.nir"
    try:
        exporter.write(program, path, pooling=pooling)
    except ValueError as error:
        # Maps whose sides need padding of different parity, or pooling that needs it uneven.
        assert "pads both sides of an axis equally" in str(error)  # noqa: PT017
        assert any(getattr(layer, "padding", "") == "same" for layer in program.layers)
        assert not path.exists()
        return
    back = exporter.read(path)
    assert_same(program, back)
    x = images_of(program, np.random.default_rng(seed))
    expected = interpreter.run(program, x).spike_counts
    np.testing.assert_array_equal(exporter.run(path, program, x), expected)
    np.testing.assert_array_equal(interpreter.run(back, x).spike_counts, expected)


def test_the_full_program_spikes(rng, tmp_path):
    program = full_program(rng)
    counts = exporter.run(written(program, tmp_path), program, images_of(program, rng, 8))
    assert counts.shape == (8, 4)
    assert np.issubdtype(counts.dtype, np.integer)
    assert 0 < counts.mean() < program.time_steps


def test_a_potential_at_the_threshold_fires(rng, tmp_path):
    """Weights and pixels from few values, so that v equals the threshold all the time."""
    program = full_program(rng)
    layers = [
        replace(layer, kernel=rng.integers(-1, 3, layer.kernel.shape).astype("float32") / 8)
        if isinstance(layer, Conv | Dense)
        else layer
        for layer in program.layers
    ]
    program = replace(program, layers=tuple(layers))
    x = rng.integers(0, 3, (4, *program.input_shape)).astype("float32") / 2
    expected = interpreter.run(program, x).spike_counts
    path = written(program, tmp_path)
    np.testing.assert_array_equal(exporter.run(path, program, x), expected)

    graph = nir.read(path)
    for node in graph.nodes.values():
        if isinstance(node, nir.IF):
            node.v_threshold = np.nextafter(node.v_threshold, np.float32(np.inf))
    nir.write(path, graph)  # NIR's strict comparison at the very threshold
    assert (exporter.run(path, program, x) != expected).any()


@given(theta=st.floats(2.0**-60, 2.0**60), fraction=st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.99]))
def test_thresholds_and_starts_come_back_as_the_same_float32(tmp_path_factory, theta, fraction):
    kernel = np.ones((1, 1), "float32")
    dense = Dense("readout", kernel, None, theta, "zero", fraction * theta)
    path = tmp_path_factory.mktemp("nir") / "net.nir"
    exporter.write(Program((Flatten("flatten"), dense), (1, 1, 1), 1), path)
    back, node = exporter.read(path).layers[-1], nir.read(path).nodes["readout_if"]
    assert back.v_0 == np.float32(fraction * theta) == -node.v_reset[0]
    assert back.firing_level == dense.firing_level == np.float32(theta - fraction * theta)
    assert node.v_threshold[0] == np.nextafter(dense.firing_level, np.float32(0))
    # The threshold itself follows from these two; with a start it may be a rounding off.
    assert back.v_threshold == pytest.approx(np.float32(theta), rel=2e-7 if fraction else 0)


def test_neurons_count_alike_from_a_third_of_the_threshold(rng, tmp_path):
    """Potentials are then no multiples of 1/256, but each is a sum of the same two floats."""
    program = started(full_program(rng), 1 / 3)
    x = images_of(program, rng, 8)
    path = written(program, tmp_path)
    expected = interpreter.run(program, x).spike_counts
    assert (expected != interpreter.run(started(program, 0), x).spike_counts).any()
    np.testing.assert_array_equal(exporter.run(path, program, x), expected)
    np.testing.assert_array_equal(interpreter.run(exporter.read(path), x).spike_counts, expected)


def test_nodes_are_what_nir_defines(rng, tmp_path):
    program = full_program(rng)
    graph = nir.read(written(program, tmp_path))
    names = [name for name, _ in chain(graph)]
    assert names[:6] == ["input", "conv1", "conv1_if", "pool1", "pool1_if", "conv2"]
    assert names[-5:] == ["dense1", "dense1_if", "readout", "readout_if", "output"]
    assert exporter.node_count(tmp_path / "net.nir") == len(names) == 17
    nodes = graph.nodes
    np.testing.assert_array_equal(nodes["input"].input_type["input"], (3, 14, 18))
    # Padding of (0, 1) on even sides, with strides: the kernel starts with zeros instead.
    assert nodes["conv1"].weight.shape == (4, 3, 4, 4)
    assert not nodes["conv1"].weight[:, :, 0].any()
    assert tuple(nodes["conv1"].padding) == (1, 1)
    np.testing.assert_array_equal(nodes["conv1"].output_type["output"], (4, 7, 9))
    np.testing.assert_array_equal(
        nodes["conv2"].weight, program.layers[2].kernel.transpose(3, 2, 0, 1)
    )
    threshold = nodes["conv2_if"].v_threshold
    theta = program.layers[2].v_threshold
    np.testing.assert_array_equal(threshold[:, 1, 1], np.nextafter(theta, np.float32(0)))
    assert (nodes["pool1_if"].v_threshold == 0.5).all()
    for node in nodes.values():
        if isinstance(node, nir.IF):
            assert (node.r == 1).all()
            assert not node.v_reset.any()
            assert node.v_threshold.dtype == "float32"
    # Pixel (row 1, column 2) of map 1 is one row of the program's kernel, one column of NIR's.
    _, rows, columns = nodes["flatten"].input_type["input"]
    place = 1 * rows * columns + 1 * columns + 2
    row = program.layers[6].kernel[(1 * columns + 2) * 3 + 1]
    np.testing.assert_array_equal(nodes["dense1"].weight[:, place], row)
    assert isinstance(nodes["dense1"], nir.Linear)
    assert isinstance(nodes["readout"], nir.Affine)
    assert graph.metadata["time_steps"] == 7


def test_number_of_steps(rng, tmp_path):
    path = written(full_program(rng), tmp_path)
    assert exporter.read(path).time_steps == 7
    assert exporter.read(path, time_steps=30).time_steps == 30
    with pytest.raises(ValueError, match=r"must be a positive integer. Received: 0"):
        exporter.read(path, time_steps=0)
    graph = nir.read(path)
    graph.metadata = {}
    nir.write(path, graph)
    with pytest.raises(ValueError, match="pass `time_steps`"):
        exporter.read(path)
    foreign = exporter.read(path, time_steps=7)
    assert foreign.metadata == {}
    assert_same(replace(full_program(np.random.default_rng(0)), metadata={}), foreign)


def test_graphs_without_notes_of_this_package(rng, tmp_path):
    """Without metadata on nodes the same network is read, its kernels with leading zeros."""
    program = full_program(rng)
    path = written(program, tmp_path)
    graph = nir.read(path)
    for node in graph.nodes.values():
        node.metadata = {}
    nir.write(path, graph)
    back = exporter.read(path)
    assert back.layers[0].kernel.shape == (4, 4, 3, 4)
    assert back.layers[0].padding == "same"
    x = images_of(program, rng)
    counts = [interpreter.run(p, x).spike_counts for p in (program, back)]
    np.testing.assert_array_equal(*counts)


def integer_program(rng, time_steps=20, largest=127):
    def whole(shape):
        return rng.integers(-largest // 2, largest + 1, shape).astype("int8")

    layers = (
        Conv("conv1", whole((3, 3, 2, 4)), rng.integers(-9, 9, 4, "int32"), 900, "zero"),
        Pool("pool1", (2, 2), (2, 2)),
        Flatten("flatten"),
        Dense("readout", whole((36, 5)), None, np.array([90, 100, 110, 120, 130]), "zero", 40),
    )
    return Program(layers, (6, 6, 2), time_steps, "int8", input_scale=15.0)


def test_integer_programs_are_written_as_whole_floats(rng, tmp_path):
    program = integer_program(rng)
    path = written(program, tmp_path)
    back = exporter.read(path)
    assert_same(program, back)
    assert back.layers[0].v_threshold == 900
    assert back.layers[0].v_0 == 0
    assert (back.layers[-1].v_0, back.layers[-1].v_threshold.dtype) == (40, "int32")
    x = rng.random((5, *program.input_shape))
    expected = interpreter.run(program, x).spike_counts
    assert expected.any()
    np.testing.assert_array_equal(exporter.run(path, program, x), expected)
    np.testing.assert_array_equal(interpreter.run(back, x).spike_counts, expected)
    with pytest.raises(ValueError, match=r"can reach \d+ in 100000 steps"):
        exporter.write(integer_program(rng, time_steps=100_000), tmp_path / "other.nir")
    graph = nir.read(path)
    graph.nodes["conv1"].weight = graph.nodes["conv1"].weight + np.float32(0.5)
    nir.write(path, graph)
    with pytest.raises(ValueError, match=r"whole numbers.* kernel of 'conv1'"):
        exporter.read(path)


def test_random_float_weights(rng, tmp_path):
    """No exactness is promised; the order of summation decides about one spike in thousands."""
    layers = [
        replace(layer, kernel=rng.normal(0.02, 0.2, layer.kernel.shape).astype("float32"))
        if isinstance(layer, Conv | Dense)
        else layer
        for layer in full_program(rng).layers
    ]
    program = replace(full_program(rng), layers=tuple(layers), time_steps=20)
    x = rng.random((32, *program.input_shape)).astype("float32")
    expected = interpreter.run(program, x).spike_counts
    counts = exporter.run(written(program, tmp_path), program, x)
    assert expected.any()
    assert (counts != expected).mean() < 0.02


def refused_programs():
    rng = np.random.default_rng(0)
    net = full_program(rng)
    first, pool = net.layers[:2]

    def changed(**changes):
        return replace(net, layers=(replace(first, **changes), *net.layers[1:]))

    uneven = replace(pool, size=(2, 2), strides=(2, 2), padding="same")
    return [
        (changed(reset="subtract"), "must be 'zero'.* 'conv1' with reset 'subtract'"),
        (replace(net, readout="potential"), "only spikes.* or .*readout='potential'"),
        (changed(kernel=dyadic(rng, (3, 2, 3, 4))), r"square kernels .* 'conv1' .* \(3, 2\)"),
        (changed(dilation=(2, 2), kernel=dyadic(rng, (2, 2, 3, 4))), "'conv1' with strides and di"),
        (changed(name="output"), "unique .* Received: 'output'"),
        (changed(name="a/b"), "without '/'.* Received: 'a/b'"),
        (changed(name="pool1_if"), "unique .* Received: 'pool1_if'"),
        (replace(net, layers=(pool, *net.layers)), "pooling 'pool1' of the image"),
        (replace(net, layers=(first, uneven, *net.layers[2:])), r"'pool1', .* \(0, 0\) before"),
    ]


@pytest.mark.parametrize(("program", "message"), refused_programs())
def test_what_nir_cannot_express_is_refused(tmp_path, program, message):
    with pytest.raises(ValueError, match=message):
        written(program, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nir_knows_square_kernels_alone():
    """The reason for refusing others: once it fails here, they can be written."""
    one = np.ones((1, 1, 3, 2), "float32")
    conv = nir.Conv2d((5, 5), one, (1, 1), (0, 0), (1, 1), 1, np.zeros(1, "float32"))
    np.testing.assert_array_equal(conv.output_type["output"], (1, 3, 3))  # (1, 3, 4) is right


@pytest.mark.parametrize("options", [{"form": "unrolled"}, {"pooling": "max"}])
def test_unknown_options(rng, tmp_path, options):
    with pytest.raises(ValueError, match=r"must be one of .* Received: '(unrolled|max)'"):
        exporter.write(full_program(rng), tmp_path / "net.nir", **options)


def spiking(*shape, theta=1.0, r=1.0, v_reset=0.0):
    values = [np.full(shape, value, "float32") for value in (r, theta, v_reset)]
    return nir.IF(r=values[0], v_threshold=values[1], v_reset=values[2])


def conv(size=3, channels=2, padding=(1, 1), groups=1):
    weight = np.ones((4, channels, size, size), "float32")
    return nir.Conv2d((4, 4), weight, (1, 1), padding, (1, 1), groups, np.ones(4, "float32"))


def linear(units, features):
    return nir.Linear(np.ones((units, features), "float32"))


def pool(kind=nir.SumPool2d, size=2):
    return kind(np.array([size, size]), np.array([size, size]), np.array([0, 0]))


def foreign(path, changes=(), edges=(), metadata=()):
    """A graph that another tool could have written; a change to `None` drops a node."""
    nodes = {
        "input": nir.Input({"input": np.array([2, 4, 4])}),
        "scale": None,
        "conv": conv(),
        "if1": spiking(4, 4, 4),
        "pool": pool(),
        "or": spiking(4, 2, 2, theta=0.5),
        "flat": nir.Flatten({"input": np.array([4, 2, 2])}, 0, -1),
        "linear": linear(3, 16),
        "if2": spiking(3),
        "output": nir.Output({"output": np.array([3])}),
    }
    nodes.update(changes)
    nodes = {name: node for name, node in nodes.items() if node is not None}
    names = list(nodes)
    edges = [*pairwise(names), *edges]
    nir.write(path, nir.NIRGraph(nodes, edges, dict(metadata), type_check=False))
    return path


one_map = np.full((4, 4, 4), 1.0, "float32")
one_map[0, 0, 0] = 2.0
leaky = nir.LIF(*[np.ones(3, "float32")] * 5)
several = np.arange(32, dtype="float32").reshape(2, 4, 4)

UNREADABLE = {
    "another neuron": ({"if2": leaky}, r"'linear' \(Linear\), expected: IF .*: 'if2' \(LIF\)"),
    "no neuron": ({"if2": None}, r"'linear' \(Linear\), expected: IF .*: 'output' \(Output\)"),
    "another node": ({"if2": nir.Threshold(np.ones(3))}, r"Received: 'if2' \(Threshold\)"),
    "two neurons": ({"scale": spiking(2, 4, 4)}, r"'scale' \(IF\), expected: a node of"),
    "two scales": ({"scale": nir.Scale(several)}, r"'scale' \(Scale\), expected: one factor"),
    "resistance": ({"if2": spiking(3, r=-2.0)}, r"'if2' \(IF\), expected: positive .* r\. .*: -2"),
    "reset": ({"if2": spiking(3, v_reset=0.5)}, r"'if2' \(IF\), .*v_reset of 0 or below\. .*: 0.5"),
    "reset of pooling": (
        {"or": spiking(4, 2, 2, theta=0.5, v_reset=-0.5)},
        r"'or' \(IF\), expected: v_reset = 0\. Received: -0.5",
    ),
    "resets": (
        {"if1": nir.IF(np.ones_like(one_map), np.ones_like(one_map), -one_map)},
        r"'if1' \(IF\), expected: one v_reset for each filter",
    ),
    "threshold": ({"if2": spiking(3, theta=-1)}, r"'if2' \(IF\), .*positive finite .*: -1"),
    "map": (
        {"if1": nir.IF(one_map, np.ones_like(one_map))},
        r"'if1' \(IF\), expected: one threshold for each filter",
    ),
    "thresholds": (
        {"if1": nir.IF(np.ones_like(one_map), one_map)},
        r"'if1' \(IF\), expected: one threshold for each filter",
    ),
    "majority": (
        {"or": spiking(4, 2, 2, theta=1.5)},
        r"'or' \(IF\).* 0 to below 1\. .* 1.5 to 1.5",
    ),
    "average": ({"pool": pool(nir.AvgPool2d)}, r"'or' \(IF\).* from 0 to below 0.25\. .*: 0.5"),
    "pooled image": (
        {"scale": pool(size=1)},
        r"'scale' \(SumPool2d\), expected: pooling of spikes",
    ),
    "padding": (
        {
            "pool": nir.SumPool2d(*(np.array([n, n]) for n in (2, 2, 1))),
            "or": spiking(4, 3, 3, theta=0.5),
            "flat": nir.Flatten({"input": np.array([4, 3, 3])}, 0, -1),
            "linear": linear(3, 36),
        },
        r"'pool' \(SumPool2d\), expected: padding of 0 .* Received: \(1, 1\)",
    ),
    "groups": ({"conv": conv(groups=2)}, r"'conv' \(Conv2d\), expected: groups = 1\. Received: 2"),
    "flat part": (
        {
            "flat": nir.Flatten({"input": np.array([4, 2, 2])}, 0, 1),
            "linear": None,
            "if2": None,
            "output": nir.Output({"output": np.array([8, 2])}),
        },
        r"'flat' \(Flatten\), expected: maps made one vector",
    ),
    "vector": (
        {
            "input": nir.Input({"input": np.array([16])}),
            "conv": None,
            "if1": None,
            "pool": None,
            "or": None,
            "flat": None,
        },
        r"'input' \(Input\), expected: an image",
    ),
    "no readout": (
        {
            "flat": None,
            "linear": None,
            "if2": None,
            "output": nir.Output({"output": np.array([4, 2, 2])}),
        },
        r"'output' \(Output\), expected: Linear or Affine and IF before",
    ),
    "wrong sizes": ({"linear": linear(3, 15)}, "A NIR file is expected. .*type mismatch"),
}


@pytest.mark.parametrize(("changes", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_nodes_that_cannot_be_read_are_named(tmp_path, changes, message):
    path = foreign(tmp_path / "net.nir", changes)
    with pytest.raises(ValueError, match=message):
        exporter.read(path, time_steps=5)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([("linear", "output")], r"a branch at node 'linear' \(Linear\), to 'if2' and 'output'"),
        ([("if2", "if2")], r"a branch at node 'if2' \(IF\), to 'output' and 'if2'"),
    ],
)
def test_graphs_that_are_no_chain(tmp_path, edges, message):
    path = foreign(tmp_path / "net.nir", edges=edges)
    with pytest.raises(ValueError, match=message):
        exporter.read(path, time_steps=5)


def test_nodes_beside_the_chain(tmp_path):
    graph = nir.read(foreign(tmp_path / "net.nir"))
    graph.nodes["alone"] = spiking(3)
    nir.write(tmp_path / "alone.nir", graph)
    # On reading, `nir` puts an input before it and an output after it.
    with pytest.raises(ValueError, match=r"must have one Input node. Received: .*'input_alone'"):
        exporter.read(tmp_path / "alone.nir", time_steps=5)
    graph.edges.append(("alone", "alone"))
    nir.write(tmp_path / "loop.nir", graph)
    with pytest.raises(ValueError, match=r"outside of the chain, 'alone' \(IF\)\."):
        exporter.read(tmp_path / "loop.nir", time_steps=5)


def test_foreign_graphs(rng, tmp_path):
    """Another time step, other names for padding, `Scale`, average pooling, float64."""
    changes = {
        "scale": nir.Scale(np.full((2, 4, 4), 0.25, "float32")),
        "conv": conv(2, padding="same"),
        "if1": nir.IF(np.full((4, 4, 4), 1e4), np.full((4, 4, 4), 0.7)),
        "pool": pool(nir.AvgPool2d),
        "or": spiking(4, 2, 2, theta=0.1, r=1e4),
        "if2": spiking(3, theta=1.0, r=1e4, v_reset=-0.5),
    }
    path = foreign(tmp_path / "net.nir", changes)
    program = exporter.read(path, time_steps=5, dt=1e-4)
    assert program.input_scale == 0.25
    assert [layer.name for layer in program.layers] == ["conv", "pool", "flat", "linear"]
    theta = program.layers[0].v_threshold
    assert theta == np.float32(theta) > 0.7 >= np.nextafter(np.float32(theta), np.float32(0))
    assert program.layers[-1].firing_level == np.nextafter(np.float32(1), np.float32(2))
    assert program.layers[-1].v_0 == 0.5
    assert program.layers[0].padding == "same"
    assert interpreter.run(program, rng.random((2, 4, 4, 2))).spike_counts.any()


def test_a_factor_r_is_divided_out_of_threshold_and_reset(rng, tmp_path):
    """Powers of two are exact; the neurons of other files of this test have r dt = 1."""
    values = {"r": 4.0, "theta": 1.0, "v_reset": -0.5}
    pooled = {"or": spiking(4, 2, 2, theta=1.5, r=2.0)}
    scaled = exporter.read(
        foreign(tmp_path / "r.nir", {"if1": spiking(4, 4, 4, **values), **pooled}), time_steps=6
    )
    plain = exporter.read(
        foreign(tmp_path / "1.nir", {"if1": spiking(4, 4, 4, theta=0.25, v_reset=-0.125)}),
        time_steps=6,
    )
    assert scaled.layers[0].v_0 == plain.layers[0].v_0 == 0.125
    x = rng.random((2, 4, 4, 2), "float32") / 16
    counts = interpreter.run(scaled, x).spike_counts
    np.testing.assert_array_equal(counts, interpreter.run(plain, x).spike_counts)
    np.testing.assert_array_equal(counts, exporter.run(tmp_path / "r.nir", scaled, x))
    assert counts.any()


def paper_cnn(rng, path):
    """The CNN of NIR's paper, for images of 2 x 34 x 34: padding of its own, sums of spikes, r."""

    def conv(size, filters, channels, maps, stride=1):
        bias = np.zeros(filters, "float32")
        weight = dyadic(rng, (filters, channels, size, size), low=-100, high=104)
        return nir.Conv2d((maps, maps), weight, (stride, stride), (1, 1), (1, 1), 1, bias)

    def fire(*shape):
        return spiking(*shape, theta=8.0, r=4.0)

    nodes = {
        "input": nir.Input({"input": np.array([2, 34, 34])}),
        "conv1": conv(5, 16, 2, 34, stride=2),
        "if1": fire(16, 16, 16),
        "conv2": conv(3, 16, 16, 16),
        "if2": fire(16, 16, 16),
        "pool2": pool(),
        "conv3": conv(3, 8, 16, 8),
        "if3": fire(8, 8, 8),
        "pool3": pool(),
        "flatten": nir.Flatten({"input": np.array([8, 4, 4])}, 0, -1),
        "dense4": nir.Affine(dyadic(rng, (256, 128), low=-100, high=104), np.zeros(256, "float32")),
        "if4": fire(256),
        "dense5": nir.Affine(dyadic(rng, (10, 256), low=-100, high=104), np.zeros(10, "float32")),
        "if5": fire(10),
        "output": nir.Output({"output": np.array([10])}),
    }
    nir.write(path, nir.NIRGraph(nodes, list(pairwise(nodes))))
    return path


def test_the_cnn_of_nirs_paper(rng, tmp_path):
    path = paper_cnn(rng, tmp_path / "net.nir")
    program = exporter.read(path, time_steps=5)
    assert program.layers[0].padding == ((1, 1), (1, 1))
    assert program.layers[1].padding == "same"
    assert program.shapes()[0] == (16, 16, 16)
    assert float(np.float32(program.layers[0].v_threshold)) == np.nextafter(
        np.float32(2), np.float32(3)
    )
    x = dyadic(rng, (3, 34, 34, 2), low=0, high=256)
    expected = interpreter.run(program, x).spike_counts
    assert len(np.unique(expected)) > 2
    np.testing.assert_array_equal(exporter.run(path, program, x), expected)
    program.save(tmp_path / "net.kps")
    assert_same(program, load(tmp_path / "net.kps"))
    assert_same(program, exporter.read(written(program, tmp_path)))
    for module, suffix in ((onnx, "onnx"), (litert, "tflite")):
        for form in module.FORMS:
            module.write(program, tmp_path / f"net.{suffix}", form=form)
            counts = module.run(tmp_path / f"net.{suffix}", program, x)
            np.testing.assert_array_equal(counts, expected)


@pytest.mark.each_backend
def test_zeros_and_r_in_a_model(rng, tmp_path):
    """As in the paper's CNN, but small; the model goes back to the same program."""
    weight, bias = dyadic(rng, (4, 2, 3, 3)), np.zeros(4, "float32")
    nodes = {
        "input": nir.Input({"input": np.array([2, 6, 6])}),
        "conv1": nir.Conv2d((6, 6), weight, (2, 2), (1, 1), (1, 1), 1, bias),
        "if1": spiking(4, 3, 3, theta=2.0, r=4.0),
        "flatten": nir.Flatten({"input": np.array([4, 3, 3])}, 0, -1),
        "readout": nir.Linear(dyadic(rng, (3, 36))),
        "if2": spiking(3, theta=2.0, r=2.0),
        "output": nir.Output({"output": np.array([3])}),
    }
    nir.write(tmp_path / "net.nir", nir.NIRGraph(nodes, list(pairwise(nodes))))
    program = exporter.read(tmp_path / "net.nir", time_steps=4)
    assert program.layers[0].padding == ((1, 1), (1, 1))
    model = nir_model.from_nir(tmp_path / "net.nir", time_steps=4)
    x = dyadic(rng, (5, 6, 6, 2), low=0, high=256)
    expected = interpreter.run(program, x).spike_counts
    assert len(np.unique(expected)) > 2
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
    again = from_model(model)
    assert again.layers[0].padding == program.layers[0].padding
    np.testing.assert_array_equal(interpreter.run(again, x).spike_counts, expected)


def test_zeros_that_differ_before_and_after_are_refused(rng, tmp_path):
    layer = replace(random_conv(rng, "conv1", 2), padding=((0, 1), (1, 1)))
    tail = (Flatten("flatten"), random_dense(rng, "readout", 5 * 6 * 3, 2))
    program = Program((layer, *tail), (6, 6, 2), 2)
    with pytest.raises(ValueError, match=r"'conv1' with zeros of its own, .* \(0, 1\) before"):
        written(program, tmp_path)


def test_maps_alone_are_flattened_with_and_without_a_batch(rng, tmp_path):
    graph = nir.read(written(full_program(rng), tmp_path))
    (flatten,) = (node for node in graph.nodes.values() if type(node).__name__ == "Flatten")
    assert (flatten.start_dim, flatten.end_dim) == (-3, -1)
    assert len(flatten.output_type["output"]) == 1


def test_files_that_are_no_nir(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file .*none.nir"):
        exporter.read(tmp_path / "none.nir")
    (tmp_path / "text.nir").write_text("not HDF5")
    with pytest.raises(ValueError, match=r"A NIR file is expected. Received: .*text.nir"):
        exporter.read(tmp_path / "text.nir")
    nir.write(tmp_path / "node.nir", spiking(3))
    with pytest.raises(ValueError, match=r"A NIR file is expected. .*node.nir \(IF"):
        exporter.read(tmp_path / "node.nir")


def test_without_the_nir_package(rng, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(ImportError, match=r'pip install "keras-proxy-snn\[export\]"'):
        exporter.write(full_program(rng), tmp_path / "net.nir")


def test_wrong_images(rng, tmp_path):
    program = full_program(rng)
    path = written(program, tmp_path)
    with pytest.raises(ValueError, match=r"shape \(batch, 14, 18, 3\)"):
        exporter.run(path, program, np.zeros((2, 3, 14, 18)))


@pytest.mark.each_backend
@pytest.mark.parametrize(
    ("spec", "v_0"), [("4C3-P2-5C2-P2-6F-5F", 0.0), ("6F-5F", 0.0), ("4C3-P2-6F-5F", 0.5)]
)
def test_from_model_to_file_to_model(rng, tmp_path, spec, v_0):
    model = kps.build(spec, input_shape=(9, 8, 2), time_steps=6, v_threshold=0.5, v_0=v_0)
    model.set_weights([dyadic(rng, w.shape) for w in model.get_weights()])
    program = from_model(model)
    path = written(program, tmp_path)
    twin = nir_model.from_nir(path)
    assert isinstance(twin, kps.ProxyModel)
    assert twin.v_0 == v_0
    assert_same(program, from_model(twin))
    kinds = (keras.layers.Conv2D, keras.layers.Dense, keras.layers.MaxPooling2D)
    names = [
        [layer.name for layer in m.ann.layers if isinstance(layer, kinds)] for m in (model, twin)
    ]
    assert names[0] == names[1]
    x = images_of(program, rng, 5)
    counts = model.predict(x, verbose=0)
    assert counts.any()
    np.testing.assert_array_equal(twin.predict(x, verbose=0), counts)
    np.testing.assert_array_equal(exporter.run(path, program, x), counts)
    assert nir_model.from_nir(path, time_steps=3).time_steps == 3


@pytest.mark.each_backend
def test_from_nir_of_the_full_program(rng, tmp_path):
    program = full_program(rng, per_filter=False)
    model = nir_model.from_nir(written(program, tmp_path))
    x = images_of(program, rng)
    expected = interpreter.run(program, x).spike_counts
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
    assert model.v_threshold == {layer.name: layer.v_threshold for layer in program.neurons}


@pytest.mark.each_backend
def test_a_start_is_read_to_within_float32(rng, tmp_path):
    program = started(full_program(rng, per_filter=False), 0.3)
    assert nir_model.from_nir(written(program, tmp_path)).v_0 == pytest.approx(0.3, abs=1e-7)


@pytest.mark.each_backend
def test_what_a_model_cannot_be(rng, tmp_path):
    program = full_program(rng, per_filter=False)
    layers = (*program.layers[:-1], replace(program.layers[-1], v_0=0.125))
    message = r"start at the same fraction .*'conv1': \[0\.\].*'readout': \[0\.5\]; .* as a Program"
    with pytest.raises(ValueError, match=message):
        nir_model.from_nir(written(replace(program, layers=layers), tmp_path))
    with pytest.raises(ValueError, match=r"have the same threshold. .*'conv2': \["):
        nir_model.from_nir(written(full_program(rng), tmp_path))
    with pytest.raises(ValueError, match="'int8' and input scale 15"):
        nir_model.from_nir(written(integer_program(rng), tmp_path))
    with pytest.raises(ValueError, match=r"'float32' and input scale 0.5"):
        nir_model.from_nir(written(replace(full_program(rng), input_scale=0.5), tmp_path))


def test_nirtorch_gives_the_same_counts(rng, tmp_path):
    pytest.importorskip(
        "nirtorch", reason="pip install --no-deps nirtorch (and PyTorch) to check NIR files with it"
    )
    program = started(full_program(rng), 0.5)
    x = images_of(program, rng, 8)
    expected = interpreter.run(program, x).spike_counts
    assert expected.any()
    counts = nir_peers.nirtorch(written(program, tmp_path), program, x)
    np.testing.assert_array_equal(counts, expected)


def test_spikingjelly_gives_the_same_counts(rng, tmp_path):
    pytest.importorskip(
        "nirtorch", reason="pip install --no-deps nirtorch, which SpikingJelly reads NIR with"
    )
    pytest.importorskip(
        "spikingjelly.activation_based.nir_exchange",
        reason="pip install --no-deps spikingjelly (and PyTorch) to check NIR files with it",
    )
    program = full_program(rng, per_filter=False)
    path = written(program, tmp_path, pooling="average")
    x = images_of(program, rng, 8)
    expected = interpreter.run(program, x).spike_counts
    assert expected.any()
    np.testing.assert_array_equal(nir_peers.spikingjelly(path, program, x), expected)
