"""Feature maps of the ANN beside those of the SNN."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from keras import ops

from ..basics.arrays import as_float32
from ..basics.checks import positive_integer
from ..basics.types import Images
from ..model import ProxyModel
from .figure import WIDTH, draw_image, fitted, new_figure, one_image, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["feature_maps"]


class _Maps(NamedTuple):
    """Chosen maps of a layer, `(height, width, filters)` in both networks.

    Those of a further line have no title, and the scales of the whole layer.
    """

    title: str
    filters: np.ndarray
    activations: np.ndarray
    spike_counts: np.ndarray
    most: tuple[float, float]

    @property
    def room(self) -> float:
        """Inches of the title."""
        return _TITLE if self.title else _EDGE

    def lines(self) -> "list[_Maps]":
        """Parts of at most `_COLUMNS` maps."""
        places = range(0, len(self.filters), _COLUMNS)
        parts = [np.s_[place : place + _COLUMNS] for place in places]
        return [
            _Maps(
                "" if part.start else self.title,
                self.filters[part],
                self.activations[..., part],
                self.spike_counts[..., part],
                self.most,
            )
            for part in parts
        ]


class _Sheet:
    """A figure on which axes are placed in inches from its top left corner."""

    def __init__(self, width: float, height: float):
        self.width, self.height = width, height
        self.figure = new_figure(height, width, layout=None)

    def axes(self, left: float, top: float, width: float, height: float) -> "Axes":
        bottom = self.height - top - height
        return self.figure.add_axes(
            (
                left / self.width,
                bottom / self.height,
                width / self.width,
                height / self.height,
            )
        )

    def text(self, left: float, top: float, text: str, **style: Any) -> None:
        self.figure.text(left / self.width, 1 - top / self.height, text, va="center", **style)


# All in inches. The names of the networks stand left of the maps, the colour bars right of them.
_EDGE, _LEFT, _RIGHT, _GAP = 0.15, 1.05, 0.75, 0.06
_IMAGE, _TITLE, _NUMBERS, _SIMILARITIES = 1.0, 0.42, 0.2, 0.22
_COLUMNS = 8  # narrower maps would leave no room for their numbers


def feature_maps(
    model: ProxyModel,
    image: Images,
    *,
    filters: int = 5,
    seed: int = 0,
    image_name: str = "one image",
) -> "Figure":
    """Draw the same maps of both networks (the paper's Fig. 4).

    A map is the output of one filter. Each layer of neurons in maps, also one after a residual
    sum, has two rows: activations of the ANN, and below them spike counts of the IF neurons of the
    same maps. More than 8 maps take several such pairs of rows. The number between two maps is
    their cosine similarity: 1 if the firing rates are proportional to the activations, "silent" if
    one of the maps is all zero. Each network has one colour scale per layer. (Fig. 4 of
    Kheradpisheh et al., "Spiking neural networks trained via proxy".)

    Args:
        model: Spiking network and proxy.
        image: `(height, width, channels)`, or a batch of exactly one.
        filters: Number of maps per layer, chosen at random; a layer with fewer shows all.
        seed: Seed of the random choice.
        image_name: What the title calls the image.

    Returns:
        A `matplotlib.figure.Figure`, 900 pixels wide.

    Raises:
        ValueError: If the image has another shape than the model's, `filters` is not a
            positive integer, or the model has no neurons in maps.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import numpy as np
    >>> import keras_proxy_snn
    >>> from keras_proxy_snn.visualization import feature_maps
    >>> model = keras_proxy_snn.build("digits", time_steps=4)
    >>> figure = feature_maps(model, np.ones((8, 8, 1)), filters=3)
    >>> len(figure.axes)  # the image; 2 layers x 2 networks x (3 maps and a colour bar)
    17
    """
    filters = positive_integer("filters", filters)
    batch = one_image(model, image)
    layers = _layers(model, batch, filters, np.random.default_rng(seed))
    lines = [line for maps in layers for line in maps.lines()]
    width = min((WIDTH - _LEFT - _RIGHT) / min(filters, _COLUMNS) - _GAP, 1.2)
    height = width * min(3.0, batch.shape[1] / batch.shape[2])
    block = _NUMBERS + _SIMILARITIES + 2 * height  # without the title
    sheet = _Sheet(WIDTH, 2 * _EDGE + _IMAGE + sum(line.room + block for line in lines))
    _draw_head(sheet, shades(model, batch[0]), image_name, model.time_steps)
    top = _EDGE + _IMAGE
    for line in lines:
        _draw_block(sheet, top, line, width, height)
        top += line.room + block
    return sheet.figure


def _layers(
    model: ProxyModel, batch: np.ndarray, filters: int, rng: np.random.Generator
) -> list[_Maps]:
    record, activations = model.snn.record(batch), _activations(model, batch)
    layers = []
    for stage in model.snn.layers_of_maps:
        name, (rows, columns, count) = stage.twin.name, activations[stage.twin.name].shape
        chosen = np.sort(rng.permutation(count)[:filters])
        share = f"all {count} maps" if len(chosen) == count else f"{len(chosen)} of {count} maps"
        drawn = ", drawn at random" if len(chosen) < count else ""
        title = f"{name}: {share} of {rows} x {columns} pixels{drawn}"
        counts = np.asarray(ops.convert_to_numpy(record[stage.name]))[0].sum(axis=0)
        above, below = activations[name][..., chosen], counts[..., chosen]
        most = float(above.max()) or 1.0, float(below.max()) or 1.0
        layers.append(_Maps(title, chosen, above, below, most))
    if not layers:
        raise ValueError(
            "Feature maps need a model with neurons in maps, such as those of a convolution. "
            f"Received: layers {[stage.name for stage in model.snn.stages]}."
        )
    return layers


def _activations(model: ProxyModel, batch: np.ndarray) -> dict[str, np.ndarray]:
    """The ANN's activations of each layer with neurons, by the layer's name."""
    names = {place: name for name, place in model.twin.activations.items()}
    walk = model.twin.graph.run(ops.convert_to_tensor(batch))
    return {names[place]: as_float32(result)[0] for place, result in walk if place in names}


def _draw_head(sheet: _Sheet, image: np.ndarray, image_name: str, time_steps: int) -> None:
    draw_image(sheet.axes(_EDGE, _EDGE, _IMAGE, _IMAGE), image)
    left = 2 * _EDGE + _IMAGE
    room = WIDTH - left - _EDGE
    first, last = "Feature maps of ", f", T = {time_steps}"
    title = fitted(first, image_name, last, room)
    if image_name not in title:  # a line of its own has more room
        title = f"{first.rstrip()}\n{fitted('', image_name, last, room)}"
    sheet.text(left, _EDGE + 0.2, title, fontweight="bold", fontsize="large")
    legend = (
        "Above: activation of the ANN. Below: spike count of the IF neurons.\n"
        "Between: cosine similarity of the two maps (silent: a map is all zero)."
    )
    sheet.text(left, _EDGE + 0.65, legend, fontsize="small")


def _draw_block(sheet: _Sheet, top: float, maps: _Maps, width: float, height: float) -> None:
    sheet.text(_EDGE, top + 0.65 * _TITLE, maps.title, fontweight="bold")
    upper = top + maps.room + _NUMBERS
    lower = upper + height + _SIMILARITIES
    for column, number in enumerate(maps.filters):
        middle = _LEFT + column * (width + _GAP) + width / 2
        small = {"ha": "center", "fontsize": "small"}
        sheet.text(middle, upper - _NUMBERS / 2, f"map {number}", **small)
        similarity = _similarity(maps.activations[..., column], maps.spike_counts[..., column])
        sheet.text(middle, lower - _SIMILARITIES / 2, similarity, **small)
    _draw_row(sheet, upper, maps.activations, maps.most[0], width, height)
    _draw_row(sheet, lower, maps.spike_counts, maps.most[1], width, height, spikes=True)


def _similarity(activation: np.ndarray, counts: np.ndarray) -> str:
    norm = float(np.linalg.norm(activation) * np.linalg.norm(counts))
    return f"{float(np.sum(activation * counts)) / norm:.2f}" if norm else "silent"


def _draw_row(
    sheet: _Sheet,
    top: float,
    maps: np.ndarray,
    most: float,
    width: float,
    height: float,
    spikes: bool = False,
) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    label = "SNN\nspikes" if spikes else "ANN\nactivation"
    sheet.text(_LEFT - 0.1, top + height / 2, label, ha="right", fontsize="small")
    style: dict[str, Any] = {"cmap": "viridis", "aspect": "auto", "interpolation": "nearest"}
    for column in range(maps.shape[-1]):
        axes = sheet.axes(_LEFT + column * (width + _GAP), top, width, height)
        picture = axes.imshow(maps[..., column], vmin=0, vmax=most, **style)
        axes.set_xticks([])
        axes.set_yticks([])
    left = _LEFT + maps.shape[-1] * (width + _GAP) + 0.05
    bar = sheet.figure.colorbar(picture, cax=sheet.axes(left, top, 0.1, height))
    bar.locator = MaxNLocator(nbins=max(1, int(4 * height)), integer=spikes)
    # Matplotlib writes a factor such as 1e-5 above the bar, over what stands there.
    bar.formatter = FuncFormatter(lambda value, _: f"{value:.3g}")
    bar.ax.tick_params(labelsize="small")
