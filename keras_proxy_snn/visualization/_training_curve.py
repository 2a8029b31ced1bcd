"""Accuracy, loss, firing rates and proxy distance over the epochs of a training."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np

from ..basics.checks import positive_integer
from .figure import BLUE, OKABE_ITO, heading, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["training_curve"]

# With more epochs than this, only some are marked, because the markers would overlap.
_MARKED_EPOCHS = 40
_CAPTION = (
    "Good: validation follows training. In a spiking network, each layer also fires at a rate well "
    "between 0 and 1,\nand the distance to the ANN stays small."
)


class _Log(NamedTuple):
    epochs: np.ndarray
    validated_epochs: np.ndarray
    values: dict[str, np.ndarray]

    def line(self, axes: "Axes", name: str, scale: float = 1.0, **style: Any) -> None:
        """Draw one series over the epochs."""
        epochs = self.validated_epochs if name.startswith("val_") else self.epochs
        style = {"markersize": 4, "linewidth": 1.5, "marker": "o", **style}
        style["markevery"] = 1 if len(epochs) <= _MARKED_EPOCHS else len(epochs) // 12
        axes.plot(epochs, scale * self.values[name], **style)


def training_curve(
    history: keras.callbacks.History | Mapping[str, Sequence[float]],
    *,
    validation_freq: int | Collection[int] = 1,
) -> "Figure":
    """Draw the course of a training, in panels over a common axis of epochs.

    1. accuracy in percent, of training and validation (every metric with "accuracy" in
       its name; left out if there is no such metric);
    2. loss, of training and validation;
    3. firing rate of each layer, in spikes per neuron and step, from the `rate_<layer>` of a
       `ProxyModel`'s logs;
    4. `proxy_distance`, the mean cosine distance between spike counts and the ANN's output; 1
       if the readout does not spike.

    Panels 3 and 4 are drawn if the logs hold these values.

    Args:
        history: The result of `fit`, or its `.history`: name to one value per epoch. Epochs
            are counted from 1; a `History` also knows the `initial_epoch` of `fit`.
        validation_freq: The `validation_freq` that was given to `fit`.

    Returns:
        A `matplotlib.figure.Figure`, 900 pixels wide.

    Raises:
        ValueError: If there is no epoch, or a series does not have one value per epoch.
        ImportError: If matplotlib is not installed.

    Example:

    >>> from keras_proxy_snn.visualization import training_curve
    >>> logs = {"accuracy": [0.71, 0.9], "loss": [1.2, 0.4], "rate_conv1": [0.1, 0.12]}
    >>> figure = training_curve(logs)
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['Accuracy', 'Loss', 'Firing rates']
    """
    log = _read(history, validation_freq)
    drawings = _drawings(log)
    figure = new_figure(0.95 + 1.9 * len(drawings))
    heading(figure, "Course of the training", _CAPTION)
    panels = figure.subplots(len(drawings), sharex=True, squeeze=False)[:, 0]
    for axes, draw in zip(panels, drawings, strict=True):
        draw(axes, log)
        # Else matplotlib may label values near 2.303 as 0 to 6, with "1e-6 + 2.303" above.
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.grid(color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    _epoch_axis(panels[-1], log.epochs)
    return figure


def _read(history: Any, validation_freq: int | Collection[int]) -> _Log:
    logs = getattr(history, "history", history)
    if not isinstance(logs, Mapping) or not len(logs.get("loss", ())):
        raise ValueError(
            "`history` must be the result of `fit` or its `.history`, with at least one epoch of "
            f"'loss'. Received: {logs!r}."
        )
    count = len(logs["loss"])
    known = isinstance(history, keras.callbacks.History)
    epochs = 1 + np.asarray(history.epoch if known else range(count))
    if isinstance(validation_freq, int):
        validation_freq = positive_integer("validation_freq", validation_freq)
        validated = epochs[epochs % validation_freq == 0]
    else:
        validated = epochs[np.isin(epochs, list(validation_freq))]
    for name, values in logs.items():
        expected = len(validated) if name.startswith("val_") else count
        if len(values) != expected:
            raise ValueError(
                f"Each series must have one value per epoch, here {expected} for {name!r} with "
                f"validation_freq={validation_freq!r}. Received: {len(values)} values."
            )
    return _Log(epochs, validated, {k: np.asarray(v, "float64") for k, v in logs.items()})


def _drawings(log: _Log) -> list[Callable[["Axes", _Log], None]]:
    drawings: list[Callable[[Axes, _Log], None]] = [_draw_loss]
    if _accuracies(log):
        drawings.insert(0, _draw_accuracy)
    if any(name.startswith("rate_") for name in log.values):
        drawings.append(_draw_rates)
    if "proxy_distance" in log.values:
        drawings.append(_draw_distance)
    return drawings


def _accuracies(log: _Log) -> list[str]:
    return [n for n in log.values if "accuracy" in n and not n.startswith("val_")]


def _draw_accuracy(axes: "Axes", log: _Log) -> None:
    names = _accuracies(log)
    _draw_pairs(axes, log, names, scale=100.0)
    _label(axes, "Accuracy", "accuracy (%)")
    values = log.values.get(f"val_{names[0]}")
    if values is not None and np.isfinite(values).any():
        best = int(np.nanargmax(values))
        axes.set_title(
            f"best validation: {100 * values[best]:.2f} %, epoch {log.validated_epochs[best]}",
            loc="right",
            fontsize="small",
        )


def _draw_loss(axes: "Axes", log: _Log) -> None:
    _draw_pairs(axes, log, ["loss"])
    _label(axes, "Loss", "loss")


def _draw_pairs(axes: "Axes", log: _Log, names: list[str], scale: float = 1.0) -> None:
    """Draw training dashed and validation solid."""
    colours = iter(OKABE_ITO * len(names))
    for name in names:
        prefix = f"{name}, " if len(names) > 1 else ""
        log.line(axes, name, scale, label=f"{prefix}train", color=next(colours), linestyle="--")
        if f"val_{name}" in log.values:
            label = f"{prefix}validation"
            log.line(axes, f"val_{name}", scale, label=label, color=next(colours), marker="s")
    _legend(axes)


def _draw_rates(axes: "Axes", log: _Log) -> None:
    from matplotlib import colormaps

    names = [name for name in log.values if name.startswith("rate_")]
    # From input to readout along viridis, short of its pale end.
    shades: Iterable[Any] = colormaps["viridis"](np.linspace(0, 0.85, len(names)))
    for i, (name, shade) in enumerate(zip(names, shades, strict=True)):
        label = name.removeprefix("rate_")
        log.line(axes, name, label=label, color=shade, marker="os^Dv"[i % 5])
    _from_zero(axes)
    _legend(axes)
    _label(axes, "Firing rates", "spikes per\nneuron and step")


def _draw_distance(axes: "Axes", log: _Log) -> None:
    log.line(axes, "proxy_distance", color=BLUE)
    _from_zero(axes)
    _label(axes, "Proxy distance between SNN and ANN", "cosine distance")


def _from_zero(axes: "Axes") -> None:
    values = np.concatenate([np.asarray(line.get_ydata()) for line in axes.lines])
    axes.set_ylim(0, 1.1 * values[np.isfinite(values)].max(initial=0.0) or 1.0)


def _label(axes: "Axes", title: str, unit: str) -> None:
    axes.set_title(title, loc="left", fontweight="bold", fontsize="medium")
    axes.set_ylabel(unit)


def _legend(axes: "Axes") -> None:
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(1.01, 1.05),
        frameon=False,
        fontsize="small",
        handlelength=3.0,
        labelspacing=0.3,
    )


def _epoch_axis(axes: "Axes", epochs: np.ndarray) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    margin = min(max(0.5, 0.02 * len(epochs)), 0.9)
    axes.set_xlim(epochs[0] - margin, epochs[-1] + margin)
