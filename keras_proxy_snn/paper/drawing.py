"""Tables and figures of an experiment, from the JSON files of its results alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ._experiment import Experiment, Size
from ._rows import Row, read_rows
from ._tables import caption, method_table

__all__ = ["Drawn", "draw"]


@dataclass(frozen=True)
class Drawn:
    """What came of it.

    Attributes:
        text: Tables in Markdown, with a caption.
        files: The same text, and figures.
    """

    text: str
    files: tuple[Path, ...]


_TABLES: Mapping[str, Callable[[list[Row]], str]] = {"table": method_table}


def draw(
    experiment: Experiment,
    size_name: str,
    folder: Path,
    epochs: int | None = None,
) -> Drawn:
    """Draw what the results folder holds of an experiment.

    Args:
        experiment: The experiment.
        size_name: One of `SIZES`.
        folder: Folder of the results; what is drawn goes there too.
        epochs: Epochs of the trainings, if not the size's.

    Returns:
        `Drawn`.

    Raises:
        ImportError: If matplotlib is not installed and there is a figure.
    """
    size: Size = experiment.sizes[size_name]
    epochs = size.epochs if epochs is None else epochs
    rows = read_rows(size, epochs, folder)
    texts = [caption(experiment.title, size_name, size, epochs, rows)]
    texts += [_TABLES[name](rows) for name in experiment.drawings if name in _TABLES]
    text = "\n\n".join(texts)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{experiment.name}-{size_name}.md"
    path.write_text(text + "\n")
    return Drawn(text, (path,))
