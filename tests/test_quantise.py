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

from . import oracle

INT16 = 2**15 - 1
SHAPE = (8, 8, 1)


def network(weights, *, time_steps=8, theta=0.5, reset="zero", filters=(4, 6, 8, 5)):
    """conv - pool - conv - dense - readout on 8x8 images; `weights` makes an array of a shape."""
    a, b, c, d = filters
    layers = (
        Conv("conv1", weights((3, 3, 1, a)), weights((a,)), theta, reset),
        Pool("pool1", (2, 2), (2, 2)),
        Conv("conv2", weights((3, 3, a, b)), None, theta, reset),
        Flatten("flatten"),
        Dense("dense1", weights((16 * b, c)), weights((c,)), theta, reset),
        Dense("readout", weights((c, d)), None, theta, reset),
    )
    return Program(layers, SHAPE, time_steps)


def gaussian(seed=0):
    """Weights as training leaves them, drawn in float32."""
    rng = np.random.default_rng(seed)
    return lambda shape: (
        rng.normal(0.1, 1, shape) / np.sqrt(np.prod(shape[:-1]) or 1) if len(shape) > 1 else
        rng.normal(0, 0.02, shape)
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
        spikes, v[index] = oracle.fire(total, 0, layer.v_threshold, layer.reset)
        return spikes

    first = conv(a, np.rint(images.astype("float32") * np.float32(program.input_scale)).astype(float))
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
    per_filter=st.booleans(),
    pixels=st.sampled_from([1, 5, 16, 255]),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=12)
@example(8, 0.5, "zero", True, 16, 0)
@example(8, 0.3, "zero", False, 255, 1)
@example(8, 2.0, "subtract", True, 16, 2)
def test_weights_on_a_grid_keep_every_spike(bits, theta, reset, per_filter, pixels, seed):
    """Weights within 1 that are multiples of 1/64, or of 1/32 with 7 bits."""
    rng = np.random.default_rng(seed)
    if reset == "subtract" and theta == 0.3:
        theta = 0.75  # what is subtracted must lie on the grid too
    units = 2 ** (bits - 2)
    weights = grid(rng, units, -units, units // 2)
    program = network(weights, time_steps=4, theta=theta, reset=reset, filters=(3, 3, 5, 4))
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


def test_more_bits_agree_more(digits):
    (x_train, _), (x_test, _) = digits
    shares = []
    for bits in (2, 3, 4, 6, 8):
        found = [
            agreement(program, quantise(program, x_train[:200], bits=bits), x_test[:100])
            for program in (network(gaussian(seed), theta=0.3) for seed in range(4))
        ]
        shares.append(np.mean([f.equal_counts for f in found]))
    print(shares)
    assert shares == sorted(shares)
    assert shares[0] < 0.75
    assert shares[-1] > 0.95


def test_a_scale_a_filter_agrees_more_than_one_a_layer(digits):
    (x_train, _), (x_test, _) = digits
    shares = []
    for per_filter in (False, True):
        found = []
        for seed in range(4):
            program = network(gaussian(seed), theta=0.3)
            integer = quantise(program, x_train[:200], bits=5, per_filter=per_filter)
            found.append(agreement(program, integer, x_test[:100]).equal_counts)
        shares.append(np.mean(found))
    print(shares)
    assert shares[0] < shares[1]
