"""The assumption behind the proxy, per layer: firing rate against ReLU."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..basics.checks import positive_integer
from ..statistics import LayerRecord
from .figure import BLUE, VERMILLION, check_record, new_panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["rates_against_relu"]

_CAPTION = (
    "Each point is a neuron on one image. The proxy assumes that the points lie on the line. Right "
    "of its bend\na neuron would have to fire more than once per step; a higher threshold cures "
    "it. Above the line, also where\nthe ReLU is 0, a neuron fired before its inhibiting inputs "
    "came: a spike cannot be taken back.\nCosine distance is 0 if all rates are the same multiple "
    "of the ReLU, as on a line of another slope."
)


def rates_against_relu(record: Mapping[str, Any], *, points: int = 2000, seed: int = 0) -> "Figure":
    """Draw each neuron's firing rate against ReLU(current / threshold), for each layer.

    Eq. 9 of Kheradpisheh et al., "Spiking neural networks trained via proxy", says that a neuron
    fires at the rate that a ReLU gives for the rates of its inputs. It holds if the points lie on
    the line. A neuron fires at most once per step, so the line ends at a rate of 1.

    Each point is one neuron on one image, from a random sample of pairs that are not both zero.
    The numbers of a panel are over all neurons: the mean of |rate - ReLU| and the cosine distance
    (`rate_error` and `rate_distance` of the record).

    Args:
        record: Result of `keras_proxy_snn.statistics.record(model, x)`.
        points: Largest number of points per layer.
        seed: Seed of the random sample.

    Returns:
        A `matplotlib.figure.Figure`, 900 pixels wide; the points of a panel are its one
        `matplotlib.collections.PathCollection`.

    Raises:
        ValueError: If `record` is not such a result, or `points` is not a positive integer.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> import keras_proxy_snn
    >>> from keras_proxy_snn.visualization import rates_against_relu
    >>> model = keras_proxy_snn.build("digits", weights="pretrained")
    >>> (x, _), _ = keras_proxy_snn.datasets.load("digits")
    >>> seen = keras_proxy_snn.statistics.record(model, x[:4], layers=["conv1", "conv2"])
    >>> figure = rates_against_relu(seen, points=100)
    >>> [len(axes.collections[0].get_offsets()) for axes in figure.axes]
    [100, 100]
    """
    check_record(record)
    points = positive_integer("points", points)
    images, time_steps = next(iter(record.values())).spikes.shape[:2]
    of = f"{images} images" if images > 1 else "one image"
    title = f"Firing rate against ReLU, {of}, T = {time_steps}"
    layers = list(record.values())
    notes = [
        f"mean |rate - uncut ReLU| {layer.rate_error:.3f}\n"
        f"cosine distance {layer.rate_distance:.3f}"
        for layer in layers
    ]
    figure, panels = new_panels(title, list(record), 3, 2.3, notes, _CAPTION)
    rng = np.random.default_rng(seed)
    for axes, layer in zip(panels, layers, strict=True):
        line = _draw(axes, layer, points, rng)
    figure.legend([line], ["ReLU, at most 1"], loc="upper right", frameon=False, fontsize="small")
    figure.supxlabel("ReLU(current / threshold)", fontsize="medium")
    figure.supylabel("firing rate (spikes per step)", fontsize="medium")
    return figure


def _draw(axes: "Axes", layer: LayerRecord, points: int, rng: np.random.Generator) -> Any:
    """Draw the points and the line; return the line."""
    expected, rates = layer.expected_rates.ravel(), layer.firing_rates.ravel()
    active = np.flatnonzero((expected > 0) | (rates > 0))
    chosen = np.sort(rng.permutation(active)[:points])
    x, y = expected[chosen], rates[chosen]
    # Small and transparent points, so that a crowd of points can be seen as a crowd.
    axes.scatter(x, y, s=7, color=BLUE, alpha=0.25, linewidths=0)
    right = max(float(x.max(initial=0)), float(y.max(initial=0)), 0.1)
    bend = min(right, 1.0)
    (line,) = axes.plot([0, bend, right], [0, bend, bend], color=VERMILLION, linewidth=1.2)
    if not len(chosen):
        axes.text(0.97, 0.05, "all are zero", transform=axes.transAxes, ha="right")
    axes.set_xlim(-0.03 * right, 1.03 * right)
    axes.set_ylim(-0.05 * bend, 1.05 * bend)
    return line
