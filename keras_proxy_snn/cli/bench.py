"""`keras-proxy-snn bench`."""

import click

from ._shared import (
    BadInput,
    check_backend,
    example,
    import_backend,
    json_option,
    load_network,
    network_argument,
    print_json,
    print_rows,
)

__all__ = ["bench"]


@click.command(
    short_help="Time a model on this machine; compare all file formats.",
    epilog=example("bench digits --batch-size 32 --time-steps 4 --time-steps 20"),
)
@network_argument
@click.option("--batch-size", type=click.IntRange(1), metavar="N", help="Default: 100.")
@click.option(
    "--time-steps",
    type=click.IntRange(1),
    multiple=True,
    metavar="T",
    help="Predict with this T. Repeat the option for several T. Default: the model's own.",
)
@click.option(
    "--repeats", type=click.IntRange(1), metavar="N", help="Number of timed calls. Default: 10."
)
@click.option(
    "--formats",
    is_flag=True,
    help="Time exported files in place of the model: every format, form and runtime, as Markdown.",
)
@click.option(
    "--calibration",
    metavar="FOLDER|FILE|NAME",
    help="With --formats: training images, from a folder of pictures, a .npy file or the data set "
    "of this name. Default: the images that the model was trained on, or the data set with images "
    "of this shape, if this machine has it.",
)
@json_option
def bench(
    model: str,
    batch_size: int | None,
    time_steps: tuple[int, ...],
    repeats: int | None,
    formats: bool,
    calibration: str | None,
    as_json: bool,
) -> None:
    """Time MODEL, a .keras file or a preset, on this machine and backend.

    The command times a training step of the SNN with its proxy, a training step of the ANN alone,
    and the prediction of a batch and of one image. It prints the median and the quartiles of
    several calls; half of the calls lie between the quartiles. A line says if other work disturbs
    the times, which quartiles do not show.

    With --formats the command exports MODEL instead (a preset with its pretrained weights) and
    reports for each file: its size, the spike counts that differ although they must not, accuracy,
    time, and the share of operators on an NPU. Exit status 1: a count differs.
    """
    check_backend()
    if formats and (batch_size is not None or repeats is not None):
        raise BadInput("--batch-size and --repeats have no effect with --formats.")
    if formats and len(time_steps) > 1:
        raise BadInput(f"--formats takes one --time-steps. Received: {time_steps}.")
    if calibration is not None and not formats:
        raise BadInput(f"--calibration is for --formats. Received: {calibration}.")
    from ._arguments import check_calibration, check_network

    check_network(model, "pretrained" if formats else None)
    check_calibration(calibration)
    import_backend()
    if formats:
        _formats(model, time_steps, calibration, as_json)
        return
    import keras

    from ..basics.stopwatch import disturbance
    from ..statistics.timing import measure

    disturbed = disturbance()
    network = load_network(model)
    # No progress bar: it would disturb the timing.
    click.echo(f"timing {model} on {keras.config.backend()} ...", err=True)
    timings = measure(
        network,
        batch_size=batch_size or 100,
        time_steps=time_steps or None,
        repeats=repeats or 10,
    )
    if as_json:
        result = {"model": model, "backend": keras.config.backend(), "disturbance": disturbed}
        print_json({**result, "timings": [timing.as_dict() for timing in timings]})
        return
    rows = [["", "network", "T", "images", "median ms", "quartiles ms", "images/s"]]
    for timing in timings:
        low, high = (f"{1000 * bound:.2f}" for bound in timing.quartiles)
        rows.append(
            [
                timing.what,
                timing.network,
                "-" if timing.time_steps is None else str(timing.time_steps),
                str(timing.batch_size),
                f"{1000 * timing.median:.2f}",
                f"{low} to {high}",
                f"{timing.images_per_second:.0f}",
            ]
        )
    print_rows(rows)
    if disturbed is not None:
        click.echo(disturbed)


def _formats(
    model: str, time_steps: tuple[int, ...], calibration: str | None, as_json: bool
) -> None:
    from . import _edge_report

    click.echo(f"exporting and timing {model} ...", err=True)
    steps = time_steps[0] if time_steps else None
    text, report = _edge_report.run(model, time_steps=steps, calibration=calibration)
    if as_json:
        print_json({"model": model, "summary": report.conclusions, "rows": report.rows})
    else:
        click.echo(text, nl=False)
    if report.mismatches:
        raise click.ClickException(f"{report.mismatches} spike counts differ from the model's.")
