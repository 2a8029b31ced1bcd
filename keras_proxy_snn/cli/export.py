"""`keras-proxy-snn export`."""

from pathlib import Path
from typing import Any

import click

from ..export.formats import FORMATS
from ._shared import (
    check_backend,
    example,
    import_backend,
    json_option,
    model_argument,
    print_json,
    steps_option,
)

__all__ = ["export"]


class _Bits(click.ParamType):
    """The value of `--quantise`.

    It may be left out; then the next word could be read as the value.
    """

    name = "bits"

    def convert(self, value: Any, param: Any, context: Any) -> int:
        """The number, if the value is an integer."""
        try:
            return int(value)
        except ValueError:
            self.fail(
                "It must be a number of bits. If you leave the number out, put MODEL before the "
                f"options. Received: {value!r}.",
                param,
                context,
            )


class _Formats(click.Choice):
    """The value of `--format`, in any case; whoever gives a suffix is told the format's name."""

    def convert(self, value: Any, param: Any, context: Any) -> Any:
        """The name of a format."""
        word = value.lower().removeprefix(".")
        for name, kind in FORMATS.items():
            if word == kind.suffix[1:] != name:
                hint = f"{kind.runtime} files ({kind.suffix}) are --format {name}."
                self.fail(f"{hint} Received: {value!r}.", param, context)
        return super().convert(value, param, context)


@click.command(
    short_help="Write a model for a device, and check the file.",
    epilog=example("export digits.keras --format onnx --time-steps 10"),
)
@model_argument
@click.option(
    "--format",
    type=_Formats(list(FORMATS), case_sensitive=False),
    required=True,
    help="Files end in "
    + ", ".join(f"{kind.suffix} ({name})" for name, kind in FORMATS.items())
    + ".",
)
@click.option("--output", type=click.Path(path_type=Path), help="Default: beside the model.")
@click.option(
    "--form",
    metavar="FORM",
    help="Form of the graph. "
    + "; ".join(f"{name}: {', '.join(kind.forms)}" for name, kind in FORMATS.items())
    + ". Default: the first of the format.",
)
@steps_option
@click.option(
    "--quantise",
    "bits",
    type=_Bits(),
    is_flag=False,
    flag_value=8,
    metavar="[BITS]",
    help="Write an integer network, with weights of 8 bits if BITS are not given. Fewer bits, from "
    "2, try out a chip with such weights; here each weight still takes a byte. The format c "
    "always has integers.",
)
@click.option(
    "--weights",
    type=click.Choice(list(dict.fromkeys(w for kind in FORMATS.values() for w in kind.weights))),
    default="float32",
    help="Number format of the weights of a float network. float16, which rounds them and takes "
    "half the room, is for litert.",
)
@click.option(
    "--converter", metavar="NAME", default="own", help="own, tf2onnx (onnx) or tflite (litert)."
)
@click.option(
    "--calibration",
    metavar="FOLDER|FILE|NAME",
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

    The check runs the file in its real runtime. If its spikes differ from the network's, the export
    fails with exit status 1. The network of an integer or float16 file has rounded weights; a row
    tells how they move the model's counts. The accuracy of the file is measured on at most 1000
    test images.
    """
    from ._export_arguments import check_export

    check_backend()
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
