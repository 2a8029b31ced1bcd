"""Accuracy against the number of time steps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..basics.checks import positive_integer
from .figure import OKABE_ITO, heading, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["accuracy_against_time_steps"]

Curves = Mapping[str, Mapping[int, float | Sequence[float]]]
Given = Mapping[str, Mapping[int, float | Sequence[float]] | np.ndarray]

_MARKERS, _DASHES = "os^DvPX", ("--", ":", "-.")
_LEGEND_COLUMNS = 2
_MOST = 6  # curves in a panel that a person can tell apart
_TITLE = "Accuracy against the number of time steps"
_CAPTION = "A network that needs few steps has a curve that is high at the left."


def accuracy_against_time_steps(
    curves: Given,
    *,
    levels: Mapping[str, float] | None = None,
    points: Mapping[str, Mapping[int, float]] | None = None,
    top: float | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    images: int | None = None,
    note: str = "",
) -> "Figure":
    """Draw accuracy in percent over T, one line per network or method (the paper's Fig. 3 and 5).

    If there are several values at a T, such as those of several seeds, the line goes through
    their mean, and a band reaches from the lowest to the highest value. The axis is logarithmic
    if the largest T is at least 16 times the smallest. More than six curves are drawn in several
    rows, whose axes are the same.

    Args:
        curves: Name to T to accuracy, from 0 to 1, or to several accuracies; or name to the array
            of `keras_proxy_snn.statistics.accuracy_over_time`.
        levels: Name to an accuracy that has no T, such as the ANN's; drawn as a horizontal line.
        points: Name to T to single accuracies, such as published accuracies; drawn as stars.
        top: An accuracy. A second panel enlarges everything above it.
        groups: Title to the names of some curves. Each group has its own rows of panels, with
            colours and a legend of their own. `None`: all curves are one group.
        images: Number of images from which the accuracies are; the title tells it. `None`: it
            does not.
        note: A line of your own below the title.

    Returns:
        A `matplotlib.figure.Figure`, 900 pixels wide.

    Raises:
        ValueError: If a curve has another form, there is nothing to draw, a T is not a positive
            integer, an accuracy is not between 0 and 1, a curve is not in exactly one group, or
            `images` is not a positive integer.
        ImportError: If matplotlib is not installed.

    Example:

    >>> from keras_proxy_snn.visualization import accuracy_against_time_steps
    >>> curves = {"proxy": {4: [0.81, 0.83], 8: 0.9}}
    >>> figure = accuracy_against_time_steps(curves, levels={"ANN": 0.92})
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['proxy', 'ANN']
    """
    levels, points = levels or {}, points or {}
    by_steps = _by_steps(curves)
    _check(by_steps, levels, points)
    parts = _parts(by_steps, groups)
    # Height of each legend in inches: its rows, the lines of each, and the gaps between them.
    names = [[*part, *levels, *points] for _, part in parts]
    rows = [-(-len(n) // _LEGEND_COLUMNS) for n in names]
    lines = [max(name.count("\n") + 1 for name in n) for n in names]
    heights = [3.3 + r * (0.16 * ls + 0.06) for r, ls in zip(rows, lines, strict=True)]
    figure = new_figure(0.6 + 0.16 * bool(note) + sum(heights))
    heading(figure, _title(images), f"{_CAPTION}\n{note}" if note else _CAPTION)
    cells: Any = figure.subfigures(len(parts), 1, squeeze=False, height_ratios=heights)
    steps = sorted({t for curve in (*by_steps.values(), *points.values()) for t in curve})
    columns: list[list[Axes]] = [[]] if top is None else [[], []]
    for cell, (title, part) in zip(cells[:, 0], parts, strict=True):
        panels = cell.subplots(1, len(columns), squeeze=False)[0]
        for axes, column in zip(panels, columns, strict=True):
            _draw(axes, part, levels, points)
            _finish(axes, steps, len(panels))
            column.append(axes)
        panels[0].set_title(title, loc="left", fontsize="medium", fontweight="bold")
        if top is not None:
            panels[1].set_title("enlarged", loc="right", fontsize="small")
        style: dict[str, Any] = {"ncols": _LEGEND_COLUMNS, "frameon": False, "handlelength": 3.0}
        handles = panels[0].get_legend_handles_labels()
        cell.legend(*handles, loc="outside lower left", fontsize="small", **style)
    _share_heights(columns, top)
    return figure


def _title(images: int | None) -> str:
    if images is None:
        return _TITLE
    return f"{_TITLE}, {positive_integer('images', images):,} image{'s' * (images != 1)}"


def _share_heights(columns: "Sequence[Sequence[Axes]]", top: float | None) -> None:
    """Give all panels of a column the same axis of accuracies; the second begins at `top`."""
    limits = [axes.get_ylim() for axes in columns[0]]
    low, high = min(limits)[0], max(high for _, high in limits)
    for axes in columns[0]:
        axes.set_ylim(low, high)
    if top is not None:
        highest = max(np.max(line.get_ydata()) for axes in columns[1] for line in axes.lines)
        for axes in columns[1]:
            axes.set_ylim(100 * top, max(1.1 * highest - 10 * top, 100 * top + 0.1))


def _parts(curves: Curves, groups: Mapping[str, Sequence[str]] | None) -> list[tuple[str, Curves]]:
    """Title of each row and its curves, at most `_MOST`."""
    groups = {"": [*curves]} if groups is None else groups
    if sorted(name for names in groups.values() for name in names) != sorted(curves):
        raise ValueError(
            f"Each curve must be in exactly one group. Received: curves {[*curves]!r} and "
            f"groups {dict(groups)!r}."
        )
    rows: list[tuple[str, Curves]] = []
    for title, names in groups.items():
        number = max(1, -(-len(names) // _MOST))
        for i, part in enumerate(np.array_split(np.arange(len(names)), number)):
            place = f"{title} ({i + 1} of {number})" if title else f"Part {i + 1} of {number}"
            rows.append(
                (place if number > 1 else title, {names[k]: curves[names[k]] for k in part})
            )
    return rows


def _draw(
    axes: "Axes",
    curves: Curves,
    levels: Mapping[str, float],
    points: Mapping[str, Mapping[int, float]],
) -> None:
    for i, (name, curve) in enumerate(curves.items()):
        _draw_curve(axes, name, curve, _style(i))
    for i, (name, value) in enumerate(levels.items()):
        dashes = _DASHES[i % len(_DASHES)]
        axes.axhline(100 * value, label=name, color="0.35", linestyle=dashes, linewidth=1.2)
    stars: dict[str, Any] = {"marker": "*", "markersize": 11, "linestyle": "none"}
    for name, values in points.items():
        heights = [100 * value for value in values.values()]
        axes.plot([*values], heights, label=name, color="black", **stars)


def _by_steps(given: Given) -> Curves:
    """The curves, with arrays of accuracies after 1, 2, ... steps as mappings."""
    if not isinstance(given, Mapping):
        raise ValueError(_form(given))
    return {name: _by_step(curve) for name, curve in given.items()}


def _by_step(curve: Mapping[int, Any] | np.ndarray) -> Mapping[int, Any]:
    return dict(enumerate(curve, 1)) if isinstance(curve, np.ndarray) else curve


def _form(given: object) -> str:
    return (
        "Curves and points must be names to T to accuracy, such as {'digits': {10: 0.97}}; or "
        f"curves names to the arrays of `accuracy_over_time`. Received: {given!r}."
    )


def _check(curves: Curves, levels: Mapping[str, float], points: Curves) -> None:
    """Refuse values that cannot be drawn with a `ValueError`."""
    for curves_by_name in (curves, points):
        if not all(isinstance(curve, Mapping) for curve in curves_by_name.values()):
            raise ValueError(_form(dict(curves_by_name)))
    steps = sorted({t for curve in (*curves.values(), *points.values()) for t in curve})
    if not steps:
        raise ValueError(f"`curves` must hold an accuracy at some T. Received: {dict(curves)!r}.")
    for t in steps:
        positive_integer("T", t)
    given = [v for curve in (*curves.values(), *points.values()) for v in curve.values()]
    values = np.concatenate([np.atleast_1d(v) for v in [*given, *levels.values()]])
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError(f"Accuracies must be from 0 to 1. Received: {values.tolist()!r}.")


def _style(number: int) -> dict[str, Any]:
    return {
        "color": OKABE_ITO[number],
        "marker": _MARKERS[number],
        "markersize": 5,
        "linewidth": 1.6,
    }


def _draw_curve(
    axes: "Axes", name: str, curve: Mapping[int, float | Sequence[float]], style: dict[str, Any]
) -> None:
    steps = sorted(curve)
    values = [100 * np.atleast_1d(curve[t]) for t in steps]
    axes.plot(steps, [v.mean() for v in values], label=name, **style)
    if any(len(v) > 1 for v in values):
        low, high = [v.min() for v in values], [v.max() for v in values]
        axes.fill_between(steps, low, high, color=style["color"], alpha=0.18, linewidth=0)


def _finish(axes: "Axes", steps: list[int], columns: int) -> None:
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, ScalarFormatter

    logarithmic = steps[-1] >= 16 * steps[0]
    if logarithmic:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(FixedLocator(_ticks(steps, logarithmic, columns)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xlabel("time steps T, logarithmic axis" if logarithmic else "time steps T")
    axes.set_ylabel("accuracy (%)")
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _ticks(steps: list[int], logarithmic: bool, columns: int) -> list[int]:
    """Every T, from the largest down, whose number has room."""
    places = np.log(steps) if logarithmic else np.asarray(steps, "float64")
    room = 0.045 * columns * (places[-1] - places[0])
    ticks, last = [steps[-1]], places[-1]
    for step, place in zip(steps[-2::-1], places[-2::-1], strict=True):
        if last - place >= room:
            ticks.append(step)
            last = place
    return ticks[::-1]
