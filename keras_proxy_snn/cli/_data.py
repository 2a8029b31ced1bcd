"""Images for a command: a data set that has a name, or the user's own pictures."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from .. import datasets
from ..basics.pixel_range import in_range
from ..datasets.names import is_hub
from ..model import ProxyModel
from ..presets import PRESETS
from ._arguments import check_data_dir, check_fits
from ._shared import BadInput, reading

__all__ = ["Images", "Training", "check_data", "own_parts", "test_images", "training_images"]

_HELD_OUT = 0.1  # share of the training images of a data set that has a name


class Images(NamedTuple):
    """Labelled images: arrays `x` and `y`; or a stream `x` of images and labels, with `y=None`."""

    name: str
    part: str
    images: int
    class_names: tuple[str, ...]
    x: Any
    y: Any = None

    def first(self, images: int | None) -> "Images":
        """The first images; `None` for all."""
        if self.y is None:
            part = self.x.first(images)
            return self._replace(x=part, images=part.images)
        x, y = self.x[:images], self.y[:images]
        return self._replace(x=x, y=y, images=len(x))

    def arrays(self) -> tuple[Any, Any]:
        """Images and labels in memory."""
        return self.x.arrays() if self.y is None else (self.x, self.y)


class Training(NamedTuple):
    """Images to train on, images to measure after each epoch, and images to measure at the end.

    Of the user's own pictures, the last two are the same images.
    """

    train: Images
    validation: Images | None
    test: Images

    def epoch(self, number: int, seed: int, batch_size: int) -> dict[str, Any]:
        """Arguments of `fit` for an epoch; the order depends on seed and number alone."""
        held = self.validation
        if self.train.y is None:
            for part in (self.train, self.test):
                part.x.batch_size = batch_size
            return {"x": self.train.x.at(number), "validation_data": self.test.x}
        # `fit` would draw an order that depends on earlier calls of the model.
        order = np.random.default_rng([seed, number]).permutation(self.train.images)
        return {
            "x": self.train.x[order],
            "y": self.train.y[order],
            "batch_size": batch_size,
            "validation_data": None if held is None else (held.x, held.y),
        }


def check_data(model: ProxyModel, images: Images, shape: tuple[int, ...]) -> None:
    """Raise `BadInput` unless a model fits images of a shape."""
    name = images.name
    check_fits(name, shape, len(images.class_names), model.image_shape, model.classes)
    if model.class_names is not None and model.class_names != images.class_names:
        raise BadInput(
            f"The classes of {name} must be those of the model, {list(model.class_names)}. "
            f"Received: {list(images.class_names)}."
        )


def training_images(settings: dict[str, Any], data_dir: str | None) -> tuple[Training, Any]:
    """Images for the settings of `train`, and their shape."""
    check_data_dir(settings["data"], data_dir)
    if settings["data"] is not None:
        return _own_training(settings)
    name = settings["dataset"]
    with reading(f"data set {name}"):
        (x, y), (x_test, y_test) = datasets.load(name, data_dir=data_dir)
        classes = datasets.class_names(name)
    if settings["validation_split"] is None:
        settings["validation_split"] = _HELD_OUT
    x, y = x[: settings["images"]], y[: settings["images"]]
    cut = len(x) - int(len(x) * settings["validation_split"])
    train = Images(name, "training", cut, classes, x[:cut], y[:cut])
    held = None
    if cut < len(x):
        held = Images(name, "validation", len(x) - cut, classes, x[cut:], y[cut:])
    test = Images(name, "test", len(x_test), classes, x_test, y_test)
    return Training(train, held, test), x.shape[1:]


def _own_training(settings: dict[str, Any]) -> tuple[Training, Any]:
    preset = PRESETS.get(settings["model"])
    shape = settings["fields"].get("input_shape", None if preset is None else preset.input_shape)
    train, test = own_parts(settings, shape)
    pictures = [train.images, test.images]
    if settings.setdefault("pictures", pictures) != pictures:
        raise BadInput(
            f"--resume needs the same pictures as before: {settings['pictures']} (trained on, held "
            f"out) in {settings['data']}. Received: {pictures}."
        )
    classes, name = train.class_names, settings["data"]
    click.echo(
        f"{name}: {train.images + test.images} pictures of {len(classes)} classes "
        f"({', '.join(classes)}), as {' x '.join(map(str, train.image_shape))}; "
        f"{test.images} of them are held out.",
        err=True,
    )
    part = Images(name, "training", train.images, classes, train).first(settings["images"])
    held = Images(name, "held-out", test.images, classes, test)
    return Training(part, held, held), train.image_shape


def own_parts(settings: dict[str, Any], shape: Any, **options: Any) -> tuple[Any, Any]:
    """For the settings of a `train`: the pictures to train on, and the pictures held out."""
    with _telling(settings["data"]):
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


def test_images(
    model: ProxyModel,
    record: dict[str, Any] | None,
    data: str | None,
    dataset: str | None,
    data_dir: str | None,
) -> Images:
    """Test images and labels that fit a model.

    Args:
        model: The model.
        record: The record of the training in the model's file, or `None`.
        data: Folder of the user's own pictures. If `train` used this folder: only the pictures
            that it held out.
        dataset: Name of a data set. By default the data of the record, or else the data set whose
            images have the model's shape.
        data_dir: Folder or archive of the data set.

    Raises:
        BadInput: If there are no such images, or the model does not fit them.
    """
    settings = {} if record is None else record["settings"]
    if dataset is None and (data is not None or settings.get("data") is not None):
        check_data_dir(data or settings["data"], data_dir)
        images = _own_images(model, settings, data or settings["data"])
        check_data(model, images, images.x.image_shape)
        return images
    dataset = dataset or settings.get("dataset") or datasets.name_by_shape(model.image_shape)
    if dataset is None:
        raise BadInput(
            f"Give --data, a folder of pictures in class folders, or --dataset. Received: a model "
            f"for images {tuple(model.image_shape)} and {model.classes} classes, and no data set "
            "that has such images."
        )
    with reading(f"data set {dataset}"):
        _, (x, y) = datasets.load(dataset, data_dir=data_dir)
    x = in_range(x, model.input_range)
    images = Images(dataset, "test", len(x), datasets.class_names(dataset), x, y)
    check_data(model, images, x.shape[1:])
    return images


def _own_images(model: ProxyModel, settings: dict[str, Any], data: str) -> Images:
    shape, options = model.image_shape, {"input_range": model.input_range}
    if model.events or len(shape) != 3:
        raise BadInput(
            f"Pictures need a network that takes images. Received: inputs of shape {shape}."
        )
    own = settings.get("data")
    if own is not None and Path(own).resolve() == Path(data).resolve():
        train, test = own_parts({**settings, "data": data}, shape, **options)
        if settings.get("pictures") != [train.images, test.images]:
            click.echo(
                f"warning: {data} has changed since the training, so the model may have been "
                "trained on some of the pictures that are held out now.",
                err=True,
            )
        return Images(data, "held-out", test.images, test.class_names, test)
    if is_hub(data):
        whole = {"data": data, "validation_split": None, "seed": 0}
        _, test = own_parts(whole, shape, **options)
        return Images(data, "test", test.images, test.class_names, test)
    with _telling(data):
        stream = datasets.open_folder(
            data,
            image_size=(shape[0], shape[1]),
            channels=shape[2],
            class_names=model.class_names,
            **options,
        )
    return Images(data, "own", stream.images, stream.class_names, stream)
