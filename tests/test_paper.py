"""The paper's experiments: data that is well-formed, a runner that goes on, drawings from JSON."""

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from keras_proxy_snn import PRESETS, datasets, methods
from keras_proxy_snn.cli import commands
from keras_proxy_snn.paper import (
    EXPERIMENTS,
    SIZES,
    Config,
    Experiment,
    Run,
    Size,
    experiments,
    runner,
)
from keras_proxy_snn.paper import data as paper_data
from keras_proxy_snn.paper._curve import Curve, mean_sum_of_squared_errors
from keras_proxy_snn.paper._figures import draw_epochs, draw_time_steps
from keras_proxy_snn.paper._rows import Row, read_rows
from keras_proxy_snn.paper._tables import caption, lever_table, matrix_table, method_table
from keras_proxy_snn.paper.drawing import draw
from keras_proxy_snn.paper.runner import Folders, Job, plan, run
from keras_proxy_snn.statistics import early_stopping

from .scripts import run_script

ROOT = Path(__file__).resolve().parent.parent
RULES = {"strict", "tie_inclusive", "potential"}


def paper(folder, *arguments):
    """The command, in this very process, with everything it writes below a folder."""
    where = ["--results", folder / "results", "--scratch", folder / "scratch"]
    return CliRunner().invoke(commands, [*map(str, ["paper", *arguments, *where])])


def good(folder, *arguments):
    result = paper(folder, *arguments)
    assert result.exit_code == 0, result.output
    return result


TINY = ["table2", "--size", "tiny", "--only", "ann", "--only", "proxy"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two methods of Table 2, tiny."""
    folder = tmp_path_factory.mktemp("paper")
    good(folder, *TINY)
    return folder


def read(folder):
    return [json.loads(path.read_text()) for path in sorted((folder / "results").glob("*.json"))]


# Experiments


@pytest.mark.once
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_says_what_it_is(name):
    head = ast.get_docstring(ast.parse((Path(experiments.__path__[0]) / f"{name}.py").read_text()))
    found = re.findall(r"^(Source|Command|Expected|Time): \S", head, re.MULTILINE)
    assert found == ["Source", "Command", "Expected", "Time"]
    assert f"Command: keras-proxy-snn paper {name}\n" in head
    assert importlib.import_module(f"{experiments.__name__}.{name}").EXPERIMENT.name == name


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_names_methods_and_presets_that_there_are(name):
    experiment = EXPERIMENTS[name]
    assert tuple(experiment.sizes) == SIZES
    for size in experiment.sizes.values():
        preset = PRESETS[size.preset]
        assert len(size.seeds) == (3 if size is experiment.sizes["full"] else 1)
        for row in size.runs:
            assert row.method in {*methods.METHODS, *EXPECTED}
            assert (row.time_steps is None) == (row.method == "ann")
            replace(preset, **row.fields)
        titles = [(row.method, row.time_steps, row.label) for row in size.runs]
        assert len(set(titles)) == len(titles)


# Methods that other parts of the package are to bring; an error only where one is run.
EXPECTED = {"surrogate", "tandem", "progressive_tandem"}


@pytest.mark.once
def test_the_papers_figures_are_those_of_its_tables():
    table = {row.method: row.paper for row in EXPERIMENTS["table2"].sizes["full"].runs if row.paper}
    assert table == {
        "ann": 94.60,
        "proxy_paper": 94.56,
        "conversion_rnl": 94.50,
        "surrogate": 94.41,
    }
    rows = EXPERIMENTS["table3"].sizes["full"].runs
    converted = [(row.time_steps, row.paper) for row in rows if row.method == "conversion_rnl"]
    assert converted == [(60, 89.14), (120, 92.91), (240, 93.16)]


@pytest.mark.once
def test_tables_2_and_3_show_the_headline_below(tmp_path):
    """Rows of an experiment of its own, with other epochs, and only those that were trained."""
    results = Path(__file__).parents[1] / "benchmarks" / "results" / "paper"
    for path in results.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for name, epochs, titles in (
        ("table2", 20, ["quantised ANN, then proxy and ANN together", "RNL conversion"]),
        ("table3", 12, ["quantised ANN for most epochs, then proxy"]),
    ):
        text = draw(EXPERIMENTS[name], "full", tmp_path, epochs=epochs).text
        assert (results / f"{name}-full-epochs{epochs}.md").read_text() == text + "\n"
        own, below = text.split("(`headline", 1)
        for title in titles:
            assert title not in own
            assert title in below
        assert "| - | - | - | - | - |" not in below
    assert draw(EXPERIMENTS["table2"], "full", tmp_path / "empty").text.count("Size full") == 1


@pytest.mark.once
def test_experiments_share_trainings():
    """What Figures 2 and 4 show is a row of Table 2, and a point of Figure 3."""

    def ids(name, size="compact"):
        chosen = EXPERIMENTS[name].sizes[size]
        return {job.config.id for job in plan(chosen, (0,), chosen.epochs, chosen.runs)}

    assert ids("figure2") == ids("figure4") < ids("table2") & ids("figure3")
    assert len(ids("figure2")) == 1
    # All that low_t has at T = 8, what has no T, and the paper's form at T = 20.
    assert len(ids("table2") & ids("low_t")) == 16


@pytest.mark.once
def test_converted_networks_are_trained_once_for_every_t():
    size = EXPERIMENTS["table2"].sizes["full"]
    jobs = plan(size, (0, 1), 3, size.runs)
    (rnl, other) = (job for job in jobs if job.config.method == "conversion_rnl")
    assert (rnl.config.time_steps, rnl.rows) == (None, (50, 100, 200))
    assert (rnl.config.seed, other.config.seed) == (0, 1)
    (figure3,) = (
        job
        for size in [EXPERIMENTS["figure3"].sizes["tiny"]]
        for job in plan(size, (0,), 2, size.runs)
        if job.evaluate_at
    )
    assert (figure3.config.time_steps, figure3.rows, figure3.evaluate_at) == (8, (8,), (4,))


@pytest.mark.once
def test_the_name_of_a_training_tells_everything_apart():
    config = Config("proxy", "digits", 8, 0, 2, 32, {}, "jax")
    others = [replace(config, **{name: 9}) for name in ("seed", "epochs", "batch_size")]
    others += [replace(config, fields={"v_0": 0.5}), replace(config, backend="torch")]
    others += [replace(config, augment=True), replace(config, hold_out=False)]
    assert len({config.id, *(other.id for other in others)}) == 8
    assert not {"augment", "hold_out"} & set(config.as_dict())  # as in results from before


@pytest.mark.once
def test_early_stopping_needs_held_out_images():
    runs = (Run("proxy", 8, stops_early=True),)
    assert Size("digits", 1, runs).hold_out
    with pytest.raises(ValueError, match=r"chosen on held-out images. Received: hold_out=False"):
        Size("digits", 1, runs, hold_out=False)


# Runner


@pytest.mark.any_backend
def test_a_run_leaves_all_there_is_to_know(trained):
    ann, proxy = read(trained)
    backend = keras.config.backend()
    assert proxy["config"] == {
        "method": "proxy",
        "preset": "digits",
        "time_steps": 8,
        "seed": 0,
        "epochs": 2,
        "batch_size": 32,
        "fields": {"readout_v_threshold": 8.0},
        "backend": backend,
    }
    assert set(proxy["versions"]) == {"python", "keras", backend, "keras_proxy_snn"}
    assert proxy["data"] == "digits"
    assert proxy["images"] == {"train": 1294, "held_out": 143, "test": 360}
    assert "cores" in proxy["hardware"]
    assert os.uname().nodename not in json.dumps(proxy)
    assert proxy["seconds"] == pytest.approx(sum(e["seconds"] for e in proxy["curve"]))
    wanted = {"loss", "accuracy", "val_loss", "val_accuracy", "msse", "msse_counts", "seconds"}
    assert all(wanted <= set(epoch) for epoch in [*proxy["curve"], *ann["curve"]])
    (accuracy,) = proxy["accuracy"]
    assert set(accuracy) == {"time_steps", *RULES}
    assert 0 < accuracy["strict"] <= accuracy["tie_inclusive"] <= 1
    (activity,) = proxy["activity"]
    assert list(activity["firing_rates"]) == ["conv1", "conv2", "dense1", "readout"]
    assert activity["synops"] > 0
    assert 0 < proxy["twin_accuracy"] <= 1
    assert ann["accuracy"][0]["time_steps"] is None
    assert keras.models.load_model(proxy["model"], compile=False).time_steps == 8


@pytest.mark.any_backend
def test_a_finished_run_is_not_run_again(trained):
    before = {p: p.stat().st_mtime_ns for p in (trained / "results").glob("*.json")}
    done = good(trained, *TINY, "--json")
    assert done.stderr.count("is there") == 2
    assert before == {p: p.stat().st_mtime_ns for p in (trained / "results").glob("*.json")}
    result = json.loads(done.stdout)
    assert (result["experiment"], result["size"]) == ("table2", "tiny")
    assert all(Path(path).is_file() for path in result["files"])


@pytest.mark.any_backend
def test_a_trained_network_is_evaluated_at_further_t(trained):
    ann, proxy = (job(config) for config in configs())
    data, folders = tiny_data(), Folders(trained / "results", trained / "scratch")
    lines = []
    more = replace(proxy, evaluate_at=(2,))
    result = run(more, data, folders, lines.append)
    assert [entry["time_steps"] for entry in result["accuracy"]] == [2, 8]
    assert [entry["time_steps"] for entry in result["activity"]] == [8]
    assert lines == []  # no epoch
    assert run(more, data, folders, lines.append) == result
    assert run(ann, data, folders, lines.append)["accuracy"] == read(trained)[0]["accuracy"]
    stopping = replace(more, stop_at=(8,))
    first, again = (run(stopping, data, folders, lines.append) for _ in range(2))
    assert lines == ["  is there"] * 3  # not where a simulation was to be stopped
    (stopped,) = first["early_stopping"]
    assert first == {**result, "early_stopping": [stopped]} == again
    assert stopped["time_steps"] == 8
    assert 1 <= stopped["mean_steps"] <= 8
    network = keras.models.load_model(result["model"], compile=False)
    (held_out,) = early_stopping(network, *data.held_out, [stopped["margin"]])
    after_all = network.predict(data.held_out[0], verbose=0).argmax(-1) == data.held_out[1]
    assert held_out.accuracy >= after_all.mean() - 0.001


@pytest.mark.any_backend
def test_a_training_may_have_all_training_images(tmp_path):
    data = tiny_data()
    whole = data.undivided()
    (x, y), _ = datasets.load("digits")
    for found, expected in zip(whole.train, (x, y), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert [part.shape for part in whole.held_out] == [(0, 8, 8, 1), (0,)]
    (config, _) = configs()
    config = replace(config, epochs=1, batch_size=512, hold_out=False)
    lines = []
    result = run(job(config), data, Folders(tmp_path, tmp_path), lines.append)
    assert result["config"]["hold_out"] is False
    assert result["images"] == {"train": len(x), "held_out": 0, "test": 360}
    (epoch,) = result["curve"]
    assert set(epoch) == {"phase", "epoch", "seconds", "loss", "accuracy", "learning_rate"}
    assert len(lines) == 1
    assert "held-out" not in lines[0]


def configs():
    backend = keras.config.backend()
    yield Config("ann", "digits", None, 0, 2, 32, {}, backend)
    yield Config("proxy", "digits", 8, 0, 2, 32, {"readout_v_threshold": 8.0}, backend)


def job(config):
    return Job(config, () if config.time_steps is None else (config.time_steps,), ())


def tiny_data():
    return paper_data.load("digits", None)


@contextmanager
def ctrl_c_after_epoch(number):
    """The user presses Ctrl-C once an epoch, numbered from 0, is in the files."""

    def begin(curve, epoch, logs=None):
        if epoch == number + 1:
            raise KeyboardInterrupt
        whole(curve, epoch, logs)

    whole = Curve.on_epoch_begin
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Curve, "on_epoch_begin", begin)
        yield


@pytest.mark.any_backend
def test_a_killed_run_goes_on_from_its_last_whole_epoch(trained, tmp_path):
    with ctrl_c_after_epoch(0):
        cut = paper(tmp_path, "table2", "--size", "tiny", "--only", "proxy")
    assert cut.exit_code == 130
    assert "0 of 1 trainings are done; run the same command again" in cut.stderr.splitlines()[-1]
    assert read(tmp_path) == []
    resumed = good(tmp_path, "table2", "--size", "tiny", "--only", "proxy")
    assert "epoch 1/2" not in resumed.stderr
    assert "epoch 2/2" in resumed.stderr
    (result,) = read(tmp_path)
    whole = read(trained)[1]
    first, second = result["curve"]
    seconds = {"seconds": first["seconds"]}
    assert first == pytest.approx(whole["curve"][0] | seconds, rel=1e-3)
    # The order of the images is another from here on, the weights and Adam's moments are not.
    assert [second["epoch"], second["phase"]] == [1, 0]
    assert second["loss"] == pytest.approx(whole["curve"][1]["loss"], abs=0.15)
    assert second["loss"] < first["loss"] - 0.1
    strict = [r["accuracy"][-1]["strict"] for r in (result, whole)]
    assert strict[0] == pytest.approx(strict[1], abs=0.25)


@pytest.mark.any_backend
def test_again_trains_anew(tmp_path):
    first, second = (
        good(tmp_path, "table2", "--size", "tiny", "--only", "ann", "--epochs", 1, *more)
        for more in ([], ["--again"])
    )
    assert "epoch 1/1" in first.stderr
    assert "epoch 1/1" in second.stderr
    assert len(read(tmp_path)) == 1


@pytest.mark.any_backend
def test_a_lost_model_is_trained_anew_and_not_mixed_with_the_old_result(tmp_path):
    config = replace(next(configs()), epochs=1)
    folders = Folders(tmp_path / "results", tmp_path / "scratch")
    config = replace(config, method="proxy", time_steps=2)
    old = run(Job(config, (2,), (4,)), tiny_data(), folders, print)
    Path(old["model"]).unlink()
    lines = []
    new = run(Job(config, (3,), (2,)), tiny_data(), folders, lines.append)
    assert lines[0] == f"  {old['model']} is not there: trained anew, for all its T"
    assert [entry["time_steps"] for entry in new["accuracy"]] == [2, 3, 4]
    assert sorted(entry["time_steps"] for entry in new["activity"]) == [2, 3]


@pytest.mark.any_backend
def test_a_method_that_is_not_there_is_an_error_when_it_is_run(tmp_path, monkeypatch):
    experiment = Experiment(
        "new", "New", {"tiny": Size("digits", 1, (Run("ann"), Run("unheard", 4)), batch_size=32)}
    )
    monkeypatch.setitem(EXPERIMENTS, "table2", experiment)
    good(tmp_path, "table2", "--size", "tiny", "--only", "ann")
    refused = paper(tmp_path, "table2", "--size", "tiny")
    assert refused.exit_code == 2
    assert "`method` must be one of" in refused.stderr.splitlines()[-1]
    assert len(read(tmp_path)) == 1


def test_msse_is_the_sum_over_classes_and_the_mean_over_images():
    counts, labels = np.array([[3.0, 0.0], [0.0, 0.0]]), np.array([0, 1])
    far = 1 / (1 + np.exp(3))
    errors = mean_sum_of_squared_errors(counts, labels)
    assert errors["msse"] == pytest.approx((2 * far**2 + 0.5) / 2)
    assert errors["msse_counts"] == pytest.approx((4 + 1) / 2)


@pytest.mark.any_backend
def test_phases_of_a_method_follow_each_other_in_the_curve(tmp_path):
    x, y = tiny_data().held_out
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(10))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def fit(epochs, phase, initial_epoch=0):
        curve = Curve(tmp_path / "curve.json", x, y, print)
        for number in range(phase + 1):  # those before are complete, and told of too
            curve.on_phase_begin(str(number))
        model.fit(x, y, epochs=epochs, initial_epoch=initial_epoch, callbacks=[curve], verbose=0)
        return [(entry["phase"], entry["epoch"]) for entry in curve.epochs]

    assert fit(1, 0) == [(0, 0)]
    assert fit(1, 0) == [(0, 0)]  # killed when it was here and not yet in the last whole epoch
    assert fit(2, 1) == [(0, 0), (1, 0), (1, 1)]
    # A second phase that was killed in its second epoch.
    assert fit(3, 1, initial_epoch=1) == [(0, 0), (1, 0), (1, 1), (1, 2)]


@pytest.mark.once
def test_the_lossless_subset_stands_beside_the_compressed_copy(tmp_path):
    x = np.arange(40, dtype="uint8").reshape(40, 1, 1, 1) * np.ones((32, 32, 3), "uint8")
    y = np.arange(40) % 10
    subset = tmp_path / "cifar10-lossless-subset" / "cifar10-lossless-subset.npz"
    subset.parent.mkdir()
    np.savez(subset, x_test=x[[10, 1, 0]], y_test=y[[10, 1, 0]], x_train=x, y_train=y)
    found = paper_data._lossless((x, y), tmp_path)
    assert found["lossless"][1].tolist() == [0, 1, 0]
    assert found["copy"][0][:, 0, 0, 0].tolist() == [0, 10, 1]  # two of class 0, one of class 1
    assert paper_data._lossless((x, y), tmp_path / "nowhere") == {}


# Drawings


def result(
    method="proxy_paper", time_steps=8, seed=0, strict=0.5, fields=None, potential=0.0, **more
):
    config = Config(method, "digits", time_steps, seed, 2, 32, fields or {}, "jax")
    entry = {"time_steps": time_steps, "strict": strict, "potential": potential}
    return {
        "config": config.as_dict(),
        "data": "digits",
        "images": {"train": 1294},
        "hardware": "a CPU, 2 cores",
        "accuracy": [entry],
        "twin_accuracy": strict + 0.1,
        "activity": [{"time_steps": time_steps, "synops": 250_000}],
        **more,
    }


ROWS = (
    Run("ann", paper=94.60),
    Run("proxy_paper", 8, label="published", paper=94.56, paper_time_steps=50),
    Run("proxy", 8, {"v_0": 0.5}, label="ours"),
    Run("unheard", 8),
)
SIZE = Size("digits", 2, ROWS, (0, 1), 32)
LEVERS = (
    *ROWS[1:],
    replace(ROWS[2], label="ours, by potential", rule="potential"),
    replace(ROWS[2], label="ours, stopped", stops_early=True),
    replace(ROWS[3], label="unheard, stopped", stops_early=True),
)


@pytest.fixture
def by_hand(tmp_path):
    """Results as no training would give them."""
    results = [
        result("proxy_paper", seed=0, strict=0.50),
        result("proxy_paper", seed=1, strict=0.52),
        result(
            "proxy",
            strict=0.75,
            fields={"v_0": 0.5},
            potential=0.78,
            early_stopping=[{"time_steps": 8, "margin": 1, "mean_steps": 3.5, "strict": 0.74}],
        ),
        result("proxy", strict=0.99),  # of other fields
    ]
    ann = result("ann", None, strict=0.9)
    results.append({key: value for key, value in ann.items() if key != "twin_accuracy"})
    for number, entry in enumerate(results):
        (tmp_path / f"{number}.json").write_text(json.dumps(entry))
    return tmp_path


METHOD_TABLE = """\
| method | T | paper, % | ours, % | n | gap | twin, % | MSynOps |
|---|---|---|---|---|---|---|---|
| ANN | - | 94.60 | 90.00 | 1 | -4.60 | - | 0.25 |
| published | 8 | 94.56 (T = 50) | 51.00 ± 1.41 | 2 | -43.56 | 61.00 ± 1.41 | 0.25 ± 0.00 |
| ours | 8 | - | 75.00 | 1 | - | 85.00 | 0.25 |
| unheard | 8 | - | - | - | - | - | - |"""

LEVER_TABLE = """\
| network | T | accuracy, % | n | against the first | twin, % | MSynOps |
|---|---|---|---|---|---|---|
| published | 8 | 51.00 ± 1.41 | 2 | +0.00 | 61.00 ± 1.41 | 0.25 ± 0.00 |
| ours | 8 | 75.00 | 1 | +24.00 | 85.00 | 0.25 |
| unheard | 8 | - | - | - | - | - |
| ours, by potential | 8 | 78.00 | 1 | +27.00 | 85.00 | 0.25 |
| ours, stopped | 3.50 of 8 | 74.00 | 1 | +23.00 | 85.00 | - |
| unheard, stopped | - of 8 | - | - | - | - | - |"""

MATRIX_TABLE = """\
| accuracy, % | T = 8 |
|---|---|
| ANN | 90.00 |
| published | 51.00 ± 1.41 |
| ours | 75.00 |
| unheard | - |"""


@pytest.mark.once
def test_tables_are_drawn_from_the_results(by_hand):
    rows = read_rows(SIZE, 2, by_hand)
    assert method_table(rows) == METHOD_TABLE
    levers = replace(SIZE, runs=LEVERS)
    assert lever_table(read_rows(levers, 2, by_hand)) == LEVER_TABLE
    assert matrix_table(rows) == MATRIX_TABLE
    assert caption("Title", "tiny", SIZE, 2, rows) == (
        "Title. Size tiny: preset `digits`, 2 epochs, 1,294 training images of digits, jax, "
        "a CPU, 2 cores. Accuracy on the test images, ties by argmax; mean ± standard deviation "
        "over n trainings. The twin is the ANN with the same weights."
    )
    assert [row.results for row in read_rows(SIZE, 3, by_hand)] == [[]] * 4  # of other epochs


@pytest.mark.once
def test_curves_are_of_each_t_trained_and_of_one_network(tmp_path):
    entries = [{"time_steps": t, "strict": t / 10} for t in (4, 8)]
    one, other = Run("proxy_paper", 8, paper=90.0, evaluate_at=(4, 8)), Run("proxy_paper", 4)
    rows = [
        Row(Run("ann"), "ANN", [result("ann", None, strict=0.9)]),
        Row(other, "proxy", [result(time_steps=4, seed=seed, strict=0.3) for seed in (0, 1)]),
        Row(one, "proxy", [result(accuracy=entries)]),
    ]
    axes = draw_time_steps(rows).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines) == [
        "proxy, trained at each T",
        "proxy, trained at T = 8",
        "ANN",
        "paper",
    ]
    each, single, ann, published = lines.values()
    np.testing.assert_allclose(each.get_xydata(), [[4, 30], [8, 80]])
    np.testing.assert_allclose(single.get_xydata(), [[4, 40], [8, 80]])
    np.testing.assert_allclose(ann.get_ydata(), [90, 90])
    np.testing.assert_allclose(published.get_xydata(), [[8, 90]])
    assert matrix_table([rows[0], rows[2]]).splitlines()[2:] == [
        "| ANN | 90.00 | 90.00 |",
        "| proxy, trained at T = 8 | 40.00 | 80.00 |",
    ]


@pytest.mark.once
def test_epochs_are_drawn_with_both_kinds_of_msse():
    names = ("accuracy", "val_accuracy", "msse", "msse_counts")
    curve = [dict.fromkeys(names, value) for value in (0.25, 0.5, 0.75)]
    rows = [Row(Run("proxy", 8), "proxy", [result(curve=curve), result(seed=1, curve=curve)])]
    accuracy, *errors = draw_epochs(rows).axes
    assert [line.get_label() for line in accuracy.lines] == ["training", "held-out"]
    np.testing.assert_allclose(accuracy.lines[1].get_xydata(), [[1, 25], [2, 50], [3, 75]])
    for axes in errors:
        np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.25, 0.5, 0.75])
        assert len(axes.collections) == 1  # from the lowest to the highest seed


@pytest.mark.once
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_can_be_drawn_before_it_is_run(name, tmp_path):
    drawn = draw(EXPERIMENTS[name], "compact", tmp_path)
    assert [path.name for path in drawn.files] == [f"{name}-compact.md"]
    assert drawn.files[0].read_text() == drawn.text + "\n"


@pytest.mark.any_backend
def test_figures_are_drawn_of_what_was_trained(trained):
    """Figures 2 and 4 of the paper's form, for which the proxy's result stands in."""
    for name, smallest in (("figure2", 10_000), ("figure4", 10_000), ("figure3", 8_000)):
        size = EXPERIMENTS[name].sizes["tiny"]
        (wanted,) = (row for row in size.runs if row.time_steps == 8)
        proxy = replace(wanted, method="proxy", fields={"readout_v_threshold": 8.0})
        size = replace(size, runs=(proxy,))
        experiment = replace(EXPERIMENTS[name], sizes={"tiny": size})
        text, figure = draw(experiment, "tiny", trained / "results").files
        assert (text.name, figure.name) == (f"{name}-tiny.md", f"{name}-tiny.png")
        assert figure.parent == trained / "results" / "figures"
        assert figure.stat().st_size > smallest


@pytest.mark.any_backend
def test_feature_maps_without_their_model_are_refused(trained, tmp_path):
    (tmp_path / "one.json").write_text(json.dumps(result(model="nowhere/model.keras")))
    with pytest.raises(FileNotFoundError, match="Feature maps need the trained model"):
        draw(EXPERIMENTS["figure4"], "tiny", tmp_path)


# Command line


@pytest.mark.any_backend
def test_the_command_in_a_process_of_its_own(trained):
    """It draws only, so it needs no data and no minute."""
    where = ["--results", str(trained / "results"), "--draw-only"]
    done = subprocess.run(
        [sys.executable, "-m", "keras_proxy_snn", "paper", "table2", "--size", "tiny", *where],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "| ANN | - | 94.60 |" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Written: ")


@pytest.mark.once
def test_the_experiments_are_listed():
    listed = CliRunner().invoke(commands, ["paper", "--list"])
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(EXPERIMENTS)
    as_json = CliRunner().invoke(commands, ["paper", "--list", "--json"])
    assert list(json.loads(as_json.stdout)) == list(EXPERIMENTS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "NAME must be one of table2"),
        (["table9"], "'table9'"),
        (
            ["table2", "--only", "magic", "--size", "tiny"],
            "--only must name methods of the experiment",
        ),
        (["table2", "--time-steps", "9", "--size", "tiny"], "must be one of [8, 16, 32] here"),
        (["table2", "--size", "compact", "--data-dir", "nowhere"], "that holds Fashion-MNIST"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments, message, tmp_path):
    refused = paper(tmp_path, *arguments)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert message in refused.stderr.splitlines()[-1]


@pytest.mark.any_backend
def test_the_example_runs():
    options = ["--epochs", 1, "--images", 200, "--time-steps", 2]
    done = run_script("examples/paper/compare.py", "ann", "proxy", *options)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\| ann \| - \| - \| \d+\.\d% \|$", done.stdout, re.MULTILINE)
    assert re.search(r"^\| proxy \| 2 \| \d+\.\d% \| \d+\.\d% \|$", done.stdout, re.MULTILINE)


@pytest.mark.once
def test_a_result_names_its_model_from_the_folder_of_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert runner._from_here(tmp_path / "runs" / "model.keras") == "runs/model.keras"
    assert runner._from_here(Path("runs/model.keras")) == "runs/model.keras"
    elsewhere = tmp_path.parent / "model.keras"
    assert runner._from_here(elsewhere) == elsewhere.as_posix()
