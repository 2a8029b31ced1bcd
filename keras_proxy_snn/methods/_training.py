"""What all methods share: the budget of a training, checkpoints, and what comes of it."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from ..presets import Preset
from ._augmentation import Augmented

__all__ = ["Trained", "Training", "cosine", "fit_phase", "linear", "phase_name"]


@dataclass(frozen=True)
class Training:
    """Budget and surroundings of a training.

    Attributes:
        epochs: Number of passes over the training images, all phases of a method together
            unless the method says otherwise.
        batch_size: Images a step.
        validation_data: Held-out training images and labels, or `None`.
        folder: Where checkpoints go: a training that was killed goes on from its last whole
            epoch when it is called again with the same folder. `None` for no checkpoints.
        callbacks: Further Keras callbacks of every phase.
        verbose: As in `keras.Model.fit`.
        augment: Whether training images are shifted by up to an eighth of their side and mirrored
            left to right at random, anew in each epoch.
        erasing: Share of the augmented images that have a rectangle of noise; needs `augment`.
        seed: Of what `augment` and `erasing` do.

    Raises:
        ValueError: If images are to be erased that are not augmented.
    """

    epochs: int
    batch_size: int = 100
    validation_data: tuple[Any, Any] | None = None
    folder: Path | None = None
    callbacks: Sequence[keras.callbacks.Callback] = ()
    verbose: Any = 0
    augment: bool = False
    erasing: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.erasing and not self.augment:
            raise ValueError(
                "Images are erased where they are augmented, with `augment=True`. "
                f"Received: erasing={self.erasing!r}, augment={self.augment!r}."
            )


@dataclass(frozen=True)
class Trained:
    """What a method gives.

    Attributes:
        network: What is to be evaluated: a `ProxyModel`, whose spiking network is the result;
            or for the plain ANN a `keras.Sequential`.
        history: Logs of each epoch by phase and name, `{"phase": {"loss": [...]}}`.
        facts: Numbers that the method found, such as thresholds; JSON values.
    """

    network: keras.Model
    history: dict[str, dict[str, list[float]]]
    facts: dict[str, Any] = field(default_factory=dict)


def phase_name(phase: str, preset: Preset) -> str:
    """Name of a phase that says its pooling, so that a folder is not taken for one with another."""
    return phase if preset.pooling == "max" else f"{phase}_{preset.pooling}_pooling"


def linear(done: float) -> float:
    """Learning rate as a part of its first, where a part `done` of the steps is done."""
    return 1 - done


def cosine(done: float) -> float:
    """The same, half a wave of a cosine.

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
    x: Any,
    y: Any,
    training: Training,
    phase: str,
    *,
    epochs: int | None = None,
    fall: Callable[[float], float] = linear,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> dict[str, list[float]]:
    """Fit a compiled model, the learning rate falling epoch by epoch.

    With a folder, a phase that was killed goes on from its last whole epoch, and one that was
    complete is loaded and not run again.

    Args:
        model: A built and compiled model.
        x: Images `(batch, height, width, channels)`.
        y: Integer labels `(batch,)`.
        training: Budget and surroundings.
        phase: Name of the phase, unique in the method.
        epochs: Epochs of this phase; the training's if `None`.
        fall: Function of the part of the epochs that is done, from 0 to below 1; gives the
            learning rate as a part of the model's.
        callbacks: Callbacks of this phase alone.

    Returns:
        Logs of each epoch by name.
    """
    epochs = training.epochs if epochs is None else epochs
    weights = logs = None
    own: list[keras.callbacks.Callback] = []
    if training.folder is not None:
        training.folder.mkdir(parents=True, exist_ok=True)
        weights = training.folder / f"{phase}.weights.h5"
        logs = training.folder / f"{phase}.json"
        if logs.exists():
            # The file holds its state too, for which it must have variables.
            model.optimizer.build(model.trainable_variables)
            model.load_weights(weights)
            done: dict[str, list[float]] = json.loads(logs.read_text())
            return done
        own = [keras.callbacks.BackupAndRestore(str(training.folder / f"{phase}_backup"))]
    # After the backup, so that what it restores is heard of here too.
    kept = _Logs(None if training.folder is None else training.folder / f"{phase}_epochs.json")
    start = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    decay = keras.callbacks.LearningRateScheduler(lambda epoch, _: start * fall(epoch / epochs))
    if training.augment:
        batches = Augmented(x, y, training.batch_size, training.seed, training.erasing)
        images: dict[str, Any] = {"x": batches}
    else:
        images = {"x": x, "y": y, "batch_size": training.batch_size}
    model.fit(
        **images,
        epochs=epochs,
        validation_data=training.validation_data,
        callbacks=[*own, decay, kept, *training.callbacks, *callbacks],
        verbose=training.verbose,
    )
    if logs is not None:
        model.save_weights(weights)
        logs.write_text(json.dumps(kept.logs))
    return kept.logs


class _Logs(keras.callbacks.Callback):
    """Logs of all epochs, those before a kill included: Keras's history starts at the last one."""

    def __init__(self, path: Path | None):
        super().__init__()
        self._path = path
        self.logs: dict[str, list[float]] = {}
        if path is not None and path.exists():
            self.logs = json.loads(path.read_text())

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        for name, value in (logs or {}).items():
            # An epoch that ended but was not backed up is run again.
            self.logs[name] = [*self.logs.get(name, [])[:epoch], float(value)]
        if self._path is not None:
            self._path.write_text(json.dumps(self.logs))
