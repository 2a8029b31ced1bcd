"""A moving picture of the spikes over the image, step by step."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from ..basics.checks import check_flag, positive_integer
from ..basics.files import check_target, replacing
from ..basics.types import Images
from ..model import ProxyModel
from ..statistics.over_time import answers
from .figure import (
    BLUE,
    VERMILLION,
    draw_image,
    fitted,
    heading,
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

__all__ = ["spike_gif"]

_DPI = 90
_COLUMNS = 3
_COLOURS = 64
_OPACITY = 0.8
# The last step is shown for so many steps.
_REST = 6
_LEADING = "the classes with the most spikes so far"
_HIGHEST = "the class with the highest score so far"


def spike_gif(
    model: ProxyModel,
    image: Images,
    path: str | Path,
    *,
    class_names: Sequence[str] | None = None,
    frames_per_second: int = 5,
    overwrite: bool = False,
    image_name: str = "one image",
) -> Path:
    """Write a GIF of the spikes of one image, one frame per time step.

    For each layer of neurons in maps, the spikes of one map lie over the image in orange: the
    map whose spike counts differ most from place to place. Beside them are the spikes of each class
    so far (Eq. 11 of Kheradpisheh et al., "Spiking neural networks trained via proxy"); the
    leading classes are orange. With `readout="potential"`, the class with the highest score is: the
    spikes and what is left in its potential. A line below the title says what is orange.

    Args:
        model: Spiking network and proxy.
        image: `(height, width, channels)`, or a batch of exactly one.
        path: A `.gif` file.
        class_names: Names of the classes; those of the model if `None`, or else numbers.
        frames_per_second: Number of time steps shown per second.
        overwrite: Whether to replace an existing file.
        image_name: What the title calls the image.

    Returns:
        The path.

    Raises:
        ValueError: If the image has another shape than the model's, `path` does not end in
            `.gif`, `frames_per_second` is not a positive integer, or the number of names is
            not the number of classes.
        FileExistsError: If the file exists and `overwrite` is not set.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import keras_proxy_snn
    >>> from keras_proxy_snn.visualization import spike_gif
    >>> model = keras_proxy_snn.build("digits", weights="pretrained", time_steps=2)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "spikes.gif"
    >>> spike_gif(model, np.ones((8, 8, 1)), path).read_bytes()[:6]
    b'GIF89a'
    """
    path = Path(path)
    frames_per_second = positive_integer("frames_per_second", frames_per_second)
    if path.suffix != ".gif":
        raise ValueError(f"`path` must end in .gif. Received: {str(path)!r}.")
    check_target(path, check_flag("overwrite", overwrite))
    pixels = one_image(model, image)
    record = model.snn.record(pixels)
    spikes = {
        layer.twin.name: np.asarray(ops.convert_to_numpy(record[layer.name]))[0]
        for layer in model.snn.if_layers
    }
    names = [short(name, 12) for name in model_labels(model, class_names)]
    scores = None
    if model.readout == "potential":
        each = [ops.convert_to_numpy(of_step) for of_step, _ in answers(model, pixels)]
        scores = np.concatenate(each)
    film = _Film(shades(model, pixels[0]), spikes, names, image_name, scores)
    film.write(path, frames_per_second)
    return path


class _Film:
    """The figure, and the parts of it that change from step to step.

    Args:
        image: An image of `shades`.
        spikes: Name of the layer to spikes `(time, ...)`; the readout is last.
        names: Names of the classes.
        image_name: Name of the image.
        scores: Scores of the classes after each step; `None` if they are the spike counts.
    """

    def __init__(
        self,
        image: np.ndarray,
        spikes: dict[str, np.ndarray],
        names: list[str],
        image_name: str = "one image",
        scores: np.ndarray | None = None,
    ):
        self.scores = scores
        *_, (_, readout) = spikes.items()
        self.counts = readout.cumsum(axis=0)
        last = f", step {len(self.counts)} of {len(self.counts)}"
        self.title = fitted("Spikes of ", image_name, last).removesuffix(last)
        self.maps = dict(_choose(name, s) for name, s in spikes.items() if s.ndim == 4)
        panels = max(1, len(self.maps))
        columns = min(_COLUMNS, panels)
        rows = -(-panels // columns)
        self.figure: Figure = new_figure(0.9 + max(1.9 * rows, 0.17 * len(names)))
        self.figure.set_dpi(_DPI)
        leading = _LEADING if scores is None else _HIGHEST
        over = "over the image, neurons of one map that fire in this step; at the right, "
        heading(self.figure, self.title, f"Orange: {over if self.maps else ''}{leading}.")
        halves: Any = self.figure.subfigures(1, 2, width_ratios=[columns, 1.3])
        grid = halves[0].subplots(rows, columns, squeeze=False).ravel().tolist()
        self.overlays = [
            _overlay(axes, image, title, spikes)
            for axes, (title, spikes) in zip(grid, self.maps.items(), strict=False)
        ]
        if not self.maps:
            draw_image(grid[0], image)
        for axes in grid[panels:]:
            axes.remove()
        self.bars = self._draw_bars(halves[1].subplots(), names)

    def _draw_bars(self, axes: "Axes", names: list[str]) -> Any:
        from matplotlib.ticker import MaxNLocator

        axes.set_title("readout", fontsize="small", fontweight="bold")
        bars = axes.barh(np.arange(len(names)), np.zeros(len(names)), color=BLUE)
        axes.set_yticks(range(len(names)), names, fontsize="small")
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, max(1.0, 1.05 * self.counts.max()))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
        axes.tick_params(labelsize="small")
        axes.set_xlabel("spikes so far", fontsize="small")
        axes.spines[["top", "right"]].set_visible(False)
        return bars

    def show(self, step: int) -> None:
        """Draw a step; steps are counted from 0."""
        for overlay, spikes in zip(self.overlays, self.maps.values(), strict=True):
            overlay.set_alpha(_OPACITY * spikes[step])
        best = self._best(step)
        for i, bar in enumerate(self.bars):
            bar.set_width(self.counts[step, i])
            bar.set_color(VERMILLION if i in best else BLUE)
        title = f"{self.title}, step {step + 1} of {len(self.counts)}"
        self.figure.suptitle(title, x=0.01, ha="left", fontsize="large", fontweight="bold")

    def _best(self, step: int) -> set[int]:
        if self.scores is None:
            return set(winners(self.counts[step]).tolist())
        return set(np.flatnonzero(self.scores[step] == self.scores[step].max()).tolist())

    def write(self, path: Path, frames_per_second: int) -> None:
        """Write all steps; the last one stays for a while."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from PIL import Image

        canvas, frames = FigureCanvasAgg(self.figure), []
        self.show(0)
        canvas.draw()  # the layout settles: the first drawing places the panels in another way
        for step in range(len(self.counts)):
            self.show(step)
            canvas.draw()
            frames.append(np.array(canvas.buffer_rgba())[..., :3])
        # One palette for all frames and no dithering: the file is far smaller.
        whole = Image.fromarray(np.concatenate(frames))
        palette = whole.quantize(_COLOURS, Image.Quantize.MAXCOVERAGE)
        first, *others = (
            Image.fromarray(pixels).quantize(palette=palette, dither=Image.Dither.NONE)
            for pixels in frames
        )
        frame = round(1000 / frames_per_second)
        durations = [*[frame] * len(others), _REST * frame]
        gif = io.BytesIO()
        more: dict[str, Any] = {"append_images": others, "duration": durations, "loop": 0}
        first.save(gif, "GIF", save_all=True, **more)
        with replacing(path) as draft:
            draft.write_bytes(gif.getvalue())


def _choose(name: str, spikes: np.ndarray) -> tuple[str, np.ndarray]:
    """Title and spikes `(time, height, width)` of the map whose counts differ most."""
    counts = spikes.sum(axis=0)
    chosen = int(counts.std(axis=(0, 1)).argmax())
    return f"{short(name, 20)}, map {chosen}", spikes[..., chosen]


def _overlay(axes: "Axes", image: np.ndarray, title: str, spikes: np.ndarray) -> Any:
    """A vermillion layer over the image; each step sets its opacity."""
    from matplotlib.colors import to_rgb

    draw_image(axes, image)
    axes.set_title(title, fontsize="small", fontweight="bold")
    height, width = image.shape[:2]
    sheet = np.broadcast_to(to_rgb(VERMILLION), (*spikes.shape[1:], 3))
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    return axes.imshow(sheet, extent=extent, interpolation="nearest", alpha=_OPACITY * spikes[0])
