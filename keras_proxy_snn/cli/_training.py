"""The work of `keras-proxy-snn train`: train for an epoch, save the file, and repeat."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np

from .. import datasets
from .._version import __version__
from ..callbacks.monitor import CollapseWarning, ProxyMonitor
from ..model import ProxyModel
from ..presets import PRESETS, build
from ..saving.model_file import save_model
from ._accuracy import accuracies, bar
from ._data import check_data
from ._interrupts import Interrupts
from ._shared import BadInput, Interrupted, load_network, reading

__all__ = ["run"]


def run(
    settings: dict[str, Any], output: Path, data_dir: str | None, record: dict[str, Any] | None
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
        BadInput: If model and data set do not fit, or a field is unknown.
        Interrupted: After Ctrl-C; the message tells what `output` holds.
    """
    settings = {**settings, "dataset": _dataset(settings)}
    with reading(f"data set {settings['dataset']}"):
        (x, y), (x_test, y_test) = datasets.load(settings["dataset"], data_dir=data_dir)
    x, y = x[: settings["images"]], y[: settings["images"]]
    settings["batch_size"] = settings["batch_size"] or (32 if len(x) < 10_000 else 100)
    if record is None:
        model = _build(settings, x.shape[1:])
        record = {"learning_rate": float(model.optimizer.learning_rate), "history": []}
    else:
        model = load_network(output, compile=True)
    check_data(model, settings["dataset"], x, len(datasets.class_names(settings["dataset"])))
    versions = {"keras_proxy_snn": __version__, "backend": keras.config.backend()}
    record = {**record, "settings": settings, "versions": versions}
    saved = len(record["history"])
    try:
        with Interrupts() as interrupts:
            for epoch in range(saved, settings["epochs"]):
                rate = record["learning_rate"] * (1 - epoch / settings["epochs"])
                logs = _epoch(model, x, y, settings, epoch, rate, interrupts)
                record["history"].append(logs)
                save_model(model, output, record)
                saved = epoch + 1
        accuracy = accuracies(model, x_test, y_test, batch_size=settings["batch_size"])
    except KeyboardInterrupt:
        raise Interrupted(_what_is_left(output, saved, settings["epochs"])) from None
    test = {"dataset": settings["dataset"], "images": len(x_test), "time_steps": model.time_steps}
    return {"model": str(output), **record, "test": {**test, "accuracy": accuracy}}


def _dataset(settings: dict[str, Any]) -> str:
    """The data set that the user named, or the data set with images of the preset's shape."""
    name: str = settings["model"]
    found = settings["dataset"]
    if found is None and name in PRESETS:
        found = datasets.name_by_shape(PRESETS[name].input_shape)
    if found is None:
        raise BadInput(
            f"A model is one of the presets {sorted(PRESETS)}, or a spec such as 16C3-P2-10F with "
            f"--dataset, one of {datasets.NAMES}. Received: {name} without one."
        )
    return str(found)


def _build(settings: dict[str, Any], image_shape: tuple[int, ...]) -> ProxyModel:
    fields = settings["fields"]
    if settings["time_steps"] is not None:
        fields = {**fields, "time_steps": settings["time_steps"]}
    if settings["model"] not in PRESETS:
        fields = {"input_shape": image_shape, **fields}
    keras.utils.set_random_seed(settings["seed"])
    try:
        return build(settings["model"], **fields)
    except TypeError as error:  # an unknown field, or a value of another type
        raise BadInput(str(error)) from error


def _epoch(
    model: ProxyModel,
    x: Any,
    y: Any,
    settings: dict[str, Any],
    epoch: int,
    learning_rate: float,
    interrupts: Interrupts,
) -> dict[str, float]:
    """Train for one epoch; the result depends only on model, settings and number of the epoch."""
    model.optimizer.learning_rate = learning_rate
    cut = len(x) - int(len(x) * settings["validation_split"])
    # `fit` would draw an order that depends on earlier calls of the model.
    order = np.random.default_rng([settings["seed"], epoch]).permutation(cut)
    label = f"epoch {epoch + 1}/{settings['epochs']}"
    start = time.perf_counter()
    batch_size = settings["batch_size"]
    with bar(label, batch_size, cut, len(x) - cut) as callback, _warnings():
        history = model.fit(
            x[order],
            y[order],
            shuffle=False,
            batch_size=batch_size,
            validation_data=(x[cut:], y[cut:]) if cut < len(x) else None,
            callbacks=[ProxyMonitor(), callback, interrupts],
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
