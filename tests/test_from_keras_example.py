"""`examples/from_keras.py` at a tiny size, and again from what it left."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(folder):
    command = [sys.executable, "examples/from_keras.py", "--output", str(folder)]
    options = "--widths 4 --epochs 2 --quantised-epochs 1 --images 400 --calibration-images 50"
    sizes = "--hold-out 100 --time-steps 4 --evaluate-at 2,4"
    command += [*options.split(), *sizes.split()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((folder / "numbers.json").read_text())["accuracy"]


def test_the_example_converts_tunes_and_goes_on_from_its_files(tmp_path):
    printed, table = run(tmp_path)
    assert "Epoch 2/2" in printed
    parts = ["converted", "quantised", "calibrated", "tuned"]
    assert list(table) == ["cnn", *parts]
    for name in parts:
        assert list(table[name]) == ["2", "4"]
        assert all(0 <= accuracy <= 1 for accuracy in table[name].values())
    assert f"100 images; the CNN had {table['cnn']:.2%}" in printed
    again, same = run(tmp_path)
    assert "Epoch" not in again
    assert same == table
