"""`examples/from_keras.py` at a tiny size, and again from what it left."""

import json
import subprocess
import sys

import pytest

from .scripts import ROOT, run_script


def run(call, folder):
    options = "--widths 4 --epochs 2 --quantised-epochs 1 --images 400 --calibration-images 50"
    sizes = "--hold-out 100 --time-steps 4 --evaluate-at 2,4"
    options = ["--output", folder, *options.split(), *sizes.split()]
    done = call("examples/from_keras.py", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((folder / "numbers.json").read_text())["accuracy"]


def run_in_a_process_of_its_own(script, *arguments):
    command = [sys.executable, ROOT / script, *arguments]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)


@pytest.mark.any_backend
@pytest.mark.slow
def test_the_example_converts_tunes_and_goes_on_from_its_files(tmp_path):
    printed, table = run(run_script, tmp_path)
    assert "Epoch 2/2" in printed
    parts = ["converted", "quantised", "calibrated", "tuned"]
    assert list(table) == ["cnn", *parts]
    for name in parts:
        assert list(table[name]) == ["2", "4"]
        assert all(0 <= accuracy <= 1 for accuracy in table[name].values())
    assert f"100 images; the CNN had {table['cnn']:.2%}" in printed
    again, same = run(run_in_a_process_of_its_own, tmp_path)
    assert "Epoch" not in again
    assert same == table


@pytest.mark.slow
@pytest.mark.any_backend
def test_the_example_reaches_about_the_accuracies_of_its_head(tmp_path):
    """At its own sizes, T = 16 alone: 98 % and more there, and here some images less."""
    done = run_script("examples/from_keras.py", "--output", tmp_path, "--evaluate-at", "16")
    assert done.returncode == 0, done.stderr
    table = json.loads((tmp_path / "numbers.json").read_text())["accuracy"]
    assert table.pop("cnn") >= 0.97
    least = {"converted": 0.96, "quantised": 0.965, "calibrated": 0.955, "tuned": 0.97}
    assert {*table} == {*least}
    assert all(table[name]["16"] >= bound for name, bound in least.items()), table
