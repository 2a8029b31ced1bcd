"""Parts that all pictures share: figures, colours, names, checks of images and records."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from keras import ops

from ..basics.arrays import check_finite
from ..basics.checks import require
from ..basics.types import Images
from ..model import ProxyModel, check_proxy_model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "OKABE_ITO",
    "VERMILLION",
    "WIDTH",
    "check_record",
    "class_labels",
    "draw_image",
    "fitted",
    "heading",
    "model_labels",
    "new_figure",
    "new_panels",
    "one_image",
    "shades",
    "short",
    "winners",
]

WIDTH = 7.5
"""Width of a figure in inches: 900 pixels."""
_DPI = 120
_LONGEST, _SHORTEST = 90, 12  # letters of a name in a title; more have no room in any case

# Okabe and Ito, "Color Universal Design": colours that people with any kind of colour blindness
# can tell apart. Its yellow is left out, because it is too pale for a line on white.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
BLUE, VERMILLION = OKABE_ITO[:2]


def new_figure(
    height: float, width: float = WIDTH, layout: Literal["constrained"] | None = "constrained"
) -> "Figure":
    """An empty figure outside of pyplot, so that nothing has to be closed; notebooks show it.

    Args:
        height: Height in inches.
        width: Width in inches.
        layout: Layout engine of matplotlib.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    require("matplotlib.figure", "keras-proxy-snn[viz]")
    from ._shown import ShownFigure

    return ShownFigure(figsize=(width, height), dpi=_DPI, layout=layout)


def heading(figure: "Figure", title: str, caption: str = "") -> None:
    """Give a figure with constrained layout a title and, below it, what to look for.

    Args:
        figure: The figure.
        title: The title.
        caption: Text of one or more lines for people who see such a picture for the first time.
    """
    figure.suptitle(title, x=0.01, ha="left", fontsize="large", fontweight="bold")
    height = figure.get_figheight()
    room = (0.05 + 0.16 * (caption.count("\n") + 1)) / height if caption else 0.0
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0, 0, 1, 1 - room))
    style: Any = {"ha": "left", "va": "top", "fontsize": "small", "color": "0.35"}
    figure.text(0.01, 1 - 0.3 / height, caption, **style)


def new_panels(
    title: str,
    names: Sequence[str],
    columns: int,
    height: float,
    notes: Sequence[str] = (),
    caption: str = "",
) -> tuple["Figure", list["Axes"]]:
    """A figure with one small panel per name, row by row.

    Args:
        title: Title of the figure.
        names: Titles of the panels.
        columns: Largest number of panels in a row.
        height: Height of a row in inches.
        notes: Text below the title of each panel.
        caption: Text below the title of the figure; see `heading`.

    Returns:
        Figure and panels, in the order of the names.
    """
    columns = min(columns, len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(0.9 + 0.21 * len(caption.splitlines()) + rows * height)
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axes in grid[len(names) :]:
        axes.remove()
    for axes, name in zip(grid, names, strict=False):
        bold: dict[str, Any] = {"loc": "left", "fontsize": "small", "fontweight": "bold"}
        lines = notes[0].count("\n") + 1 if notes else 0
        axes.set_title(short(name, 84 // columns), pad=5 + 11 * lines, **bold)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize="small")
        axes.locator_params(axis="x", nbins=4)
    for axes, note in zip(grid, notes, strict=False):
        place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
        text = axes.annotate(note, (0, 1), (0, 5), fontsize="x-small", **place)
        text.set_in_layout(False)
    heading(figure, title, caption)
    return figure, grid[: len(names)]


def one_image(model: ProxyModel, image: Images) -> np.ndarray:
    """A batch with one image of a model, float32, from an image or from a batch with one image.

    Raises:
        TypeError: If the model is not a `ProxyModel`.
        ValueError: If the image has another shape, or a pixel is not a finite number.
    """
    check_proxy_model(model)
    shape = model.snn.image_shape
    pixels = np.asarray(ops.convert_to_numpy(image))
    check_finite(pixels)
    if pixels.shape not in (shape, (1, *shape)):
        raise ValueError(
            f"`image` must be one image of shape {shape} or a batch of exactly one, "
            f"{(1, *shape)}. Received: shape {pixels.shape}."
        )
    batch: np.ndarray = model.compare_range(pixels.astype("float32").reshape(1, *shape))
    return batch


def check_record(record: object) -> None:
    """Refuse anything but a result of `statistics.record` with a `ValueError`."""
    layers = list(record.values()) if isinstance(record, Mapping) else []
    if not layers or not all(hasattr(layer, "expected_rates") for layer in layers):
        raise ValueError(
            "`record` must be the result of `keras_proxy_snn.statistics.record(model, x)`. "
            f"Received: {textwrap.shorten(repr(record), 100)}."
        )


def class_labels(class_names: Sequence[str] | None, classes: int) -> list[str]:
    """Names of the classes, or their numbers.

    Raises:
        ValueError: If the number of names is not the number of classes.
    """
    if class_names is None:
        return [str(i) for i in range(classes)]
    if len(class_names) != classes:
        raise ValueError(
            f"`class_names` must have one name for each of the {classes} classes. "
            f"Received: {len(class_names)} names."
        )
    return [str(name) for name in class_names]


def model_labels(model: ProxyModel, class_names: Sequence[str] | None) -> list[str]:
    """Names of a model's classes: those given, or else those of the model, or their numbers.

    Raises:
        ValueError: As `class_labels`.
    """
    return class_labels(model.class_names if class_names is None else class_names, model.classes)


def winners(counts: np.ndarray) -> np.ndarray:
    """Classes with the most spikes; an empty array if no class fired."""
    return np.flatnonzero((counts == counts.max()) & (counts > 0))


def short(name: str, length: int) -> str:
    """The name; dots replace its middle if it is longer than `length` characters."""
    half = (length - 3) // 2
    return name if len(name) <= length else f"{name[:half]}...{name[-half:]}"


def fitted(before: str, name: str, after: str, room: float = WIDTH - 0.15) -> str:
    """A title in large bold letters; dots replace the middle of the name if there is no room.

    Args:
        before: Text before the name.
        name: A name of any length.
        after: Text after the name.
        room: Inches for the whole title.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(size="large", weight="bold")
    for length in range(min(len(name), _LONGEST), _SHORTEST, -1):
        title = f"{before}{short(name, length)}{after}"
        path = TextPath((0, 0), title.replace("$", "S"), size=font.get_size_in_points(), prop=font)
        if path.get_extents().width <= 0.97 * 72 * room:  # pixels round the letters' widths
            return title
    return f"{before}{short(name, _SHORTEST)}{after}"


def shades(model: ProxyModel, image: np.ndarray) -> np.ndarray:
    """An image `(height, width, channels)` as the network sees it, from 0 (black) to 1 (white).

    Black and white are those of the model's input range, so a dark image stays dark. Three channels
    stay; of any other number of channels the mean is taken, `(height, width)`.
    """
    black, white = model.input_range
    pixels = image if image.shape[-1] == 3 else image.mean(axis=-1)
    scaled: np.ndarray = np.clip((pixels - black) / (white - black), 0, 1)
    return scaled


def draw_image(axes: "Axes", image: np.ndarray) -> None:
    """Show an image of `shades`."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
