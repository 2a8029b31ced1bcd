"""The work of `keras-proxy-snn train`: train for an epoch, save the file, and repeat."""

import math
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import keras

from .._version import __version__
from ..basics.quiet import start_tensorflow
from ..callbacks.monitor import CollapseWarning, ProxyMonitor
from ..cnn.spec import with_classes
from ..model import ProxyModel
from ..presets import PRESETS
from ..presets.build import build
from ..saving.model_file import save_model
from ._accuracy import accuracies, bar
from ._data import Training, check_data, training_images
from ._data_arguments import dataset_of
from ._interrupts import Interrupts
from ._output import Output
from ._own import kept_data_dir
from ._shared import BadInput, Interrupted, load_network

__all__ = ["run"]

# Batch size for fewer training images than the key. Few images get small batches, because batch
# normalisation needs some steps.
_BATCH_SIZES = {1_000: 8, 10_000: 32, math.inf: 100}


def run(
    settings: dict[str, Any], output: Output, data_dir: str | None, record: dict[str, Any] | None
) -> dict[str, Any]:
    """Train, save the file after each epoch, and evaluate.

    Args:
        settings: Options of the command by name.
        output: The `.keras` file.
        data_dir: Folder or archive of the data set.
        record: Record of the training in `output`, to resume it; `None` for a new training.

    Returns:
        Settings, logs of each epoch, and accuracy on the test images.

    Raises:
        BadInput: If model and images do not fit, a field is unknown, or another process has written
            the file.
        Interrupted: After Ctrl-C; the message tells what `output` holds.
    """
    settings = {**settings, "dataset": dataset_of(settings)}
    data_dir = data_dir or kept_data_dir(record, settings["dataset"])
    data, shape = training_images(settings, data_dir)
    batch_size = next(size for most, size in _BATCH_SIZES.items() if data.train.images < most)
    settings["batch_size"] = settings["batch_size"] or batch_size
    if record is None:
        model = _build(settings, shape, len(data.train.class_names))
        record = {"learning_rate": float(model.optimizer.learning_rate), "history": []}
    else:
        model = load_network(output.path, compile=True)
    check_data(model, data.train.name, data.train.class_names, shape)
    model.class_names = data.train.class_names
    versions = {"keras_proxy_snn": __version__, "backend": keras.config.backend()}
    record = {**record, "settings": settings, "versions": versions}
    if data_dir is not None:
        record["data_dir"] = os.path.abspath(data_dir)
    saved, monitor = len(record["history"]), ProxyMonitor()
    try:
        with Interrupts() as interrupts:
            for epoch in range(saved, settings["epochs"]):
                rate = record["learning_rate"] * (1 - epoch / settings["epochs"])
                logs = _epoch(model, data, settings, epoch, rate, [monitor, interrupts])
                record["history"].append(logs)
                with output.written():
                    save_model(model, output.path, record)
                saved = epoch + 1
        found = accuracies(model, data.test, batch_size=settings["batch_size"])
    except KeyboardInterrupt:
        raise Interrupted(_what_is_left(output.path, saved, settings["epochs"])) from None
    test = {
        "dataset": data.test.name,
        "part": data.test.part,
        "images": data.test.images,
        "time_steps": model.time_steps,
        "accuracy": found.rules,
        "silent_images": found.silent,
        "tied_images": found.tied,
    }
    return {"model": str(output.path), **record, "test": test}


def _build(settings: dict[str, Any], image_shape: tuple[int, ...], classes: int) -> ProxyModel:
    fields = settings["fields"]
    if settings["data"] is not None and settings["model"] in PRESETS:
        fields = {"spec": with_classes(PRESETS[settings["model"]].spec, classes), **fields}
    if settings["time_steps"] is not None:
        fields = {**fields, "time_steps": settings["time_steps"]}
    if settings["model"] not in PRESETS:
        fields = {"input_shape": image_shape, **fields}
    start_tensorflow()
    keras.utils.set_random_seed(settings["seed"])
    try:
        return build(settings["model"], **fields)
    except TypeError as error:  # an unknown field, or a value of another type
        raise BadInput(str(error)) from error


def _epoch(
    model: ProxyModel,
    data: Training,
    settings: dict[str, Any],
    epoch: int,
    learning_rate: float,
    callbacks: list[keras.callbacks.Callback],
) -> dict[str, float]:
    """Train for one epoch; the result depends only on the model, the settings and the epoch."""
    model.optimizer.learning_rate = learning_rate
    label = f"epoch {epoch + 1}/{settings['epochs']}"
    start = time.perf_counter()
    batch_size = settings["batch_size"]
    held = 0 if data.validation is None else data.validation.images
    with bar(label, batch_size, data.train.images, held) as callback, _warnings():
        history = model.fit(
            **data.epoch(epoch, settings["seed"], batch_size),
            shuffle=False,
            initial_epoch=epoch,
            epochs=epoch + 1,
            callbacks=[*callbacks, callback],
            verbose=0,
        ).history
    logs = {name: values[0] for name, values in history.items()}
    shown = {"loss": "loss", "accuracy": "accuracy", "val_accuracy": "validation"}
    parts = [f"{title} {logs[name]:.4f}" for name, title in shown.items() if name in logs]
    seconds = f"{time.perf_counter() - start:.0f} s"
    click.echo(f"{label}: {', '.join([*parts, seconds])}", err=True)
    return logs


@contextmanager
def _warnings() -> Iterator[None]:
    """Print each warning as one line on standard error at the end of the block."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CollapseWarning)
        yield
    for warning in caught:
        click.echo(f"warning: {warning.message}", err=True)


def _what_is_left(output: Path, saved: int, epochs: int) -> str:
    if not saved:
        return "no epoch was complete, so nothing was written."
    if saved < epochs:
        held = f"{output} holds the model after epoch {saved} of {epochs}"
        return f"{held}; continue with the same command and --resume, without --force."
    return f"{output} holds the trained model; it was not evaluated."
