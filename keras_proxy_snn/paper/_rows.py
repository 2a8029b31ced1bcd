"""Rows of tables and curves: the results of each run of an experiment, over all seeds."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import methods
from ._experiment import Config, Run, Size

__all__ = ["Row", "accuracy_curves", "config_of", "read_rows", "training_steps"]


def training_steps(run: Run) -> int | None:
    """T in training; `None` if one trained network serves for every T."""
    method = methods.METHODS.get(run.method)
    return None if method is not None and not method.at_time_steps else run.time_steps


def config_of(size: Size, run: Run, epochs: int, seed: int = 0, backend: str = "") -> Config:
    """Settings of the training whose network a run evaluates."""
    return Config(
        run.method,
        size.preset,
        training_steps(run),
        seed,
        epochs,
        size.batch_size,
        run.fields,
        backend,
        size.augment,
        size.hold_out,
    )


@dataclass(frozen=True)
class Row:
    """A run and its trainings with all seeds and backends.

    Attributes:
        run: The run.
        title: Title for tables and figures.
        results: JSON of each training that has been evaluated at the run's T.
    """

    run: Run
    title: str
    results: Sequence[dict[str, Any]]

    def accuracies(self, time_steps: int | None, rule: str = "strict") -> list[float]:
        """Test accuracy in percent at a T, for each training that has it."""
        entries = (entry for result in self.results for entry in result["accuracy"])
        return [100 * e[rule] for e in entries if e["time_steps"] == time_steps and rule in e]

    def stopped(self, value: str) -> list[float]:
        """`"mean_steps"` or `"strict"` of simulations that stop early, for each training."""
        entries = (entry for result in self.results for entry in result.get("early_stopping", ()))
        return [e[value] for e in entries if e["time_steps"] == self.run.time_steps]

    def twins(self) -> list[float]:
        """Test accuracy in percent of the ANN with the same weights, for each training."""
        return [100 * r["twin_accuracy"] for r in self.results if "twin_accuracy" in r]

    def synops(self) -> list[float]:
        """Synaptic operations per image at the run's T, for each training."""
        entries = (entry for result in self.results for entry in result.get("activity", ()))
        return [e["synops"] for e in entries if e["time_steps"] == self.run.time_steps]


def read_rows(size: Size, epochs: int, folder: Path) -> list[Row]:
    """The rows of an experiment, in its order; a row without a training has no results."""
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    rows = []
    for run in size.runs:
        wanted = _key(config_of(size, run, epochs).as_dict())
        found = [
            result
            for result in results
            if _key(result["config"]) == wanted
            and any(entry["time_steps"] == run.time_steps for entry in result["accuracy"])
        ]
        rows.append(Row(run, _title(run), found))
    return rows


def accuracy_curves(rows: Sequence[Row]) -> dict[str, dict[int | None, list[float]]]:
    """Test accuracies in percent at each T, by name of the curve.

    A method that is trained at several T has one curve. A network that is run at several T has a
    curve too.
    """
    curves: dict[str, dict[int | None, list[float]]] = {}
    own = {title: [r for r in rows if r.title == title] for title in (row.title for row in rows)}
    for title, runs in own.items():
        single = [row for row in runs if row.run.evaluate_at]
        if len(runs) > 1 or not single:
            name = f"{title}, trained at each T" if single else title
            curves[name] = {r.run.time_steps: r.accuracies(r.run.time_steps) for r in runs}
        for row in single:
            steps = sorted({*row.run.evaluate_at, row.run.time_steps or 0} - {0})
            name = f"{title}, trained at T = {row.run.time_steps}"
            curves[name] = {t: row.accuracies(t) for t in steps}
    return curves


def _key(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in ("seed", "backend")}


def _title(run: Run) -> str:
    method = methods.METHODS.get(run.method)
    return run.label or (run.method if method is None else method.title)
