"""Accuracy after each step of a simulation: one simulation shows every smaller T."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from keras import ops

from ..basics.arrays import as_float32
from ..basics.checks import check_choice, positive_integer
from ..basics.labels import check_labels
from ..basics.progress import Progress
from ..basics.types import Images, Tensor, Verbose
from ..model import ProxyModel
from ..simulation.loop import Simulation
from ..training.images import check_images
from ..training.metrics import SpikeAccuracy
from ._signals import check_model

__all__ = ["accuracies", "accuracy_over_time", "answers", "checked"]


def accuracy_over_time(
    model: ProxyModel,
    x: Images,
    y: Tensor,
    *,
    time_steps: int | None = None,
    ties: str = "first",
    batch_size: int = 100,
    verbose: Verbose = "auto",
) -> np.ndarray:
    """Accuracy after 1, 2, ..., T steps, from one simulation of T steps.

    Neurons do not know how many steps will follow. So the network after t of T steps is the
    network that `model.evaluate(x, y, time_steps=t)` runs, and one simulation shows how many steps
    are worth their time. Choose T on images that are used neither for training nor for the test.

    Args:
        model: The trained network.
        x: Images, `(n, height, width, channels)`.
        y: Integer labels, `(n,)`.
        time_steps: Number T of time steps; the model's if not given.
        ties: Rule for classes with equal scores, as in `keras_proxy_snn.SpikeAccuracy`.
        batch_size: Number of images simulated at once.
        verbose: Whether a line shows the progress: 0, 1, or `"auto"` for a terminal or a notebook.

    Returns:
        Fractions `(T,)`; the first is that after one step.

    Raises:
        TypeError: If the model is not a `ProxyModel`.
        ValueError: If a label is no class, the number of labels is not the number of images,
            `ties` is not a rule, `time_steps` or `batch_size` is not a positive integer, or
            `record` would refuse x.

    Example:

    >>> import keras_proxy_snn as kps
    >>> model = kps.build("digits", weights="pretrained")
    >>> _, (x, y) = kps.datasets.load("digits")
    >>> found = kps.statistics.accuracy_over_time(model, x[:50], y[:50])
    >>> found.shape, bool(found[0] < found[-1])
    ((20,), True)
    """
    check_choice("ties", ties, SpikeAccuracy.RULES)
    check_model(model)
    with model.at_time_steps(model.time_steps if time_steps is None else time_steps):
        (found,) = accuracies(model, x, y, [ties], batch_size, verbose)
    return found


def accuracies(
    model: ProxyModel, x: Images, y: Tensor, rules: Sequence[str], batch_size: int, verbose: Verbose
) -> list[np.ndarray]:
    """As `accuracy_over_time`, for several rules of ties."""
    images, labels, batch_size = checked(model, x, y, batch_size)
    steps = range(model.time_steps)
    metrics = [[SpikeAccuracy(rule) for _ in steps] for rule in rules]
    with Progress("simulating", len(images), verbose) as progress:
        start = 0
        for batch in progress.batches(images, batch_size):
            given = labels[start : start + len(batch)]
            start += len(batch)
            for step, (scores, potential) in zip(steps, answers(model, batch), strict=True):
                for of_rule in metrics:
                    of_rule[step].update_state(given, scores, potential=potential)
    return [
        np.array([float(ops.convert_to_numpy(m.result())) for m in of_rule]) for of_rule in metrics
    ]


def checked(
    model: ProxyModel, x: Images, y: Tensor, batch_size: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Images, labels and size of a batch, or an error as `accuracy_over_time` states."""
    check_model(model)
    batch_size = positive_integer("batch_size", batch_size)
    check_images(x, model.image_shape)
    images, labels = as_float32(model.compare_range(x)), np.asarray(y)
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"`y` must have one label per image, shape ({len(images)},). "
            f"Received: shape {labels.shape}."
        )
    check_labels(labels, model.classes)
    return images, labels, batch_size


def answers(model: ProxyModel, images: np.ndarray) -> Iterator[tuple[Any, Any]]:
    """Yield scores and potentials of the readout after each step, both `(batch, classes)`."""
    readout, counts = model.snn.if_layers[-1].name, 0.0
    for step in model.snn.walk(images, 1):
        spikes, potential = step[readout]
        counts = counts + spikes[:, 0]
        yield model.answer(Simulation(counts, potential, ())), potential
