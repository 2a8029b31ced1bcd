"""Calibration images for an export, and images that measure the accuracy of the file."""

from pathlib import Path
from typing import Any

import click

from .. import datasets
from ..basics.pixel_range import in_range
from ..datasets.names import is_hub
from ..datasets.pictures import is_scaled, read_array, unit
from ..export import Program
from ._own import is_of_training, kept_data_dir, note_of_changes, own_parts, shown
from ._pictures import spread_pictures
from ._shared import reading

__all__ = ["calibration_images"]

_MOST = 500  # pictures that are read for a calibration
_TESTED = 1000  # test images that measure the accuracy: some files take 50 ms for each


def calibration_images(
    program: Program, wanted: str | None, record: dict[str, Any] | None
) -> tuple[Any, Any, tuple[str, ...] | None]:
    """Calibration images in the program's input range; floats of a `.npy` array stay as they are.

    Unsigned integers of 8 and 16 bits are scaled, as in `predict`.

    Args:
        program: The network.
        wanted: A folder of pictures, a `.npy` file or the name of a data set. By default the
            pictures of the record, or the data set with images of this shape.
        record: The record of the training in the model's file, or `None`.

    Returns:
        The images or `None`; the test set `(x, y)` of the same data or `None`; and the names of
        the classes or `None`.

    Raises:
        BadInput: If the images cannot be read.
    """
    settings = {} if record is None else record["settings"]
    own = settings.get("data")
    if own is not None and wanted is None:
        if is_hub(own) or Path(own).is_dir():
            wanted = own
        else:
            click.echo(
                f"note: the folder of the training, {shown(own)}, is not there. If you moved it, "
                "say --calibration NEW_PLACE.",
                err=True,
            )
    if wanted is not None and is_of_training(settings, wanted):
        return _own(program, {**settings, "data": wanted})
    if wanted is not None and Path(wanted).is_dir():
        with reading(wanted):
            shape, ends = program.input_shape, program.input_range
            return spread_pictures(wanted, _MOST, shape, ends), None, None
    if wanted is not None and wanted.endswith(".npy"):
        with reading(wanted):
            array = read_array(Path(wanted))
        if is_scaled(array.dtype):
            array = in_range(unit(array), program.input_range)
        return array, None, None
    return _data_set(program, wanted, record)


def _own(program: Program, settings: dict[str, Any]) -> tuple[Any, Any, tuple[str, ...]]:
    """Pictures that `train` used, and pictures that it held out."""
    train, test = own_parts(settings, program.input_shape, input_range=program.input_range)
    if note := note_of_changes(settings, train, test):
        click.echo(note, err=True)
    with reading(settings["data"]):
        images, _ = train.first(_MOST).arrays()
        return images, test.first(_TESTED).arrays(), train.class_names


def _data_set(
    program: Program, wanted: str | None, record: dict[str, Any] | None
) -> tuple[Any, Any, tuple[str, ...] | None]:
    outputs = program.shapes()[-1][0]
    fitting = datasets.name_by_shape(program.input_shape, outputs, program.class_names)
    name = wanted or fitting
    place = None if name is None else kept_data_dir(record, name)
    if name is None or (wanted is None and datasets.locate(name, place) is None):
        elsewhere = "" if name is None else ", or set KERAS_PROXY_SNN_DATA"
        click.echo(
            "note: no images for this network were found here, such as those of its training. "
            "A check has images of noise alone, no accuracy is measured, and integers cannot be "
            f"made. Give --calibration{elsewhere}.",
            err=True,
        )
        return None, None, None
    with reading(f"data set {name}"):
        classes = datasets.class_names(name)
    fits = len(classes) == outputs and program.class_names in (None, classes)
    with reading(f"data set {name}"):
        (x, _), (x_test, y_test) = datasets.load(name, data_dir=place)
    test = (in_range(x_test[:_TESTED], program.input_range), y_test[:_TESTED]) if fits else None
    return in_range(x, program.input_range), test, classes if fits else None
