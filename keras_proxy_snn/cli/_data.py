"""Images for a command: a data set that has a name, or the user's own pictures."""

from typing import Any, NamedTuple

import click
import numpy as np

from .. import datasets
from ..basics.pixel_range import in_range
from ..datasets.class_folders import existing_folder, parts_of
from ..datasets.names import is_hub
from ..model import ProxyModel
from ..presets import PRESETS
from ._data_arguments import check_data_dir, check_fits
from ._own import kept_data_dir, note_pictures, own_images, own_parts, shown
from ._shared import BadInput, reading

__all__ = ["Images", "Training", "check_data", "test_images", "training_images"]

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

    def told(self, number: int) -> tuple[str | None, str]:
        """The file of an image, if it is from a file, and the name of its class."""
        files = self.files
        file = None if files is None else files[number]
        return file, self.class_names[int(self.labels[number])]

    @property
    def labels(self) -> np.ndarray:
        """Class of each image."""
        labels: np.ndarray = self.x.labels[self.x.numbers] if self.y is None else self.y
        return labels

    @property
    def files(self) -> list[str] | None:
        """File of each image, if they are from files."""
        files: list[str] | None = self.x.files if self.y is None else None
        return files

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


def check_data(
    model: ProxyModel,
    name: str,
    class_names: tuple[str, ...],
    shape: tuple[int, ...],
    trained: bool = False,
) -> None:
    """Raise `BadInput` unless a model, trained or not, fits the images of a name."""
    check_fits(name, shape, len(class_names), model.image_shape, model.classes, trained)
    if model.class_names is not None and model.class_names != class_names:
        raise BadInput(
            f"The classes of {name} must be those of the model, {list(model.class_names)}. "
            f"Received: {list(class_names)}."
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
    note_pictures(settings, train, test)
    classes, name = train.class_names, shown(settings["data"])
    part = Images(name, "training", train.images, classes, train).first(settings["images"])
    used = f", {part.images} of the others are used" if part.images < train.images else ""
    folders = [] if is_hub(settings["data"]) else parts_of(existing_folder(settings["data"]))
    drawn = f" (those in {folders[1].name})" if folders[1:] else ""
    click.echo(
        f"{name}: {train.images + test.images} pictures of {len(classes)} classes "
        f"({', '.join(classes)}), as {' x '.join(map(str, train.image_shape))}; "
        f"{test.images} of them{drawn} are held out{used}.",
        err=True,
    )
    held = Images(name, "held-out", test.images, classes, test)
    return Training(part, held, held), train.image_shape


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
        data: Folder of the user's own pictures. If `train` used this folder, or a folder of which
            this is a copy: only the held-out pictures.
        dataset: Name of a data set. By default the data of the record, or else the data set whose
            images have the model's shape and classes.
        data_dir: Folder or archive of the data set. By default that of the training.

    Raises:
        BadInput: If there are no such images, or the model does not fit them.
    """
    settings = {} if record is None else record["settings"]
    if dataset is None and (data is not None or settings.get("data") is not None):
        check_data_dir(data or settings["data"], data_dir)
        stream, name, part, note = own_images(model, settings, data)
        check_data(model, name, stream.class_names, stream.image_shape, trained=True)
        images = Images(name, part, stream.images, stream.class_names, stream)
        if note:
            click.echo(note, err=True)
        return images
    fitting = datasets.name_by_shape(model.image_shape, model.classes, model.class_names)
    known = dataset or settings.get("dataset")
    dataset = known or fitting
    if dataset is None:
        named = "" if model.class_names is None else f" ({', '.join(model.class_names)})"
        raise BadInput(
            "Give --data, a folder of pictures in class folders, or --dataset. Received: a model "
            f"for images {tuple(model.image_shape)} and {model.classes} classes{named}, and no "
            "data set that has such images."
        )
    if known is None and model.class_names is None:
        click.echo(
            f"note: {dataset} was chosen because the model has its image shape and number of "
            "classes. If the model knows other classes, give --data or --dataset.",
            err=True,
        )
    classes = datasets.class_names(dataset)
    check_data(model, dataset, classes, datasets.image_shape(dataset), trained=True)
    data_dir = data_dir or kept_data_dir(record, dataset)
    with reading(f"data set {dataset}"):
        _, (x, y) = datasets.load(dataset, data_dir=data_dir)
    return Images(dataset, "test", len(x), classes, in_range(x, model.input_range), y)
