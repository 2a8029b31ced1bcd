"""Statistics against hand-computed cases and against counts by brute force."""

import dataclasses
import json
import re

import keras
import numpy as np
import pytest
from hypothesis import assume, event, example, given, settings
from hypothesis import strategies as st
from keras import ops
from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D, ReLU

import keras_proxy_snn as kps
from keras_proxy_snn import statistics
from keras_proxy_snn.layers import IFConv2D

from . import oracle

to_numpy = ops.convert_to_numpy
PIXEL = np.ones((1, 1, 1, 1), "float32")


def dense_model(*weights, **fields):
    """Fully connected layers on an image of one pixel."""
    spec = "-".join(f"{np.shape(w)[1]}F" for w in weights)
    fields = {"proxy_activation": "relu", "input_shape": (1, 1, 1), **fields}
    model = kps.build(spec, **fields)
    model.set_weights([np.float32(w) for w in weights])
    return model


def conv_model(rng, **fields):
    fields = {"input_shape": (6, 5, 2), "time_steps": 5, "v_threshold": 0.5, **fields}
    model = kps.build("3C3-P2-4C3-5F-4F", **fields)
    model.set_weights([oracle.dyadic(rng, w.shape) for w in model.get_weights()])
    return model, oracle.dyadic(rng, (7, 6, 5, 2), low=0, high=257)


# Activity


def test_activity_of_five_neurons_by_hand():
    """Currents 1/2, 1/4, -1, 2 and 5/8 at threshold 1, for four steps."""
    model = dense_model([[0.5, 0.25, -1, 2, 0.625]], time_steps=4, v_threshold=1.0, reset="zero")
    seen = statistics.record(model, PIXEL)["readout"]
    assert seen.spikes[0].T.tolist() == [
        [0, 1, 0, 1],
        [0, 0, 0, 1],
        [0, 0, 0, 0],
        [1, 1, 1, 1],
        [0, 1, 0, 1],
    ]
    assert seen.potentials[0].T.tolist() == [
        [0.5, 0, 0.5, 0],
        [0.25, 0.5, 0.75, 0],
        [-1, -2, -3, -4],
        [0, 0, 0, 0],
        [0.625, 0, 0.625, 0],
    ]
    assert seen.firing_rates[0].tolist() == [0.5, 0.25, 0, 1, 0.5]
    assert seen.expected_rates[0].tolist() == [0.5, 0.25, 0, 2, 0.625]
    assert (seen.name, seen.neurons, seen.v_threshold) == ("readout", 5, 1.0)
    assert seen.firing_rate == pytest.approx(2.25 / 5)
    assert seen.dead_fraction == pytest.approx(1 / 5)
    assert seen.saturated_fraction == pytest.approx(1 / 5)
    # What exceeds one spike a step is lost, and so is the excess over the threshold.
    assert seen.rate_error == pytest.approx((0 + 0 + 0 + 1 + 0.125) / 5)
    inner, norms = 0.25 + 0.0625 + 2 + 0.3125, (1.5625, 4.703125)
    assert seen.rate_distance == pytest.approx(1 - inner / np.sqrt(np.prod(norms)))
    assert seen.ann_error == pytest.approx(seen.rate_error)
    assert seen.ann_distance == pytest.approx(seen.rate_distance)


def test_error_of_a_layer_does_not_hold_that_of_the_layer_before():
    """The first neuron should fire 5/8 of the time and does half of it."""
    fields = {"time_steps": 4, "v_threshold": 1.0, "reset": "zero"}
    seen = statistics.record(dense_model([[0.625]], [[1.0]], **fields), PIXEL)
    assert seen["dense1"].rate_error == pytest.approx(0.125)
    assert seen["readout"].rate_error == 0
    assert seen["readout"].ann_error == pytest.approx(0.125)


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("fields", "units"),
    [
        # No bias: a rate of 1 stands for the product of the thresholds.
        ({"v_threshold": {"dense1": 2.0, "readout": 4.0}}, [2, 8]),
        ({"v_threshold": 2.0, "proxy_activation": "clip", "readout_activation": "relu"}, [1, 1]),
        ({"v_threshold": 2.0, "proxy_activation": "clip", "readout_activation": "linear"}, [1, 2]),
        ({"v_threshold": 2.0, "proxy_activation": "clip", "use_bias": True}, [1, 2]),
        ({"v_threshold": 2.0, "proxy_activation": "clip", "learn_threshold": True}, [1, 2]),
        ({"v_threshold": 2.0, "proxy_activation": "clip", "v_0": 0.5}, [1, 2]),
        ({"v_threshold": 1.0, "use_bias": True}, [1, 1]),
        # A bias is right for one scale of the rates only.
        ({"v_threshold": 2.0, "use_bias": True}, [2, None]),
        ({"v_threshold": 2.0, "batch_norm": True, "use_bias": True}, [2, None]),
        ({"v_threshold": 2.0, "batch_norm": True}, [2, 4]),
    ],
)
def test_rates_and_activations_are_compared_in_one_unit(rng, fields, units):
    """Currents that are constant in time and a reset by subtraction leave no error but 1/T."""
    steps = 2000
    fields = {"reset": "subtract", "proxy_activation": "relu", **fields}
    model = kps.build("5F-3F", input_shape=(1, 1, 3), time_steps=steps, **fields)
    for w in model.ann.weights:
        if w.name == "kernel":
            w.assign(ops.abs(w) / 4)
        elif w.name in ("bias", "beta"):
            w.assign(ops.full(w.shape, 0.1))
    x = rng.random((4, 1, 1, 3))
    seen = statistics.record(model, x)
    assert [layer.ann_error is None for layer in seen.values()] == [u is None for u in units]
    for layer, unit in zip(seen.values(), units, strict=True):
        assert layer.rate_error < 3 / steps
        if unit is not None:
            assert layer.ann_error < 5 / steps
            difference = np.abs(layer.firing_rates - layer.activations / unit).mean()
            assert layer.ann_error == pytest.approx(difference, rel=1e-3)


def test_distance_of_silent_layers():
    fields = {"time_steps": 2, "v_threshold": 1.0}
    silent = statistics.record(dense_model([[-1.0, -2.0]], **fields), PIXEL)["readout"]
    assert (silent.dead_fraction, silent.rate_distance, silent.ann_distance) == (1, 0, 0)
    # Too weak to fire within two steps, yet not nothing.
    weak = statistics.record(dense_model([[0.25, 0.25]], **fields), PIXEL)["readout"]
    assert (weak.dead_fraction, weak.rate_distance, weak.ann_distance) == (1, 1, 1)


@pytest.mark.any_backend
def test_dead_and_saturated_are_so_on_all_images():
    """Each of three neurons fires always on one image, never on another, or both."""
    model = kps.build("3F", input_shape=(1, 1, 2), time_steps=3, v_threshold=1.0)
    model.set_weights([np.float32([[1, 1, -1], [-1, 1, -1]])])
    x = np.float32([[1, 0], [0, 1]]).reshape(2, 1, 1, 2)
    together = statistics.record(model, x)["readout"]
    assert together.dead_fraction == pytest.approx(1 / 3)
    assert together.saturated_fraction == pytest.approx(1 / 3)
    alone = statistics.record(model, x[1:])["readout"]
    assert alone.dead_fraction == pytest.approx(2 / 3)


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_spikes_and_potentials_of_every_step_equal_the_oracle(rng, reset):
    model, x = conv_model(rng, reset=reset)
    weights = model.get_weights()
    spec = "3C3-P2-4C3-5F-4F"
    runs = [oracle.run(spec, weights, x, t, 0.5, reset) for t in range(1, 6)]
    names = ["conv1", "conv2", "dense1", "readout"]
    spikes = [s for s, token in zip(runs[-1][0], spec.split("-"), strict=True) if token != "P2"]
    seen = statistics.record(model, x, batch_size=3)
    assert list(seen) == names
    with pytest.raises(KeyError, match=r"one of \('conv1', 'conv2', .*Received: 'conv9'"):
        seen["conv9"]
    for i, name in enumerate(names):
        np.testing.assert_array_equal(seen[name].spikes, spikes[i])
        potentials = np.stack([run[1][i] for run in runs], axis=1)
        np.testing.assert_array_equal(seen[name].potentials, potentials)
        np.testing.assert_allclose(seen[name].firing_rates, spikes[i].mean(axis=1), rtol=1e-6)


@pytest.mark.any_backend
def test_the_networks_own_record_gives_the_same_with_and_without_potentials(rng):
    model, x = conv_model(rng)
    alone = model.snn.record(x)
    spikes, potentials = model.snn.record(x, return_potentials=True)
    assert list(spikes) == list(alone)
    for name, expected in alone.items():
        np.testing.assert_array_equal(to_numpy(spikes[name]), to_numpy(expected))
    assert list(potentials) == [layer.name for layer in model.snn.if_layers]
    last = model.snn.simulate(x).potential
    np.testing.assert_array_equal(to_numpy(potentials["if_readout"])[:, -1], to_numpy(last))
    with pytest.raises(ValueError, match=r"`chunk_steps` must be a positive integer.*Received: 0"):
        next(model.snn.walk(x, 0))
    with pytest.raises(ValueError, match=r"`until` must be one of \['if_conv1'.*Received: 'conv1'"):
        next(model.snn.walk(x, until="conv1"))


@pytest.mark.any_backend
def test_layers_are_chosen_by_name_and_come_in_order(rng):
    model, x = conv_model(rng)
    chosen = statistics.record(model, x, layers=["readout", "conv2"])
    assert list(chosen) == ["conv2", "readout"]
    everything = statistics.record(model, x)
    assert vars(chosen["conv2"]).keys() == vars(everything["conv2"]).keys()
    np.testing.assert_array_equal(chosen["conv2"].spikes, everything["conv2"].spikes)
    assert list(statistics.record(model, x, layers="conv1")) == ["conv1"]


def test_another_t_for_one_call(rng):
    model = kps.build("4C3-P2-10F", input_shape=(8, 8, 1), time_steps=6)
    x = rng.random((3, 8, 8, 1))
    found = [
        (
            statistics.record(model, x, time_steps=t, verbose=0)["conv1"].spikes.shape[1],
            statistics.report(model, x, time_steps=t, verbose=0),
            statistics.costs(model, x, time_steps=t, verbose=0),
        )
        for t in (None, 9)
    ]
    for steps, (recorded, report, costs) in zip((6, 9), found, strict=True):
        assert (recorded, report.time_steps, costs.time_steps) == (steps,) * 3
        assert report.costs == costs
    model.time_steps = 9
    assert statistics.costs(model, x, verbose=0) == found[1][2]
    with pytest.raises(ValueError, match=r"`time_steps` must be a positive integer.*Received: 0"):
        statistics.report(model, x, time_steps=0)
    assert model.time_steps == 9


def test_the_model_stays_as_it_is(rng):
    model, x = conv_model(rng, batch_norm=True)
    model.evaluate(x, np.arange(7) % 4, verbose=0)
    weights, counts = model.get_weights(), model.predict(x, verbose=0)
    statistics.record(model, x)
    statistics.report(model, x)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(model.predict(x, verbose=0), counts)


def test_mixed_precision_of_the_ann_leaves_spikes_alone(rng):
    model, x = conv_model(rng)
    expected = statistics.record(model, x)["readout"]
    keras.config.set_dtype_policy("mixed_bfloat16")
    mixed, _ = conv_model(rng)
    mixed.set_weights(model.get_weights())
    seen = statistics.record(mixed, x)["readout"]
    np.testing.assert_array_equal(seen.spikes, expected.spikes)
    assert seen.activations.dtype == np.float32


# Operations


def connected(size, kernel, stride, dilation, padding):
    """Pairs of an input and an output in a row, by the definition of a padded convolution."""
    reach = dilation * (kernel - 1) + 1
    count = -(-size // stride) if padding == "same" else -(-(size - reach + 1) // stride)
    missing = max(0, stride * (count - 1) + reach - size) if padding == "same" else 0
    for out in range(count):
        for place in range(kernel):
            source = stride * out + dilation * place - missing // 2
            if 0 <= source < size:
                yield source, out


def synops_by_brute_force(layer, spikes):
    """One by one: each spike, each neuron that it reaches."""
    twin, total = layer.twin, 0
    if isinstance(twin, Dense):
        for _ in np.argwhere(spikes):
            for _ in range(twin.units):
                total += 1
        return total
    options = (twin.kernel_size, twin.strides, twin.dilation_rate)
    rows, columns = (
        list(connected(spikes.shape[2 + axis], *(o[axis] for o in options), twin.padding))
        for axis in (0, 1)
    )
    for *_, row, column, channel in np.argwhere(spikes):
        for source_row, _ in rows:
            for source_column, _ in columns:
                for filter_ in range(twin.filters):
                    group = channel * twin.groups // spikes.shape[-1]
                    if (source_row, source_column) == (row, column) and (
                        filter_ * twin.groups // twin.filters == group
                    ):
                        total += 1
    return total


padding = st.sampled_from(["same", "valid"])
convolutions = st.fixed_dictionaries(
    {
        "filters": st.integers(1, 3),
        "kernel_size": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "strides": st.integers(1, 3),
        "padding": padding,
    }
)
poolings = st.fixed_dictionaries(
    {"pool_size": st.integers(1, 3), "strides": st.integers(1, 2), "padding": padding}
)


@pytest.mark.any_backend
@settings(max_examples=12)
@given(
    first=convolutions,
    middle=st.lists(convolutions | poolings, max_size=2),
    units=st.lists(st.integers(1, 4), min_size=1, max_size=2),
    input_shape=st.tuples(st.integers(3, 6), st.integers(3, 6), st.integers(1, 2)),
    steps=st.integers(1, 4),
    seed=st.integers(0, 2**16),
)
@example(
    {"filters": 3, "kernel_size": (3, 2), "strides": 1, "padding": "same"},
    [
        {"pool_size": 2, "strides": 1, "padding": "same"},
        {"filters": 2, "kernel_size": (2, 3), "strides": 2, "padding": "same"},
    ],
    [4, 3],
    (6, 5, 2),
    4,
    0,
)
@example(
    {"filters": 3, "kernel_size": (2, 2), "strides": 1, "padding": "valid"},
    [{"filters": 2, "kernel_size": (3, 3), "strides": 3, "padding": "valid"}],
    [3],
    (6, 6, 1),
    4,
    1,
)
def test_synops_equal_a_count_of_every_spike_and_neuron(
    first, middle, units, input_shape, steps, seed
):
    rng = np.random.default_rng(seed)
    stack = [keras.Input(input_shape)]
    # Weights are set below. JAX would compile a random generator anew for each shape.
    plain = {"use_bias": False, "kernel_initializer": "zeros"}
    for options in [first, *middle]:
        if "filters" in options:
            stack += [Conv2D(**plain, **options), ReLU()]
        else:
            stack.append(MaxPooling2D(**options))
    stack.append(Flatten())
    for number in units:
        stack += [Dense(number, **plain), ReLU()]
    try:
        ann = keras.Sequential(stack)
    except ValueError:
        assume(False)  # A window does not fit on what is left of the image.
    assume(all(0 not in layer.output.shape for layer in ann.layers))
    model = kps.ProxyModel(ann, steps, v_threshold=0.5)
    # More excitation than inhibition, or most deep layers get no spike.
    model.set_weights([oracle.dyadic(rng, w.shape, low=-64, high=160) for w in model.weights])
    x = oracle.dyadic(rng, (2, *input_shape), low=64, high=257)
    spikes = {name: to_numpy(s) for name, s in model.snn.record(x).items()}
    expected, below = [], None
    for stage in model.snn.stages:
        if stage in model.snn.if_layers:
            expected.append(synops_by_brute_force(stage, spikes[below]) / 2 if below else 0)
        below = stage.name
    spent = statistics.costs(model, x)
    assert [layer.synops for layer in spent.layers] == expected
    assert spent.synops == sum(expected)
    event(f"{sum(e > 0 for e in expected)} layers with spikes at their inputs")


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("size", [(4, 4), (5, 7), (9, 6)])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3},
        {"kernel_size": (2, 4)},
        {"kernel_size": 3, "strides": 2},
        {"kernel_size": 2, "strides": 3},
        {"kernel_size": (1, 3), "strides": (3, 1)},
        {"kernel_size": 2, "dilation_rate": 2},
        {"kernel_size": (3, 1), "groups": 2},
    ],
)
def test_fan_out_is_that_of_the_backends_own_convolution(options, size, padding):
    """A convolution with ones tells how many neurons each single input reaches."""
    twin = Conv2D(4, padding=padding, use_bias=False, kernel_initializer="ones", **options)
    shape = (*size, 2)
    single = np.eye(np.prod(shape), dtype="float32").reshape(-1, *shape)
    reached = to_numpy(twin(single)).reshape(len(single), -1).sum(axis=1)
    np.testing.assert_array_equal(IFConv2D(twin=twin).fan_out(shape).ravel(), reached)


@pytest.mark.any_backend
def test_costs_by_hand():
    """2C3 on 4x4 pixels, P2, 3F: a 3-wide window meets 10 of the pairs of 4 and 4 places."""
    model = kps.build("2C3-P2-3F", input_shape=(4, 4, 1), time_steps=7, v_threshold=1.0)
    model.set_weights([np.ones((3, 3, 1, 2), "float32"), np.ones((8, 3), "float32")])
    x = np.zeros((2, 4, 4, 1), "float32")
    x[0, 0, 0, 0] = 1.0  # A corner: 4 windows, in one window of the pooling, each step.
    spent = statistics.costs(model, x)
    conv, readout = spent.layers
    assert dataclasses.asdict(conv) == {
        "name": "conv1",
        "neurons": 32,
        "inputs": 16,
        "parameters": 18,
        "has_bias": False,
        "multiply_adds": 2 * 10 * 10,
        "nonzero_multiply_adds": 2 * 4 / 2,
        "nonzero_inputs": 1 / 2,
        "input_spikes": 0.0,
        "synops": 0.0,
    }
    assert (readout.multiply_adds, readout.inputs, readout.neurons) == (8 * 3, 8, 3)
    # Two maps fire at 7 steps on one of two images. In the ANN the same two are not zero.
    assert (readout.input_spikes, readout.synops) == (2 * 7 / 2, 2 * 7 * 3 / 2)
    assert (readout.nonzero_inputs, readout.nonzero_multiply_adds) == (1.0, 3.0)
    assert (spent.snn_multiply_adds, spent.ann_multiply_adds) == (200, 224)
    assert (spent.images, spent.time_steps, spent.activation_bits) == (2, 7, 3)


def test_biases_are_counted_with_batch_normalisation_folded_in(rng):
    model, x = conv_model(rng, batch_norm=True)
    layers = statistics.costs(model, x).layers
    assert [layer.has_bias for layer in layers] == [True, True, True, False]
    assert layers[0].parameters == 3 * 3 * 2 * 3 + 3


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 8, 15, 16, 20, 60])
def test_bits_of_the_fair_opponent(steps):
    model = dense_model([[1.0]], time_steps=steps)
    spent = statistics.costs(model, PIXEL)
    assert spent.activation_bits == int(np.ceil(np.log2(steps + 1)))


# Bytes and energy


def one_neuron_after_another():
    """Two neurons in a row that fire at all of four steps."""
    model = dense_model([[1.0]], [[1.0]], time_steps=4, v_threshold=1.0)
    estimates = statistics.costs(model, PIXEL).estimates
    return {(e.network, e.number_format, e.dataflow): e for e in estimates}


@pytest.mark.parametrize(
    ("key", "bits", "weights", "states", "signals", "picojoules"),
    [
        # First layer: 1 product, weight 1, current written and sums moved 2, then 3 a step; pixel.
        # Second: 4 SynOps, each a weight and a potential in and out; 4 spikes of 1 bit, in and out.
        # Additions: 1 product, 4 constant currents, 4 SynOps, 2 * 4 comparisons.
        (("SNN", "float32", "event"), 1, 5 * 4, (2 + 12 + 8) * 4, 4 + 1, 3.7 + 17 * 0.9),
        (("SNN", "int8", "event"), 1, 5, 22 * 4, 1 + 1, 0.2 + 17 * 0.1),
        (("SNN", "float32", "layer"), 1, 5 * 4, (1 + 12 + 8) * 4, 4 + 1, 3.7 + 17 * 0.9),
        (("SNN", "int8", "layer"), 1, 5, 21 * 4, 1 + 1, 0.2 + 17 * 0.1),
        # Two products and two comparisons. Activations have 3 bits, and 1 of an address.
        (("ANN", "float32", "event"), 32, 8, (4 + 2) * 4, 4 + 2 * 33 / 8, 2 * 3.7 + 4 * 0.9),
        (("ANN", "int8", "event"), 3, 2, 6 * 4, 1 + 2 * 4 / 8, 0.2 * 11 / 8 + 4 * 0.1),
        (("ANN", "float32", "layer"), 32, 8, 0, 4 + 2 * 4, 2 * 3.7 + 4 * 0.9),
        (("ANN", "int8", "layer"), 3, 2, 0, 1 + 2 * 3 / 8, 0.2 * 11 / 8 + 4 * 0.1),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_bytes_and_energy_by_hand(key, bits, weights, states, signals, picojoules):
    e = one_neuron_after_another()[key]
    assert e.activation_bits == bits
    assert (e.weight_bytes, e.state_bytes, e.signal_bytes) == (weights, states, signals)
    assert e.compute_nj == pytest.approx(picojoules / 1000)
    # All of it fits into 8 KB: 10 pJ for 8 bytes.
    assert e.memory_nj == pytest.approx((weights + states + signals) * 10 / 8 / 1000)
    assert e.total_nj == pytest.approx(e.compute_nj + e.memory_nj)
    assert e.weight_memory == e.signal_memory == "SRAM 8 KB"
    assert e.state_memory == ("SRAM 8 KB" if states else None)


def test_biases_by_hand():
    """A bias is added, and the potential moved, at every step whether there is a spike or not."""
    model = dense_model([[1.0]], [[1.0]], time_steps=4, v_threshold=1.0)
    biased = kps.build("1F-1F", input_shape=(1, 1, 1), time_steps=4, v_threshold=1.0, use_bias=True)
    one, zero = np.ones((1, 1), "float32"), np.zeros(1, "float32")
    biased.set_weights([one, zero, one, zero])
    pairs = zip(
        statistics.costs(model, PIXEL).estimates,
        statistics.costs(biased, PIXEL).estimates,
        strict=True,
    )
    more = {
        (b.network, b.dataflow): (b.weight_bytes - a.weight_bytes, b.state_bytes - a.state_bytes)
        for a, b in pairs
        if a.number_format == "int8"
    }
    assert more == {
        ("SNN", "event"): (1 + 4, 4 * 2 * 4),
        ("SNN", "layer"): (1 + 4, 0),
        ("ANN", "event"): (2, 0),
        ("ANN", "layer"): (2, 0),
    }


@pytest.mark.parametrize(
    ("inputs", "memory"),
    [(8192, "SRAM 8 KB"), (8193, "SRAM 32 KB"), (2**20, "SRAM 1 MB"), (2**20 + 1, "DRAM")],
)
def test_weights_lie_in_the_smallest_memory_that_holds_them(inputs, memory):
    model = kps.build("1F", input_shape=(1, 1, inputs), time_steps=1)
    estimates = statistics.costs(model, np.ones((1, 1, 1, inputs), "float32")).estimates
    (snn, ann) = (e for e in estimates if e.number_format == "int8" and e.dataflow == "layer")
    assert snn.weight_memory == ann.weight_memory == memory
    assert snn.state_memory == "SRAM 8 KB"


def test_another_table_of_constants():
    table = dataclasses.replace(
        statistics.HOROWITZ_45NM,
        int32_add=statistics.Constant(7.0, "a test"),
        memories=(statistics.Memory("free", None, 0.0, "a test"),),
    )
    model = dense_model([[1.0]], [[1.0]], time_steps=4, v_threshold=1.0)
    estimates = statistics.costs(model, PIXEL, table=table).estimates
    assert {e.memory_nj for e in estimates} == {0.0}
    snn = next(e for e in estimates if (e.network, e.number_format) == ("SNN", "int8"))
    assert snn.compute_nj == pytest.approx((0.2 + 17 * 7.0) / 1000)
    bounded = dataclasses.replace(table, memories=(statistics.Memory("tiny", 1, 1.0, "a test"),))
    with pytest.raises(ValueError, match=r"must have capacity None.*Received: .*tiny"):
        statistics.costs(model, PIXEL, table=bounded)


def test_every_constant_has_a_source():
    table = statistics.HOROWITZ_45NM
    fields = [getattr(table, field.name) for field in dataclasses.fields(table)]
    constants = [f for f in fields if isinstance(f, statistics.Constant)] + [*table.memories]
    assert len(constants) == 8
    assert all("ISSCC 2014" in constant.source for constant in constants)


# All together


def test_report_holds_the_same_numbers_as_its_parts(rng):
    model, x = conv_model(rng)
    report = statistics.report(model, x, batch_size=3)
    assert (report.images, report.time_steps, report.model) == (7, 5, model.name)
    assert report.costs == statistics.costs(model, x, batch_size=3)
    for layer, whole in zip(report.layers, statistics.record(model, x).values(), strict=True):
        for field in dataclasses.fields(layer):
            value, expected = getattr(layer, field.name), getattr(whole, field.name)
            assert value == (pytest.approx(expected) if isinstance(value, float) else expected)
    rates = [float(r) for r in model.snn.simulate(x).firing_rates]
    assert [layer.firing_rate for layer in report.layers] == pytest.approx(rates)
    fired = [layer.spikes.sum() / 7 for layer in statistics.record(model, x).values()]
    assert [layer.spikes_per_image for layer in report.layers] == pytest.approx(fired)
    assert report.spikes_per_image == pytest.approx(sum(fired))
    assert sum(fired) > 1


def test_report_prints_and_goes_to_json(rng):
    model, x = conv_model(rng, use_bias=True, proxy_activation="relu")
    report = statistics.report(model, x)
    text = str(report)
    assert max(map(len, text.splitlines())) <= 110
    for name in ("conv1", "conv2", "dense1", "readout", "total"):
        assert re.search(rf"^{name} ", text, re.MULTILINE)
    assert "an estimate, not a measurement" in text
    assert "ANN, 3 bits" in text
    titles = r"weights moved  states moved  signals moved +compute µJ +memory µJ +total µJ"
    assert re.search(titles, text)
    assert "moved: kB read from memory or written to it" in text
    last = report.costs.estimates[-1]
    assert text.splitlines()[-4].split()[-1] == f"{last.total_nj / 1000:,.3f}"
    plain = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert plain["layers"][1]["ann_error"] is None
    assert plain["costs"]["synops"] == report.costs.synops
    assert "ISSCC 2014" in plain["energy_table"]["memories"][0]["source"]


@pytest.mark.any_backend
def test_what_a_reset_to_zero_loses_does_not_come_back_with_more_steps(digits):
    """A page states the numbers of 32 images."""
    _, (x, _) = digits
    found = {}
    for reset in ("zero", "subtract"):
        model = kps.build("digits", weights="pretrained", reset=reset)
        for steps in (20, 60):
            model.time_steps = steps
            found[reset, steps] = statistics.record(model, x[:4], ["conv2"])["conv2"].rate_error
    assert found["zero", 60] > 0.9 * found["zero", 20] > 0.04
    assert found["subtract", 60] < 0.75 * found["subtract", 20] < 0.03


def test_a_result_of_early_stopping_shows_rounded_numbers():
    stopped = statistics.Stopping(0.5, 2.7199999999999998, 1 / 3)
    assert repr(stopped) == "Stopping(margin=0.5, mean_steps=2.72, accuracy=0.3333)"


@pytest.mark.any_backend
def test_maps_that_never_spike_are_told_by_index():
    model = kps.build("20C1-P2-3F", input_shape=(4, 4, 1), time_steps=2)
    kernel = np.full((1, 1, 1, 20), 2.0, "float32")
    kernel[..., [0, *range(2, 16)]] = -2.0
    model.ann.layers[0].set_weights([kernel])
    seen = statistics.record(model, np.ones((2, 4, 4, 1)))
    assert (seen["conv1"].maps, seen["conv1"].neurons) == (20, 320)
    assert seen["conv1"].dead_maps == (0, *range(2, 16))
    line = "conv1: maps 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, ... (15 of 20) never spiked."
    assert line in repr(seen).splitlines()
    assert "readout: map" not in repr(seen)
    assert line in str(statistics.report(model, np.ones((2, 4, 4, 1)))).splitlines()


@pytest.mark.any_backend
def test_the_report_of_the_digits_fits_a_screen(digits):
    model = kps.build("digits", weights="pretrained")
    assert len(repr(statistics.report(model, digits[1][0][:4]))) <= 3000


def test_record_report_and_costs_show_themselves_as_tables(rng):
    model, x = conv_model(rng)
    seen, report = statistics.record(model, x), statistics.report(model, x)
    assert repr(seen).startswith("Activity of 7 images, T = 5")
    assert len(repr(seen).splitlines()) == 2 + 4 + 3
    html = seen._repr_html_()
    assert html.count("<tr>") == 5
    assert '<td style="text-align:left">conv2</td>' in html
    assert report._repr_html_().count("<table>") == 3
    assert repr(report) == str(report)
    spikes = sum(layer.spikes_per_image for layer in report.layers)
    head = f"{model.name}: T = 5, 7 images, {spikes:,.0f} spikes per image"
    assert repr(report).startswith(f"{head}\n\nActivity (rates")
    assert report.as_dict()["spikes_per_image"] == report.spikes_per_image == spikes
    assert repr(report.costs).startswith("Work per image, mean of 7 images, T = 5\nlayer ")
    assert repr(report.costs).splitlines()[1:] == str(report._tables()[1]).splitlines()[1:]
    assert report.costs._repr_html_().count("<table>") == 1
    assert repr(statistics.Record()).startswith("Activity (rates")


@pytest.mark.parametrize("function", [statistics.record, statistics.costs, statistics.report])
def test_bad_input_is_refused(rng, function):
    model, x = conv_model(rng)
    with pytest.raises(
        TypeError, match=r"ProxyModel; from_keras makes one of a CNN. Received: <Seq"
    ):
        function(model.ann, x)
    with pytest.raises(ValueError, match=r"At least one image is needed.*Received: an empty"):
        function(model, x[:0])
    for bad in (x[0], x[..., :1]):
        message = "Images must have shape (batch, 6, 5, 2). Received: an input of shape "
        message += str(bad.shape)
        with pytest.raises(ValueError, match=re.escape(message)):
            function(model, bad)
    for size in (0, 1.5, True):
        with pytest.raises(ValueError, match=rf"`batch_size` must be a pos.*Received: {size!r}"):
            function(model, x, batch_size=size)


@pytest.mark.parametrize("layers", [["conv9"], [], "pool1"])
def test_unknown_layers_are_refused(rng, layers):
    model, x = conv_model(rng)
    with pytest.raises(ValueError, match=r"`layers` must name some of the layers \['conv1', 'con"):
        statistics.record(model, x, layers=layers)


def test_neurobench_counts_the_same_operations(rng):
    """What its metric SynapticOperations sums, on the very spikes; it skips weights of zero."""
    neurobench = pytest.importorskip(
        "neurobench.metrics.utils.layers", reason="pip install --no-deps neurobench"
    )
    torch = pytest.importorskip("torch", reason='pip install "keras-proxy-snn[torch]"')
    model, x = conv_model(rng)
    model.set_weights([np.where(w == 0, 0.125, w) for w in model.get_weights()])
    signals = {name: to_numpy(s) for name, s in model.snn.record(x).items()}
    for stage, ours in zip(model.snn.if_layers, statistics.costs(model, x).layers, strict=True):
        place = model.snn.stages.index(stage)
        below = signals[model.snn.stages[place - 1].name] if place else x[:, None]
        inputs = torch.tensor(np.moveaxis(below.reshape(-1, *below.shape[2:]), -1, 1).copy())
        layer = torch_layer(torch, stage.twin)
        with torch.no_grad():
            effective, spiking = neurobench.single_layer_MACs(inputs, layer)
            dense, _ = neurobench.single_layer_MACs(inputs, layer, total=True)
        # NeuroBench sums over images, and over steps where there are spikes.
        assert spiking == (place > 0)
        expected = ours.synops if place else ours.nonzero_multiply_adds
        assert effective == pytest.approx(expected * len(x))
        assert dense == ours.multiply_adds * len(inputs)


def torch_layer(torch, twin):
    kernel = to_numpy(twin.kernel)
    if isinstance(twin, Conv2D):
        layer = torch.nn.Conv2d(*kernel.shape[2:], 3, padding=1, bias=False)
        kernel = kernel.transpose(3, 2, 0, 1)
    else:
        layer, kernel = torch.nn.Linear(*kernel.shape, bias=False), kernel.T
    layer.weight.data = torch.tensor(kernel.copy())
    return layer


# Graphs


def residual_model(rng, steps=3):
    """A convolution, a residual block with an identity and one with a projection, an average."""
    image = keras.Input((6, 6, 2))
    x = ReLU()(Conv2D(3, 3, padding="same", name="first")(image))
    y = ReLU()(Conv2D(3, 3, padding="same", name="inner")(x))
    y = Conv2D(3, 3, padding="same", name="outer")(y)
    x = ReLU(name="block")(keras.layers.Add()([x, y]))
    y = keras.layers.BatchNormalization(name="norm")(keras.layers.AveragePooling2D(2)(x))
    z = ReLU(name="low")(keras.layers.Add()([Conv2D(3, 1, strides=2, name="skip")(x), y]))
    z = keras.layers.GlobalAveragePooling2D()(z)
    ann = keras.Model(image, Dense(4, name="readout")(z))
    with pytest.warns(UserWarning, match="not exported to a file for a device"):
        model = kps.from_keras(ann, steps, 0.25)
    model.set_weights([oracle.dyadic(rng, w.shape, high=160) for w in model.get_weights()])
    norm = ann.get_layer("norm")
    norm.set_weights([np.ones(3), np.zeros(3), np.zeros(3), np.ones(3)])
    return model


@pytest.mark.any_backend
def test_synops_of_a_graph_equal_a_count_of_every_spike_and_neuron(rng):
    model = residual_model(rng)
    x = oracle.dyadic(rng, (2, 6, 6, 2), low=0, high=257)
    seen = {name: to_numpy(s) for name, s in model.snn.record(x).items()}

    def through(name, kernel, strides=1, padding="same"):
        spikes = seen[name].reshape(-1, *seen[name].shape[2:])
        ones = np.ones(kernel)
        return oracle.convolve(spikes, ones, (strides, strides), padding).sum()

    spikes = {name: values.sum() for name, values in seen.items()}
    nonzero = {name: (values != 0).sum() for name, values in seen.items()}
    expected = {
        "first": 0,
        "inner": through("if_first", (3, 3, 3, 3)),
        "block": spikes["if_first"] + through("if_inner", (3, 3, 3, 3)),
        # The skip, the average and the normalisation of what is averaged.
        "low": through("if_block", (1, 1, 3, 3), 2, "valid")
        + spikes["if_block"]
        + nonzero["spike_average_pooling2d"],
        "readout": spikes["if_low"] + 4 * nonzero["spike_global_average_pooling2d"],
    }
    costs = statistics.costs(model, x)
    assert all(spikes[f"if_{name}"] > 0 for name in expected)
    assert {layer.name: layer.synops for layer in costs.layers} == {
        name: count / 2 for name, count in expected.items()
    }
    assert [layer.multiply_adds for layer in costs.layers] == [
        *(model_adds(2, 3), model_adds(3, 3), model_adds(3, 3), 3 * 3 * 9 + 27, 12)
    ]
    assert str(statistics.report(model, x))


def model_adds(channels, filters):
    """Multiply-adds of a same-padded 3 x 3 convolution of 6 x 6 pixels."""
    return 16**2 * channels * filters


@pytest.mark.any_backend
def test_rates_of_a_graph_are_compared_with_the_current_that_met(rng):
    model = residual_model(rng, steps=4)
    x = oracle.dyadic(rng, (2, 6, 6, 2), low=0, high=257)
    seen = {name: to_numpy(s) for name, s in model.snn.record(x).items()}
    found = statistics.record(model, x, layers=["block", "first"])["block"]
    expected = np.maximum(seen["sum_add"].mean(axis=1), 0) / 0.25
    np.testing.assert_allclose(found.expected_rates, expected, rtol=1e-6)
    np.testing.assert_array_equal(found.spikes, seen["if_block"])
    place = model.twin.activations["block"]
    (activation,) = (to_numpy(y) for p, y in model.twin.graph.run(x) if p == place)
    np.testing.assert_allclose(found.activations, activation, rtol=1e-6)
    error = np.abs(found.firing_rates - activation / 0.25).mean()
    assert found.ann_error == pytest.approx(error, rel=1e-5)


@pytest.mark.any_backend
def test_costs_need_an_image_that_enters_one_layer():
    image = keras.Input((4, 4, 1))
    x = ReLU()(Conv2D(1, 3, padding="same", name="conv")(image))
    x = ReLU(name="later")(keras.layers.Add()([x, image]))
    ann = keras.Model(image, Dense(2)(Flatten()(x)))
    with pytest.warns(UserWarning, match=r"maps of spikes, not the image\. .*'add\w*' \(Add\)"):
        model = kps.from_keras(ann, 2)
    with pytest.raises(ValueError, match=r"image enters no layer but the first.*layer 2, 'later'"):
        statistics.costs(model, np.zeros((1, 4, 4, 1)))


def test_a_simulation_stops_at_the_lead_asked_for():
    # Class 0 spikes at every step, class 1 at every second one: the lead is 1, 1, 2, 2, 3.
    model = dense_model([[1.0, 0.5]], time_steps=5)
    images = np.repeat(PIXEL, 2, axis=0)
    found = statistics.early_stopping(model, images, [0, 1], [0.5, 1.5, 3.0, 4.0])
    assert [dataclasses.astuple(stopping) for stopping in found] == [
        (0.5, 1.0, 0.5),
        (1.5, 3.0, 0.5),
        (3.0, 5.0, 0.5),
        (4.0, 5.0, 0.5),
    ]
    model.time_steps = 3
    assert statistics.early_stopping(model, images, [0, 1], [9.0])[0].mean_steps == 3


@pytest.mark.once
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "1", True, None])
def test_energies_and_capacities_are_numbers(value):
    with pytest.raises(ValueError, match=r"`picojoules` must be a finite number from 0. Received"):
        statistics.Constant(value, "a paper")
    if value is not None:
        with pytest.raises(ValueError, match=r"`capacity` must be a positive integer. Received"):
            statistics.Memory("SRAM", value, 1.0, "a paper")


LABELS = "Labels must be whole numbers from 0 to 1, or one-hot rows of 2."


@pytest.mark.parametrize(
    ("labels", "margins", "message"),
    [
        ([0], [1.0, 0.0], "Each margin must be a number above 0. Received: [1.0, 0.0]."),
        ([0], [float("nan")], "Each margin must be a number above 0. Received: [nan]."),
        ([0], ["1"], "Each margin must be a number above 0. Received: ['1']."),
        ([0], iter([0.0]), "Each margin must be a number above 0. Received: [0.0]."),
        ([2], [1.0], f"{LABELS} Received: 2 at 0."),
        ([0.5], [1.0], f"{LABELS} Received: 0.5 at 0."),
        ([0, 1], [1.0], "`y` must have one label per image, shape (1,). Received: shape (2,)."),
    ],
)
def test_early_stopping_refuses(labels, margins, message):
    model = dense_model([[1.0, 0.5]], time_steps=2)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        statistics.early_stopping(model, PIXEL, labels, margins)


def test_early_stopping_needs_a_second_class():
    with pytest.raises(ValueError, match=r"needs at least two classes.*a network with 1 class"):
        statistics.early_stopping(dense_model([[1.0]]), PIXEL, [0], [1.0])


@pytest.mark.parametrize("readout", ["counts", "potential"])
@pytest.mark.parametrize("ties", ["first", "wrong", "any", "potential"])
def test_one_simulation_has_the_accuracy_of_every_smaller_t(readout, ties):
    model = kps.build("digits", weights="pretrained", readout=readout)
    _, (x, y) = kps.datasets.load("digits")
    x, y = x[:70], y[:70]
    found = kps.statistics.accuracy_over_time(model, x, y, time_steps=6, ties=ties, batch_size=32)
    model.compile(loss=kps.SpikeCountCrossentropy(), metrics=[kps.SpikeAccuracy(ties)])
    each = [model.evaluate(x, y, batch_size=32, time_steps=t, verbose=0)[1] for t in range(1, 7)]
    np.testing.assert_allclose(found, each, atol=1e-6)
    assert ties == "any" or len(set(each)) > 2
    assert model.time_steps == 20
