"""`keras-proxy-snn export`."""

from pathlib import Path
from typing import Any

import click

from ..export.formats import FORMATS
from ._shared import example, import_backend, json_option, model_argument, print_json, steps_option

__all__ = ["export"]


@click.command(
    short_help="Write a model for a device, and check the file.",
    epilog=example("export digits.keras --format onnx --time-steps 10"),
)
@model_argument
@click.option(
    "--format",
    type=click.Choice(list(FORMATS)),
    required=True,
    help="Files end in "
    + ", ".join(f"{kind.suffix} ({name})" for name, kind in FORMATS.items())
    + ".",
)
@click.option("--output", type=click.Path(path_type=Path), help="Default: beside the model.")
@click.option(
    "--form",
    help="Form of the graph. Default: the first form of the format, which is unrolled for most "
    "formats.",
)
@steps_option
@click.option(
    "--quantise",
    "bits",
    type=int,
    is_flag=False,
    flag_value=8,
    metavar="[BITS]",
    help="Write an integer network; 8 bits by default. The format C always has integers.",
)
@click.option("--converter", default="own", help="own, tf2onnx (ONNX) or tflite (LiteRT).")
@click.option(
    "--calibration",
    help="Training images to quantise and check with: a folder of pictures, a .npy file or the "
    "name of a data set. Default: the images that the model was trained on, or the data set with "
    "images of this shape, if this machine has it.",
)
@click.option("--no-check", is_flag=True, help="Do not run the written file to check it.")
@click.option(
    "--with-runner",
    is_flag=True,
    help="Put on_device.py beside the file: it runs ONNX and LiteRT files without this package.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@json_option
def export(format: str, as_json: bool, **options: Any) -> None:
    """Write MODEL (a .keras file or a .kps program) for a device, and check the file.

    The check runs the file in its real runtime. If its spikes differ from the model's, the export
    fails with exit status 1. The accuracy of the file is measured on at most 1000 test images.
    """
    from ._arguments import check_export

    options["output"] = options["output"] or options["model"].with_suffix(FORMATS[format].suffix)
    check_export(format, **options)
    import_backend()
    from ..export import ExportError
    from . import _export as export_command

    try:
        facts = export_command.run(format, **options)
    except ExportError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        print_json(facts)
    else:
        export_command.print_table(facts)
