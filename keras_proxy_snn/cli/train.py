"""`keras-proxy-snn train`."""

import ast
import json
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ._output import Output
from ._shared import (
    BadInput,
    check_backend,
    data_options,
    example,
    import_backend,
    json_option,
    print_json,
    training_record,
)

__all__ = ["train"]


def _fields(context: Any, parameter: Any, texts: tuple[str, ...]) -> dict[str, Any]:
    fields = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"It must be FIELD=VALUE. Received: {text!r}.")
        try:
            fields[name] = ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            fields[name] = value
    return fields


@click.command(
    short_help="Train a network, on a data set or on your own pictures.",
    epilog=example(
        "train digits --epochs 40 --time-steps 20 --output digits.keras",
        "train cifar10_compact --data my_images",
    ),
)
@click.argument("model", metavar="PRESET|SPEC")
@data_options
@click.option(
    "--images",
    type=click.IntRange(1),
    metavar="N",
    help="Train on the first N images only; the test at the end takes all test images.",
)
@click.option(
    "--validation-split",
    type=click.FloatRange(0, 1, max_open=True),
    help="Fraction of the images that is held out for validation. Default: 0.1, taken from the "
    "end; with --data 0.2 of each class, or the folder's own part test.",
)
@click.option("--epochs", type=click.IntRange(1), metavar="N", default=10)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    metavar="N",
    help="Images per step. Default: 100, or 32 with fewer than 10,000 images, or 8 with fewer than "
    "1,000.",
)
@click.option("--time-steps", type=click.IntRange(1), metavar="T", help="Default: the preset's.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), metavar="N", default=0)
@click.option(
    "--set",
    "fields",
    multiple=True,
    callback=_fields,
    metavar="FIELD=VALUE",
    help="Set a field of the preset to another value. Repeat the option for several fields.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The .keras file to write. Default: PRESET.keras in the current folder.",
)
@click.option("--resume", is_flag=True, help="Continue the training that wrote the output.")
@click.option("--force", is_flag=True, help="Replace an existing output.")
@json_option
@click.pass_context
def train(
    context: click.Context,
    data_dir: str | None,
    output: Path | None,
    resume: bool,
    force: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train a preset, or an architecture such as 16C3-P2-10F, and evaluate it.

    The output holds the model after the last whole epoch. After Ctrl-C, the same command with
    --resume continues from there, with the same result as without a break. The learning rate falls
    linearly, epoch by epoch.

    With --data, the network learns your own pictures: my_images/cat/1.png is of the class cat. A
    preset keeps its image size, to which pictures are resized (stretched, not cut), and gets an
    output per class; an architecture takes the size of the pictures. The model keeps the names of
    the classes, and the file keeps the path of the folder.
    """
    check_backend()
    output = output or Path(f"{settings['model']}.keras")
    target = Output(output, resume, force)
    from ._data_arguments import check_data_dir, check_training

    check_data_dir(settings["data"], data_dir)
    if not resume:  # otherwise the record has the settings
        check_training(settings)
    import_backend()
    from ._accuracy import print_accuracies
    from ._own import kept, readable
    from ._training import run

    record = None
    if resume:
        source = context.get_parameter_source
        given = {name for name in settings if source(name) is ParameterSource.COMMANDLINE}
        record = training_record(output)
        settings = _resumed(output, record, {name: settings[name] for name in given})
    if (data := kept(settings["data"])) is not None:
        settings.update(data=data, dataset=data)
    result = run(settings, target, data_dir, record)
    if as_json:
        print_json(readable(result))
    else:
        print_accuracies(result["test"])
        click.echo(f"Written to {output}.")


def _resumed(output: Path, record: dict[str, Any] | None, given: dict[str, Any]) -> dict[str, Any]:
    """The recorded settings, with the given number of epochs; other settings must not change."""
    if record is None:
        raise BadInput(f"--resume needs a file that `train` wrote. Received: {output}.")
    from ._own import data_of_record, is_of_training

    settings: dict[str, Any] = record["settings"]
    if given.get("data") is not None and is_of_training(settings, given["data"]):
        settings["data"] = given["data"]  # the same folder in another place, or by another name
    elif settings["data"] is not None:
        data_of_record(settings)
    for name, value in given.items():
        # Compare as JSON: tuples of the settings have become lists in the record.
        if name != "epochs" and json.dumps(value) != json.dumps(settings[name]):
            raise BadInput(
                f"--resume must keep {name} {settings[name]!r} of {output}. Received: {value!r}."
            )
    settings = {**settings, **{name: given[name] for name in given if name == "epochs"}}
    if len(record["history"]) >= settings["epochs"]:
        raise BadInput(
            f"{output} has been trained for all its epochs; --resume needs a larger --epochs. "
            f"Received: --epochs {settings['epochs']}."
        )
    return settings
