"""Tables and figures of an experiment, drawn from the JSON files of its results.

Feature maps also need the trained model and an image.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..basics.files import replacing
from ._experiment import Experiment, Size
from ._figures import draw_epochs, draw_feature_maps, draw_time_steps
from ._rows import Row, read_rows
from ._tables import caption, lever_table, matrix_table, method_table
from .data import load

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Drawn", "draw"]


@dataclass(frozen=True)
class Drawn:
    """Result of `draw`.

    Attributes:
        text: Tables in Markdown, with a caption.
        files: Written files: the text and the figures.
    """

    text: str
    files: tuple[Path, ...]


_TABLES: Mapping[str, Callable[[Sequence[Row]], str]] = {
    "table": method_table,
    "matrix": matrix_table,
    "levers": lever_table,
}


def draw(
    experiment: Experiment,
    size_name: str,
    folder: Path,
    epochs: int | None = None,
    data_dir: str | None = None,
) -> Drawn:
    """Draw the tables and figures of an experiment; rows without a result show dashes.

    Args:
        experiment: The experiment.
        size_name: One of `SIZES`.
        folder: Folder of the results; tables and figures are written there too.
        epochs: Epochs of the trainings, if they differ from the size's; file names then tell them.
        data_dir: Folder or archive of the data set.

    Returns:
        `Drawn`.

    Raises:
        ImportError: If a figure is drawn and matplotlib is not installed.
        FileNotFoundError: If feature maps are drawn and the trained model is missing.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_proxy_snn.paper import EXPERIMENTS
    >>> from keras_proxy_snn.paper.drawing import draw
    >>> empty = pathlib.Path(tempfile.mkdtemp())
    >>> draw(EXPERIMENTS["figure2"], "tiny", empty).text.splitlines()[-1]
    '| proxy learning, paper | 8 | - | - | - | - | - | - |'
    """
    size = experiment.sizes[size_name]
    epochs = size.epochs if epochs is None else epochs
    rows = read_rows(size, epochs, folder)
    texts = [caption(experiment.title, size_name, size, epochs, rows)]
    texts += [_TABLES[name](rows) for name in experiment.drawings if name in _TABLES]
    for other in experiment.also:
        texts += _trained_rows(other, size_name, folder)
    text = "\n\n".join(texts)
    folder.mkdir(parents=True, exist_ok=True)
    # Trainings with another number of epochs have their own table.
    stem = f"{experiment.name}-{size_name}" + f"-epochs{epochs}" * (epochs != size.epochs)
    files = [folder / f"{stem}.md"]
    with replacing(files[0]) as draft:
        draft.write_text(text + "\n")
    trained = [row for row in rows if row.results]
    for name in experiment.drawings:
        if trained and name not in _TABLES:
            figure = _figure(name, size, trained, data_dir)
            files.append(folder / "figures" / f"{stem}.png")
            files[-1].parent.mkdir(exist_ok=True)
            with replacing(files[-1]) as draft:
                figure.savefig(draft)
    return Drawn(text, tuple(files))


def _trained_rows(experiment: Experiment, size_name: str, folder: Path) -> list[str]:
    """Caption and table of the rows of an experiment that have results; nothing without them."""
    size = experiment.sizes[size_name]
    rows = [row for row in read_rows(size, size.epochs, folder) if row.results]
    if not rows:
        return []
    title = f"{experiment.title} (`{experiment.name}`)"
    return [caption(title, size_name, size, size.epochs, rows), method_table(rows)]


def _figure(name: str, size: Size, rows: Sequence[Row], data_dir: str | None) -> "Figure":
    if name == "feature_maps":
        return draw_feature_maps(rows, load(size.preset, data_dir).test[0][0])
    return {"time_steps": draw_time_steps, "epochs": draw_epochs}[name](rows)
