"""Benchmarks: fits, workers that take turns, opponents that do the same work, tables and JSON."""

import importlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import keras
import numpy as np
import pytest

import keras_proxy_snn as kps
from keras_proxy_snn.methods import quantised_proxy
from keras_proxy_snn.methods.ann import preset_model
from tests.workers import Forked

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
# Scripts find each other here, now and whenever one is imported by name.
sys.path.insert(0, str(BENCHMARKS))


def _script(name):
    return importlib.import_module(name)


_fit, _nets, _opponents, _race, _report, _workers = map(
    _script, ("_fit", "_nets", "_opponents", "_race", "_report", "_workers")
)
memory_in_t, neurons, pretrained, proxy_layers, scaling = map(
    _script, ("memory_in_t", "neurons", "pretrained", "proxy_layers", "scaling")
)
simulate, startup, tables, train_step = map(
    _script, ("simulate", "startup", "tables", "train_step")
)
data_parallel, wire = map(_script, ("data_parallel", "wire"))

BACKEND = keras.config.backend()
LINUX = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="peak memory is read from Linux's /proc"
)


def run(script, folder, *options):
    """Run a script's main, and return its JSON."""
    options = ["--results", folder, "--label", "run", "--repetitions", 1, *options]
    script.main([str(option) for option in options])
    return json.loads((folder / script.TASK / "run.json").read_text())


@pytest.fixture
def forks(monkeypatch):
    """Workers are forks, where they need no other backend; `test_train_step_runs` starts them."""

    def start(words, **options):
        same = options["env"]["KERAS_BACKEND"] == os.environ["KERAS_BACKEND"]
        return (Forked if same else subprocess.Popen)(words, **options)

    names = SimpleNamespace(Popen=start, PIPE=subprocess.PIPE)
    monkeypatch.setattr(_workers, "subprocess", names)


def check_circumstances(document, script):
    assert document["command"].startswith(f"python benchmarks/{script.TASK}.py --results")
    assert document["versions"]["keras"] == keras.__version__
    assert "cores" in document["hardware"]
    assert document["date"].endswith("UTC")


# Fits and formats


@pytest.mark.once
def test_exponent_of_a_power_law():
    x = np.array([5, 10, 20, 40])
    slope, share = _fit.exponent(x, 3 * x**1.7)
    assert slope == pytest.approx(1.7)
    assert share == pytest.approx(1)


@pytest.mark.once
def test_exponent_is_the_least_squares_slope_on_logarithms():
    # log2 y = (0, 2, 1) at log2 x = (0, 1, 2): slope 1/2, residuals (-1/2, 1, -1/2), total 2.
    slope, share = _fit.exponent([1, 2, 4], [1, 4, 2])
    assert slope == pytest.approx(0.5)
    assert share == pytest.approx(1 - 1.5 / 2)


@pytest.mark.once
def test_line_of_memory_never_falls():
    assert _fit.line([1, 2, 4], [5, 7, 11]) == pytest.approx((3, 2))
    assert _fit.line([1, 2], [5, 4])[1] == 0


@pytest.mark.once
def test_spread_and_table():
    assert _report.spread([0.003, 0.001, 0.002], ".1f", 1e3) == "2.0 (1.0 to 3.0)"
    assert _report.spread([0.5]) == "0.50"
    assert _report.markdown(["a", "b"], [[1, "x"]]) == "| a | b |\n|---|---|\n| 1 | x |"


# The network that everyone has


def test_multiply_adds_and_kernels_of_a_preset():
    net = _nets.describe("digits")
    assert net["spec"] == "16C3-32C3-P2-64F-10F"
    assert _nets.multiply_adds(net) == [9 * 16 * 64, 9 * 16 * 32 * 64, 512 * 64, 640]
    kernels = list(_nets.kernels(net))
    assert [kernel.shape for kernel in kernels] == [
        w.shape for w in kps.build("digits").weights[:4]
    ]
    assert all(np.array_equal(256 * kernel, np.rint(256 * kernel)) for kernel in kernels)
    assert net["thresholds"] == [0.5, 0.5, 0.5, 8.0]


@pytest.mark.any_backend
def test_everyone_fires_with_these_kernels():
    net = _nets.describe("digits", time_steps=20, readout_v_threshold=0.5)
    model = _ours().build({"net": net, "time_steps": 20, "fields": {}})
    x, y = _nets.batch(net, 12)
    rates = [float(rate) for rate in model.snn.simulate(x).firing_rates]
    assert min(rates) > 0.02
    assert max(rates) < 0.6
    assert y.tolist() == [*range(10), 0, 1]


@pytest.mark.once
def test_networks_that_peers_have_not_are_refused():
    with pytest.raises(ValueError, match=r"Networks compared with peers have v_0=0.0. Received: 0"):
        _nets.describe("digits", v_0=0.5)


# Opponents do the same work: weights and images are multiples of 1/256, so sums are exact.

PAPER = {"v_threshold": 1.0, "proxy_activation": "relu", "readout_activation": "relu"}
NETS = {
    "paper": ("6C3-P2-8C3-P2-12F-5F", PAPER),
    "subtract": ("6C3-P2-8C3-P2-12F-5F", {"v_threshold": 1.0, "reset": "subtract"}),
    "batch norm": ("6C3-5C3-P2-12F-5F", {"batch_norm": True, "readout_v_threshold": 2.0}),
}
STEPS, BATCH = 9, 6


def _ours():
    return _script("_ours")


def _settings(name, **changes):
    spec, fields = NETS[name]
    fields = {"input_shape": (12, 12, 2), "l2": 0.0, **fields, **changes}
    net = _nets.describe(spec, **fields)
    options = {"net": net, "time_steps": STEPS, "batch": BATCH, "threads": 1, "fields": {}}
    return {**options, "step_mode": "s"}


def _peer(name, cls):
    pytest.importorskip("torch", reason='pip install "keras-proxy-snn[torch]"')
    reason = f"pip install {_opponents.INSTALL[name]}"
    pytest.importorskip(name, reason=reason)
    return getattr(_script(f"_{name}"), cls)


def _gradients(net):
    """Gradients of a peer's kernels, in Keras's layout."""
    maps = {len(b.linear.weight.shape): b.linear.weight.shape[0] for b in net.blocks}[4]
    found = []
    for block in net.blocks:
        g = block.linear.weight.grad.numpy()
        if g.ndim == 4:
            g = g.transpose(2, 3, 1, 0)
        elif block.flatten:
            side = int((g.shape[1] // maps) ** 0.5)
            g = g.reshape(-1, maps, side, side).transpose(2, 3, 1, 0).reshape(-1, g.shape[0])
        else:
            g = g.T
        found.append(g)
    return found


def _sgd_gradients(model, trained, x, y):
    """Gradients of our kernels: what a step of size 1 subtracts."""
    kernels = [layer.twin.kernel for layer in model.snn.if_layers]
    before = [keras.ops.convert_to_numpy(kernel).copy() for kernel in kernels]
    trained.compile(keras.optimizers.SGD(1.0), kps.SpikeCountCrossentropy())
    trained.train_on_batch(x, y)
    pairs = zip(before, kernels, strict=True)
    return [old - keras.ops.convert_to_numpy(new) for old, new in pairs]


def check_gradients(ours, theirs):
    for mine, other in zip(ours, theirs, strict=True):
        scale = np.abs(other).max()
        assert scale > 1e-3
        np.testing.assert_allclose(mine, other, rtol=0, atol=3e-5 * scale)


@pytest.mark.any_backend
@pytest.mark.parametrize("name", NETS)
def test_the_authors_algorithm_on_spikingjelly_is_ours(name):
    """The same spike counts in both orders, and the same gradient of every kernel."""
    import torch

    peer, settings = _peer("spikingjelly", "SpikingJelly"), _settings(name)
    model = _ours().build(settings)
    x, y = _nets.batch(settings["net"], BATCH)
    counts = model.predict_on_batch(x)
    assert len(np.unique(counts)) > 2
    for mode in ("s", "m"):
        net = peer({**settings, "step_mode": mode})
        theirs = net.counts().numpy()
        # Folded batch normalisation multiplies by no multiple of 1/256.
        assert np.mean(theirs == counts) > 0.95 if "norm" in name else (theirs == counts).all()
    net.proxy_gradient(torch.from_numpy(np.array(counts)))
    ours = _sgd_gradients(model, model, x, y)
    check_gradients(ours, _gradients(net))


@pytest.mark.any_backend
def test_surrogate_gradients_on_spikingjelly_are_ours():
    from keras_proxy_snn.methods.surrogate import SurrogateModel

    peer, settings = _peer("spikingjelly", "SpikingJelly"), _settings("subtract")
    model = _ours().build(settings)
    x, y = _nets.batch(settings["net"], BATCH)
    net = peer({**settings, "step_mode": "m"})
    counts = net.differentiable_counts()
    assert (counts.detach().numpy() == model.predict_on_batch(x)).all()
    net.surrogate_gradient(counts)
    ours = _sgd_gradients(model, SurrogateModel(model), x, y)
    check_gradients(ours, _gradients(net))


@pytest.mark.any_backend
@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_snntorch_fires_as_we_do(reset):
    """Where no potential equals the threshold; at it, its neurons do not fire."""
    # No sum of multiples of 1/256 and 1/256^2 is a small multiple of this; float32 still holds all.
    peer = _peer("snntorch", "SnnTorch")
    settings = _settings("paper", reset=reset, v_threshold=1 + 2.0**-19)
    model = _ours().build(settings)
    x, _ = _nets.batch(settings["net"], BATCH)
    counts = model.predict_on_batch(x)
    assert len(np.unique(counts)) > 2
    assert (peer(settings).differentiable_counts().detach().numpy() == counts).all()


# Races


class FakeWorker:
    """Answers at once, and fails where it is told to."""

    log: ClassVar[list[str]] = []
    alive: ClassVar[list["FakeWorker"]] = []

    def __init__(self, module, prepare, settings, threads, environment):
        self.settings, self.steps = settings, 0
        self.alive.append(self)

    def ready(self):
        return {"facts": {"device": "cpu"}, "peak_bytes": 10}

    def step(self, least_seconds=0.0):
        self.steps += 1
        self.log.append(self.settings["name"])
        if len(self.alive) > 1 and self.settings.get("needs"):
            raise _workers.MemoryShortageError(self.settings["needs"])
        if self.settings.get("fails_at") == self.steps:
            raise _workers.WorkerError("failed: on purpose")
        seconds = [2.0] if self.steps == 1 else [0.5, 0.25]
        return {"seconds": seconds, "result": 1, "peak_bytes": 20, "device_peak_bytes": None}

    def close(self):
        self.alive.remove(self)
        self.log.append(f"end of {self.settings['name']}")


@pytest.fixture
def fake_workers(monkeypatch):
    monkeypatch.setattr(_race, "Worker", FakeWorker)
    monkeypatch.setattr(_race, "PAUSE_SECONDS", 0)
    FakeWorker.log = []


def entrant(name, absent="", **settings):
    return _race.Contestant(f"label of {name}", "m", "p", {"name": name, **settings}, {}, absent)


@pytest.mark.once
def test_contestants_take_turns(fake_workers):
    entrants = {"a": entrant("a"), "b": entrant("b", fails_at=3), "c": entrant("c", "not there")}
    results = _race.race({**entrants, "d": entrant("d")}, repetitions=3)
    ends = ["end of a", "end of d"]
    assert FakeWorker.log == [*"abd", *"abd", *"ab", "end of b", *"d", *"ad", *ends]
    assert results["a"]["seconds"] == [[0.5, 0.25]] * 3
    assert results["a"]["first_step_seconds"] == 2.0
    assert _race.turns(results["a"]).tolist() == [0.375] * 3
    assert (results["a"]["start_bytes"], _race.peak(results["a"])) == (10, 20)
    assert results["b"] == {"label": "label of b", "status": "failed: on purpose"}
    assert results["c"] == {"label": "label of c", "status": "not there"}
    assert _race.peak(results["c"]) == len(_race.turns(results["c"])) == 0


@pytest.mark.once
def test_who_runs_out_of_memory_that_others_hold_is_measured_alone(fake_workers, monkeypatch):
    monkeypatch.setattr(_race, "available_memory", lambda: 11 * 2**30)
    entrants = {"a": entrant("a"), "b": entrant("b", needs=2**30), "c": entrant("c", needs=2**33)}
    results = _race.race(entrants, repetitions=1)
    assert results["b"]["alone"] is True
    assert results["b"]["seconds"] == [[0.5, 0.25]]
    assert results["c"]["status"] == "does not fit: stopped at 8.0 GiB"
    assert "alone" not in results["a"]


@pytest.mark.once
def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(_opponents.importlib.util, "find_spec", lambda name: None)
    text = _opponents.absence(_opponents.OPPONENTS["snntorch-bptt"])
    assert text == "snnTorch: not installed; pip install --no-deps snntorch"
    text = _opponents.absence(_opponents.OPPONENTS["jax"])
    assert text == 'JAX: not installed; pip install "keras-proxy-snn[jax]"'
    there = {"jax": object()}
    monkeypatch.setattr(_opponents.importlib.util, "find_spec", there.get)
    assert not _opponents.absence(_opponents.OPPONENTS["jax"])
    text = _opponents.absence(_opponents.OPPONENTS["jax-events"])
    assert text == 'Numba: not installed; pip install "keras-proxy-snn[event-driven]"'


def test_an_option_of_another_version_is_named():
    later = _opponents.Opponent("x", BACKEND, "_ours", {}, fields={"not_yet": 1})
    assert _opponents.absence(later) == "not in this version: not_yet"


@pytest.mark.once
def test_a_step_that_does_not_fit_is_not_begun(monkeypatch):
    monkeypatch.setattr(train_step, "available_memory", lambda: 20 * 2**30)
    seen = {name: [(50, 2**30), (150, 2 * 2**30)] for name in ("spikingjelly-bptt", "spikingjelly")}
    expected = "does not fit: about 25 GiB, from smaller ones"
    assert train_step.too_large("spikingjelly-bptt", 2450, seen).startswith(expected)
    assert train_step.too_large("spikingjelly-bptt", 500, seen) == ""
    assert train_step.too_large("spikingjelly", 5000, seen) == ""
    assert train_step.too_large("snntorch-bptt", 5000, seen) == ""


# Workers


@pytest.mark.once
@LINUX
def test_a_worker_that_fails_says_why():
    worker = _workers.Worker("no_such_module", "prepare", {})
    with pytest.raises(_workers.WorkerError, match=r"failed: ModuleNotFoundError: .*no_such"):
        worker.ready()
    worker.close()


@LINUX
def test_a_worker_is_stopped_before_it_takes_what_the_machine_needs(monkeypatch):
    monkeypatch.setattr(_workers, "RESERVE", 2**60)
    settings = {"operation": "product", "size": 8, "dtype": "float32", "framework": BACKEND}
    worker = _workers.Worker("_ceiling", "prepare", settings)
    with pytest.raises(_workers.WorkerError, match=r"does not fit: stopped at \d+\.\d GiB"):
        worker.ready()
    worker.close()


# Tables and figures


def result(label, seconds, peak):
    return {
        "label": label,
        "status": "measured",
        "seconds": [[second] for second in seconds],
        "start_bytes": 2**28,
        "peak_bytes": peak * 2**30,
        "device_peak_bytes": None,
    }


def made_up(script):
    """Results of a race that never took place."""
    cells = []
    for steps in (5, 50):
        results = {
            "jax": result("ours", [0.001 * steps, 0.003 * steps], 0.5),
            "spikingjelly": result("authors", [0.004 * steps, 0.004 * steps], 0.5),
            "spikingjelly-bptt": {"label": "surrogate", "status": "does not fit"},
        }
        cells.append({"preset": "digits", "batch": 2, "time_steps": steps, "results": results})
    head = _report.circumstances(script.TASK, ["--made-up"])
    return {**head, "preset": "digits", "batch": 2, "cells": cells}


@pytest.mark.once
def test_table_of_a_training_step():
    text = train_step.table(made_up(train_step))
    assert "python benchmarks/train_step.py --made-up" in text
    row = "| ours | 10.0 (5.0 to 15.0) | 2.67x | - | 0.50 | 100.0 (50.0 to 150.0) | 2.67x | - |"
    assert row in text
    assert "| surrogate | does not fit | - | - | - |" in text


@pytest.mark.once
def test_table_of_a_simulation():
    """Shares of the own framework's convolution, and of the best ceiling, turn by turn."""
    ceilings = {
        "a": ("convolution", "float32", "jax", [1.0, 2.0]),
        "b": ("product", "float32", "torch", [0.5, 1.0]),
        "c": ("convolution", "bfloat16", "jax", [0.1, 0.1]),
    }
    document = _report.circumstances("simulate", ["--made-up"])
    document |= {"preset": "digits", "time_steps": 2, "batch": 1}
    document["ceilings"] = {
        name: {"operation": operation, "dtype": dtype, "framework": framework}
        | {"multiply_adds": 10**9, **result(name, seconds, 1)}
        for name, (operation, dtype, framework, seconds) in ceilings.items()
    }
    mine = {"multiply_adds": 3 * 10**9, "result": [[1, 2]], **result("ours", [4.0, 8.0], 1)}
    theirs = {**mine, "result": [[1, 3]], "label": "authors"}
    document["results"] = {"jax": mine, "spikingjelly": theirs, "jax-bf16": mine}
    text = simulate.table(document)
    speed = "6000.0 (4000.0 to 8000.0) | 0.6 (0.4 to 0.8)"
    assert f"| ours | {speed} | 75% | 38% | 100.0% |" in text
    assert f"| authors | {speed} | - | 38% | 50.0% |" in text
    assert f"| ours | {speed} | 6% | 6% | 100.0% |" in text


@pytest.mark.once
def test_table_of_neurons():
    """Bytes of currents, spikes and potentials, and gains over the same backend's equations."""
    document = _report.circumstances("neurons", ["--made-up"])
    document |= {"shape": [5, 2], "time_steps": 3, "batch": 100, "dtype": "bfloat16"}
    fused = {**result("fused", [0.002, 0.001], 1), "result": 7}
    document["results"] = {
        "jax-equations": {**fused, **result("equations", [0.004, 0.004], 1)},
        "jax-fused": fused,
        "torch-equations": {"label": "absent", "status": "not installed"},
        "torch-fused": {**fused, "result": 8},
    }
    text = neurons.table(document)  # 1,000 neurons, each 3 x (2 + 2) + 4 + 4 bytes
    assert "| fused | 1.500 (1.000 to 2.000) | 0 (0 to 0) | 3.00x | yes |" in text
    assert "| absent | not installed | - | - | - |" in text
    assert "| fused | 1.500 (1.000 to 2.000) | 0 (0 to 0) | - | no |" in text
    document["shape"] = [10**6, 10]
    assert "| 15000 (10000 to 20000) | 3.00x | yes |" in neurons.table(document).replace("  ", " ")


@pytest.mark.once
def test_table_of_memory():
    text = memory_in_t.table(made_up(memory_in_t))
    assert "| ours | 0.25 | 0.50 | 0.50 | 1.000 |" in text
    assert "| surrogate | - | does not fit | does not fit | - |" in text


@pytest.mark.once
def test_sections_and_figures_are_made_of_json_alone(tmp_path):
    pytest.importorskip("matplotlib", reason='pip install "keras-proxy-snn[viz]"')
    for script in (train_step, memory_in_t):
        _report.write_json(made_up(script), tmp_path / script.TASK / "run.json")
    tables.draw(tmp_path)
    for script in (train_step, memory_in_t):
        assert (tmp_path / script.TASK / "run.png").stat().st_size > 5000
        figure = tables.DRAWINGS[script.TASK](made_up(script))
        assert figure.get_suptitle().endswith("against T")
        assert "Lower is better" in "".join(text.get_text() for text in figure.texts)
    before = "a\n<!-- begin train_step -->old<!-- end train_step -->\nb\n"
    before += "<!-- begin startup --><!-- end startup -->"
    text = tables.render(before, tmp_path)
    assert "old" not in text
    assert "![train_step against T](results/train_step/run.png)" in text
    assert text.endswith("<!-- begin startup -->\n\nNot measured yet.\n\n<!-- end startup -->")
    assert tables.render(text, tmp_path) == text


@pytest.mark.once
def test_a_training_on_all_images_has_a_row_of_its_own(tmp_path):
    """It has no held-out accuracy; its settings were chosen before."""
    _results = _script("_results")
    kept = BENCHMARKS / "results"
    for name in ("accuracy", "paper"):
        (tmp_path / name).mkdir()
        for path in (kept / name).glob("*.json"):
            (tmp_path / name / path.name).write_text(path.read_text())
    before = _results.results_table(kept)
    result = json.loads(next((kept / "paper").glob("fashion_mnist-proxy_low_t-*.json")).read_text())
    result["config"].update(method="headline", epochs=33, time_steps=8)
    result["images"]["held_out"] = 0
    result["curve"] = [{"phase": 0, "epoch": 0, "loss": 0.1, "accuracy": 0.9}]
    result["accuracy"] = [{"time_steps": 8, "strict": 0.4321}]
    (tmp_path / "paper" / "made_up.json").write_text(json.dumps(result))
    after = _results.results_table(tmp_path)
    (row,) = set(after.splitlines()) - set(before.splitlines())
    assert {*before.splitlines()} < {*after.splitlines()}
    assert "| `fashion_mnist` | `headline` | 8 | 43.21 |" in row


def test_the_readmes_hold_what_the_results_say():
    for page in tables.PAGES:
        assert tables.render(page.read_text()) == page.read_text()
    text = tables.README.read_text()
    for name in (
        "train_step",
        "simulate",
        "neurons",
        "proxy_layers",
        "memory_in_t",
        "scaling",
        "data_parallel",
        "wire",
        "inference",
        "startup",
    ):
        assert f"<!-- begin {name} -->" in text
        assert f"python benchmarks/{name}.py" in text


# Whole scripts, as small as can be


@pytest.mark.any_backend
def test_the_card_of_a_headline_builds_its_network():
    config = {"preset": "digits", "fields": {"batch_norm": True, "v_threshold": 2.0}}
    config |= {"method": "proxy_joint", "time_steps": 4, "seed": 1, "epochs": 32}
    config |= {"backend": "torch"}
    facts = pretrained.facts_of_headline({"config": config, "images": {"train": 90}})
    preset = replace(kps.PRESETS["digits"], time_steps=4, **config["fields"])
    trained = preset_model(quantised_proxy.network(preset))
    built = kps.build("digits", **facts["settings"])
    one, other = built.get_config(), trained.get_config()
    assert one.pop("name") != other.pop("name")
    assert one == other
    assert facts["command"].endswith("--size full --only proxy_joint --seed 1 --epochs 32")


@LINUX
@pytest.mark.any_backend
@pytest.mark.slow
def test_train_step_runs(tmp_path, capsys):
    wanted = [BACKEND, f"{BACKEND}-ann"]
    options = ["--preset", "digits", "--time-steps", 2, "--batch", 2, "--threads", 1]
    document = run(train_step, tmp_path, *options, "--opponents", *wanted)
    check_circumstances(document, train_step)
    (cell,) = document["cells"]
    assert {name: r["status"] for name, r in cell["results"].items()} == dict.fromkeys(
        wanted, "measured"
    )
    assert all(_race.peak(r) > r["start_bytes"] * 0.9 > 2**26 for r in cell["results"].values())
    assert train_step.table(document) in capsys.readouterr().out


@LINUX
@pytest.mark.any_backend
@pytest.mark.slow
@pytest.mark.usefixtures("forks")
def test_steps_in_a_row_count_one_by_one(tmp_path):
    options = [
        "--preset",
        "digits",
        "--time-steps",
        2,
        "--batch",
        2,
        "--threads",
        1,
        "--processor-time",
    ]
    document = run(train_step, tmp_path, *options, "--in-a-row", 3, "--opponents", BACKEND)
    entry = document["cells"][0]["results"][BACKEND]
    assert entry["facts"]["in_a_row"] == 3
    assert _race.turns(entry)[0] == pytest.approx(np.mean(entry["seconds"][0]) / 3)
    assert np.isfinite(entry["result"])


@LINUX
@pytest.mark.any_backend
@pytest.mark.slow
@pytest.mark.usefixtures("forks")
def test_neurons_runs(tmp_path, capsys):
    options = ["--shape", 4, 6, "--batch", 2, "--backends", BACKEND, "--threads", 1]
    document = run(neurons, tmp_path, *options)
    check_circumstances(document, neurons)
    assert list(document["results"]) == [f"{BACKEND}-equations", f"{BACKEND}-fused"]
    assert capsys.readouterr().out.count("| yes |") == 2


@LINUX
@pytest.mark.any_backend
@pytest.mark.slow
@pytest.mark.usefixtures("forks")
def test_proxy_layers_runs(tmp_path, capsys):
    pytest.importorskip("torch", reason="the kernels are PyTorch's")
    options = ["--shape", 4, 6, 2, "--batch", 2, "--dtype", "float32", "--threads", 1]
    document = run(proxy_layers, tmp_path, *options)
    check_circumstances(document, proxy_layers)
    for layer in proxy_layers.LAYERS:
        sums = [document["results"][f"{layer}-{way}"]["result"] for way in proxy_layers.WAYS]
        assert sums[0] == pytest.approx(sums[1], abs=1e-3)
    assert proxy_layers.table(document) in capsys.readouterr().out


@pytest.mark.any_backend
@LINUX
@pytest.mark.slow
def test_peers_run_in_memory_in_t(tmp_path, capsys):
    pytest.importorskip("spikingjelly", reason="pip install --no-deps spikingjelly loguru")
    options = ["--preset", "digits", "--time-steps", 2, "--batch", 2, "--threads", 1]
    wanted = ["spikingjelly", "snntorch-bptt"]
    document = run(memory_in_t, tmp_path, *options, "--opponents", *wanted)
    check_circumstances(document, memory_in_t)
    (cell,) = document["cells"]
    assert cell["results"]["spikingjelly"]["status"] == "measured"
    status = cell["results"]["snntorch-bptt"]["status"]
    assert status in ("measured", "snnTorch: not installed; pip install --no-deps snntorch")
    assert "| digits, batch 2, GiB | before the first step | T=2 |" in capsys.readouterr().out


@LINUX
@pytest.mark.any_backend
@pytest.mark.slow
@pytest.mark.usefixtures("forks")
def test_simulate_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(simulate, "FRAMEWORKS", {BACKEND: _opponents.FRAMEWORKS[BACKEND]})
    monkeypatch.setattr(simulate, "DTYPES", ("float32",))
    options = ["--preset", "digits", "--time-steps", 2, "--batch", 2, "--threads", 1]
    options += ["--ceiling-images", 2, "--ceiling-maps", 4, "--ceiling-size", 32]
    document = run(simulate, tmp_path, *options, "--opponents", BACKEND)
    check_circumstances(document, simulate)
    work = 2 * (9 * 16 * 64 + 2 * (9 * 16 * 32 * 64 + 512 * 64 + 640))
    assert document["results"][BACKEND]["multiply_adds"] == work
    assert len(document["ceilings"]) == 2
    convolution = document["ceilings"][f"ceiling-{BACKEND}-convolution-float32"]
    assert convolution["multiply_adds"] == 2 * 28**2 * 9 * 4**2
    assert "| 100.0% |" in capsys.readouterr().out


@LINUX
@pytest.mark.any_backend
@pytest.mark.slow
@pytest.mark.usefixtures("forks")
def test_scaling_runs(tmp_path, capsys):
    options = ["--time-steps", 1, 2, "--batch", "--width", "--depth", "--base", 2, 2, 2, 1]
    options += ["--side", 8, "--opponents", BACKEND, "--threads", 1]
    document = run(scaling, tmp_path, *options)
    check_circumstances(document, scaling)
    measured = document["factors"]["time_steps"]
    assert measured["multiply_adds"] == {"1": 2 * (9 * 2 * 64 + 320), "2": 4 * (9 * 2 * 64 + 320)}
    exponent, share = scaling.fitted(measured["results"][BACKEND])
    assert share == pytest.approx(1)
    assert f"| {exponent:.2f} | 1.000 |" in capsys.readouterr().out


@pytest.mark.any_backend
@pytest.mark.slow
def test_inference_runs(tmp_path, capsys):
    for library in ("ai_edge_litert", "onnxruntime"):
        pytest.importorskip(library, reason='pip install "keras-proxy-snn[export]"')
    inference = _script("inference")
    options = ["--preset", "digits", "--time-steps", 2, "--repeats", 1, "--margins", 1]
    document = run(inference, tmp_path, *options)
    check_circumstances(document, inference)
    rows = {(f["runtime"], f["form"], f["numbers"]) for f in document["files"]}
    forms = {"LiteRT": ["unrolled", "step", "stateful"]}
    forms["ONNX Runtime"] = ["unrolled", "step", "loop"]
    for runtime, names in forms.items():
        assert rows >= {(runtime, form, n) for form in names for n in ("float32", "int8")}
        assert (runtime, "ANN twin", "float32") in rows
    never = document["early_stopping"]["rows"][0]
    assert never["mean_steps"] == 2
    text = capsys.readouterr().out
    assert "| LiteRT | ANN twin | float32 |" in text
    assert "| never | 2.00 | 100.0% |" in text


@pytest.mark.any_backend
def test_the_onnx_twin_is_the_ann(tmp_path, digits):
    ort = pytest.importorskip("onnxruntime", reason='pip install "keras-proxy-snn[export]"')
    twin = _script("_onnx_twin")
    model = kps.build("digits", weights="pretrained")
    path = tmp_path / "twin.onnx"
    twin.write(kps.export.from_model(model), path, clip=True)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = digits[1][0][:5]
    (scores,) = session.run(None, {"image": x})
    np.testing.assert_allclose(scores, model.ann.predict_on_batch(x), rtol=1e-4, atol=1e-5)


@pytest.mark.any_backend
def test_startup_takes_turns(tmp_path, capsys, monkeypatch):
    parts = ("keras", "keras_proxy_snn", "build", "first step", "second step", "process")
    seconds = dict(zip(parts, (1.5, 0.125, 0.25, 2.0, 0.5, 5.0), strict=True))
    log = []

    def fake(backend, words):
        log.append((backend, words[-1]))
        return seconds

    monkeypatch.setattr(startup, "run", fake)
    document = run(startup, tmp_path, "--backends", BACKEND, "--repetitions", 2)
    check_circumstances(document, startup)
    programs = ["step", *["keras", "keras_proxy_snn", "step"] * 2]
    assert log == [(BACKEND, name) for name in programs]
    row = "1.50 (1.50 to 1.50) | 0.125 (0.125 to 0.125) | 5.00 (5.00 to 5.00) |"
    assert f"| {_opponents.FRAMEWORKS[BACKEND]} | {row}" in capsys.readouterr().out


@pytest.mark.any_backend
@pytest.mark.slow
def test_a_process_of_startup_tells_its_parts():
    sample = startup.run(BACKEND, startup.PROGRAMS["step"])
    parts = ("keras", "keras_proxy_snn", "build", "first step", "second step")
    assert min(sample[part] for part in parts) > 0
    assert sum(sample[part] for part in parts) < sample["process"]


@pytest.mark.once
def test_the_table_of_microcontrollers():
    microcontroller = _script("microcontroller")
    board = {"flash": 2048, "RAM": 1024, "stack": 512, "instructions per image": 3_000_000}
    facts = {"network": "net", "spec": "2F", "images": 3, "time_steps": 4}
    document = {
        **facts,
        **{"command": "python benchmarks/microcontroller.py net", "date": "today UTC"},
        **{"hardware": "a processor", "load_average": 0.25, "versions": {"valgrind": "3.19"}},
        **{"spikes": 1234.4, "additions": 1_000_000.0, "multiply_adds": 2_000_000},
        "c": {"boards": dict.fromkeys(microcontroller.CPUS, board), "host": 1_500_000.0},
        "litert": {"file": 1024, "arena": 4096, "host": 150_000_000.0},
        "twin": {"file": 512, "arena": 2048, "host": 2_000_000.0},
    }
    text = microcontroller.table(document)
    assert "a processor, load average 0.2 at the start, today UTC; valgrind 3.19." in text
    assert "`net`, `2F`, T = 4, 3 test images" in text
    assert "| C, event-driven | 2.0 | 1.0 + 0.5 | 3.00 | 3.00 | 1.50 |" in text
    assert "| ANN twin, int8 | 0.5 and runtime | 2.0 |  |  | 2.00 |" in text
    assert "1,234 spikes and 1,000,000 additions" in text
    assert "takes 3.00 instructions per addition" in text
    assert "times T / 2 they are 4.00 million, of which the C file takes 0.75" in text
    assert "it takes 0.75 of the ANN twin's instructions, and 0.010 of" in text


# Several workers


@pytest.mark.once
def test_bytes_on_the_wire_by_hand():
    # Two workers of a ring send half of the gradient twice; very many send it nearly twice.
    assert wire.exchanged(1000, 2) == 4000
    assert wire.exchanged(1000, 10**9) == pytest.approx(8000)
    assert wire.operations(10, 5) == 160
    networks = wire.networks()
    # 128C3-128C3-P2-128C3-P2-1024F-256F-10F on 28 x 28 x 1.
    weights = 9 * 128 + 2 * 9 * 128 * 128 + 7 * 7 * 128 * 1024 + 1024 * 256 + 256 * 10
    assert networks["fashion_mnist"]["weights"] == weights
    places = 28 * 28 * (9 * 128 + 9 * 128 * 128) + 14 * 14 * 9 * 128 * 128
    assert networks["fashion_mnist"]["multiply_adds"] == places + weights - 9 * 128 * (1 + 256)
    one = wire.large(8)
    assert one["epoch_seconds"] * one["images_per_second"] == pytest.approx(wire.IMAGES)
    assert one["images_per_second"] * max(one["parts"].values()) == pytest.approx(8 * 32)


@pytest.mark.once
def test_the_record_of_the_wire_is_what_the_script_calculates():
    (path,) = (_report.RESULTS / "wire").glob("*.json")
    record = json.loads(path.read_text())
    assert record["rate"] == wire.rate()
    assert record["large"] == [wire.large(n) for n in (8, 32, 256)]
    assert record["networks"] == json.loads(json.dumps(wire.networks()))


@pytest.mark.once
def test_processor_time_of_workers_is_added_up():
    cell = {"workers": 2, "seconds": [0.1, 0.3], "processor": [[0.04, 0.06], [0.06, 0.08]]}
    document = {"preset": "digits", "time_steps": 2, "batch": 8, "cells": [cell], "command": ""}
    document |= {"versions": {}, "load_average": 0.0, "hardware": "", "date": ""}
    *_, row = data_parallel.table(document).splitlines()
    assert row == "| 2 | 200 (100 to 300) | 60 (40 to 80) | 120 (100 to 140) |"


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "torch", reason="it trains with PyTorch")
def test_workers_are_measured(tmp_path):
    options = ["--preset", "digits", "--time-steps", 2, "--batch", 8, "--workers", 2]
    found = run(data_parallel, tmp_path, *options)
    check_circumstances(found, data_parallel)
    (cell,) = found["cells"]
    assert [len(own) for own in (cell["seconds"], *cell["processor"])] == [1, 1, 1]
