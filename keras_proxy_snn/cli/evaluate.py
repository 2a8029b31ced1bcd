"""`keras-proxy-snn evaluate`."""

from pathlib import Path
from typing import Any

import click

from ._shared import (
    BadInput,
    data_options,
    example,
    import_backend,
    json_option,
    model_argument,
    print_json,
    steps_option,
)

__all__ = ["evaluate"]


@click.command(epilog=example("evaluate digits.keras --time-steps 10"))
@model_argument
@data_options
@click.option("--images", type=click.IntRange(1), metavar="N", help="The first N images only.")
@click.option("--batch-size", type=click.IntRange(1), metavar="N", default=100)
@steps_option
@json_option
def evaluate(
    model: Path,
    dataset: str | None,
    data_dir: str | None,
    images: int | None,
    batch_size: int,
    time_steps: int | None,
    as_json: bool,
) -> None:
    """Take the accuracy of MODEL, a .keras file, on test images.

    The data set is the one that `train` trained it on, or else the one with images of its shape.
    Output neurons often fire equally often, so accuracy is given by three rules for ties.
    """
    import_backend()
    from .. import datasets
    from ..model_file import load_model, read_record
    from ._accuracy import accuracies, check_data, print_accuracies

    network = load_model(model)
    dataset = dataset or _trained_on(read_record(model))
    dataset = dataset or datasets.name_by_shape(network.ann.input_shape[1:])
    if dataset is None:
        raise BadInput(f"Give --dataset. Received: images {network.ann.input_shape[1:]}.")
    _, (x, y) = datasets.load(dataset, data_dir=data_dir)
    check_data(network, dataset, x, len(datasets.class_names(dataset)))
    x, y = x[:images], y[:images]
    result = {
        "model": str(model),
        "dataset": dataset,
        "images": len(x),
        "time_steps": time_steps or network.time_steps,
        "accuracy": accuracies(network, x, y, batch_size=batch_size, time_steps=time_steps),
    }
    if as_json:
        print_json(result)
    else:
        print_accuracies(result)


def _trained_on(record: dict[str, Any] | None) -> str | None:
    return None if record is None else record["settings"]["dataset"]
