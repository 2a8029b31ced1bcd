"""The user's own pictures: where they are, and which of them a training held out."""

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from .. import datasets
from ..basics.files import user_path
from ..datasets.class_folders import fingerprint, parts_of
from ..datasets.names import is_hub
from ..model import ProxyModel
from ._shared import BadInput, reading

__all__ = [
    "data_of_record",
    "is_of_training",
    "kept",
    "kept_data_dir",
    "note_of_changes",
    "note_pictures",
    "own_images",
    "own_parts",
    "readable",
    "shown",
]


_TRAINED_ON = "trained_on"  # the setting with the marks of the pictures of a training
_MARK = 8  # characters; of a million pictures, one in 4,000 shares its mark with another one
_READ = 2**16  # bytes of a picture; most have fewer


def kept(data: str | None) -> str | None:
    """What a record keeps for `--data`: the whole path of a folder, or the name in a hub."""
    if data is None or is_hub(data):
        return data
    return os.path.abspath(user_path(data))


def kept_data_dir(record: dict[str, Any] | None, dataset: str) -> str | None:
    """Place of a data set that a training noted in its record, if it was this set and exists."""
    if record is None or record["settings"]["dataset"] != dataset:
        return None
    place: str | None = record.get("data_dir")
    return place if place is not None and os.path.exists(place) else None


def shown(data: str) -> str:
    """A kept path as a person reads it: without the current folder."""
    path = Path(data)
    inside = not is_hub(data) and path.is_absolute() and path.is_relative_to(Path.cwd())
    return str(path.relative_to(Path.cwd())) if inside else data


def readable(record: dict[str, Any]) -> dict[str, Any]:
    """A record without the marks of pictures, a long text that says nothing to people."""
    settings = {name: x for name, x in record["settings"].items() if name != _TRAINED_ON}
    return {**record, "settings": settings}


def is_of_training(settings: dict[str, Any], data: str) -> bool:
    """Whether data are those of a training: the same name, the same folder, or a copy of it."""
    own = settings.get("data")
    if own is None or is_hub(own) or is_hub(data):
        return own == data
    place, known = user_path(data), settings.get("fingerprint")
    if Path(own).resolve() == place.resolve():
        return True
    return known is not None and place.is_dir() and fingerprint(place) == known


def note_pictures(settings: dict[str, Any], train: Any, test: Any) -> None:
    """Note in the settings which pictures a training has.

    A training that resumes must have the same pictures.

    Raises:
        BadInput: If a training that resumes has other pictures.
    """
    pictures = [train.images, test.images]
    found = None if is_hub(settings["data"]) else fingerprint(settings["data"])
    same = settings.setdefault("pictures", pictures) == pictures
    if found is not None and _TRAINED_ON not in settings:
        marks = _marks(parts_of(user_path(settings["data"]))[0], train.files)
        settings[_TRAINED_ON] = "".join(marks)
    if not same or settings.setdefault("fingerprint", found) != found:
        others = ", of other names or sizes" if same else ""
        raise BadInput(
            f"--resume needs the same pictures as before: {settings['pictures']} (trained on, held "
            f"out) in {shown(settings['data'])}. Received: {pictures}{others}."
        )


def own_parts(settings: dict[str, Any], shape: Any, **options: Any) -> tuple[Any, Any]:
    """For the settings of a `train`: the pictures to train on, and the pictures held out."""
    with _telling(shown(settings["data"])):
        reader = datasets.from_hub if is_hub(settings["data"]) else datasets.from_folder
        return reader(
            settings["data"],
            image_size=None if shape is None else shape[:2],
            channels=None if shape is None else shape[2],
            held_out=settings["validation_split"],
            seed=settings["seed"],
            **options,
        )


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Raise errors as `reading` does; print warnings as lines on standard error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with reading(what):
            yield
    for warning in caught:
        click.echo(f"warning: {warning.message}", err=True)


def own_images(
    model: ProxyModel, settings: dict[str, Any], data: str | None
) -> tuple[Any, str, str, str]:
    """The pictures of `--data`, or of the training: stream, name, part, and a note to print."""
    shape, options = model.image_shape, {"input_range": model.input_range}
    if model.events or len(shape) != 3:
        raise BadInput(
            f"Pictures need a network that takes images. Received: inputs of shape {shape}."
        )
    name = data or shown(settings["data"])
    data = data or data_of_record(settings)
    if is_of_training(settings, data):
        train, test = own_parts({**settings, "data": data}, shape, **options)
        note = note_of_changes({**settings, "data": data}, train, test)
        return test, name, "held-out", note
    if is_hub(data):
        whole = {"data": data, "validation_split": None, "seed": 0}
        return own_parts(whole, shape, **options)[1], name, "test", ""
    with _telling(name):
        stream = datasets.open_folder(
            data,
            image_size=(shape[0], shape[1]),
            channels=shape[2],
            class_names=model.class_names,
            **options,
        )
    return stream, name, "own", _note_of_known(settings, name, user_path(data), stream.files or [])


def data_of_record(settings: dict[str, Any]) -> str:
    """The data of a training.

    Raises:
        BadInput: If the data are no longer there.
    """
    data: str = settings["data"]
    if not is_hub(data) and not Path(data).is_dir():
        raise BadInput(
            "The folder of the training must still be there, or --data must name the folder in "
            f"which the pictures are now. Received: {data}, from the record of the training."
        )
    return data


def note_of_changes(settings: dict[str, Any], train: Any, test: Any) -> str:
    """A warning if a folder does not have the pictures of a training; otherwise an empty text."""
    data, known = settings["data"], settings.get("fingerprint")
    changed = settings.get("pictures") != [train.images, test.images]
    if not changed and (known is None or fingerprint(data) == known):
        return ""
    return (
        f"warning: {shown(data)} has changed since the training, so the model may have been "
        "trained on some of the pictures that are held out now."
    )


def _note_of_known(settings: dict[str, Any], name: str, place: Path, files: list[str]) -> str:
    """A line if a model knows, or may know, pictures of a folder that is not its training's."""
    if (marks := settings.get(_TRAINED_ON)) is not None:
        known = {marks[start : start + _MARK] for start in range(0, len(marks), _MARK)}
        number = sum(mark in known for mark in _marks(place, files))
        verb = "is" if number == 1 else "are"
        return (
            f"warning: {number} of the {len(files)} pictures of {name} {verb} of the training, so "
            "the network knows them. Take others to measure how good it is."
            if number
            else ""
        )
    own = settings.get("data")
    if settings and (own is None or is_hub(own)):
        return ""
    # The model was trained in Python, or by a version that made no marks.
    return (
        f"note: all {len(files)} pictures of {name} are taken, also those on which the model may "
        "have been trained."
    )


def _marks(place: Path, files: Iterable[str]) -> Iterator[str]:
    """A mark for each picture in a folder of classes: of its class and its bytes, not its name."""
    for file in files:
        path = place / file
        with path.open("rb") as stream:
            found = hashlib.sha256(stream.read(_READ))
        found.update(os.fsencode(f"{path.stat().st_size}/{Path(file).parts[0]}"))
        yield found.hexdigest()[:_MARK]
