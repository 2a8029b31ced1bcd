"""Progress of batches, and the accuracy of a spiking network by each rule for ties."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import click
import keras
import numpy as np
from keras import ops

from ..basics.progress import Progress
from ..basics.types import Tensor
from ..model import ProxyModel
from ..training.losses import SpikeCountCrossentropy
from ..training.metrics import SpikeAccuracy
from ._classes import Answers
from ._data import Images

__all__ = ["Accuracies", "accuracies", "bar", "print_accuracies"]

_RULES = {"strict": "first", "tie_inclusive": "any", "potential": "potential"}
_TITLES = {
    "strict": "strict (argmax)",
    "potential": "ties broken by the potential",
    "tie_inclusive": "ties counted as right",
}


class Accuracies(NamedTuple):
    """What a network answers to test images.

    Attributes:
        rules: Accuracy by each rule for ties.
        silent: Number of images without a spike of the readout.
        tied: Number of other images of which several classes share the highest score.
        answers: Numbers of images, `(right class, answer)`, by the strict rule; the last answer is
            no spike.
    """

    rules: dict[str, float]
    silent: int
    tied: int
    answers: np.ndarray


class _Steps(keras.callbacks.Callback):
    def __init__(self, progress: Progress):
        super().__init__()
        self._progress = progress

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._progress.step()

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._progress.step()

    def on_predict_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._progress.step()


@contextmanager
def bar(label: str, batch_size: int, *images: int) -> Iterator[keras.callbacks.Callback]:
    """A line of progress while batches run; yields the callback that moves it.

    Args:
        label: What is being done.
        batch_size: Images per batch.
        *images: Number of images of each pass, such as training and validation.
    """
    steps = sum(math.ceil(number / batch_size) for number in images)
    with Progress(label, steps) as progress:
        yield _Steps(progress)


def accuracies(
    model: ProxyModel, images: Images, *, batch_size: int, time_steps: int | None = None
) -> Accuracies:
    """Evaluate a network; compiles it again."""
    metrics = [SpikeAccuracy(rule, name=name) for name, rule in _RULES.items()]
    answers = Answers(model.classes)
    shares = {"silent": _silent, "tied": _tied}
    metrics += [keras.metrics.MeanMetricWrapper(of, name=name) for name, of in shares.items()]
    metrics.append(answers)
    # Keras requires a loss, although its value is not used.
    model.compile(loss=SpikeCountCrossentropy(), metrics=metrics)
    given = {"x": images.x, "y": images.y, "batch_size": batch_size}
    if images.y is None:
        images.x.batch_size = batch_size
        given = {"x": images.x}
    with bar("evaluating", batch_size, images.images) as callback:
        scores = model.evaluate(
            **given,
            time_steps=time_steps,
            callbacks=[callback],
            verbose=0,
            return_dict=True,
        )
    silent, tied = (round(scores[name] * images.images) for name in shares)
    matrix = ops.convert_to_numpy(answers.matrix)
    return Accuracies({name: scores[name] for name in _RULES}, silent, tied, matrix)


def _silent(y_true: Tensor, scores: Tensor) -> Any:
    return ops.cast(ops.all(ops.equal(scores, 0), axis=-1), "float32")


def _tied(y_true: Tensor, scores: Tensor) -> Any:
    highest = ops.equal(scores, ops.max(scores, axis=-1, keepdims=True))
    several = ops.sum(ops.cast(highest, "int32"), axis=-1) > 1
    return ops.cast(several & ops.any(ops.not_equal(scores, 0), axis=-1), "float32")


def print_accuracies(result: dict[str, Any]) -> None:
    """Print the accuracies of a result of `evaluate`."""
    part = "" if result["part"] == "own" else f"{result['part']} "
    head = f"{result['images']} {part}images of {result['dataset']}, T={result['time_steps']}"
    click.echo(f"Accuracy of the spiking network, {head}:")
    for name, title in _TITLES.items():
        click.echo(f"  {title:<28} {result['accuracy'][name]:.2%}")
    if silent := result["silent_images"]:
        click.echo(
            f"The output neurons do not spike for {silent} of the images. They count as the first "
            "class under the first rule, and as right under the last."
        )
    if tied := result["tied_images"]:
        click.echo(
            f"Several classes have the highest score for {tied} of the images. The first of these "
            "classes is the strict answer; tables and pictures take it too. More steps, more "
            'training or readout="potential" leave fewer ties.'
        )
