"""Spike counts equal the NumPy loop's exactly, on whichever backend the suite runs."""

import keras
import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from keras import ops

from keras_proxy_snn import ProxyModel, build_ann, parse_spec
from keras_proxy_snn.cnn.spec import SpecError
from keras_proxy_snn.simulation.nodes import spike_dtypes

from . import oracle

to_numpy = ops.convert_to_numpy

conv = st.builds("{}C{}".format, st.integers(1, 4), st.integers(1, 4))
pool = st.builds("P{}".format, st.integers(1, 3))
dense = st.builds("{}F".format, st.integers(1, 6))
specs = st.builds(
    lambda first, middle, last: "-".join([*first, *middle, *last]),
    st.lists(conv, min_size=1, max_size=1),
    st.lists(st.one_of(conv, pool), max_size=3),
    st.lists(dense, min_size=1, max_size=2),
) | st.lists(dense, min_size=1, max_size=3).map("-".join)


def random_model(spec, input_shape, rng, **settings):
    # Zeros, because JAX compiles a random generator anew for each shape.
    ann = build_ann(parse_spec(spec, input_shape), input_shape, kernel_initializer="zeros")
    model = ProxyModel(ann, **settings)
    weights = [oracle.dyadic(rng, w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    return model, weights


@given(
    spec=specs,
    input_shape=st.tuples(st.integers(3, 7), st.integers(3, 7), st.integers(1, 3)),
    steps=st.integers(1, 9),
    chunk=st.integers(1, 5),
    theta=st.sampled_from([0.25, 0.5, 1.0, 2.0]),
    reset=st.sampled_from(["zero", "subtract"]),
    v_0=st.sampled_from([0.0, 0.25, 0.5]),
    seed=st.integers(0, 2**16),
)
@example("3C3-P2-4C3-P2-5F-4F", (8, 8, 1), 9, 4, 0.5, "zero", 0.0, 0)
@example("3C3-P2-4C3-P2-5F-4F", (8, 8, 1), 9, 4, 0.5, "subtract", 0.0, 0)
@example("3C3-P2-4C3-P2-5F-4F", (8, 8, 1), 9, 4, 0.5, "zero", 0.5, 0)
@example("3C3-P2-4C3-P2-5F-4F", (8, 8, 1), 9, 4, 0.5, "subtract", 0.5, 0)
def test_random_networks_equal_the_oracle(spec, input_shape, steps, chunk, theta, reset, v_0, seed):
    rng = np.random.default_rng(seed)
    try:
        parse_spec(spec, input_shape)
    except SpecError:
        assume(False)
    model, weights = random_model(
        spec,
        input_shape,
        rng,
        time_steps=steps,
        v_threshold=theta,
        reset=reset,
        v_0=v_0,
        chunk_steps=chunk,
    )
    x = oracle.dyadic(rng, (3, *input_shape), low=0, high=257)
    spikes, potentials = oracle.run(spec, weights, x, steps, theta, reset, v_0)
    simulation = model.snn.simulate(x)
    np.testing.assert_array_equal(to_numpy(simulation.spike_counts), spikes[-1].sum(axis=1))
    np.testing.assert_array_equal(to_numpy(simulation.potential), potentials[-1])
    is_neuron = [not token.startswith("P") for token in spec.split("-")]
    rates = [s.mean() for s, yes in zip(spikes, is_neuron, strict=True) if yes]
    np.testing.assert_allclose([float(r) for r in simulation.firing_rates], rates, rtol=1e-5)


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_thresholds_are_hit_often_and_exactly(reset):
    """Weights and inputs from few values, so that v equals the threshold all the time."""
    rng = np.random.default_rng(1)
    spec, shape = "4C3-P2-6C3-8F-5F", (8, 8, 1)
    model, weights = random_model(
        spec, shape, rng, time_steps=20, v_threshold=0.5, reset=reset, chunk_steps=7
    )
    weights = [rng.integers(-1, 3, w.shape).astype("float32") / 8 for w in weights]
    model.set_weights(weights)
    x = rng.integers(0, 3, (4, *shape)).astype("float32") / 2
    spikes, _ = oracle.run(spec, weights, x, 20, 0.5, reset)
    first_current = oracle.conv_same(x.astype(float), weights[0].astype(float))
    assert (first_current == 0.5).mean() > 0.05
    np.testing.assert_array_equal(to_numpy(model.snn(x)), spikes[-1].sum(axis=1))


@pytest.mark.parametrize("steps", [1, 4, 11])
def test_chunks_never_change_a_count(rng, steps):
    model = ProxyModel(build_ann(parse_spec("8C3-P2-8C3-16F-10F"), (8, 8, 1)), steps, 0.25)
    x = oracle.dyadic(rng, (5, 8, 8, 1), low=0, high=257)
    model.set_weights([oracle.dyadic(rng, w.shape) for w in model.get_weights()])
    counts = []
    for chunk in (1, 2, 3, 4, 10, 11, 50):
        model.snn.chunk_steps = chunk
        counts.append(to_numpy(model.snn(x)))
    assert counts[0].any()
    for other in counts[1:]:
        np.testing.assert_array_equal(other, counts[0])


def test_record_keeps_every_spike(rng):
    spec, shape = "3C3-P2-5F-4F", (6, 6, 1)
    model, weights = random_model(spec, shape, rng, time_steps=6, v_threshold=0.5)
    x = oracle.dyadic(rng, (2, *shape), low=0, high=257)
    expected, _ = oracle.run(spec, weights, x, 6, 0.5, "zero")
    recorded = model.snn.record(x)
    assert list(recorded) == [
        "if_conv1",
        "spike_pool1",
        "spike_flatten",
        "if_dense1",
        "if_readout",
    ]
    del recorded["spike_flatten"]
    for spikes, reference in zip(recorded.values(), expected, strict=True):
        np.testing.assert_array_equal(to_numpy(spikes), reference)


def test_mixed_precision_leaves_counts_alone(rng):
    keras.config.set_dtype_policy("mixed_bfloat16")
    spec, shape = "3C3-P2-5F-4F", (6, 6, 1)
    model, weights = random_model(spec, shape, rng, time_steps=6, v_threshold=0.5)
    assert model.ann(np.zeros((1, *shape))).dtype != model.snn(np.zeros((1, *shape))).dtype
    x = oracle.dyadic(rng, (4, *shape), low=0, high=257)
    expected, _ = oracle.run(spec, weights, x, 6, 0.5, "zero")
    np.testing.assert_array_equal(to_numpy(model.snn(x)), expected[-1].sum(axis=1))
    np.testing.assert_array_equal(to_numpy(model(x, training=True)), expected[-1].sum(axis=1))


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_a_readout_by_potential_adds_what_is_left_of_a_spike(rng, reset):
    spec, shape = "3C3-P2-5F-4F", (6, 6, 1)
    settings = {"time_steps": 6, "v_threshold": 0.5, "reset": reset, "v_0": 0.5}
    model, weights = random_model(spec, shape, rng, readout="potential", **settings)
    x = oracle.dyadic(rng, (4, *shape), low=0, high=257)
    spikes, potentials = oracle.run(spec, weights, x, 6, 0.5, reset, 0.5)
    counts = spikes[-1].sum(axis=1)
    expected = counts + potentials[-1] / 0.5
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
    if reset == "subtract":  # then it is the current over all steps, and the start
        current = spikes[-2].sum(axis=1) @ weights[-1].astype(float)
        np.testing.assert_array_equal(expected, current / 0.5 + 0.5)
    model.readout = "counts"
    np.testing.assert_array_equal(model.predict(x, verbose=0), counts)


def coarse(rng, shape):
    """Multiples of 1/4 so small that their sums over a few inputs fit the 8 bits of bfloat16."""
    return rng.integers(-1, 3, shape).astype("float32") / 4


def test_bfloat16_currents_are_exact_where_eight_bits_are_enough(rng):
    spec, shape = "2C3-P2-3C3-5F-4F", (6, 6, 1)
    model, weights = random_model(
        spec, shape, rng, time_steps=6, v_threshold=0.5, current_dtype="bfloat16"
    )
    hidden = [coarse(rng, w.shape) for w in weights[1:-1]]
    weights = [weights[0], *hidden, weights[-1]]
    model.set_weights(weights)
    x = oracle.dyadic(rng, (8, *shape), low=0, high=257)
    expected, _ = oracle.run(spec, weights, x, 6, 0.5, "zero")
    assert expected[-1].any()
    np.testing.assert_array_equal(to_numpy(model.snn(x)), expected[-1].sum(axis=1))
    exact = ProxyModel(model.ann, time_steps=6, v_threshold=0.5)
    rates = zip(*(m.snn.simulate(x).firing_rates for m in (model, exact)), strict=True)
    for rate, wanted in rates:
        assert float(rate) == pytest.approx(float(wanted), rel=1e-6)  # not in eight bits


def test_bfloat16_currents_are_those_of_rounded_weights(rng):
    """One spike's current is its weight: rounded in hidden layers, as it is in first and last."""
    ann = build_ann(parse_spec("3F-3F-3F", (1, 1, 3)), (1, 1, 3))
    model = ProxyModel(ann, time_steps=1, v_threshold=100.0, current_dtype="bfloat16")
    assert [x.current_dtype for x in model.snn.if_layers] == ["float32", "bfloat16", "float32"]
    fine = np.eye(3, dtype="float32") * (1 + 2**-12)
    for layer, rounded in zip(model.snn.if_layers, (False, True, False), strict=True):
        layer.twin.kernel.assign(fine)
        current = to_numpy(layer.linear(np.eye(3, dtype="float32"), layer.synaptic_weights()))
        np.testing.assert_array_equal(current, np.eye(3) if rounded else fine)
        assert current.dtype == "float32"


def test_spikes_are_kept_in_the_type_in_which_all_their_readers_sum(rng):
    model, _ = random_model(
        "3C3-P2-4C3-5F-4F", (6, 6, 1), rng, time_steps=6, current_dtype="bfloat16"
    )
    dtypes = spike_dtypes(model.snn.nodes)
    assert {layer.name: dtypes[layer.name] for layer in model.snn.if_layers} == {
        "if_conv1": "bfloat16",  # through the pooling
        "if_conv2": "bfloat16",  # through the flattening
        "if_dense1": "float32",  # the readout sums in that
        "if_readout": "float32",
    }


def test_bfloat16_currents_survive_a_file_and_another_name_is_refused(tmp_path, rng):
    model, _ = random_model("3C3-5F-4F", (6, 6, 1), rng, time_steps=6, current_dtype="bfloat16")
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras", compile=False)
    assert loaded.current_dtype == "bfloat16"
    x = rng.random((4, 6, 6, 1), "float32")
    np.testing.assert_array_equal(to_numpy(loaded(x)), to_numpy(model(x)))
    with pytest.raises(ValueError, match=r"`current_dtype` must be one of .*Received: 'float16'"):
        random_model("4F", (2, 2, 1), rng, time_steps=1, current_dtype="float16")
