"""Which images a spiking network gets wrong."""

from typing import Any

import click
import numpy as np

from ..basics.arrays import highest_scores
from ..model import ProxyModel
from ._accuracy import bar
from ._classes import SILENT
from ._data import Images
from ._shared import print_rows

__all__ = ["print_wrong", "wrong_images"]

_SHOWN = 20  # more lines would fill the screen


def wrong_images(
    model: ProxyModel, test: Images, *, batch_size: int, time_steps: int | None = None
) -> list[dict[str, Any]]:
    """A row per image that the strict rule counts as wrong.

    Args:
        model: The model.
        test: Images and labels.
        batch_size: Images per batch.
        time_steps: Number of time steps; the model's own if `None`.

    Returns:
        Rows with the number of the image, counted from 0, as `draw --image` takes it; its file, or
        `None`; its class; and the classes that share the highest score, none if no output neuron
        fired.
    """
    given = {"x": test.x, "batch_size": batch_size}
    if test.y is None:
        test.x.batch_size = batch_size
        given = {"x": test.x}
    with bar("looking for wrong answers", batch_size, test.images) as callback:
        scores = model.predict(**given, time_steps=time_steps, callbacks=[callback], verbose=0)
    labels, files, names = np.asarray(test.labels), test.files, test.class_names
    found = highest_scores(scores)
    return [
        {
            "number": int(number),
            "file": None if files is None else files[number],
            "class": names[labels[number]],
            "answers": [names[best] for best in np.flatnonzero(found[number])],
        }
        for number in np.flatnonzero(scores.argmax(axis=1) != labels)
    ]


def print_wrong(rows: list[dict[str, Any]]) -> None:
    """Print the first 20 rows of `wrong_images` as a table."""
    click.echo()
    if not rows:
        click.echo("The strict rule counts no image as wrong.")
        return
    named = rows[0]["file"] is not None
    cells = [("image", *(["file"] if named else []), "class", "taken for")]
    for row in rows[:_SHOWN]:
        file = [row["file"]] if named else []
        cells.append((row["number"], *file, row["class"], " = ".join(row["answers"]) or SILENT))
    print_rows(cells)
    if (more := len(rows) - _SHOWN) > 0:
        click.echo(f"and {more} more; --json has all")
