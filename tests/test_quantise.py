"""Integer networks: exact where the grid fits, near elsewhere, and within 16 bits."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import keras_proxy_snn as kps
from keras_proxy_snn.export import from_model, interpreter, load
from keras_proxy_snn.export.program import Conv, Dense, Flatten, Pool, Program
from keras_proxy_snn.export.quantise import agreement, quantise
from keras_proxy_snn.export.quantise._bounds import potential_range
from keras_proxy_snn.export.quantise._scales import integer_layer
from keras_proxy_snn.verification.networks import draw

from . import oracle

pytestmark = pytest.mark.once

INT16 = 2**15 - 1
SHAPE = (8, 8, 1)


def network(weights, *, time_steps=8, theta=0.5, reset="zero", filters=(4, 6, 8, 5), v_0=0.0):
    """conv - pool - conv - dense - readout on 8x8 images; `weights` makes an array of a shape.

    `v_0` is the fraction of the threshold at which neurons start.
    """
    a, b, c, d = filters
    neurons = {"v_threshold": theta, "reset": reset, "v_0": v_0 * theta}
    layers = (
        Conv("conv1", weights((3, 3, 1, a)), weights((a,)), **neurons),
        Pool("pool1", (2, 2), (2, 2)),
        Conv("conv2", weights((3, 3, a, b)), None, **neurons),
        Flatten("flatten"),
        Dense("dense1", weights((16 * b, c)), weights((c,)), **neurons),
        Dense("readout", weights((c, d)), None, **neurons),
    )
    return Program(layers, SHAPE, time_steps)


def gaussian(seed=0):
    """Weights as training leaves them, drawn in float32."""
    rng = np.random.default_rng(seed)
    return lambda shape: (
        rng.normal(0.1, 1, shape) / np.sqrt(np.prod(shape[:-1]) or 1)
        if len(shape) > 1
        else rng.normal(0, 0.02, shape)
    ).astype("float32")


def grid(rng, scale, low=-64, high=65):
    return lambda shape: rng.integers(low, high, shape).astype("float32") / scale


def hostile_images(shape=SHAPE, seed=0):
    """All ones, both checkerboards, stripes, a corner, and noise."""
    rows, columns, _ = np.indices(shape)
    patterns = [
        np.ones(shape),
        (rows + columns) % 2,
        (rows + columns + 1) % 2,
        rows % 2,
        columns % 2,
        (rows < 4) & (columns < 4),
    ]
    noise = np.random.default_rng(seed).random((6, *shape))
    return np.concatenate([np.stack(patterns), noise, noise > 0.5]).astype("float32")


def saturating_counts(program, images):
    """Spike counts of `network`'s layers in arithmetic that saturates at 16 bits.

    Currents, sums and differences saturate, as they do in LiteRT. Also returns whether the
    potentials of each layer did.
    """
    a, b, c, d = program.neurons

    def saturate(x):
        return np.clip(x, -INT16 - 1, INT16)

    def dense(layer, x):
        bias = 0 if layer.bias is None else layer.bias
        return saturate(x @ layer.kernel.astype(float) + bias)

    def conv(layer, x):
        bias = 0 if layer.bias is None else layer.bias
        return saturate(oracle.conv_same(x, layer.kernel.astype(float)) + bias)

    v, saturated, counts = [0.0] * 4, [False] * 4, 0

    def fire(index, layer, current):
        total = v[index] + current
        saturated[index] |= bool((np.abs(total) > INT16).any() or (np.abs(current) > INT16).any())
        total = saturate(total)
        fired = total >= layer.v_threshold - layer.v_0
        after = -layer.v_0 if layer.reset == "zero" else saturate(total - layer.v_threshold)
        v[index] = np.where(fired, after, total)
        return fired.astype(float)

    first = conv(
        a, np.rint(images.astype("float32") * np.float32(program.input_scale)).astype(float)
    )
    for _ in range(program.time_steps):
        s = oracle.max_pool(fire(0, a, first), 2)
        s = fire(1, b, conv(b, s)).reshape(len(images), -1)
        s = fire(2, c, dense(c, s))
        counts = counts + fire(3, d, dense(d, s))
    return counts, saturated


def test_an_integer_program_is_made_of_integers(tmp_path):
    program = replace(network(gaussian()), metadata={"spec": "x", "accuracy": 0.5})
    integer = quantise(program, hostile_images())
    assert integer.number_format == "int8"
    assert integer.is_integer
    assert integer.shapes() == program.shapes()
    assert [layer.name for layer in integer.layers] == [layer.name for layer in program.layers]
    for layer, source in zip(integer.neurons, program.neurons, strict=True):
        assert layer.kernel.dtype == np.int8
        assert 64 < np.abs(layer.kernel.astype(int)).max() <= 127
        assert layer.v_threshold.dtype == np.int32
        assert layer.v_threshold.shape == layer.kernel.shape[-1:]
        assert layer.v_threshold.min() >= 1
        assert layer.v_threshold.max() <= 2**14
        assert layer.v_0.dtype == np.int32
        assert not layer.v_0.any()
        assert (layer.bias is None) == (source.bias is None)
        assert layer.bias is None or layer.bias.dtype == np.int32
    assert integer.metadata["spec"] == "x"
    assert integer.metadata["float_accuracy"] == 0.5
    assert "accuracy" not in integer.metadata
    assert integer.metadata["quantisation"] == {"bits": 8, "calibration_images": 18}
    integer.save(tmp_path / "net.program")
    loaded = load(tmp_path / "net.program")
    assert loaded.metadata == integer.metadata
    same = agreement(integer, loaded, hostile_images())
    assert same == (1.0, 1.0, dict.fromkeys(("conv1", "conv2", "dense1", "readout"), 0.0))


def test_one_scale_a_layer():
    integer = quantise(network(gaussian()), hostile_images(), per_filter=False, input_scale=100)
    assert integer.input_scale == 100.0
    for layer in integer.neurons:
        assert len(set(layer.v_threshold.tolist())) == 1


@given(
    bits=st.sampled_from([8, 7]),
    theta=st.sampled_from([0.25, 0.3, 0.5, 1.0, 2.0]),
    reset=st.sampled_from(["zero", "subtract"]),
    v_0=st.sampled_from([0.0, 0.35, 0.5]),
    per_filter=st.booleans(),
    pixels=st.sampled_from([1, 2, 16]),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=10)
@example(8, 0.5, "zero", 0.0, True, 16, 0)
@example(8, 0.3, "zero", 0.0, False, 2, 1)
@example(8, 2.0, "subtract", 0.0, True, 16, 2)
@example(8, 0.25, "zero", 0.5, False, 2, 1)
@example(7, 0.75, "subtract", 0.5, True, 16, 2)
def test_weights_on_a_grid_keep_every_spike(bits, theta, reset, v_0, per_filter, pixels, seed):
    """Weights within 1 that are multiples of 1/64, or of 1/32 with 7 bits."""
    rng = np.random.default_rng(seed)
    if reset == "subtract" and theta == 0.3:
        theta = 0.75  # what is subtracted must lie on the grid too
    units = 2 ** (bits - 2)
    weights = grid(rng, units, -units, units // 2)
    fields = {"theta": theta, "reset": reset, "v_0": v_0, "filters": (3, 3, 5, 4)}
    program = network(weights, time_steps=4, **fields)
    images = grid(rng, pixels, 0, pixels + 1)((9, *SHAPE))
    integer = quantise(
        program, images[:5], bits=bits, per_filter=per_filter, input_scale=float(pixels)
    )
    assert agreement(program, integer, images) == (
        1.0,
        1.0,
        dict.fromkeys(("conv1", "conv2", "dense1", "readout"), 0.0),
    )
    for layer, source in zip(integer.neurons, program.neurons, strict=True):
        scale = layer.v_threshold / np.ceil(theta * units) * units
        if layer.name == "conv1":
            scale = scale / pixels
        if theta != 0.3:
            np.testing.assert_array_equal(layer.kernel, source.kernel * scale)


@pytest.mark.parametrize(("pixels", "expected"), [(1, 1), (16, 16), (51, 51), (255, 255)])
def test_the_grid_of_the_pixels_is_found(rng, pixels, expected):
    program = network(grid(rng, 64), time_steps=4)
    images = grid(rng, pixels, 0, pixels + 1)((6, *SHAPE))
    integer = quantise(program, images)
    assert integer.input_scale == expected


def test_thresholds_and_weights_share_the_scale():
    """One neuron: exact numbers, and a scale that the search cannot better."""
    dense = Dense("readout", np.float32([[0.5], [-0.25]]), np.float32([0.125]), 1.0, "zero")
    program = Program((Flatten("flatten"), dense), (1, 2, 1), time_steps=6)
    images = np.float32([[[[1], [0]]], [[[1], [1]]], [[[0], [1]]]])
    integer = quantise(program, images)
    (layer,) = integer.neurons
    assert integer.input_scale == 1.0
    assert layer.kernel.tolist() == [[64], [-32]]
    assert layer.bias.tolist() == [16]
    assert layer.v_threshold.tolist() == [128]
    trace = interpreter.run(integer, images)
    assert trace.spike_counts.ravel().tolist() == [3, 2, 0]
    # Highest: 127 carried + 64 + 16, of which this net reaches 160; lowest: 6 times -32 + 16.
    facts = integer.metadata["saturation"]["readout"]
    assert facts == {
        "proof": "weight sums",
        "low": -96,
        "high": 207,
        "limit": INT16,
        "time_steps": 6,
    }
    assert trace.v_min == (-96.0,)
    assert trace.v_max == (160.0,)


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize(
    ("theta", "v_0", "expected"),
    [
        (4.0, 2.0, (4, 2)),
        (5.0, 2.5, (5, 2)),  # an integer sum reaches 5 - 2.5 when it reaches 3
        (5.0, 1.0, (5, 1)),
        (1.0, 0.5, (1, 0)),
    ],
)
def test_the_start_is_rounded_so_that_the_level_is_reached_alike(theta, v_0, reset, expected):
    dense = Dense("readout", np.float32([[1.0]]), None, theta, reset, v_0)
    layer = integer_layer(dense, np.ones(1), 1.0, 127)
    assert (layer.v_threshold.item(), layer.v_0.item()) == expected
    # 0.5 more than an integer as threshold: with reset to zero both sums, 4.5 - 2 and 4.5, count.
    half = integer_layer(replace(dense, v_threshold=4.5, v_0=2.0), np.ones(1), 1.0, 127)
    rounded = {"zero": (5, 3), "subtract": (4, 2)}[reset]
    assert (half.v_threshold.item(), half.firing_level.item()) == rounded


def test_agreement_of_classes_by_potential():
    """Neither fires in four steps, but one is nearer to it."""

    def net(*weights):
        dense = Dense("readout", np.float32([weights]), None, 1.0, "subtract", 0.5)
        return Program((Flatten("flatten"), dense), (1, 1, 1), 4, readout="potential")

    images = np.ones((2, 1, 1, 1))
    by_potential = agreement(net(0.05, 0.1), net(0.1, 0.05), images)
    assert by_potential == (1.0, 0.0, {"readout": 0.0})
    one, other = (replace(net(*w), readout="counts") for w in ((0.05, 0.1), (0.1, 0.05)))
    assert agreement(one, other, images).equal_classes == 1.0


def test_more_bits_and_a_scale_a_filter_agree_more(digits):
    (x_train, _), (x_test, _) = digits
    programs = [network(gaussian(seed)) for seed in range(3)]

    def found(**kwargs):
        pairs = [(p, quantise(p, x_train[:32], **kwargs)) for p in programs]
        return [agreement(*pair, x_test[:100]) for pair in pairs]

    by_bits = [found(bits=bits) for bits in (2, 4, 8)]
    shares = [np.mean([f.equal_counts for f in entry]) for entry in by_bits]
    assert shares == sorted(shares)
    assert shares[0] < 0.6
    assert shares[-1] > 0.75
    rates = [np.mean(np.abs([[*f.rate_differences.values()] for f in e])) for e in by_bits]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0.01
    assert rates[-1] < 0.002
    whole_layers = found(bits=2, per_filter=False)
    assert np.mean([f.equal_counts for f in whole_layers]) < shares[0] - 0.05


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize(("seed", "v_0"), [(0, 0.0), (1, 0.0), (2, 0.0), (0, 0.5), (1, 0.9)])
def test_potentials_never_leave_what_is_proven(reset, seed, v_0):
    """Calibrated on the plainest image, run on hostile ones, in arithmetic that saturates."""
    program = network(gaussian(seed), time_steps=16, reset=reset, v_0=v_0)
    integer = quantise(program, np.full((1, *SHAPE), 0.5), input_scale=255)
    images = hostile_images(seed=seed)
    trace = interpreter.run(integer, images)
    for name, low, high in zip(
        ("conv1", "conv2", "dense1", "readout"), trace.v_min, trace.v_max, strict=True
    ):
        facts = integer.metadata["saturation"][name]
        assert facts["proof"] == ("constant current" if name == "conv1" else "weight sums")
        assert facts["low"] <= low
        assert high <= facts["high"]
        if name != "conv1":
            assert facts["low"] >= -INT16
            assert facts["high"] <= INT16
    assert trace.v_min[0] < -INT16  # the potentials that a constant current makes harmless
    counts, saturated = saturating_counts(integer, images)
    assert saturated == [True, False, False, False]
    assert counts.any()
    np.testing.assert_array_equal(counts, trace.spike_counts)


@given(
    weights=st.tuples(st.integers(-6, 6), st.integers(-6, 6)),
    theta=st.integers(1, 9),
    v_0=st.integers(0, 8),
    reset=st.sampled_from(["zero", "subtract"]),
)
@example((3, -5), 6, 5, "zero")
@settings(max_examples=60)
def test_the_bounds_hold_for_every_train_of_spikes(weights, theta, v_0, reset):
    """All inputs of a neuron with two weights over four steps, counted from its start."""
    v_0 = min(v_0, theta - 1)
    layer = Dense("readout", np.int8(weights)[:, None], None, theta, reset, v_0)
    bound = potential_range(layer, 1, 4)
    trains = np.array(list(itertools.product([0, 1], repeat=8))).reshape(-1, 4, 2)
    u, lowest, highest = 0, 0, 0
    for current in (trains @ np.array(weights)).T:
        u = u + current
        lowest, highest = min(lowest, u.min()), max(highest, u.max())
        u = np.where(u >= theta - v_0, -v_0 if reset == "zero" else u - theta, u)
    assert bound.low.item() <= lowest
    assert highest <= bound.high.item()
    # From a start at 0 the lowest is reached, and above it nothing falls further than v_0.
    assert bound.low.item() >= lowest - v_0
    if max(weights) <= 0:
        assert bound.high.item() == highest == 0


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_the_sums_of_the_weights_are_reached(reset):
    """Images that meet all negative weights of a neuron, or all positive ones."""
    first = Conv("conv1", np.eye(8, dtype="float32").reshape(1, 1, 8, 8), None, 1.0, "zero")
    kernel = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    dense = Dense("readout", kernel, None, 4.0, reset)
    program = Program((first, Flatten("flatten"), dense), (1, 1, 8), time_steps=5)
    images = np.stack([kernel.T < 0, kernel.T > 0]).reshape(6, 1, 1, 8).astype("float32")
    integer = quantise(program, images)
    facts = integer.metadata["saturation"]["readout"]
    trace = interpreter.run(integer, images)
    assert facts["proof"] == "weight sums"
    assert facts["low"] == trace.v_min[1] < 0
    weights = integer.neurons[1].kernel.astype(int)
    assert facts["low"] == 5 * np.minimum(weights, 0).sum(axis=0).min()
    theta, rise = integer.neurons[1].v_threshold, np.maximum(weights, 0).sum(axis=0)
    if reset == "zero":
        assert facts["high"] <= (theta - 1 + rise).max()
    assert trace.v_max[1] <= facts["high"] <= INT16


def deep_sums(time_steps=100):
    """A network whose weights' sums over T ask more than 16 bits, far beyond what images do."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(0, 0.2, (400, 6)).astype("float32")
    layers = (
        Flatten("flatten"),
        Dense("hidden", rng.normal(0, 0.3, (64, 400)).astype("float32"), None, 2.0, "zero"),
        Dense("readout", kernel, None, 1.0, "zero"),
    )
    return Program(layers, SHAPE, time_steps)


def test_potentials_that_are_scores_do_not_saturate():
    """Found by `verify`: in LiteRT's 16 bits the first layer's potentials may saturate."""
    drawn = draw(14)
    assert (drawn.program.readout, len(drawn.program.neurons)) == ("potential", 1)
    integer = quantise(drawn.program, drawn.images)
    facts = integer.metadata["saturation"]["readout"]
    assert facts["proof"] == "observed"
    assert interpreter.run(integer, drawn.images).v_min[0] >= -INT16
    counts = replace(drawn.program, readout="counts")
    by_counts = quantise(counts, drawn.images)
    assert by_counts.metadata["saturation"]["readout"]["proof"] == "constant current"
    assert interpreter.run(by_counts, drawn.images).v_min[0] < -INT16


def test_observed_potentials_where_the_sums_ask_too_much(digits):
    (x_train, _), (x_test, _) = digits
    program = deep_sums()
    thresholds = []
    for safety_factor in (1, 2, 8):
        integer = quantise(program, x_train[:20], safety_factor=safety_factor)
        facts = integer.metadata["saturation"]["readout"]
        trace = interpreter.run(integer, x_train[:20])
        assert facts["proof"] == "observed"
        assert facts["safety_factor"] == float(safety_factor)
        assert facts["low"] <= trace.v_min[1]
        assert facts["high"] >= trace.v_max[1]
        assert max(-facts["low"], facts["high"]) * safety_factor <= INT16
        thresholds.append(integer.neurons[1].v_threshold)
        if safety_factor > 1:
            unseen = interpreter.run(integer, x_test[:20])
            assert max(-unseen.v_min[1], unseen.v_max[1]) <= INT16
    assert thresholds[2].sum() < thresholds[0].sum() / 2


def test_the_sums_are_preferred_as_long_as_levels_remain(digits):
    (x_train, _), _ = digits
    kinds = {}
    for time_steps in (2, 10, 100):
        integer = quantise(deep_sums(time_steps), x_train[:20])
        facts = integer.metadata["saturation"]["readout"]
        assert facts["time_steps"] == time_steps
        kinds[time_steps] = facts["proof"], np.abs(integer.neurons[1].kernel.astype(int)).max()
    assert kinds[2] == ("weight sums", 127)
    assert kinds[10][0] == "weight sums"
    assert 8 <= kinds[10][1] < 127
    assert kinds[100][0] == "observed"


@pytest.mark.parametrize("form", ["onnx", "litert"])
@pytest.mark.parametrize(("reset", "v_0"), [("zero", 0), ("zero", 0.5), ("subtract", 0.5)])
def test_runtimes_count_alike_where_the_first_layer_saturates(tmp_path, form, reset, v_0):
    pytest.importorskip({"onnx": "onnxruntime", "litert": "ai_edge_litert"}[form])
    from keras_proxy_snn.export import litert, onnx

    writer = {"onnx": onnx, "litert": litert}[form]
    program = network(gaussian(), time_steps=16, reset=reset, v_0=v_0)
    integer = quantise(program, hostile_images())
    images = hostile_images(seed=1)
    trace = interpreter.run(integer, images)
    assert trace.v_min[0] < -INT16
    writer.write(integer, tmp_path / "net")
    np.testing.assert_array_equal(writer.run(tmp_path / "net", integer, images), trace.spike_counts)


@pytest.mark.each_backend
def test_a_trained_model_loses_little(digits):
    (x_train, y_train), (x_test, y_test) = digits
    model = kps.build("8C3-P2-32F-10F", input_shape=SHAPE, time_steps=10)
    model.fit(x_train, y_train, epochs=5, batch_size=32, verbose=0)
    program = from_model(model)
    integer = quantise(program, x_train[:400])
    assert integer.input_scale == 16.0
    found = agreement(program, integer, x_test)
    assert found.equal_counts > 0.6
    assert found.equal_classes > 0.85
    assert max(map(abs, found.rate_differences.values())) < 0.02
    right = [
        np.mean(interpreter.run(p, x_test).spike_counts.argmax(axis=1) == y_test)
        for p in (program, integer)
    ]
    assert right[0] > 0.7
    assert abs(right[0] - right[1]) < 0.03


def test_agreement_counts_shares():
    def net(*weights):
        kernel = np.float32([weights])
        return Program(
            (Flatten("flatten"), Dense("readout", kernel, None, 1.0, "zero")), (1, 1, 1), 4
        )

    images = np.ones((2, 1, 1, 1))
    assert agreement(net(1, 0.5), net(1, 0.25), images) == (0.5, 1.0, {"readout": -0.125})
    assert agreement(net(1, 0.5), net(0.5, 1), images) == (0.0, 0.0, {"readout": 0.0})
    with pytest.raises(ValueError, match="same neurons"):
        agreement(net(1, 0.5), net(1, 0.5, 0.5), images)
    with pytest.raises(ValueError, match="Received: an empty array"):
        agreement(net(1), net(1), images[:0])
    with pytest.raises(ValueError, match="must have shape"):
        agreement(net(1), net(1), np.ones((2, 3, 1, 1)))


IMAGES = hostile_images()[:3]


def test_calibration_images_may_exceed_white_by_a_rounding():
    """Pictures that another library resizes have such pixels."""
    images = np.random.default_rng(0).random((16, *SHAPE), "float32")
    images[0] = 1
    exact = quantise(network(gaussian()), images)
    images[0] = np.nextafter(np.float32(1), np.float32(2))
    for layer, same in zip(
        quantise(network(gaussian()), images).neurons, exact.neurons, strict=True
    ):
        np.testing.assert_array_equal(layer.weights, same.weights)
    images[0] = 1.00001
    with pytest.raises(ValueError, match=r"in \[0, 1\]\. Received: from .* to 1\.00001"):
        quantise(network(gaussian()), images)


@pytest.mark.parametrize(
    ("images", "kwargs", "message"),
    [
        (IMAGES, {"bits": 1}, "from 2 to 8. Received: 1"),
        (IMAGES, {"bits": 9}, "from 2 to 8. Received: 9"),
        (IMAGES, {"bits": 8.0}, "from 2 to 8. Received: 8.0"),
        (IMAGES, {"bits": True}, "from 2 to 8. Received: True"),
        (IMAGES, {"input_scale": 256}, "at most 255. Received: 256"),
        (IMAGES, {"input_scale": 0}, "above 0 and at most 255. Received: 0"),
        (IMAGES, {"search_images": 0}, "positive integer. Received: 0"),
        (IMAGES, {"search_images": 2.5}, "positive integer. Received: 2.5"),
        (IMAGES, {"safety_factor": 0.5}, "at least 1 and finite. Received: 0.5"),
        (IMAGES, {"safety_factor": float("nan")}, "Received: nan"),
        (IMAGES[:0], {}, "at least one image. Received: an empty"),
        (IMAGES[:, :7], {}, r"Received: an input of shape \(3, 7, 8, 1\)"),
        (IMAGES * np.nan, {}, "NaN or infinity"),
        (IMAGES - 0.5, {}, "Received: from -0.5 to 0.5"),
        (IMAGES * 255, {}, "Received: from 0 to 255"),
    ],
)
def test_bad_arguments(images, kwargs, message):
    with pytest.raises(ValueError, match=message):
        quantise(network(gaussian()), images, **kwargs)


def test_programs_that_cannot_be_integers():
    program = network(gaussian())
    with pytest.raises(ValueError, match=r"float32 program can be quantised. Received: .*'int8'"):
        quantise(quantise(program, IMAGES), IMAGES)
    with pytest.raises(ValueError, match=r"positive and finite, .* Received: 0.0 and 0.0 in"):
        quantise(network(gaussian(), theta=0.0), IMAGES)
    with pytest.raises(ValueError, match=r"`v_0` must be from 0 to below .* 0.5 and 0.5 in"):
        quantise(network(gaussian(), v_0=1.0), IMAGES)
    readout = replace(program.layers[-1], kernel=program.layers[-1].kernel * np.nan)
    with pytest.raises(ValueError, match=r"must be finite. Received: layer 'readout'"):
        quantise(replace(program, layers=(*program.layers[:-1], readout)), IMAGES)
    inhibited = replace(program.layers[-1], bias=np.full(5, -1e5, "float32"))
    with pytest.raises(ValueError, match="all weights of layer 'readout' round to 0"):
        quantise(replace(program, layers=(*program.layers[:-1], inhibited)), IMAGES)
    wide = Dense("readout", np.ones((12288, 1), "float32"), None, 1.0, "zero")
    program = Program((Flatten("flatten"), wide), (64, 64, 3), time_steps=1000)
    with pytest.raises(ValueError, match="Sums must fit 32 bits"):
        quantise(program, np.full((1, 64, 64, 3), 0.3), search_images=1, input_scale=255)


@pytest.mark.parametrize("theta", [0.5, np.float32([0.25, 0.5, 0.75])])
def test_dead_filters_and_thresholds_of_their_own(theta):
    """Weights of zero or next to it leave the others alone."""
    kernel = np.random.default_rng(0).normal(0, 0.3, (64, 3)).astype("float32")
    kernel[:, 0] = 0
    kernel[:, 1] *= 1e-6
    first = Dense("hidden", kernel, None, theta, "zero")
    zeros = Dense("readout", np.zeros((3, 2), "float32"), None, 0.5, "zero")
    program = Program((Flatten("flatten"), first, zeros), SHAPE, time_steps=6)
    integer = quantise(program, hostile_images())
    hidden, readout = integer.neurons
    assert not hidden.kernel[:, 0].any()
    assert not readout.kernel.any()
    assert np.abs(hidden.kernel[:, 2].astype(int)).max() > 40
    assert hidden.v_threshold.max() <= 2**14
    assert agreement(program, integer, hostile_images()).rate_differences["readout"] == 0


def test_hidden_thresholds_stay_small_where_weights_are_weak():
    kernel = np.float32([[0.5, 1e-5], [-0.25, 1e-5]])
    layers = (
        Flatten("flatten"),
        Dense("hidden", np.eye(2, dtype="float32"), None, 0.5, "zero"),
        Dense("readout", kernel, None, 0.5, "zero"),
    )
    program = Program(layers, (1, 2, 1), time_steps=6)
    integer = quantise(program, np.float32([[[[0], [1]]], [[[1], [1]]]]))
    assert integer.neurons[1].v_threshold.max() <= 2**12


def test_sums_of_integers_are_exact_whatever_their_size():
    """The interpreter multiplies integers as floats, which is fast; this sum needs 28 bits."""
    kernel = np.full((8192, 1), 127, "int8")
    kernel[0] = 126
    neurons = {"v_threshold": np.int32([2**14]), "reset": "zero", "v_0": np.int32([0])}
    layers = (Flatten("flatten"), Dense("readout", kernel, None, **neurons))
    program = Program(layers, (1, 8192, 1), 1, number_format="int8", input_scale=255.0)
    trace = interpreter.run(program, np.ones((1, 1, 8192, 1), "float32"))
    assert trace.v_max == (127 * 255 * 8192 - 255,)
