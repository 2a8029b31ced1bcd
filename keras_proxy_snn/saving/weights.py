"""Weights in two files: a model card, and the weights whose SHA-256 the card states."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import urljoin

import keras
import numpy as np
from keras import ops

from ..basics.archives import UNREADABLE, read_array
from ..basics.checks import check_choice, check_flag
from ..basics.files import check_target, replacing
from ._download import download
from ._number_formats import NUMBER_FORMATS, decoded, encoded

__all__ = ["load_weights", "read_card", "save_weights"]

_FORMAT = "keras_proxy_snn weights"
_LONGEST_NAME = 255  # bytes, on common file systems


def save_weights(
    model: keras.Model,
    card: str | Path,
    *,
    overwrite: bool = False,
    number_format: str = "float16",
    **facts: object,
) -> None:
    """Write a model's weights in few bytes, and a card that describes them.

    The card never names an incomplete file. While the file of weights is replaced, the card names
    a second file, `<name>.new.npz`. The card keeps the range of images and the names of the
    classes, if the model knows them.

    Rounding changes some spikes. So measure the card's accuracy and firing rates on a
    model that has loaded the file, not on the saved model.

    Args:
        model: A `ProxyModel`.
        card: The card to write, `<name>.json`. The weights are written to `<name>.npz` beside it.
        overwrite: Whether existing files may be replaced.
        number_format: `"float16"`, or `"int8"`: whole numbers from -127 to 127 with a scale for
            each channel of a kernel; all other weights are float16.
        **facts: Facts for the card, JSON values: data, seed, accuracy, firing rates, command ...
            Two of them are read again: `settings`, fields of the preset that `build` replaces, and
            `url`, where the file of weights is if it is not beside the card.

    Raises:
        FileExistsError: If one of the files exists and `overwrite` is false.
        OSError: If `card` is a folder, or its folder does not exist.
        ValueError: If a weight is too large for float16, `card` does not end in `.json`, there
            is no such number format, or a fact has the name of one that the function writes.
        TypeError: If a fact is no JSON value.

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
    check_choice("number_format", number_format, NUMBER_FORMATS)
    if taken := sorted({"format", "file", "sha256"} & set(facts)):
        raise ValueError(f"Facts of a card must have other names. Received: {taken}.")
    facts = {**_of_images(model), **facts}
    json.dumps(facts)  # raises the error before a file is written
    arrays = {name: ops.convert_to_numpy(w) for name, w in _variables(model.ann)}
    buffer = BytesIO()
    np.savez_compressed(buffer, **encoded(arrays, number_format))
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    second = card.with_suffix(".new.npz")
    for path in (second, file) if _names(card, file.name) else (file,):
        head = {"format": _FORMAT, "file": path.name, "sha256": digest}
        head["number_format"] = number_format
        with replacing(path) as draft:
            draft.write_bytes(content)
        with replacing(card) as draft:
            draft.write_text(json.dumps({**head, **facts}, indent=1) + "\n")
    second.unlink(missing_ok=True)


def _of_images(model: Any) -> dict[str, Any]:
    """What a model knows of its images and classes, by names of its attributes."""
    found: dict[str, Any] = {}
    if model.knows_range:
        found["input_range"] = list(model.input_range)
    if model.class_names is not None:
        found["class_names"] = list(model.class_names)
    return found


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
    return _card(_read(str(source), check=lambda content: _card(content, source)), source)


def _card(content: bytes, source: str | Path) -> dict[str, Any]:
    try:
        card = json.loads(content)
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
    for key, kind in (("settings", dict), ("url", str)):
        if not isinstance(card.get(key, kind()), kind):
            raise ValueError(
                f"{key!r} of a card must be a {kind.__name__}. Received: {card[key]!r} in {source}."
            )
    if not _is_name(card["file"]):
        raise ValueError(
            "'file' of a card must be the name of a file in the folder of the card. Received: "
            f"{card['file']!r} in {source}."
        )
    if card.get("url") and not card["url"].startswith(("http://", "https://")):
        raise ValueError(
            f"'url' of a card must begin with https:// or http://. Received: {card['url']!r} in "
            f"{source}."
        )
    return card


def load_weights(
    model: keras.Model, source: str | Path, card: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Check the SHA-256 of a card's weights, and load them into a model.

    Args:
        model: A `ProxyModel` of the same architecture.
        source: Path or URL of the card. The file of weights must be beside it, or at the `url` of
            the card. The card of a URL is downloaded each time; weights are downloaded again only
            if their SHA-256 changed. The range of images and the names of the classes are set too,
            if the card has them.
        card: The facts, if `read_card` has read them.

    Returns:
        The card's facts.

    Raises:
        FileNotFoundError: If there is no such card or file.
        ConnectionError: If a URL cannot be reached and was never downloaded.
        ValueError: If the source is not a card, the file of weights has another SHA-256 than the
            card states, or the weights do not fit the model.
    """
    card = read_card(source) if card is None else card
    place = _place(str(source), card)
    try:
        content = _read(place, card["sha256"])
    except ConnectionError as error:
        name = card.get("preset") or Path(str(source)).stem
        raise ConnectionError(
            f"The weights of {name} are downloaded at their first use. {error}"
        ) from error
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
    try:
        for fact in ("input_range", "class_names"):
            if card.get(fact) is not None:
                setattr(model, fact, card[fact])
    except ValueError as error:
        raise ValueError(f"{error} It stands in {source}.") from error
    for name, variable in variables.items():
        variable.assign(stored[name])
    return card


def _place(source: str, card: dict[str, Any]) -> str:
    """Path or URL of the file of weights."""
    if _is_url(source):
        return str(card.get("url") or urljoin(source, card["file"]))
    beside = Path(source).parent / card["file"]
    return card["url"] if card.get("url") and not beside.is_file() else str(beside)


def _arrays(content: bytes, place: str) -> dict[str, np.ndarray]:
    """Finite weights of a file, by name."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as file:
            members = [name for name in file.namelist() if name.endswith(".npy")]
            arrays = {name.removesuffix(".npy"): read_array(file, name) for name in members}
    except UNREADABLE as error:
        raise ValueError(f"A file of weights is expected. Received: {place} ({error}).") from error
    try:
        return decoded(arrays)
    except ValueError as error:
        raise ValueError(f"{error} It stands in {place}.") from error


def _variables(ann: keras.Model, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for layer in ann.layers:
        name = f"{prefix}{layer.name}"
        if isinstance(layer, keras.Model):
            yield from _variables(layer, f"{name}/")
            continue
        for variable in layer.weights:
            yield f"{name}/{variable.name}", variable


def _is_name(file: str) -> bool:
    """Whether a text names a file of a folder, on any system, and leads nowhere else."""
    leads = ":" in file or PureWindowsPath(file).name != file or not file.strip(".")
    return not leads and file.isprintable() and len(file.encode()) <= _LONGEST_NAME


def _is_url(source: str) -> bool:
    return "://" in source


def _read(
    source: str, sha256: str | None = None, check: Callable[[bytes], object] | None = None
) -> bytes:
    """Content of a file or URL; for a URL, a kept copy with this SHA-256 is enough."""
    if _is_url(source):
        return download(source, sha256, check)
    path = Path(source)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    return path.read_bytes()
