"""Damaged inputs: a short run of every target of `fuzz`, and what was found before."""

from pathlib import Path

import pytest

from fuzz import running
from fuzz.running import Outcome, attempt, run
from fuzz.targets import TARGETS, Target

CORPUS = running.HERE / "corpus"
NEED_A_BACKEND = {"keras", "keras-config", "keras-weights", "arguments"}


def marked(name):
    mark = pytest.mark.any_backend if name in NEED_A_BACKEND else pytest.mark.once
    return pytest.param(name, marks=mark)


@pytest.mark.parametrize("name", [marked(name) for name in TARGETS])
@pytest.mark.slow
def test_only_documented_errors(name):
    outcome = run(name, TARGETS[name].in_ci, seed=0)
    assert outcome.failures == []
    assert outcome.read + outcome.refused == outcome.inputs
    assert outcome.refused


@pytest.mark.parametrize("name", [marked(name) for name in TARGETS])
def test_good_inputs_are_read_and_what_was_found_is_refused(name):
    target = TARGETS[name]
    outcome = Outcome(name, 0, 0)
    seeds = target.seeds()
    assert [attempt(target, data, outcome) for data in seeds] == [None] * len(seeds)
    assert outcome.read
    for path in sorted((CORPUS / name).glob("*")):
        assert attempt(target, path.read_bytes(), outcome) is None, path


def reader(action):
    return Target(lambda: [b"x"], lambda data, folder: action())


def failing():
    raise KeyError("undocumented")


def sleeping():
    while True:
        pass


@pytest.mark.once
def test_what_a_reader_must_not_do_is_found(monkeypatch):
    monkeypatch.setattr(running, "SECONDS", 0.05)
    outcome = Outcome("x", 2, 0)
    assert "KeyError: 'undocumented'" in attempt(reader(failing), b"", outcome)
    assert "Hang: longer than 0.05 s" in attempt(reader(sleeping), b"", outcome)


@pytest.mark.once
def test_a_run_is_noted_in_the_table(monkeypatch, tmp_path):
    monkeypatch.setattr(running, "HERE", tmp_path)
    for inputs in (10, 20):
        running.note(Outcome("spec", inputs, 3))
    running.note(Outcome("npy", 5, 0))
    rows = Path(tmp_path / "RESULTS.md").read_text().split("|---|\n")[1].splitlines()
    assert rows == [
        "| npy | 5 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |",
        "| spec | 20 | 3 | 0 | 0 | 0 | 0 | 0 | 0 |",
    ]


@pytest.mark.once
def test_every_corpus_has_its_target():
    assert {path.name for path in CORPUS.glob("*") if path.is_dir()} <= {*TARGETS}
