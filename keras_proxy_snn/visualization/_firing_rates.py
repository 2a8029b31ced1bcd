"""Distribution of firing rates in each layer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..statistics import LayerRecord
from .figure import BLUE, VERMILLION, check_record, new_panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["firing_rates"]

_BINS = 20
_CAPTION = (
    "Each panel has its own scales: compare layers by their means. Healthy: most neurons fire, few "
    "of them in every step\n(a rate of 1). A layer that never fires silences all layers after it."
)


def firing_rates(record: Mapping[str, Any]) -> "Figure":
    """Draw a histogram of firing rates for each layer.

    A neuron's rate is its mean over the images, in spikes per step. The orange part of the bar
    at zero is the share of neurons that never fire. Each panel has its own scales, so that a layer
    with low rates can be read beside a layer with high ones.

    Args:
        record: Result of `keras_proxy_snn.statistics.record(model, x)`.

    Returns:
        A `matplotlib.figure.Figure`, 900 pixels wide. The bars of each panel, from left to right,
        are the neurons that never fire and 20 bins of the neurons that fire, in percent of all. The
        first bin stands on top of the neurons that never fire.

    Raises:
        ValueError: If `record` is not such a result.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> import keras_proxy_snn
    >>> from keras_proxy_snn.visualization import firing_rates
    >>> model = keras_proxy_snn.build("digits", weights="pretrained")
    >>> (x, _), _ = keras_proxy_snn.datasets.load("digits")
    >>> figure = firing_rates(keras_proxy_snn.statistics.record(model, x[:4]))
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['conv1', 'conv2', 'dense1', 'readout']
    """
    check_record(record)
    layers = list(record.values())
    images, time_steps = layers[0].spikes.shape[:2]
    rates = [layer.firing_rates.reshape(images, -1).mean(axis=0) for layer in layers]
    of = f"{images} images" if images > 1 else "one image"
    title = f"Firing rates of the neurons, {of}, T = {time_steps}"
    notes = [_note(layer) for layer in layers]
    figure, panels = new_panels(title, list(record), 3, 1.9, notes, _CAPTION)
    for axes, values in zip(panels, rates, strict=True):
        # Rounded up to a twentieth, and never zero.
        most = max(0.05, np.ceil(20 * float(values.max()) - 1e-3) / 20)
        dead = _draw(axes, values, most)
    figure.legend([dead], ["never fired"], loc="upper right", frameon=False, fontsize="small")
    figure.supxlabel("firing rate (spikes per step)", fontsize="medium")
    figure.supylabel("neurons (%)", fontsize="medium")
    return figure


def _note(layer: LayerRecord) -> str:
    percent = f"dead {layer.dead_fraction:.1%}, saturated {layer.saturated_fraction:.1%}"
    return f"mean {layer.firing_rate:.3f}\n{percent}".replace("%", " %")


def _draw(axes: "Axes", rates: np.ndarray, most: float) -> Any:
    """Draw the bars; return the bar of the silent neurons."""
    # The largest rate may be above `most` by a rounding.
    fired = np.minimum(rates[rates > 0], most)
    shares = np.histogram(fired, _BINS, (0, most))[0] / len(rates)
    silent = 1 - len(fired) / len(rates)
    heights = 100 * np.array([silent, *shares])
    feet = 100 * np.array([0, silent, *np.zeros(_BINS - 1)])
    width = most / _BINS
    left = width * np.array([0, *range(_BINS)])
    colours = [VERMILLION, *[BLUE] * _BINS]
    bars = axes.bar(left, heights, 0.92 * width, feet, align="edge", color=colours)
    axes.set_xlim(-width / 2, most + width / 2)
    axes.set_ylim(0, 1.05 * (feet + heights).max())
    return bars[0]
