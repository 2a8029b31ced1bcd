"""A model in a `.keras` file, together with a record of its training.

The file is the ZIP archive that Keras writes. The record is one more member of the archive, which
Keras ignores. A file from `model.save` has no record.
"""

import errno
import json
import zipfile
from pathlib import Path
from typing import Any

import keras

from ..basics.archives import UNREADABLE, read_json
from ..basics.files import replacing
from ..model import ProxyModel
from ..training.losses import LOSSES
from ._declared import check_declared
from .model_path import check_model_path

__all__ = ["load_model", "read_facts", "read_record", "save_model"]

_RECORD = "keras_proxy_snn.json"
# Keras unpacks weights into a temporary file: no space for it says nothing about the model's file.
_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE)
# The import registers the model, its metrics and the objects that presets are compiled with.
_LOSSES = {loss.__name__: loss for loss in LOSSES.values()}


def load_model(path: str | Path, compile: bool = False) -> ProxyModel:
    """Load a saved `ProxyModel`.

    Args:
        path: A `.keras` file.
        compile: Whether to restore optimizer, loss and metrics too.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file holds no `ProxyModel`, or declares more weights than it can hold or
            absurdly large images.
        OSError: If the machine has no space for Keras's temporary files.

    Example:

    >>> import tempfile, pathlib, keras_proxy_snn
    >>> from keras_proxy_snn.saving.model_file import load_model, read_record, save_model
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "digits.keras"
    >>> save_model(keras_proxy_snn.build("digits", time_steps=4), path, {"epochs": 0})
    >>> load_model(path).time_steps, read_record(path)
    (4, {'epochs': 0})
    """
    path = check_model_path(path)
    try:
        check_declared(path)
        model = keras.models.load_model(path, _LOSSES, compile=compile)
    except (OSError, *UNREADABLE) as error:
        if getattr(error, "errno", None) in _OF_THE_MACHINE:
            raise
        raise ValueError(f"{path} is not a saved Keras model ({error}).") from error
    if not isinstance(model, ProxyModel):
        kind = type(model).__name__
        raise ValueError(
            "A saved ProxyModel is expected; keras_proxy_snn.from_keras makes one of a CNN. "
            f"Received: {path} with a {kind}."
        )
    return model


def save_model(model: ProxyModel, path: str | Path, record: dict[str, Any]) -> None:
    """Write the model and its record; `path` never holds an incomplete file.

    Args:
        model: The model.
        path: A `.keras` file; an existing one is replaced.
        record: Facts that JSON can express.
    """
    with replacing(path) as draft:
        model.save(draft)
        with zipfile.ZipFile(draft, "a") as file:
            file.writestr(_RECORD, json.dumps(record, indent=1))


def read_record(path: str | Path) -> dict[str, Any] | None:
    """The record in a `.keras` file, or None if the file has no record.

    Raises:
        OSError: If there is no such file.
        ValueError: If the file cannot be read.
    """
    return _read(path, _RECORD)


def read_facts(path: str | Path) -> dict[str, Any]:
    """Facts that Keras writes into each file: its version and the date.

    Raises:
        OSError: If there is no such file.
        ValueError: If the file cannot be read.
    """
    return _read(path, "metadata.json") or {}


def _read(path: str | Path, member: str) -> dict[str, Any] | None:
    try:
        with zipfile.ZipFile(path) as file:
            facts = read_json(file, member) if member in file.namelist() else None
    except UNREADABLE as error:
        raise ValueError(f"A saved Keras model is expected. Received: {path} ({error}).") from error
    if facts is not None and not isinstance(facts, dict):
        raise ValueError(f"{member} must be a mapping. Received: {facts!r} in {path}.")
    return facts
