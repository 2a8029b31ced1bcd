"""Checks of the options that name data, and of a network against data, before Keras is loaded."""

from collections.abc import Iterable
from pathlib import Path
from textwrap import shorten
from typing import Any

from .. import datasets
from ..basics.checks import check_choice
from ..basics.files import user_path
from ..cnn.spec import Dense, Spec, layer_shapes, parse_spec
from ..datasets.class_folders import (
    check_filled,
    check_held_out,
    classes_in,
    existing_folder,
    file_note,
)
from ..datasets.names import is_hub
from ..neurons.neuron import READOUTS, RESETS
from ..presets import PRESETS
from ..presets.lookup import preset_of
from ._shared import BadInput, reason

__all__ = ["check_data_dir", "check_data_options", "check_fits", "check_training", "dataset_of"]


def check_data_dir(data: object, data_dir: str | None) -> None:
    """Raise `BadInput` if `--data-dir` is given beside the user's own pictures."""
    if data is not None and data_dir is not None:
        raise BadInput(
            f"--data-dir is for a data set that has a name; these pictures are in {data}. "
            f"Received: --data-dir {data_dir}."
        )


def check_data_options(data: str | None, dataset: str | None, data_dir: str | None = None) -> None:
    """Raise `BadInput` unless `--data` and `--dataset` name at most one source that can exist."""
    check_data_dir(data, data_dir)
    if data is not None and dataset is not None:
        raise BadInput(f"Give --data or --dataset. Received: {data} and {dataset}.")
    if data is not None and not is_hub(data) and not user_path(data).is_dir():
        hint = f" The data set of this name is --dataset {data}." if data in datasets.NAMES else ""
        raise BadInput(
            f"A folder of pictures must exist.{hint} Received: {data}{file_note(user_path(data))}."
        )
    if data is not None and (named := _data_set_in(data)):
        raise BadInput(
            "A folder of pictures has a subfolder per class. "
            f"The data set in this folder is --dataset {named} --data-dir {data}. "
            f"Received: --data {data}."
        )
    if dataset is not None:
        if dataset not in datasets.NAMES and Path(dataset).is_dir():
            raise BadInput(f"A folder of pictures is --data FOLDER. Received: --dataset {dataset}.")
        datasets.class_names(dataset)


def _data_set_in(data: str) -> str | None:
    """Name of the data set whose files, which are no pictures, lie in a folder without classes."""
    if is_hub(data):
        return None
    try:
        classes_in(data)
    except datasets.DatasetError:
        sources = [datasets.locate(name, data) for name in datasets.NAMES if name != "digits"]
        return next((s.name for s in sources if s and s.format not in ("png", "jpeg")), None)
    return None


def dataset_of(settings: dict[str, Any]) -> str:
    """The data that `train` was told, or the data set with images of the preset's shape.

    Raises:
        BadInput: If there are no such data.
    """
    name: str = settings["model"]
    data, found = settings["data"], settings["dataset"]
    check_data_options(data, None if found == data else found)  # equal in a record
    if data is not None:
        return str(data)
    if found is None and name in PRESETS:
        found = datasets.name_by_shape(PRESETS[name].input_shape)
    if found is None:
        raise BadInput(
            f"A model is one of the presets {sorted(PRESETS)}, or a spec such as 16C3-P2-10F with "
            f"--dataset, one of {datasets.NAMES}, or with --data, a folder of pictures. "
            f"Received: {name} without data."
        )
    return str(found)


def check_training(settings: dict[str, Any]) -> None:
    """Raise an error if the settings of `train` fit no images.

    Raises:
        BadInput: If a field is unknown, or the network's shape or number of classes differs from
            the data set's, or its number of classes from the number of class folders.
        DatasetError: If a folder of pictures has fewer than two class folders.
        ValueError: If the architecture cannot be read or built, or there is no such reset or
            readout.
    """
    given, is_spec = settings["fields"], settings["model"] not in PRESETS
    later = {"input_shape": (1, 1, 1)} if is_spec else {}  # the images give the shape
    try:
        preset = preset_of(settings["model"], {**later, **given})
    except TypeError as error:  # an unknown field
        raise BadInput(reason(error)) from error
    spec, name = parse_spec(preset.spec), dataset_of(settings)
    check_choice("reset", preset.reset, RESETS)
    check_choice("readout", preset.readout, READOUTS)
    if settings["data"] is not None:
        if "input_shape" in given:
            layer_shapes(spec, preset.input_shape)
        if not is_hub(name):  # a hub gives its classes when it is loaded
            check_held_out(existing_folder(name), settings["validation_split"])
            _check_classes(name, spec if is_spec or "spec" in given else None)
        return
    shape = datasets.image_shape(name)
    model_shape = given.get("input_shape", shape if is_spec else preset.input_shape)
    (classes,) = layer_shapes(spec, model_shape)[-1]
    check_fits(name, shape, len(datasets.class_names(name)), model_shape, classes)


def _check_classes(folder: str, spec: Spec | None) -> None:
    """Raise an error unless a folder has classes, as many as a spec; `None` fits any number."""
    names = classes_in(folder)
    check_filled(existing_folder(folder))
    for layer in (spec or ())[-1:]:
        if isinstance(layer, Dense) and layer.units != len(names):
            raise BadInput(
                f"Pictures of {folder} are of {len(names)} classes "
                f"({shorten(', '.join(names), 60)}); an architecture for them ends in "
                f"-{len(names)}F. Received: a model of {layer.units} classes."
            )


def check_fits(
    name: str,
    shape: Iterable[int],
    classes: int,
    model_shape: Iterable[int],
    model_classes: int,
    trained: bool = False,
) -> None:
    """Raise `BadInput` unless shape and number of classes of images are those of a network.

    If the network is trained, the message asks for other images, else for another network.
    """
    shape, model_shape = tuple(shape), tuple(model_shape)
    if (shape, classes) == (model_shape, model_classes):
        return
    fitting = datasets.name_by_shape(model_shape, model_classes)
    if classes != model_classes and not trained:
        cure = f"; an architecture for them ends in -{classes}F"
    elif fitting:
        cure = f"; images for the model are those of --dataset {fitting}"
    elif trained:
        cure = (
            f"; the model needs --data, a folder with a subfolder per class, {model_classes} here"
        )
    else:
        cure = f"; a model for them has --set input_shape={shape}"
    raise BadInput(
        f"Images of {name} are {shape}, of {classes} classes{cure}. "
        f"Received: a model for {model_shape} and {model_classes} classes."
    )
