"""Common to all methods: budget and result of a training, and the fit of one phase."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from ..basics.progress import check_verbose
from ..basics.types import Images, Tensor, Verbose
from ..presets import Preset
from ._augmentation import Augmented
from ._checkpoints import PhaseCallback, Record, State

__all__ = ["Trained", "Training", "cosine", "fit_phase", "linear", "phase_name"]


@dataclass(frozen=True)
class Training:
    """Budget, held-out data, checkpoints and augmentation of a training.

    Attributes:
        epochs: Number of passes over the training images. All phases of a method share it, unless
            the method says otherwise.
        batch_size: Number of images per step.
        validation_data: Held-out training images and labels, or `None`.
        folder: Folder for checkpoints, or `None`. A killed training resumes from its last whole
            epoch when it is called again with the same folder.
        callbacks: Further Keras callbacks of every phase; a `PhaseCallback` receives the phase.
        verbose: As in `keras.Model.fit`: 0, 1, 2 for a line per epoch, or `"auto"`.
        augment: Whether training images are randomly shifted by up to an eighth of their side and
            mirrored left to right, differently in each epoch.
        erasing: Fraction of the augmented images that get a rectangle of noise; needs `augment`.
        seed: Seed of `augment` and `erasing`.

    Raises:
        ValueError: If `erasing` is set without `augment`, or `verbose` is none of these.
    """

    epochs: int
    batch_size: int = 100
    validation_data: tuple[Any, Any] | None = None
    folder: Path | None = None
    callbacks: Sequence[keras.callbacks.Callback] = ()
    verbose: Verbose = 0
    augment: bool = False
    erasing: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_verbose(self.verbose)
        if self.erasing and not self.augment:
            raise ValueError(
                f"`erasing` needs `augment=True`. Received: erasing={self.erasing!r}, "
                f"augment={self.augment!r}."
            )


@dataclass(frozen=True)
class Trained:
    """Result of a method.

    Attributes:
        network: A `ProxyModel`, whose spiking network is to be evaluated; for the plain ANN, a
            `keras.Sequential`.
        history: Logs of each epoch by phase and name, `{"phase": {"loss": [...]}}`.
        facts: Numbers that the method found, such as thresholds, as JSON values.
    """

    network: keras.Model
    history: dict[str, dict[str, list[float]]]
    facts: dict[str, Any] = field(default_factory=dict)


def phase_name(phase: str, preset: Preset) -> str:
    """Name of a phase with its pooling, so that checkpoints with different pooling stay apart."""
    return phase if preset.pooling == "max" else f"{phase}_{preset.pooling}_pooling"


def linear(done: float) -> float:
    """Linear schedule: learning rate as a fraction of its initial value, at a fraction `done`."""
    return 1 - done


def cosine(done: float) -> float:
    """Cosine schedule: as `linear`, but along half a wave of a cosine.

    (Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2016,
    arXiv:1608.03983, Eq. 5 without restarts.)

    Example:

    >>> from keras_proxy_snn.methods._training import cosine
    >>> [round(cosine(done), 4) for done in (0, 0.25, 0.5, 1)]
    [1.0, 0.8536, 0.5, 0.0]
    """
    return (1 + math.cos(math.pi * done)) / 2


def fit_phase(
    model: keras.Model,
    x: Images,
    y: Tensor,
    training: Training,
    phase: str,
    *,
    epochs: int | None = None,
    fall: Callable[[float], float] = linear,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> dict[str, list[float]]:
    """Fit a compiled model with a learning rate that falls epoch by epoch.

    With a folder, a killed phase resumes from its last whole epoch, and a complete phase is loaded
    and not run again.

    Args:
        model: A built and compiled model.
        x: Images `(batch, height, width, channels)`.
        y: Integer labels `(batch,)`.
        training: Budget, held-out data and checkpoints.
        phase: Name of the phase, unique in the method.
        epochs: Epochs of this phase; `None` for `training.epochs`.
        fall: Function from the fraction of epochs that are done, in [0, 1), to the learning rate
            as a fraction of the model's.
        callbacks: Callbacks of only this phase.

    Returns:
        Logs of each epoch by name.
    """
    epochs = training.epochs if epochs is None else epochs
    for callback in training.callbacks:
        if isinstance(callback, PhaseCallback):
            callback.on_phase_begin(phase)
    state = None if training.folder is None else State(training.folder, phase)
    if state is not None and (done := state.completed(model)) is not None:
        return done
    start = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    decay = keras.callbacks.LearningRateScheduler(lambda epoch, _: start * fall(epoch / epochs))
    # The record comes last: when it saves an epoch, every other callback has handled this epoch.
    record = Record(state)
    if training.augment:
        batches = Augmented(x, y, training.batch_size, training.seed, training.erasing)
        images: dict[str, Any] = {"x": batches}
    else:
        images = {"x": x, "y": y, "batch_size": training.batch_size}
    model.fit(
        **images,
        epochs=epochs,
        initial_epoch=record.restore(model),
        validation_data=training.validation_data,
        callbacks=[decay, *training.callbacks, *callbacks, record],
        verbose=training.verbose,
    )
    if state is not None:
        state.complete(model, record.logs)
    return record.logs
