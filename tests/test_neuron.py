import numpy as np
import pytest
from keras import ops

from keras_proxy_snn.neurons import equations
from keras_proxy_snn.neurons.neuron import RESETS, Neuron

from . import oracle

to_numpy = ops.convert_to_numpy


@pytest.mark.parametrize("reset", RESETS)
def test_one_step_equals_the_equations(rng, reset):
    v, current = oracle.dyadic(rng, (50, 40)), oracle.dyadic(rng, (50, 40))
    spikes, after = map(to_numpy, equations.fire(v, current, Neuron(0.25, reset)))
    expected_spikes, expected_v = oracle.fire(v.astype(float), current, 0.25, reset)
    assert 0 < expected_spikes.sum() < expected_spikes.size
    assert (v + current == 0.25).any()  # the threshold itself is reached, not only passed
    np.testing.assert_array_equal(spikes, expected_spikes)
    np.testing.assert_array_equal(after, expected_v)


def test_a_neuron_at_its_threshold_fires():
    below = np.nextafter(np.float32(0.5), np.float32(0))
    spikes, v = equations.fire(np.zeros(3, "float32"), np.float32([0.5, below, 0.75]), Neuron(0.5))
    assert to_numpy(spikes).tolist() == [1, 0, 1]
    assert to_numpy(v).tolist() == [0, float(below), 0]


def test_reset_by_subtraction_keeps_the_excess():
    _, v = equations.fire(np.float32([0.0]), np.float32([1.75]), Neuron(0.5, "subtract"))
    assert to_numpy(v).tolist() == [1.25]


@pytest.mark.parametrize("reset", RESETS)
def test_a_constant_current_equals_the_same_current_at_each_step(rng, reset):
    current, v = oracle.dyadic(rng, (2, 30)), oracle.dyadic(rng, (2, 30))
    constant = equations.simulate(current, v, Neuron(1.0, reset), time_steps=9)
    repeated = equations.simulate(np.repeat(current[:, None], 9, axis=1), v, Neuron(1.0, reset))
    for a, b in zip(constant, repeated, strict=True):
        np.testing.assert_array_equal(to_numpy(a), to_numpy(b))


def test_rate_approximates_relu_of_current_over_threshold():
    """Eq. 9: with reset by subtraction the count is floor(T I / theta), clipped to 0..T."""
    current = np.arange(-64, 320).astype("float32")[None] / 256
    spikes, _ = equations.simulate(
        current, np.zeros_like(current), Neuron(1.0, "subtract"), time_steps=40
    )
    expected = np.clip(np.floor(40 * current.astype(float)), 0, 40)
    np.testing.assert_array_equal(to_numpy(ops.sum(spikes, axis=1)), expected)


def test_from_half_a_threshold_counts_round_to_the_nearest():
    """With reset by subtraction: floor(T I / theta + 1/2), clipped to 0..T."""
    current = np.arange(-64, 320).astype("float32")[None] / 256
    spikes, _ = equations.simulate(
        current, np.full_like(current, 0.5), Neuron(1.0, "subtract"), time_steps=4
    )
    counts = to_numpy(ops.sum(spikes, axis=1))
    expected = np.clip(np.floor(4 * current.astype(float) + 0.5), 0, 4)
    np.testing.assert_array_equal(counts, expected)
    rounded_down = np.clip(np.floor(4 * current.astype(float)), 0, 4)
    rate = np.clip(current, 0, 1)
    errors = [np.abs(n / 4 - rate).mean() for n in (counts, rounded_down)]
    assert errors[0] < 0.55 * errors[1]


@pytest.mark.parametrize("v_0", [-0.1, 1, 1.5, float("nan"), "0.5", None, True])
def test_the_start_is_a_fraction_of_the_threshold(v_0):
    with pytest.raises(ValueError, match=r"`v_0`, .* must be in \[0, 1\)\. Received"):
        Neuron(1.0, "zero", v_0)


@pytest.mark.parametrize("threshold", [0, -1.0, float("nan"), "1", None, True, -(10**400)])
def test_a_threshold_is_a_positive_number(threshold):
    with pytest.raises(ValueError, match=r"`v_threshold` must be a positive number. Received"):
        Neuron(threshold)


def test_an_unknown_reset_is_refused():
    with pytest.raises(ValueError, match=r"\('zero', 'subtract'\). Received: 'hard'"):
        Neuron(1.0, "hard")


@pytest.mark.parametrize("threshold", [1e-50, 1e-38, 1e38, 1e39, float("inf"), 10**400])
def test_a_threshold_beyond_float32_is_refused(threshold):
    with pytest.raises(ValueError, match=r"`v_threshold` must be from 2\^-126 to 2\^126.*Received"):
        Neuron(threshold)


def test_an_integer_that_python_does_not_write_is_refused_too():
    with pytest.raises(ValueError, match=r"2\^126.*Received: a number above 1e300"):
        Neuron(10**9000)


@pytest.mark.parametrize("threshold", [2.0**-126, 2.0**126, np.float32(0.5), np.int64(3)])
def test_a_neuron_holds_plain_numbers_and_what_follows_from_them(threshold):
    neuron = Neuron(threshold, "subtract", np.float32(0.5))
    assert (neuron.v_threshold, neuron.v_0) == (float(threshold), 0.5)
    assert type(neuron.v_threshold) is type(neuron.v_0) is float
    assert neuron.v_initial == 0.5 * float(threshold)
    assert neuron.subtracts
    assert not Neuron().subtracts
    assert neuron == Neuron(float(threshold), "subtract", 0.5) != Neuron(float(threshold))


def test_a_neuron_cannot_be_changed():
    with pytest.raises(AttributeError, match="cannot assign to field 'reset'"):
        Neuron().reset = "subtract"


def test_what_float32_rounds_to_the_threshold_is_no_start():
    with pytest.raises(ValueError, match=r"in \[0, 1\)\. Received: 0\.999999999"):
        Neuron(v_0=0.999999999)
    below = float(np.nextafter(np.float32(1), np.float32(0)))
    for theta in (1.0, 1.1, 0.3):
        neuron = Neuron(theta, v_0=below)
        assert np.float32(neuron.v_initial) < np.float32(theta)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int8])
def test_a_threshold_can_be_a_number_of_numpy(kind):
    assert Neuron(kind(2)) == Neuron(2.0)
