"""`keras-proxy-snn evaluate`."""

from typing import Any

import click

from ._shared import (
    check_backend,
    data_options,
    example,
    import_backend,
    json_option,
    load_network,
    network_argument,
    print_json,
    steps_option,
    training_record,
)

__all__ = ["evaluate"]


@click.command(
    short_help="Measure the accuracy of a model on test images.",
    epilog=example("evaluate digits.keras --time-steps 10"),
)
@network_argument
@data_options
@click.option("--images", type=click.IntRange(1), metavar="N", help="Use the first N images only.")
@click.option("--batch-size", type=click.IntRange(1), metavar="N", default=100)
@click.option(
    "--wrong",
    is_flag=True,
    help="Also list which images are wrong: the first 20, and with --json all. Runs the network "
    "once more.",
)
@steps_option
@json_option
def evaluate(
    model: str,
    data: str | None,
    dataset: str | None,
    data_dir: str | None,
    images: int | None,
    batch_size: int,
    wrong: bool,
    time_steps: int | None,
    as_json: bool,
) -> None:
    """Measure the accuracy of MODEL, a .keras file or a preset with pretrained weights.

    The command tests on the data that `train` used, or else on the data set that has the model's
    image shape and classes. From the folder that `train` used, or from a copy of it, the command
    takes the held-out pictures; from another folder, all pictures. Output neurons often fire
    equally often, so the command prints the accuracy by three rules for ties; and for up to 20
    classes, how many images of each class it gets right and what it takes most of the others for:
    a class, or "no spike" if the output neurons do not fire.
    """
    from ._arguments import check_network
    from ._data_arguments import check_data_options

    check_backend()
    check_network(model, "pretrained")
    check_data_options(data, dataset, data_dir)
    import_backend()
    from ._accuracy import accuracies, print_accuracies
    from ._classes import by_class, print_classes
    from ._data import test_images
    from ._wrong import print_wrong, wrong_images

    network = load_network(model, weights="pretrained")
    test = test_images(network, training_record(model), data, dataset, data_dir).first(images)
    found = accuracies(network, test, batch_size=batch_size, time_steps=time_steps)
    rows = by_class(found.answers, test.class_names)
    result: dict[str, Any] = {
        "model": model,
        "dataset": test.name,
        "part": test.part,
        "images": test.images,
        "time_steps": time_steps or network.time_steps,
        "accuracy": found.rules,
        "silent_images": found.silent,
        "tied_images": found.tied,
        "by_class": rows,
    }
    if wrong:
        result["wrong"] = wrong_images(network, test, batch_size=batch_size, time_steps=time_steps)
    if as_json:
        print_json(result)
    else:
        print_accuracies(result)
        print_classes(rows)
        if wrong:
            print_wrong(result["wrong"])
