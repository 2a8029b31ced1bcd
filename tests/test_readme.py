"""The README's commands and code are run, and the examples with them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import keras_proxy_snn

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def run(*command, cwd=ROOT, **environment):
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_python_of_the_readme_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "import keras_proxy_snn" not in code:
        code = "import keras_proxy_snn as kps\n" + code
    exec(compile(code, "README.md", "exec"), {})


@pytest.mark.parametrize("command", re.findall(r"^python (run\.py \w+)", README, re.MULTILINE))
def test_commands_of_the_readme_exist(command):
    script, name = command.split()
    done = run(script, "--help")
    assert done.returncode == 0
    assert name in re.search(r"\{(demo,.*?)\}", done.stdout)[1].split(",")


def test_the_main_job_trains_saves_and_draws(tmp_path):
    """The demo's script, with one epoch; a second run overwrites nothing."""
    for folder in ("digits", "digits"):
        done = run("examples/train.py", "--dataset", folder, "--epochs", 1, "--output", tmp_path)
        assert done.returncode == 0, done.stderr
    assert "strict (argmax)" in done.stdout
    folders = sorted(path.name for path in tmp_path.iterdir())
    backend = keras.config.backend()
    assert folders == [f"digits-{backend}", f"digits-{backend}-2"]
    for folder in tmp_path.iterdir():
        written = {path.name: path.stat().st_size for path in folder.iterdir()}
        assert set(written) == {
            "model.keras",
            "numbers.json",
            "training_curve.png",
            "spike_raster.png",
            "feature_maps.png",
        }
        assert min(written.values()) > 500
        numbers = json.loads((folder / "numbers.json").read_text())
        assert 0 < numbers["test"]["first"] <= numbers["test"]["any"] <= 1


def test_the_main_job_takes_what_is_there(tmp_path):
    """Without Fashion-MNIST it says so and takes the digits."""
    sys.path.insert(0, str(ROOT / "examples"))
    try:
        import train
    finally:
        sys.path.pop(0)
    assert train.choose_dataset("cifar10", None) == "cifar10"
    expected = "digits" if train.kps.datasets.locate("fashion_mnist") is None else "fashion_mnist"
    assert train.choose_dataset("auto", None) == expected
    assert train.choose_dataset("auto", str(tmp_path)) == "digits"


@pytest.mark.slow
def test_the_accuracy_benchmark_runs(tmp_path):
    script = tmp_path / "accuracy.py"
    for name in ("accuracy.py", "_report.py"):
        (tmp_path / name).write_text((ROOT / "benchmarks" / name).read_text())
    options = ["--epochs", 1, "--images", 600, "--hold-out", 200, "--set", "time_steps=8"]
    done = run(script, "digits", *options, cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "results" / "accuracy").iterdir()
    result = json.loads(path.read_text())
    assert result["backend"] == keras.config.backend()
    row = (
        f"| digits | time_steps=8 | held-out training images | {result['backend']} | 8 | 600 | 1 |"
    )
    assert row in done.stdout
    assert 0 <= result["accuracy"]["wrong"] <= result["accuracy"]["first"]
    assert result["accuracy"]["first"] <= result["accuracy"]["any"] <= 1


@pytest.mark.slow
def test_the_early_stopping_benchmark_runs(tmp_path):
    scripts = ("benchmarks/early_stopping.py", "benchmarks/_report.py", "examples/on_device.py")
    for name in scripts:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    keras_proxy_snn.build("digits", weights="pretrained").save(tmp_path / "digits.keras")
    script, model = tmp_path / "benchmarks" / "early_stopping.py", tmp_path / "digits.keras"
    done = run(script, model, "--margins", 1, 3, PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "benchmarks" / "results" / "early_stopping").iterdir()
    never, certain, *margins = json.loads(path.read_text())["rows"]
    assert f"| certain | {certain['mean_steps']:.2f} |" in done.stdout
    assert certain["accuracy"] == never["accuracy"] > 0.97
    steps = [row["mean_steps"] for row in (*margins, certain, never)]
    assert steps == sorted(steps)
    assert steps[-2] < steps[-1] == 20


@pytest.mark.slow
@pytest.mark.parametrize("script", ["litert_latency.py", "onnx_order.py"])
def test_the_latency_benchmarks_run(script):
    done = run(f"benchmarks/{script}", "--time-steps", 2, "--turns", 1)
    assert done.returncode == 0, done.stderr
    assert "| 2 |" in done.stdout
