"""Test images for a command."""

from typing import Any

from .. import datasets
from ..model import ProxyModel
from ._shared import BadInput, reading

__all__ = ["check_data", "test_images"]


def check_data(model: ProxyModel, dataset: str, images: Any, classes: int) -> None:
    """Raise `BadInput` unless a model fits a data set."""
    shape, outputs = tuple(model.ann.input_shape[1:]), model.ann.output_shape[-1]
    if shape != tuple(images.shape[1:]) or outputs != classes:
        raise BadInput(
            f"Images of {dataset} are {tuple(images.shape[1:])}, of {classes} classes. "
            f"Received: a model for {shape} and {outputs} classes."
        )


def test_images(
    model: ProxyModel, record: dict[str, Any] | None, dataset: str | None, data_dir: str | None
) -> tuple[str, Any, Any]:
    """Test images and labels that fit a model.

    Args:
        model: The model.
        record: The record of the training in the model's file, or `None`.
        dataset: Name of a data set. By default the data set of the record, or else the data set
            whose images have the model's shape.
        data_dir: Folder or archive of the data set.

    Returns:
        Name of the data set, images, labels.

    Raises:
        BadInput: If there is no such data set, or the model does not fit it.
    """
    dataset = dataset or (None if record is None else record["settings"]["dataset"])
    dataset = dataset or datasets.name_by_shape(model.ann.input_shape[1:])
    if dataset is None:
        raise BadInput(f"Give --dataset. Received: images {model.ann.input_shape[1:]}.")
    with reading(f"data set {dataset}"):
        _, (x, y) = datasets.load(dataset, data_dir=data_dir)
    check_data(model, dataset, x, len(datasets.class_names(dataset)))
    return dataset, x, y
