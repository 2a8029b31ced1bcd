"""Kills, hardships and long runs: what the committed reports say, and that the trials can fail."""

import importlib
import random
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
_child, _kills, _starve, _trust, long_runs, stress = map(
    importlib.import_module, ("_child", "_kills", "_starve", "_trust", "long_runs", "stress")
)
pytestmark = pytest.mark.once
WORKS = """
import os, sys, time
for epoch in range(10**6):
    print(f"epoch {epoch}: done", flush=True)
    draft = f".draft-0-{os.getpid()}-0-a.json"
    open(draft, "w").write("[1")
    time.sleep(0.01)
    open(draft, "w").write("[1]")
    os.replace(draft, "a.json")
"""


def test_the_reports_are_whole_and_without_a_loss():
    (trials,) = [document["trials"] for document in _trust.documents(_trust.RESULTS / stress.TASK)]
    assert trials.keys() == stress.TRIALS.keys()
    assert not [trial["failed"] for trial in trials.values() if "failed" in trial]
    assert sum(trial.get("kills", 0) for trial in trials.values()) >= 30
    (document,) = _trust.documents(_trust.RESULTS / long_runs.TASK)
    runs = long_runs.of_spiking(document)
    assert len(runs) == 6
    assert {run["steps"] for run in document["runs"].values()} == {10_000}
    assert not [name for name, pair in runs.items() if long_runs.leaks(*pair)]
    for row in _trust.trust_table().splitlines()[2:]:
        wrong = row.split(" | ")[2]
        assert wrong.split()[0] == "0" or "float" in row, row


def test_kills_are_counted_and_half_a_file_is_found(tmp_path):
    class Short(random.Random):
        def uniform(self, low, high):
            return 0.0

    def start():
        return _child.Child(["-c", WORKS], tmp_path, "jax")

    cut, epochs = _child.killed(start, tmp_path, Short(), 4)
    assert 2 <= cut <= 3
    assert epochs >= 3
    (tmp_path / "b.json").write_text("[1")
    with pytest.raises(ValueError, match="delimiter"):
        _child.whole(tmp_path)


def test_what_differs_is_told(tmp_path):
    for name, last in (("a.h5", 1), ("b.h5", 1), ("c.h5", 1.5)):
        with h5py.File(tmp_path / name, "w") as file:
            file["layer/kernel"] = np.float32([0, last])
    _child.must_equal(tmp_path / "a.h5", tmp_path / "b.h5")
    with pytest.raises(_child.LostError, match=r"1 of 1 variables .* up to 0\.5"):
        _child.must_equal(tmp_path / "a.h5", tmp_path / "c.h5")


def test_a_limit_on_files_reaches_the_process(tmp_path):
    with _starve.hardship("file-size limit", tmp_path) as options:
        words = ["-c", "open('a', 'wb').write(bytes(9999))"]
        child = _child.Child(words, tmp_path, "jax", **options)
        said = _starve.refused(child, "File too large", status=1)
    assert said == "OSError: [Errno 27] File too large"
    with pytest.raises(_child.LostError, match="exit status 0"):
        _starve.refused(_child.Child(["-c", "print()"], tmp_path, "jax"), "")


def run_that_grows(memory, threads):
    samples = [
        {
            "memory": 10**8 + memory * 1024 * max(0, n - 50),
            "threads": 4 + threads * (n > 90),
            "handles": 9,
            "traces": None,
        }
        for n in range(100)
    ]
    return {"steps": 1000, "samples": samples}


@pytest.mark.parametrize(
    ("memory", "threads", "leaks"), [(0, 0, False), (3, 0, True), (0, 1, False), (0, 10, True)]
)
def test_what_grows_in_the_second_half_is_a_leak(memory, threads, leaks):
    run = run_that_grows(memory, threads)
    assert long_runs.slope(run) == pytest.approx(memory * 1024 * 100, rel=0.05, abs=1)
    assert long_runs.leaks(run, run_that_grows(0, 0)) == leaks
    assert not long_runs.leaks(run_that_grows(memory, 0), run_that_grows(memory, 0))
