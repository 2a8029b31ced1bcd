"""The spikes of one image, layer by layer and step by step."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from keras import ops

from ..basics.checks import check_flag, positive_integer
from ..basics.types import Images
from ..layers import SpikePool2D
from ..model import ProxyModel
from .figure import (
    BLUE,
    VERMILLION,
    WIDTH,
    draw_image,
    fitted,
    model_labels,
    new_figure,
    one_image,
    shades,
    short,
    winners,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["spike_raster"]

# With more classes, labels of this size would overlap, so only some are written.
_LABELLED_CLASSES = 40
# What the answer of a readout has, in words.
_MOST = {"counts": "most spikes", "potential": "highest score"}


class _Panel(NamedTuple):
    """Rows of a raster: some neurons of a layer, and their spikes `(time, rows)`."""

    title: str
    what: str
    neurons: np.ndarray
    spikes: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Spikes of each row, summed over time."""
        return self.spikes.sum(axis=0)


def spike_raster(
    model: ProxyModel,
    image: Images,
    *,
    neurons: int = 40,
    seed: int = 0,
    class_names: Sequence[str] | None = None,
    pooling: bool = False,
    image_name: str = "one image",
) -> "Figure":
    """Draw the spikes of the neurons of each layer for one image.

    Most neurons of a spiking network are silent. The rows are a random sample of the neurons that
    fired, the most active on top. The title of a panel gives the number of rows, the number of
    neurons that fired, and the firing rate of the whole layer. The readout shows all classes. The
    spike counts stand at the right (Eq. 11 of Kheradpisheh et al., "Spiking neural networks
    trained via proxy", for the readout). The classes with the most spikes are orange; with
    `readout="potential"` the class with the highest score, and the scores stand beside the counts.
    The title of the readout names the answer; at a tie it is the first of these classes.

    Each row is a `matplotlib.collections.EventCollection` with the label `"neuron INDEX"`, where
    INDEX is the neuron's index in its flattened layer; of a pooling stage, `"output INDEX"`. Steps
    are counted from 1.

    Args:
        model: Spiking network and proxy.
        image: `(height, width, channels)`, or a batch of exactly one.
        neurons: Largest number of neurons per layer.
        seed: Seed of the random sample.
        class_names: Names of the classes for the readout; those of the model if `None`, or else
            numbers. With more than 40 classes only some are written.
        pooling: Whether pooling stages have panels too.
        image_name: What the title calls the image.

    Returns:
        A `matplotlib.figure.Figure`, 900 pixels wide.

    Raises:
        ValueError: If the image has another shape than the model's, `neurons` is not a
            positive integer, or the number of names is not the number of classes.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> import keras_proxy_snn
    >>> from keras_proxy_snn.visualization import spike_raster
    >>> model = keras_proxy_snn.build("digits", time_steps=4)
    >>> figure = spike_raster(model, np.ones((8, 8, 1)), neurons=10)
    >>> figure.axes[-2].get_ylabel(), figure.axes[-2].get_xlabel()
    ('class', 'time step')
    """
    neurons = positive_integer("neurons", neurons)
    check_flag("pooling", pooling)
    batch = one_image(model, image)
    names = model_labels(model, class_names)
    panels = _panels(model, batch, neurons, seed, names, pooling)
    scores = _scores(model, batch)
    best = winners(panels[-1].counts) if scores is None else np.flatnonzero(scores == scores.max())
    panels[-1] = panels[-1]._replace(title=panels[-1].title + _answer(model.readout, best, names))
    rows = [0.036 * len(panel.neurons) for panel in panels[:-1]] + [0.17 * len(names)]
    heights = [1.0, *np.clip(rows, 1.1, 7.0)]
    lines = len(panels) + panels[-1].title.count("\n")
    figure = new_figure(0.45 + sum(heights) + 0.3 * lines)
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights, width_ratios=[5, 1])
    head = grid[0, :].subgridspec(1, 2, width_ratios=[1, 6])
    draw_image(figure.add_subplot(head[0]), shades(model, batch[0]))
    _draw_head(figure.add_subplot(head[1]), image_name, model)
    most = max(panel.counts.max(initial=1) for panel in panels)
    for row, panel in enumerate(panels, start=1):
        raster = figure.add_subplot(grid[row, 0])
        bars = figure.add_subplot(grid[row, 1], sharey=raster)
        last = row == len(panels)
        _draw_panel(raster, bars, panel, _colours(panel, best if last else ()))
        # Room for the numbers beside the bars of the readout.
        bars.set_xlim(0, (1.3 if scores is None else 2.2) * most)
        bars.set_xticks(sorted({0, int(most) // 2, int(most)}))
        if last:
            _label_classes(raster, bars, panel, names, best, scores)
        for axes in (raster, bars):
            axes.tick_params(labelbottom=last)
    return figure


def _panels(
    model: ProxyModel,
    batch: np.ndarray,
    neurons: int,
    seed: int,
    class_names: list[str],
    pooling: bool,
) -> list[_Panel]:
    record = model.snn.record(batch)
    panels = []
    for stage in model.snn.stages:
        neural = stage in model.snn.if_layers
        if not neural and not (pooling and isinstance(stage, SpikePool2D)):
            continue
        name = stage.twin.name if neural else stage.name
        spikes = np.asarray(ops.convert_to_numpy(record[stage.name]))
        spikes = spikes.reshape(model.time_steps, -1)
        if stage is model.snn.if_layers[-1]:
            title = f"{name}: all {len(class_names)} classes; rate {spikes.mean():.3f};"
            panels.append(_Panel(title, "neuron", np.arange(len(class_names)), spikes))
        else:
            what = "neuron" if neural else "output"
            panels.append(_sample(name, what, spikes, neurons, np.random.default_rng(seed)))
    return panels


def _sample(
    name: str, what: str, spikes: np.ndarray, neurons: int, rng: np.random.Generator
) -> _Panel:
    """Some of the neurons, or of the outputs of a pooling, that fired, most active first."""
    counts = spikes.sum(axis=0)
    fired = np.flatnonzero(counts)
    chosen = np.sort(rng.permutation(fired)[:neurons])
    chosen = chosen[np.argsort(-counts[chosen], kind="stable")]
    share = "all" if len(chosen) == len(fired) else f"{len(chosen):,} of the"
    shown = f"{share} {len(fired):,} that fired, of" if len(fired) else "no spikes of"
    title = f"{short(name, 30)}: {shown} {counts.size:,} {what}s; rate {spikes.mean():.3f}"
    return _Panel(title, what, chosen, spikes[:, chosen])


def _scores(model: ProxyModel, batch: np.ndarray) -> np.ndarray | None:
    """Scores of the classes; `None` if they are the spike counts."""
    if model.readout == "counts":
        return None
    scores: np.ndarray = ops.convert_to_numpy(model.answer(model.snn.simulate(batch)))[0]
    return scores


def _answer(readout: str, best: np.ndarray, class_names: list[str]) -> str:
    # A number alone would look like a number of spikes.
    names = [f"class {i}" if class_names[i] == str(i) else class_names[i] for i in best]
    most = _MOST[readout]
    if len(names) < 2:
        return f" {most}: {names[0] if names else 'none'}"
    first = short(names[0], 30)
    return f"\n{most}: a tie of {len(names)}; the first of them, {first}, is the answer"


def _colours(panel: _Panel, best: Sequence[int] | np.ndarray) -> list[str]:
    colours = np.full(len(panel.neurons), BLUE, object)
    colours[np.asarray(best, int)] = VERMILLION
    return colours.tolist()


def _draw_head(axes: "Axes", image_name: str, model: ProxyModel) -> None:
    axes.axis("off")
    axes.text(
        0.0,
        0.95,
        fitted("Spikes of ", image_name, f", T = {model.time_steps}", WIDTH - 1.5),
        fontweight="bold",
        fontsize="large",
        va="top",
    )
    axes.text(
        0.0,
        0.55,
        "Hidden layers: a random sample of the neurons that fired, most active on top.\n"
        "Rates are of the whole layer, in spikes per neuron and step. "
        f"Orange: {_MOST[model.readout]}.",
        fontsize="small",
        va="top",
    )


def _draw_panel(raster: "Axes", bars: "Axes", panel: _Panel, colours: list[str]) -> None:
    from matplotlib.ticker import MaxNLocator

    steps, rows = panel.spikes.shape
    raster.set_title(panel.title, loc="left", fontsize="small")
    raster.set_ylabel(panel.what)
    raster.set_xlim(0.5, steps + 0.5)
    raster.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    raster.set_yticks([])
    bars.tick_params(left=False, labelleft=False)
    bars.xaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    for axes in (raster, bars):
        axes.spines[["top", "right"]].set_visible(False)
    raster.set_ylim(max(rows, 1) - 0.5, -0.5)
    if not rows:
        raster.text((steps + 1) / 2, 0, f"no {panel.what} fired", ha="center", va="center")
        return
    events: Any = raster.eventplot(
        [np.flatnonzero(panel.spikes[:, row]) + 1 for row in range(rows)],
        lineoffsets=list(range(rows)),
        linelengths=0.8,
        linewidths=float(np.clip(50 / steps, 1.0, 3.0)),
        colors=colours,
    )
    for neuron, event in zip(panel.neurons, events, strict=True):
        event.set_label(f"{panel.what} {neuron}")
    bars.barh(np.arange(rows), panel.counts, height=0.8, color=colours)


def _label_classes(
    raster: "Axes",
    bars: "Axes",
    panel: _Panel,
    names: list[str],
    best: np.ndarray,
    scores: np.ndarray | None,
) -> None:
    labelled = range(0, len(names), -(-len(names) // _LABELLED_CLASSES))
    raster.set_yticks(labelled, [names[i] for i in labelled], fontsize="small")
    raster.set_ylabel("class")
    raster.set_xlabel("time step")
    bars.set_xlabel("spikes" if scores is None else "spikes (score)")
    crowded = len(labelled) < len(names)
    for i in best[:1] if crowded else labelled:
        score = "" if scores is None else f" ({scores[i]:.2f})"
        bars.annotate(
            f"{panel.counts[i]:.0f}{score}",
            (panel.counts[i], i),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
        )
