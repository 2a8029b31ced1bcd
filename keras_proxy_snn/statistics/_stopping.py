"""What stopping a simulation early saves, and what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..model import ProxyModel

__all__ = ["Stopping", "early_stopping"]


@dataclass(frozen=True)
class Stopping:
    """Images, each simulated until one class leads by a margin, or for all T steps.

    Attributes:
        margin: Lead at which a simulation stops, in spikes of the readout.
        mean_steps: Mean number of steps.
        accuracy: Fraction of images whose leading class was then the right one.
    """

    margin: float
    mean_steps: float
    accuracy: float


def early_stopping(
    model: ProxyModel,
    x: Any,
    y: Any,
    margins: Sequence[float],
    time_steps: int | None = None,
    batch_size: int = 100,
) -> list[Stopping]:
    """Mean steps and accuracy if a simulation stops once a class leads the second by a margin.

    Let s_c(t) be the readout of class c after t steps: spike counts, and with
    `readout="potential"` the potential over the threshold added. The simulation of an image stops
    at the first t where the largest s_c(t) is at least `margin` above the second largest, or at T.
    `examples/on_device.py --stop margin` does so step by step, and adds the potential to counts in
    any case. Choose a margin on images that are neither trained on nor tested.

    Every image is simulated for 1 to T steps here, T(T + 1)/2 in all.

    Args:
        model: The trained network.
        x: Images, `(n, height, width, channels)`.
        y: Integer labels, `(n,)`.
        margins: Leads to try, each above 0, in spikes.
        time_steps: T, at least 1; the model's own by default.
        batch_size: Images simulated at once.

    Returns:
        One entry a margin, in their order.

    Raises:
        ValueError: If a margin is not above 0, or there are fewer than two classes.

    Example:

    >>> import keras_proxy_snn as kps
    >>> model = kps.build("digits", weights="pretrained")
    >>> _, (x, y) = kps.datasets.load("digits")
    >>> soon, late = kps.statistics.early_stopping(model, x[:20], y[:20], (1.0, 100.0))
    >>> bool(soon.mean_steps < late.mean_steps), late.mean_steps
    (True, 20.0)
    """
    if any(not margin > 0 for margin in margins):
        raise ValueError(f"Each margin is above 0. Received: {list(margins)}")
    steps = model.time_steps if time_steps is None else time_steps
    scores = np.stack(
        [
            model.predict(x, batch_size=batch_size, time_steps=t, verbose=0)
            for t in range(1, steps + 1)
        ],
        axis=1,
    )
    if scores.shape[-1] < 2:
        raise ValueError(f"A lead is over a second class. Received: {scores.shape[-1]} class")
    right = scores.argmax(-1) == np.asarray(y)[:, None]
    second, first = np.moveaxis(np.sort(scores.astype("float64"), axis=-1)[..., -2:], -1, 0)
    return [_stopped(first - second >= margin, right, margin) for margin in margins]


def _stopped(enough: np.ndarray, right: np.ndarray, margin: float) -> Stopping:
    enough[:, -1] = True
    at = enough.argmax(axis=1)
    return Stopping(
        float(margin), float(np.mean(at + 1)), float(np.mean(right[np.arange(len(at)), at]))
    )
