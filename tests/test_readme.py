"""The README's commands and code are run, and the demo with them."""

import json
import re
import sys
import tomllib

import keras
import pytest

import keras_proxy_snn
from tests.pages import ROOT, blocks, commands_of, run_command, run_python, write_images
from tests.scripts import run_script
from tests.workers import run_forked

README = ROOT / "README.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.any_backend
@pytest.mark.slow
def test_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run_python(README)
    assert re.search(r"^Accuracy of the spiking network: \d+\.\d%$", capsys.readouterr().out, re.M)


@pytest.mark.any_backend
def test_commands_of_the_readme_run_in_order_in_one_folder(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason='pip install "keras-proxy-snn[viz]"')
    pytest.importorskip("nir", reason='pip install "keras-proxy-snn[export]"')
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "images")
    # The Python that stands before the commands has written these, and no command replaces a file.
    for saved in re.findall(r'\.save\("(.*?)"\)', "".join(blocks(README, "python"))):
        (tmp_path / saved).write_text("of the Python before")
    done = [words for words in commands_of(README) if run_command(words, monkeypatch)]
    assert [words[1] for words in done] == [
        *("train", "evaluate", "draw", "predict"),
        *("export", "export", "export", "export", "export"),
        "on_device.py",
    ]


@pytest.mark.once
def test_set_up_commands_of_the_readme_exist():
    offered = re.search(r"\{(demo,.*?)\}", run_script("run.py", "--help").stdout)[1].split(",")
    named = [words[2] for words in commands_of(README) if words[:2] == ["python", "run.py"]]
    assert named == ["demo", "test"]
    assert set(named) <= set(offered)


@pytest.mark.once
def test_the_help_of_run_names_every_option_of_the_demo():
    options = re.findall(r'add_argument\("(--[a-z-]+)"', (ROOT / "examples/train.py").read_text())
    assert len(options) == 7
    shown = run_script("run.py", "demo", "--help").stdout
    assert [option for option in options if option not in shown] == []


@pytest.mark.once
def test_every_extra_that_the_readme_names_exists():
    for extras in re.findall(r"\[([a-z,-]+)\]\"", README.read_text()):
        assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


@pytest.mark.once
def test_the_readme_is_short_and_reads_outside_of_the_checkout():
    text = README.read_text()
    prose = re.sub(r"```.*?```|^\|.*?$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert len(re.sub(r"\]\(.*?\)", "]", prose).split()) < 1000
    for line in text.splitlines():
        assert len(line) <= 120 or line.startswith(("|", "![")), line
    for address in re.findall(r"\]\((.*?)\)", text):
        assert address.startswith("https://"), f"{address}: PyPI shows no relative link"


@pytest.mark.slow
def test_the_main_job_trains_saves_and_draws(tmp_path):
    """The demo's script, with one epoch; a second run overwrites nothing."""
    for folder in ("digits", "digits"):
        options = ["--dataset", folder, "--epochs", 1, "--output", tmp_path]
        done = run_script("examples/train.py", *options)
        assert done.returncode == 0, done.stderr
    # What the README shows is what the demo prints, but for the numbers.
    (shown,) = blocks(README, "text")
    shown = shown.replace("results/digits-tensorflow", "FOLDER")
    printed = re.sub(r"Written to .*?/: ", "Written to FOLDER/: ", done.stdout)
    assert re.sub(r"[\d.]+%", "#", shown) in re.sub(r"[\d.]+%", "#", printed)
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


@pytest.mark.any_backend
@pytest.mark.slow
def test_the_accuracy_benchmark_runs(tmp_path, monkeypatch):
    script = tmp_path / "accuracy.py"
    for name in ("accuracy.py", "_report.py", "_results.py"):
        (tmp_path / name).write_text((ROOT / "benchmarks" / name).read_text())
    options = ["--epochs", 1, "--images", 600, "--hold-out", 200, "--set", "time_steps=8"]
    monkeypatch.chdir(tmp_path)
    done = run_forked(script, "digits", *options)
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


@pytest.mark.any_backend
@pytest.mark.slow
def test_the_early_stopping_benchmark_runs(tmp_path):
    scripts = ("benchmarks/early_stopping.py", "benchmarks/_report.py")
    for name in scripts:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    keras_proxy_snn.build("digits", weights="pretrained").save(tmp_path / "digits.keras")
    script, model = tmp_path / "benchmarks" / "early_stopping.py", tmp_path / "digits.keras"
    done = run_forked(script, model, "--margins", 1, 3)
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "benchmarks" / "results" / "early_stopping").iterdir()
    never, certain, *margins = json.loads(path.read_text())["rows"]
    assert f"| certain | {certain['mean_steps']:.2f} |" in done.stdout
    assert certain["accuracy"] == never["accuracy"] > 0.97
    steps = [row["mean_steps"] for row in (*margins, certain, never)]
    assert steps == sorted(steps)
    assert steps[-2] < steps[-1] == 20


@pytest.mark.any_backend
@pytest.mark.slow
@pytest.mark.parametrize("script", ["litert_latency.py", "onnx_order.py"])
def test_the_latency_benchmarks_run(script):
    done = run_forked(ROOT / "benchmarks" / script, "--time-steps", 2, "--turns", 1)
    assert done.returncode == 0, done.stderr
    assert "| 2 |" in done.stdout
