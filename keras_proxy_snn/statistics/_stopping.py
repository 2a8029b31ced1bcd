"""Stopping a simulation early: the steps that it saves, and the accuracy that it costs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np

from ..basics.arrays import as_float32
from ..basics.progress import Progress
from ..basics.types import Images, Tensor, Verbose
from ..model import ProxyModel
from .over_time import answers, checked

__all__ = ["Stopping", "early_stopping"]


@dataclass(frozen=True)
class Stopping:
    """Result for one margin: each image runs until one class leads by it, or for T steps.

    Attributes:
        margin: Lead at which a simulation stops, in spikes of the readout.
        mean_steps: Mean number of steps per image.
        accuracy: Fraction of images whose leading class was right when they stopped.
    """

    margin: float
    mean_steps: float
    accuracy: float

    def __repr__(self) -> str:
        """The fields, rounded: steps to two decimals, accuracy to four."""
        return (
            f"Stopping(margin={self.margin:g}, mean_steps={self.mean_steps:.2f}, "
            f"accuracy={self.accuracy:.4f})"
        )


def early_stopping(
    model: ProxyModel,
    x: Images,
    y: Tensor,
    margins: Sequence[float],
    *,
    batch_size: int = 100,
    verbose: Verbose = "auto",
) -> list[Stopping]:
    """Mean steps and accuracy if a simulation stops once a class leads by a margin.

    Let s_c(t) be the score of class c after t steps: its spike count, plus potential over
    threshold if `readout="potential"`. The simulation of an image stops at the first t where the
    largest s_c(t) is at least `margin` above the second largest, or at T.
    `on_device.py --stop margin` applies the same rule step by step, and always adds the
    potential. Choose a margin on images that are used neither for training nor for the test.

    Args:
        model: The trained network.
        x: Images, `(n, height, width, channels)`.
        y: Integer labels, `(n,)`.
        margins: Leads to try, each above 0, in spikes.
        batch_size: Number of images simulated at once.
        verbose: Whether a line shows the progress: 0, 1, or `"auto"` for a terminal or a notebook.

    Returns:
        One `Stopping` per margin, in the given order.

    Raises:
        TypeError: If the model is not a `ProxyModel`.
        ValueError: If a margin is not a number above 0, there are fewer than two classes, a label
            is no class, the number of labels is not the number of images, or `record` would refuse
            x or `batch_size`.

    Example:

    >>> import keras_proxy_snn as kps
    >>> model = kps.build("digits", weights="pretrained")
    >>> _, (x, y) = kps.datasets.load("digits")
    >>> soon, late = kps.statistics.early_stopping(model, x[:20], y[:20], (1.0, 100.0))
    >>> soon.mean_steps < late.mean_steps, late.mean_steps
    (True, 20.0)
    """
    images, labels, batch_size = checked(model, x, y, batch_size)
    margins = _checked(margins)
    with Progress("simulating", len(images), verbose) as progress:
        parts = [_scores(model, batch) for batch in progress.batches(images, batch_size)]
    scores = np.concatenate(parts)
    if scores.shape[-1] < 2:
        raise ValueError(
            "Early stopping needs at least two classes, because it compares the two best classes. "
            f"Received: a network with {scores.shape[-1]} class."
        )
    second, first = np.moveaxis(np.sort(scores, axis=-1)[..., -2:], -1, 0)
    right = scores.argmax(axis=-1) == labels[:, None]
    return [_stopped(first - second, right, margin) for margin in margins]


def _checked(margins: Sequence[float]) -> list[float]:
    found = list(margins) if isinstance(margins, Iterable) else [margins]
    for margin in found:
        if isinstance(margin, bool) or not isinstance(margin, Real) or not margin > 0:
            raise ValueError(f"Each margin must be a number above 0. Received: {found}.")
    return [float(margin) for margin in found]


def _scores(model: ProxyModel, images: np.ndarray) -> np.ndarray:
    """Scores after each step, `(batch, T, classes)`."""
    return np.stack([as_float32(scores) for scores, _ in answers(model, images)], axis=1)


def _stopped(lead: np.ndarray, right: np.ndarray, margin: float) -> Stopping:
    enough = lead >= margin
    enough[:, -1] = True
    last = enough.argmax(axis=1)
    accuracy = right[np.arange(len(last)), last].mean()
    return Stopping(float(margin), float(last.mean() + 1), float(accuracy))
