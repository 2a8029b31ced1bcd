"""How good a spiking network is at each class."""

from collections.abc import Sequence
from typing import Any

import click
import keras
import numpy as np
from keras import ops

from ..basics.types import Tensor
from ._shared import print_rows

__all__ = ["SILENT", "Answers", "by_class", "print_classes"]

_SHOWN = 20  # more classes would fill the screen
SILENT = "no spike"
"""What stands in place of a class if no output neuron fires."""


class Answers(keras.metrics.Metric):
    """Counts how often images of each class get each answer, the first of the highest scores.

    Attributes:
        matrix: Numbers of images, `(right class, answer)`. The last answer is none: no score but 0,
            so no spike of the readout.
    """

    def __init__(self, classes: int):
        super().__init__(name="answers")
        self._classes = classes
        self.matrix = self.add_variable((classes, classes + 1), "zeros", name="matrix")

    def update_state(self, y_true: Tensor, scores: Tensor, sample_weight: Tensor = None) -> None:
        """Add a batch with integer labels."""
        silent = ops.all(ops.equal(scores, 0), axis=-1)
        found = ops.where(silent, self._classes, ops.cast(ops.argmax(scores, axis=-1), "int32"))
        right, answer = (
            ops.one_hot(ops.reshape(ops.cast(number, "int32"), (-1,)), classes)
            for number, classes in ((y_true, self._classes), (found, self._classes + 1))
        )
        self.matrix.assign_add(ops.cast(ops.transpose(right) @ answer, self.matrix.dtype))

    def result(self) -> Any:
        """Number of images, because Keras needs one number; see `matrix`."""
        return ops.sum(self.matrix)


def by_class(matrix: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """A row per class: strict accuracy, and the wrong answer that is most frequent.

    Args:
        matrix: Numbers of `Answers`.
        names: Names of the classes.
    """
    rows, answers = [], [*names, SILENT]
    for number, (counts, name) in enumerate(zip(matrix.astype(int), names, strict=True)):
        is_right = np.arange(len(answers)) == number
        is_right[-1] = number == 0  # the first of equal scores is the strict answer
        wrong = np.where(is_right, 0, counts)
        images, often = int(counts.sum()), int(wrong.argmax())
        rows.append(
            {
                "class": name,
                "images": images,
                "accuracy": int(counts[is_right].sum()) / images if images else None,
                "mistaken_for": answers[often] if wrong[often] else None,
                "mistakes": int(wrong[often]),
            }
        )
    return rows


def print_classes(rows: list[dict[str, Any]]) -> None:
    """Print the rows of `by_class` as a table; nothing if there are more than 20 classes."""
    if len(rows) > _SHOWN:
        return
    cells = [("class", "images", "strict", "most often taken for")]
    for row in rows:
        accuracy = "-" if row["accuracy"] is None else f"{row['accuracy']:.2%}"
        mistake = f"{row['mistaken_for']} ({row['mistakes']})" if row["mistakes"] else "-"
        cells.append((row["class"], row["images"], accuracy, mistake))
    click.echo()
    print_rows(cells)
