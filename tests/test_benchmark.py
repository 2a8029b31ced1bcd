"""Timings: what is timed, the numbers made of the times, and that the model stays as it is."""

import time
from unittest import mock

import numpy as np
import pytest

import keras_proxy_snn as kps
from keras_proxy_snn.basics.stopwatch import seconds_of
from keras_proxy_snn.statistics.timing import Timing, measure


@pytest.fixture
def model():
    return kps.build("2C3-P4-4F", input_shape=(8, 8, 1), time_steps=3)


def test_median_quartiles_and_rate():
    seconds = (0.5, 0.1, 0.2, 0.3, 0.4)
    timing = Timing(what="a", network="SNN", time_steps=3, batch_size=30, seconds=seconds)
    assert timing.median == pytest.approx(0.3)
    assert timing.quartiles == pytest.approx((0.2, 0.4))
    assert timing.images_per_second == pytest.approx(100)
    facts = timing.as_dict()
    assert facts["seconds"] == list(seconds)
    assert facts["quartiles"] == pytest.approx([0.2, 0.4])


def test_the_model_stays_as_it_is(model):
    weights, optimizer = model.get_weights(), model.optimizer
    steps = int(optimizer.iterations)
    timings = measure(model, batch_size=2, time_steps=[1, 5], repeats=1)
    assert [t.time_steps for t in timings] == [3, None, 1, 5, None, 1, 5, None]
    assert (model.time_steps, model.optimizer, int(optimizer.iterations)) == (3, optimizer, steps)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_first_calls_do_not_count():
    readings, calls = [0, 9, 9, 18, 20, 21, 30, 32], []
    with mock.patch.object(time, "perf_counter", side_effect=readings):
        assert seconds_of(lambda: calls.append("x"), 2) == (1, 2)
    assert calls == ["x"] * 4


@pytest.mark.parametrize("arguments", [{"batch_size": 0}, {"repeats": True}, {"time_steps": [0]}])
def test_bad_arguments_are_refused(model, arguments):
    ((name, _),) = arguments.items()
    with pytest.raises(ValueError, match=rf"`{name}` must be a positive integer. Received: "):
        measure(model, **arguments)
