"""Figures of the rows of an experiment."""

import statistics
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..saving.model_file import load_model
from ..visualization import accuracy_against_time_steps, feature_maps
from ..visualization.figure import BLUE, VERMILLION, new_figure
from ._rows import Row, accuracy_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_epochs", "draw_feature_maps", "draw_time_steps"]

# Characters per line of the legend.
_LEGEND = 50
# More curves than this are drawn in groups, and a second plot of each enlarges the top.
_CROWDED = 6
_TOP = 0.06


def draw_time_steps(rows: Sequence[Row]) -> "Figure":
    """Accuracy against T, of networks trained at each T and of networks run at several T."""
    curves: dict[str, dict[int, list[float]]] = {}
    levels: dict[str, float] = {}
    for title, curve in accuracy_curves(rows).items():
        # No line ends inside of "T = 8".
        name = textwrap.fill(title.replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"), _LEGEND)
        name = name.replace("\N{NO-BREAK SPACE}", " ")
        for t, percents in curve.items():
            shares = [value / 100 for value in percents]
            if t is None:
                levels[name] = statistics.mean(shares)
            elif shares:
                curves.setdefault(name, {})[t] = shares
    best = max([*levels.values(), *(max(v) for curve in curves.values() for v in curve.values())])
    top, groups = None, None
    if len(curves) > _CROWDED:
        top, groups = best - _TOP, _groups(rows, curves)
    points = _published(rows)
    return accuracy_against_time_steps(curves, levels=levels, points=points, top=top, groups=groups)


def _groups(rows: Sequence[Row], names: Iterable[str]) -> dict[str, list[str]]:
    """Names of curves by the way in which their networks came to be."""
    kinds = {row.title: _kind(row.run.method) for row in rows}
    groups: dict[str, list[str]] = {}
    for name in names:
        title = name.replace("\n", " ").split(", trained at ")[0]
        groups.setdefault(kinds[title], []).append(name)
    return groups


def _kind(method: str) -> str:
    if method.startswith("proxy"):
        return "Trained via the proxy"
    if method.startswith("conversion") or method.endswith("as_snn"):
        return "Converted from an ANN"
    return "Trained in other ways"


def _published(rows: Sequence[Row]) -> dict[str, dict[int, float]]:
    """Accuracy by T that the paper's text gives for exactly the T of a row."""
    points = {
        row.run.time_steps: row.run.paper / 100
        for row in rows
        if row.run.paper is not None
        and row.run.time_steps is not None
        and row.run.paper_time_steps in (None, row.run.time_steps)
    }
    return {"paper": points} if points else {}


def draw_epochs(rows: Sequence[Row]) -> "Figure":
    """Accuracy and MSSE on the held-out images over the epochs, for the first row."""
    from matplotlib.ticker import MaxNLocator

    curves = [result["curve"] for result in rows[0].results]
    figure = new_figure(6.4)
    panels = figure.subplots(3, sharex=True)
    _lines(panels[0], curves, "accuracy", 100, color=VERMILLION, label="training", linestyle="--")
    _lines(panels[0], curves, "val_accuracy", 100, color=BLUE, label="held-out", marker="s")
    panels[0].legend(frameon=False, fontsize="small")
    panels[0].set_ylabel("accuracy (%)")
    _lines(panels[1], curves, "msse", 1, color=BLUE, marker="s")
    panels[1].set_ylabel("MSSE of the\nsoftmax output")
    _lines(panels[2], curves, "msse_counts", 1, color=BLUE, marker="s")
    panels[2].set_ylabel("MSSE of counts\nagainst one-hot")
    panels[2].set_xlabel("epoch")
    for axes in panels:
        axes.grid(color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[1:]:
        axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
    panels[2].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    head = f"{rows[0].title}, T = {rows[0].run.time_steps}"
    panels[0].set_title(head, loc="left", fontweight="bold", fontsize="medium")
    return figure


def _lines(
    axes: "Axes", curves: Sequence[Any], name: str, scale: float, marker: str = "o", **style: Any
) -> None:
    """Draw the mean over seeds and a band from the lowest to the highest value."""
    values = scale * np.array([[epoch[name] for epoch in curve] for curve in curves])
    epochs = 1 + np.arange(values.shape[1])
    axes.plot(epochs, values.mean(axis=0), marker=marker, markersize=4, **style)
    if len(values) > 1:
        low, high = values.min(axis=0), values.max(axis=0)
        axes.fill_between(epochs, low, high, color=style["color"], alpha=0.18, linewidth=0)


def draw_feature_maps(rows: Sequence[Row], image: np.ndarray) -> "Figure":
    """Feature maps of the first trained network whose file still exists.

    Raises:
        FileNotFoundError: If no such file exists.
    """
    paths = [Path(result["model"]) for row in rows for result in row.results]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise FileNotFoundError(
            "Feature maps need the trained model; --again trains it again. Received: results "
            f"without their models, {[str(path) for path in paths]}."
        )
    return feature_maps(load_model(found), image)
