"""Membrane potentials of a few neurons, step by step."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from keras import ops

from ..basics.checks import positive_integer
from ..basics.types import Images
from ..model import ProxyModel
from .figure import OKABE_ITO, WIDTH, fitted, model_labels, new_panels, one_image, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["potential_traces"]

_CAPTION = (
    "A potential climbs to the threshold; the neuron fires (a mark above) and the potential is "
    "reset. Points show it\nafter the reset. If a potential stays above the threshold, its neuron "
    "fires in every step.\nMap 5 (2, 7) is the neuron in row 2 and column 7 of map 5; "
    "all are counted from 0."
)

_MARKERS = "os^Dv"

# Potentials, over the threshold, that differ by less are one line to the eye.
_APART = 0.05
# Beside a line that goes beyond so many thresholds, up or down, the others would be flat.
_FAR = 3.0
_CANDIDATES = 1000


class _Traces(NamedTuple):
    """Some neurons of a layer: potentials over threshold and spikes, `(time, neurons)`."""

    title: str
    labels: list[str]
    start: float
    potentials: np.ndarray
    spikes: np.ndarray


def potential_traces(
    model: ProxyModel,
    image: Images,
    *,
    neurons: int = 3,
    seed: int = 0,
    class_names: Sequence[str] | None = None,
    image_name: str = "one image",
) -> "Figure":
    """Draw membrane potentials of a few neurons of each layer for one image.

    Potentials are taken after each step and its reset, in units of the threshold (the dashed
    line), so a spike shows as a fall, unless the current is above the threshold. Step 0 is the
    start at `v_0`. Ticks at the top are spikes. The neurons are a random sample of the neurons that
    fired. Two kinds are taken only if there are no others: neurons with the same potentials, such
    as those of a white background, and neurons whose potential goes beyond 3 thresholds, up or
    down. If no neuron of a layer fired, the neurons that came nearest to the threshold are drawn.
    The readout shows the classes with the most spikes.

    Args:
        model: Spiking network and proxy.
        image: `(height, width, channels)`, or a batch of exactly one.
        neurons: Largest number of neurons per layer, up to 5.
        seed: Seed of the random sample.
        class_names: Names of the classes for the readout; those of the model if `None`, or else
            numbers.
        image_name: What the title calls the image.

    Returns:
        A `matplotlib.figure.Figure`, 900 pixels wide; the lines of a panel are labelled with
        the neuron's place, `map 5 (2, 7)` for map, row and column, with its number in a fully
        connected layer, or with the class.

    Raises:
        ValueError: If the image has another shape than the model's, `neurons` is not an integer
            from 1 to 5, or the number of names is not the number of classes.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> import keras_proxy_snn
    >>> from keras_proxy_snn.visualization import potential_traces
    >>> model = keras_proxy_snn.build("digits", weights="pretrained", time_steps=4)
    >>> figure = potential_traces(model, np.ones((8, 8, 1)), neurons=2)
    >>> len(figure.axes)
    4
    """
    neurons = positive_integer("neurons", neurons)
    if neurons > len(_MARKERS):
        raise ValueError(f"`neurons` must be at most {len(_MARKERS)}. Received: {neurons!r}.")
    batch = one_image(model, image)
    layers = _layers(model, batch, neurons, np.random.default_rng(seed), class_names)
    room = WIDTH - 1.3  # without the legend
    title = fitted("Potentials of ", image_name, f", T = {model.time_steps}", room)
    figure, panels = new_panels(title, [layer.title for layer in layers], 1, 1.5, caption=_CAPTION)
    for axes, layer in zip(panels, layers, strict=True):
        threshold = _draw(axes, layer)
        axes.tick_params(labelbottom=axes is panels[-1])
    figure.legend([threshold], ["threshold"], loc="upper right", frameon=False, fontsize="small")
    figure.supxlabel("time step", fontsize="medium")
    figure.supylabel("potential / threshold", fontsize="medium")
    return figure


def _layers(
    model: ProxyModel,
    batch: np.ndarray,
    neurons: int,
    rng: np.random.Generator,
    class_names: Sequence[str] | None,
) -> list[_Traces]:
    spikes, potentials = model.snn.record(batch, return_potentials=True)
    layers = []
    for layer in model.snn.if_layers:
        signals = [
            np.asarray(ops.convert_to_numpy(signal[layer.name]))[0]
            for signal in (spikes, potentials)
        ]
        shape = signals[0].shape[1:]
        fired, v = (signal.reshape(model.time_steps, -1) for signal in signals)
        v = v / layer.v_threshold
        counts = fired.sum(axis=0)
        readout = layer is model.snn.if_layers[-1]
        chosen, which = _choose(counts, v, neurons, rng, readout)
        if readout:
            names = model_labels(model, class_names)
            # A number alone would look like the number of a neuron.
            labels = [short(f"class {i}" if names[i] == str(i) else names[i], 14) for i in chosen]
        else:
            labels = [_place(int(i), shape) for i in chosen]
        title = f"{short(layer.twin.name, 40)}: {which}"
        layers.append(_Traces(title, labels, layer.v_0, v[:, chosen], fired[:, chosen]))
    return layers


def _place(index: int, shape: tuple[int, ...]) -> str:
    """Where a neuron is, from its index in the flattened layer."""
    if len(shape) != 3:
        return f"neuron {index}"
    row, column, number = np.unravel_index(index, shape)
    return f"map {number} ({row}, {column})"


def _choose(
    counts: np.ndarray, v: np.ndarray, neurons: int, rng: np.random.Generator, readout: bool
) -> tuple[np.ndarray, str]:
    """Indices of the neurons to show, and a description of the choice."""
    active = np.flatnonzero(counts)
    if not len(active):
        nearest = np.argsort(-v.max(axis=0), kind="stable")[:neurons]
        return nearest, f"no neuron fired; the {len(nearest)} nearest to the threshold"
    if readout:
        # If counts are equal, the remaining potential decides.
        best = np.lexsort((-v[-1], -counts))[:neurons]
        silent = "" if counts[best[-1]] else ", then by potential"
        return best, f"the {len(best)} classes with the most spikes{silent}"
    candidates = rng.permutation(active)
    far = np.abs(v[:, candidates]).max(axis=0) > _FAR
    near = _apart(v, candidates[~far], neurons)
    others = _apart(v, candidates[far], neurons - len(near))
    chosen = np.sort(np.concatenate([near, others]))
    share = "all" if len(chosen) == len(active) else f"{len(chosen)} of the"
    return chosen, f"{share} {len(active):,} that fired"


def _apart(v: np.ndarray, candidates: np.ndarray, number: int) -> np.ndarray:
    """The first candidates whose lines do not cover each other, and others if there are too few."""
    chosen: list[int] = []
    for candidate in candidates[:_CANDIDATES]:
        distances = np.abs(v[:, chosen] - v[:, [candidate]]).max(axis=0)
        if len(chosen) < number and (distances >= _APART).all():
            chosen.append(candidate)
    rest = candidates[~np.isin(candidates, chosen)]
    return np.concatenate([np.asarray(chosen, candidates.dtype), rest])[:number]


def _draw(axes: "Axes", layer: _Traces) -> Any:
    """Draw traces and spikes; return the line of the threshold."""
    from matplotlib.ticker import MaxNLocator

    steps = np.arange(len(layer.potentials) + 1)
    threshold = axes.axhline(1.0, color="0.35", linestyle="--", linewidth=1.0, label="_threshold")
    for i, label in enumerate(layer.labels):
        v = np.concatenate([[layer.start], layer.potentials[:, i]])
        style: dict[str, Any] = {"color": OKABE_ITO[i], "marker": _MARKERS[i]}
        axes.plot(steps, v, label=label, linewidth=1.2, markersize=3, **style)
    axes.set_xlim(-0.02 * len(steps), 1.02 * (len(steps) - 1))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    _draw_spikes(axes, layer)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.05), frameon=False, fontsize="small")
    return threshold


def _draw_spikes(axes: "Axes", layer: _Traces) -> None:
    """Draw ticks in a separate strip at the top, one row per neuron."""
    from matplotlib.ticker import MaxNLocator

    low = min(float(layer.potentials.min()), layer.start)
    high = max(float(layer.potentials.max()), 1.0)
    row = 0.12 * (high - low)
    top = high + row * (len(layer.labels) + 0.5)
    axes.set_ylim(low - 0.05 * (high - low), top)
    # The strip has no potentials, so no numbers stand beside it.
    ticks = MaxNLocator(nbins=4).tick_values(low, high)
    axes.set_yticks([tick for tick in ticks if low <= tick <= high])
    for i, spikes in enumerate(layer.spikes.T):
        fired = 1 + np.flatnonzero(spikes)
        axes.vlines(fired, top - row * (i + 0.8), top - row * i, color=OKABE_ITO[i], linewidth=2)
