"""Tables of accuracies, made from the JSON files in `results/`; loads no backend."""

import json
import statistics
from collections import defaultdict
from pathlib import Path

from _report import RESULTS, markdown

PRESETS = ("fashion_mnist_compact", "cifar10_compact", "fashion_mnist", "cifar10")


def read(folder: Path):
    """The JSON documents of a folder, in the order of their names."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def mean_and_spread(values):
    """Mean of fractions in percent, with the standard deviation of two or more values."""
    percent = [100 * value for value in values]
    mean = f"{statistics.mean(percent):.2f}"
    return mean if len(percent) == 1 else f"{mean} ± {statistics.stdev(percent):.2f}"


def results_table(results=RESULTS):
    """One row per network: the spiking network with the best held-out accuracy, and its ANN.

    A training on all images has no held-out accuracy; its settings were chosen before. It has a row
    of its own.
    """
    head = ["images", "network", "method", "T", "spiking network, %", "ANN alone, %"]
    head += ["epochs", "trainings"]
    rows = [_digits(read(results / "accuracy"))]
    trained = read(results / "paper")
    for preset in PRESETS:
        (ann,) = _best(_groups(r for r in trained if _is(r, preset, "ann")))
        groups = _groups(r for r in trained if _is_ours(r, preset))
        for ours in [*_best(groups), *(group for group in groups if _on_all_images(group))]:
            config = ours[0]["config"]
            steps = config["time_steps"]
            cells = [ours[0]["data"], f"`{preset}`", f"`{config['method']}`", steps]
            cells += [mean_and_spread([_accuracy(r, steps) for r in ours])]
            cells += [mean_and_spread([_accuracy(r) for r in ann])]
            rows.append([*cells, config["epochs"], len(ours)])
    return markdown(head, rows)


def _digits(documents):
    ours = [d for d in documents if d["preset"] == "digits" and not d["settings"]]
    cells = ["digits", "`digits`", "`proxy`", ours[0]["time_steps"]]
    cells += [mean_and_spread([d["accuracy"]["first"] for d in ours])]
    cells += [mean_and_spread([d["twin_accuracy"] for d in ours])]
    return [*cells, ours[0]["epochs"], len(ours)]


def _is(result, preset, method):
    return result["config"]["preset"] == preset and result["config"]["method"] == method


def _is_ours(result, preset):
    """Proxy learning at few time steps, evaluated on the test images."""
    config = result["config"]
    ours = config["preset"] == preset and config["method"].startswith(("proxy", "headline"))
    return ours and (config["time_steps"] or 99) <= 10 and bool(result["accuracy"])


def _groups(results):
    """Trainings that are equal up to their seeds."""
    groups = defaultdict(list)
    for result in results:
        config = {k: v for k, v in result["config"].items() if k not in ("seed", "backend")}
        groups[json.dumps(config, sort_keys=True)].append(result)
    return list(groups.values())


def _on_all_images(group):
    return not any(result["images"]["held_out"] for result in group)


def _best(groups):
    """The group with the best held-out accuracy, in a list."""
    chosen = [group for group in groups if not _on_all_images(group)]
    return [max(chosen, key=lambda group: statistics.mean(map(_held_out, group)))]


def _held_out(result):
    return result["curve"][-1]["val_accuracy"]


def _accuracy(result, time_steps=None):
    """Strict test accuracy at a T; for an ANN, which has no T, its accuracy."""
    for entry in result["accuracy"]:
        if entry["time_steps"] == time_steps or time_steps is None:
            return entry["strict"]
    raise ValueError(f"{result['id']} was not evaluated at T = {time_steps}.")


def accuracy_table(results=RESULTS):
    """One row per training of `accuracy.py`."""
    head = ["preset", "changed", "evaluated on", "backend", "T", "images", "epochs", "seed"]
    head += ["strict", "tie-inclusive", "potential", "ANN twin alone", "s/epoch", "twin s/epoch"]
    rows = []
    for r in read(results / "accuracy"):
        a = r["accuracy"]
        values = [a["first"], a["any"], a["potential"], r["twin_accuracy"]]
        changed = ", ".join(f"{k}={v}" for k, v in r["settings"].items()) or "-"
        cells = [r["preset"], changed, r["evaluated_on"], r["backend"], r["time_steps"]]
        cells += [r["images"], r["epochs"], r["seed"]]
        cells += [f"{100 * v:.2f} %" for v in values]
        cells += [f"{r[key]:.0f}" for key in ("seconds_per_epoch", "twin_seconds_per_epoch")]
        rows.append(cells)
    return markdown(head, rows)


def from_keras_table(name="fashion_mnist-8-16-32-quantised-epochs8-test", results=RESULTS):
    """Accuracy of a converted CNN after each part of `examples/from_keras.py`, at each T."""
    document = json.loads((results / "from_keras" / f"{name}.json").read_text())
    titles = {
        "converted": "converted, thresholds by QCFS",
        "quantised": "then `QuantisedANN`",
        "calibrated": "then `calibrate_biases`",
        "tuned": "then fine-tuned via proxy",
    }
    accuracy = document["accuracy"]
    steps = list(accuracy["converted"])
    rows = [["the CNN", *(f"{100 * accuracy['cnn']:.2f}" for _ in steps)]]
    for part, title in titles.items():
        rows.append([title, *(f"{100 * accuracy[part][t]:.2f}" for t in steps)])
    return markdown(["accuracy, %", *(f"T = {t}" for t in steps)], rows)
