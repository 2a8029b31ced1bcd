"""Weights in two files: a model card, and the weights whose SHA-256 the card states."""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import keras
import numpy as np
from keras import ops

from ..basics.archives import UNREADABLE, read_array
from ..basics.checks import check_flag
from ..basics.files import check_target, replacing
from ._download import download

__all__ = ["load_weights", "read_card", "save_weights"]

_FORMAT = "keras_proxy_snn weights"


def save_weights(
    model: keras.Model, card: str | Path, *, overwrite: bool = False, **facts: object
) -> None:
    """Write a model's weights as float16, and a card that describes them.

    The card never names an incomplete file. While the file of weights is replaced, the card names
    a second file, `<name>.new.npz`.

    Rounding to float16 changes some spikes. So measure the card's accuracy and firing rates on a
    model that has loaded the file, not on the saved model.

    Args:
        model: A `ProxyModel`.
        card: The card to write, `<name>.json`. The weights are written to `<name>.npz` beside it.
        overwrite: Whether existing files may be replaced.
        **facts: Facts for the card: data, seed, accuracy, firing rates, command ...

    Raises:
        FileExistsError: If one of the files exists and `overwrite` is false.
        OSError: If `card` is a folder, or its folder does not exist.
        ValueError: If a weight is too large for float16, or `card` does not end in `.json`.

    Example:

    >>> import tempfile, pathlib, keras_proxy_snn
    >>> from keras_proxy_snn.saving.weights import load_weights, save_weights
    >>> card = pathlib.Path(tempfile.mkdtemp()) / "net.json"
    >>> save_weights(keras_proxy_snn.build("digits"), card, data="digits", seed=0)
    >>> model = keras_proxy_snn.build("digits", weights=card)
    """
    card = Path(card)
    if card.suffix != ".json":
        raise ValueError(f"The name of a card must end in .json. Received: {card}.")
    file = card.with_suffix(".npz")
    for path in (card, file):
        check_target(path, check_flag("overwrite", overwrite))
    arrays = {name: ops.convert_to_numpy(w) for name, w in _variables(model.ann)}
    with np.errstate(over="ignore"):  # the error below names the weight
        halves = {name: array.astype("float16") for name, array in arrays.items()}
    for name, array in halves.items():
        if not np.isfinite(array).all():
            raise ValueError(
                f"Weights must be finite and within float16's 65504. Received: {name!r} up to "
                f"{np.abs(arrays[name]).max():g}."
            )
    buffer = BytesIO()
    np.savez_compressed(buffer, **halves)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    second = card.with_suffix(".new.npz")
    for path in (second, file) if _names(card, file.name) else (file,):
        head = {"format": _FORMAT, "file": path.name, "sha256": digest}
        with replacing(path) as draft:
            draft.write_bytes(content)
        with replacing(card) as draft:
            draft.write_text(json.dumps({**head, **facts}, indent=1) + "\n")
    second.unlink(missing_ok=True)


def _names(card: Path, file: str) -> bool:
    """Whether the card exists and names this file."""
    try:
        return bool(read_card(card)["file"] == file)
    except (OSError, ValueError):
        return False


def read_card(source: str | Path) -> dict[str, Any]:
    """Read the facts of a card.

    Args:
        source: Path or URL of the `.json` file. A URL is downloaded each time.

    Raises:
        FileNotFoundError: If there is no such file.
        ConnectionError: If a URL cannot be reached and was never downloaded.
        ValueError: If the file is not a card.
    """
    try:
        card = json.loads(_read(str(source)))
    except UNREADABLE as error:
        raise ValueError(
            f"`source` must be a card of weights. Received: {source} ({error})."
        ) from error
    known = isinstance(card, dict) and card.get("format") == _FORMAT
    if not known or not all(isinstance(card.get(key), str) for key in ("file", "sha256")):
        raise ValueError(
            f"A card of weights must have the format {_FORMAT!r}, a file and its sha256. Received: "
            f"{source}."
        )
    return card


def load_weights(model: keras.Model, source: str | Path) -> dict[str, Any]:
    """Check the SHA-256 of a card's weights, and load them into a model.

    Args:
        model: A `ProxyModel` of the same architecture.
        source: Path or URL of the card. The file of weights must be beside it. The card of a URL is
            downloaded each time; its weights are downloaded again only if their SHA-256 changed.

    Returns:
        The card's facts.

    Raises:
        FileNotFoundError: If there is no such card or file.
        ConnectionError: If a URL cannot be reached and was never downloaded.
        ValueError: If the source is not a card, the file of weights has another SHA-256 than the
            card states, or the weights do not fit the model.
    """
    card = read_card(source)
    source = str(source)
    place = urljoin(source, card["file"]) if _is_url(source) else Path(source).parent / card["file"]
    content = _read(str(place), card["sha256"])
    digest = hashlib.sha256(content).hexdigest()
    if digest != card["sha256"]:
        raise ValueError(
            f"The weights must have the SHA-256 of their card, {card['sha256']}. "
            f"Received: {place} with {digest}."
        )
    stored = _arrays(content, place)
    variables = dict(_variables(model.ann))
    shapes = {name: tuple(v.shape) for name, v in variables.items()}
    found = {name: array.shape for name, array in stored.items()}
    if shapes != found:
        different = {name: found.get(name) for name, s in shapes.items() if found.get(name) != s}
        extra = sorted(set(found) - set(shapes))
        wanted = {name: shapes[name] for name in different}
        received = [str(different)] if different else []
        received += [f"{extra} besides"] if extra else []
        raise ValueError(
            f"The weights must fit the model{f', whose shapes are {wanted}' if different else ''}. "
            f"Received: {', and '.join(received)}, in {place}."
        )
    for name, variable in variables.items():
        variable.assign(stored[name].astype("float32"))
    return card


def _arrays(content: bytes, place: str | Path) -> dict[str, np.ndarray]:
    """Arrays of finite floats in a file of weights, by name."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as file:
            members = [name for name in file.namelist() if name.endswith(".npy")]
            arrays = {name.removesuffix(".npy"): read_array(file, name) for name in members}
    except UNREADABLE as error:
        raise ValueError(f"A file of weights is expected. Received: {place} ({error}).") from error
    for name, array in arrays.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError(
                f"Weights must be finite floats. Received: {name!r}, {array.dtype}, in {place}."
            )
    return arrays


def _variables(ann: keras.Model, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for layer in ann.layers:
        name = f"{prefix}{layer.name}"
        if isinstance(layer, keras.Model):
            yield from _variables(layer, f"{name}/")
            continue
        for variable in layer.weights:
            yield f"{name}/{variable.name}", variable


def _is_url(source: str) -> bool:
    return "://" in source


def _read(source: str, sha256: str | None = None) -> bytes:
    """Content of a file or URL; for a URL, a kept copy with this SHA-256 is enough."""
    if _is_url(source):
        return download(source, sha256)
    path = Path(source)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    return path.read_bytes()
