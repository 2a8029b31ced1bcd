"""Long work says how far it is: in a terminal, in a notebook, and nowhere else."""

import inspect
import io
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import keras_proxy_snn as kps
from keras_proxy_snn import methods
from keras_proxy_snn.basics import progress as module
from keras_proxy_snn.basics.progress import Progress
from keras_proxy_snn.basics.types import Verbose


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Cell(io.StringIO):
    __module__ = "ipykernel.iostream"


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def work(clock, verbose, seconds=2):
    with Progress("counting", 4, verbose) as progress:
        for _ in range(2):
            clock.now += seconds
            progress.step()


@pytest.mark.once
def test_line_is_drawn_and_wiped_away(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    work(clock, "auto", seconds=90)
    first, second, wiped, at_start = terminal.getvalue().split("\r")[1:]
    assert first == f"counting  [{'#' * 7}{'-' * 23}]  25%, 4 min 30 s left"
    assert second.rstrip() == f"counting  [{'#' * 15}{'-' * 15}]  50%, 3 min 0 s left"
    assert wiped.strip() == at_start == ""
    assert len(wiped) >= len(second.rstrip())


@pytest.mark.once
def test_work_of_less_than_a_second_shows_nothing(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    work(clock, "auto", seconds=0.4)
    assert terminal.getvalue() == ""


@pytest.mark.once
@pytest.mark.parametrize(
    ("stream", "verbose", "shown"),
    [
        (io.StringIO, "auto", False),
        (io.StringIO, 1, True),
        (io.StringIO, True, True),
        (Terminal, "auto", True),
        (Terminal, 0, False),
        (Terminal, False, False),
    ],
)
def test_who_sees_the_line(clock, monkeypatch, stream, verbose, shown):
    monkeypatch.setattr(sys, "stderr", stream := stream())
    work(clock, verbose)
    assert ("counting" in stream.getvalue()) is shown


@pytest.mark.once
def test_a_notebook_shows_the_line_in_the_cell(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(sys, "stdout", cell := Cell())
    work(clock, "auto")
    assert "counting" in cell.getvalue()


@pytest.mark.once
def test_a_number_that_nobody_knows_is_counted(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with Progress("counting", None, passes=2) as progress:
        for batch in progress.over(np.zeros((size, 1)) for size in (3, 1)):
            clock.now += 30 * len(batch)
    first, second, *_ = terminal.getvalue().split("\r")[1:]
    assert (first, second.rstrip()) == (
        "counting  3 done, 1 min 30 s so far",
        "counting  4 done, 2 min 0 s so far",
    )


@pytest.mark.once
@pytest.mark.parametrize("wrong", ["yes", None, 3, 1.0, np.ones(2), []])
def test_other_settings_are_refused(wrong):
    message = r'`verbose` must be "auto", 0, 1 or 2, or True or False\. Received: '
    with pytest.raises(ValueError, match=message):
        Progress("counting", 4, wrong)
    with pytest.raises(ValueError, match=message):
        methods.Training(epochs=1, verbose=wrong)


@pytest.mark.once
def test_every_argument_verbose_has_one_type_and_says_the_rule():
    """Keras's rule; `Training` gives its own on to `fit`."""
    seen = {}
    for room in (kps, kps.statistics, kps.export, methods, kps.datasets, kps.visualization):
        for name in room.__all__:
            function = getattr(room, name)
            if callable(function) and "verbose" in (given := parameters(function)):
                seen[name] = given["verbose"]
                text = " ".join(function.__doc__.split())
                assert re.search(r'verbose: [^:]*: 0, 1, (2 [a-z ]*, )?or `"auto"`', text), name
    assert {*seen} >= {"export", "calibrate", "calibrate_biases", "report", "Training"}
    assert {str(p.annotation) for p in seen.values()} == {str(Verbose)}
    assert {n: p.default for n, p in seen.items() if p.default != "auto"} == {"Training": 0}


def parameters(function):
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # some classes have none
        return {}


@pytest.mark.once
def test_batches_hold_all_images_and_are_counted(monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with Progress("counting", 5) as progress:
        assert [batch.tolist() for batch in progress.batches(np.arange(5), 2)] == [
            [0, 1],
            [2, 3],
            [4],
        ]
    assert [part for part in ("40%", "80%", "100%") if part in terminal.getvalue()] == [
        "40%",
        "80%",
        "100%",
    ]


@pytest.mark.any_backend
def test_all_long_work_says_how_far_it_is(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    images = np.random.default_rng(0).random((4, 6, 6, 1), "float32")
    cnn = kps.build_ann(kps.parse_spec("2C3-P2-4F"), (6, 6, 1), use_bias=True)
    model = kps.from_keras(cnn, time_steps=3)

    def shown(call, *arguments, **options):
        monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
        call(*arguments, verbose=True, **options)
        return [part.split("  ")[0] for part in stream.getvalue().split("\r") if part.strip()]

    streamed = [(images, np.zeros(4))]
    assert "simulating" in shown(kps.statistics.report, model, images)
    assert "simulating" in shown(kps.statistics.report, model, iter(streamed))
    for method in ("percentile", "rnl", "qcfs"):
        assert "calibrating" in shown(kps.calibrate, cnn, images, method)
    assert "calibrating" in shown(kps.calibrate, cnn, iter(streamed), "rnl")
    assert "calibrating biases" in shown(kps.calibrate_biases, model, images)
    given = {"quantise": True, "calibration": images, "test": (images, np.zeros(4, int))}
    exporting = shown(model.export, tmp_path / "net.onnx", **given)
    assert {"quantising", "checking", "measuring the accuracy"} <= set(exporting)
