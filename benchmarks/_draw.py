"""Time and memory of a training step against T, drawn from the JSON file of a benchmark."""

import numpy as np
from _opponents import FRAMEWORKS, OPPONENTS
from _race import peak, turns

from keras_proxy_snn.visualization.figure import OKABE_ITO, heading, new_figure

PANEL_HEIGHT = 2.9
LEGEND_HEIGHT = 0.24
TITLE_HEIGHT = 0.6
CAPTION = (
    "Each line is a library and a method: see below. Lower is better. Both axes are logarithmic."
)
WIDTH = 9.0
AXES = {"ms": 1e3, "GiB": 2.0**-30}
# Colour: library. Line style: kind of work. Open markers: bfloat16.
COLOURS = dict(zip((*FRAMEWORKS, "spikingjelly", "snntorch"), OKABE_ITO, strict=False))
LINES = {
    **{"ours": "-", "events": "-", "ann": "-."},
    **{"bptt": ":", "authors": "--", "authors, multi": "--"},
}
MARKERS = {
    **{"ours": "o", "events": "P", "ann": "x"},
    **{"bptt": "^", "authors": "s", "authors, multi": "D"},
}


def kind(name):
    """What an opponent does: this package's step (by events too), the authors', BPTT, the ANN's."""
    opponent = OPPONENTS[name]
    if opponent.through_time:
        return "bptt"
    if opponent.module == "_ours":
        own = "events" if opponent.fields.get("event_driven") else "ours"
        return "ann" if name.endswith("-ann") else own
    return "authors, multi" if "-multi" in name else "authors"


def draw_train_step(document):
    """A column of panels for each preset and batch: time above, memory below."""
    keys = list(dict.fromkeys((cell["preset"], cell["batch"]) for cell in document["cells"]))
    columns = []
    for key in keys:
        cells = [cell for cell in document["cells"] if (cell["preset"], cell["batch"]) == key]
        columns.append((f"{key[0]}\nbatch {key[1]}", cells))
    return _draw("Time and memory of a training step against T", columns, ["ms", "GiB"])


def draw_memory_in_t(document):
    """One panel: peak memory against T."""
    title = f"{document['preset']}, batch {document['batch']}"
    return _draw("Peak memory of training against T", [(title, document["cells"])], ["GiB"])


def _draw(title, columns, rows):
    names = list(dict.fromkeys(n for _, cells in columns for c in cells for n in c["results"]))
    shown = [n for n in names if any(peak(c["results"][n]) for _, cells in columns for c in cells)]
    legend = LEGEND_HEIGHT * (len(shown) + 1) / 2
    figure = new_figure(PANEL_HEIGHT * len(rows) + legend + TITLE_HEIGHT, WIDTH)
    heading(figure, title, CAPTION)
    grid = figure.subplots(len(rows), len(columns), squeeze=False, sharey="row", sharex=True)
    for (name, cells), panels in zip(columns, grid.T, strict=True):
        panels[0].set_title(name, fontsize="medium")
        for what, axes in zip(rows, panels, strict=True):
            _panel(axes, sorted(cells, key=lambda cell: cell["time_steps"]), shown, what)
        panels[-1].set_xlabel("time steps T")
    says = {"ms": "a training step, ms", "GiB": "peak memory, GiB"}
    for what, axes in zip(rows, grid[:, 0], strict=True):
        axes.set_ylabel(says[what])
    handles, labels = grid[0, 0].get_legend_handles_labels()
    options = {"ncols": 2, "fontsize": "small", "handlelength": 4}
    figure.legend(handles, labels, loc="outside lower center", **options)
    return figure


def _panel(axes, cells, names, what):
    from matplotlib.ticker import LogLocator

    for name in names:
        results = [cell["results"].get(name, {}) for cell in cells]
        values = [_value(result, what) for result in results]
        group, half = kind(name), name.endswith("-bf16")
        colour = COLOURS[OPPONENTS[name].package]
        axes.plot(
            [cell["time_steps"] for cell in cells],
            values,
            color=colour,
            linestyle=LINES[group],
            marker=MARKERS[group],
            markerfacecolor="white" if half else colour,
            label=OPPONENTS[name].label,
        )
    steps = [cell["time_steps"] for cell in cells]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(steps, map(str, steps))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.minorticks_off()
    axes.grid(alpha=0.3)


def _value(result, what):
    number = np.median(turns(result)) if what == "ms" and len(turns(result)) else peak(result)
    return number * AXES[what] if peak(result) else np.nan
