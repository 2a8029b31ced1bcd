"""The confusion matrix of a network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from ..basics.arrays import highest_scores
from ..basics.types import Tensor
from .figure import WIDTH, class_labels, new_figure, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["confusion_matrix"]

# With more classes the cells have no room for numbers.
_NUMBERED_CLASSES = 20
_LABELLED_CLASSES = 40
_FEW_CLASSES = 5  # whose cells have room for large numbers and longer names
# Inches beside and above the matrix, for names, title and colour bar.
_BESIDE, _ABOVE = 2.4, 1.48
_LINE = 0.16  # inches of a line of the caption
_CAPTION = (
    "Row: class of the image. Column: what the network took it for.\n"
    "Right answers lie on the diagonal; a dark cell elsewhere: a pair often confused."
)


def confusion_matrix(
    labels: Tensor, scores: Tensor, *, class_names: Sequence[str] | None = None
) -> "Figure":
    """Draw how often images of each class (rows) are classified as each class (columns).

    The answer is the class with the highest score, and the first of them if several classes have
    it (strict accuracy). Lines above the matrix say how many images are such ties, and how many
    have scores that are all 0, without a spike of the readout: these stand in the first column.
    Numbers count images and are shown for up to 20 classes. Colours are shares of the row.

    Args:
        labels: The right classes, `(images,)`, integers.
        scores: Scores `(images, classes)`, such as `model.predict(x)`.
        class_names: Names of the classes, such as `model.class_names`; numbers if `None`.

    Returns:
        A `matplotlib.figure.Figure`, 900 pixels wide; the shares are the array of its one image.

    Raises:
        ValueError: If the shapes do not fit, a score is not finite, a label is not a class, or
            there is not one name per class.
        ImportError: If matplotlib is not installed.

    Example:

    >>> from keras_proxy_snn.visualization import confusion_matrix
    >>> figure = confusion_matrix([0, 1, 1], [[3, 1], [0, 2], [4, 2]])
    >>> figure.axes[0].get_title(loc="left")
    'Confusion matrix, 3 images, accuracy 66.67 %'
    """
    scores = np.asarray(ops.convert_to_numpy(scores))
    matrix = _matrix(np.asarray(labels), scores)
    caption = _CAPTION + _tied(scores) + _silent(scores)
    names = [short(name, 16) for name in class_labels(class_names, len(matrix))]
    side = float(np.clip(0.6 * len(matrix), 3.0, WIDTH - _BESIDE))  # few classes, no huge cells
    lines = caption.count("\n") + 1
    figure = new_figure(side + _ABOVE + _LINE * lines)
    figure.set_layout_engine("compressed")  # the colour bar stands beside the matrix
    axes = figure.subplots()
    # A class without images has an empty row.
    shares = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, interpolation="nearest")
    if len(matrix) <= _NUMBERED_CLASSES:
        _write_numbers(axes, matrix, shares)
    _label(axes, matrix, names, caption)
    bar = figure.colorbar(picture, ax=axes, shrink=0.6, aspect=30)
    bar.set_label("share of the row (%)")
    return figure


def _matrix(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Number of images, `(right class, answer)`."""
    if scores.ndim != 2 or labels.shape != scores.shape[:1] or not scores.size:
        raise ValueError(
            "`labels` must be (images,) and `scores` (images, classes). "
            f"Received: shapes {labels.shape} and {scores.shape}."
        )
    if not np.isfinite(scores).all():
        raise ValueError("`scores` must be finite. Received: NaN or infinity.")
    classes = scores.shape[1]
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"`labels` must be integers from 0 to {classes - 1}. "
            f"Received: {labels.dtype} from {labels.min()} to {labels.max()}."
        )
    pairs = classes * labels.astype(int) + scores.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def _tied(scores: np.ndarray) -> str:
    """A line of the caption; without it a column would look like the only answer."""
    images, tied = len(scores), int(np.sum(highest_scores(scores).sum(axis=1) > 1))
    if not tied:
        return ""
    found = "is a tie; it is" if tied == 1 else "are ties; each is"
    every = f"{images:,} image{'s' * (images != 1)}"
    return f"\n{tied:,} of {every} {found} in the column of the first of its classes."


def _silent(scores: np.ndarray) -> str:
    """A line of the caption; without it their column would look like a preference."""
    images, silent = len(scores), int(np.sum(~scores.any(axis=1)))
    if not silent:
        return ""
    found = "has no output spike; it is" if silent == 1 else "have no output spike; they are"
    return f"\n{silent:,} of {images:,} image{'s' * (images != 1)} {found} in the first column."


def _write_numbers(axes: "Axes", matrix: np.ndarray, shares: np.ndarray) -> None:
    for row, column in zip(*np.nonzero(matrix), strict=True):
        colour = "white" if shares[row, column] > 50 else "black"
        style: dict[str, Any] = {
            "ha": "center",
            "va": "center",
            "color": colour,
            "fontsize": "small" if len(matrix) > _FEW_CLASSES else "large",
        }
        axes.text(column, row, f"{matrix[row, column]}", **style)


def _label(axes: "Axes", matrix: np.ndarray, names: list[str], caption: str) -> None:
    accuracy, images = np.trace(matrix) / matrix.sum(), int(matrix.sum())
    title = f"Confusion matrix, {images:,} images, accuracy {100 * accuracy:.2f} %"
    size = "large" if len(names) > _FEW_CLASSES else "medium"
    pad = 9 + 72 * _LINE * (caption.count("\n") + 1)
    axes.set_title(title, loc="left", pad=pad, fontsize=size, fontweight="bold")
    # Not `figure.heading`: the compressed layout moves a title of the figure, but no text below it.
    place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
    text = axes.annotate(caption, (0, 1), (0, 5), fontsize="small", color="0.35", **place)
    text.set_in_layout(False)  # it may be wider than the matrix
    labelled = range(0, len(names), -(-len(names) // _LABELLED_CLASSES))
    shown = [names[i] for i in labelled]
    turned = max(map(len, shown)) > (2 if len(names) > _FEW_CLASSES else 9) or len(shown) > 20
    style: dict[str, Any] = (
        {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if turned else {}
    )
    axes.set_xticks(labelled, shown, fontsize="small", **style)
    axes.set_yticks(labelled, shown, fontsize="small")
    axes.set_xlabel("answer of the network")
    axes.set_ylabel("class of the image")
