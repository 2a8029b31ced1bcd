"""`keras-proxy-snn verify`."""

import os
from pathlib import Path

import click

from ..verification.report import WEIGHTS, Report
from ._shared import check_backend, example, json_option, print_json, print_rows

__all__ = ["verify"]


@click.command(
    short_help="Compare spike counts of backends and exported files.", epilog=example("verify")
)
@click.option(
    "--networks", type=click.IntRange(1), metavar="N", default=6, help="Number of networks."
)
@click.option(
    "--seed", type=click.IntRange(0), metavar="N", default=0, help="Seed of the first network."
)
@click.option(
    "--weights",
    type=click.Choice(WEIGHTS),
    default=WEIGHTS[0],
    help="dyadic: multiples of 1/256; all counts must be equal. float: rounding may change a spike",
)
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="A backend or runtime. Repeat the option for several. Default: all that are installed.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="JSON file, written after every 100 networks. The same command continues from this file.",
)
@json_option
def verify(
    networks: int,
    seed: int,
    weights: str,
    only: tuple[str, ...],
    report: Path | None,
    as_json: bool,
) -> None:
    """Run random networks through all backends and exported files, and compare their counts.

    Each backend has a process of its own, dense and event-driven. Another process writes the files
    and runs them in every runtime that is installed: the package's interpreter, ONNX Runtime,
    OpenVINO, LiteRT, TensorFlow Lite Micro, NIR in NumPy, nirtorch and SpikingJelly, and compiled
    C, as floats and as integers. A simulation in NumPy, which shares no arithmetic with any of
    them, says what the counts must be. Exit status 1: a count differs although it must not, or a
    runtime failed.
    """
    from ..verification.runner import verify as verify_networks

    if os.environ.get("KERAS_BACKEND"):  # without it, the first installed backend writes the files
        check_backend()
    result = verify_networks(
        networks,
        seed=seed,
        weights=weights,
        only=only,
        path=report,
        tell=lambda line: click.echo(line, err=True),
    )
    if as_json:
        print_json(result.as_dict())
    else:
        _print(result)
    if result.wrong:
        raise click.exceptions.Exit(1)


def _print(report: Report) -> None:
    print_rows(report.table())
    click.echo(f"\n{report.done} networks from seed {report.seed} on, {report.weights} weights")
    for found in report.found:
        what = found["error"] or f"{found['differing']} of {found['counts']} counts differ"
        click.echo(f"{found['row']}, {found['form']}, network {found['seed']}: {what}")
