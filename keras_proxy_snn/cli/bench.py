"""`keras-proxy-snn bench`."""

import click

from ._shared import (
    example,
    import_backend,
    json_option,
    load_network,
    network_argument,
    print_json,
    print_rows,
)

__all__ = ["bench"]


@click.command(epilog=example("bench digits --batch-size 32 --time-steps 4 --time-steps 20"))
@network_argument
@click.option("--batch-size", type=click.IntRange(1), metavar="N", default=100)
@click.option(
    "--time-steps",
    type=click.IntRange(1),
    multiple=True,
    metavar="T",
    help="Predict with this T. Repeat the option for several T. Default: the model's own.",
)
@click.option("--repeats", type=click.IntRange(1), metavar="N", default=10, help="Timed calls.")
@json_option
def bench(
    model: str, batch_size: int, time_steps: tuple[int, ...], repeats: int, as_json: bool
) -> None:
    """Time MODEL, a .keras file or a preset, on this machine and backend.

    The command times a training step of the SNN with its proxy, a training step of the ANN alone,
    and the prediction of a batch and of one image. It prints the median and the quartiles of
    several calls; half of the calls lie between the quartiles.
    """
    import_backend()
    import keras

    from ..statistics.timing import measure

    network = load_network(model)
    # No progress bar: it would disturb the timing.
    click.echo(f"timing {model} on {keras.config.backend()} ...", err=True)
    timings = measure(
        network, batch_size=batch_size, time_steps=time_steps or None, repeats=repeats
    )
    if as_json:
        result = {"model": model, "backend": keras.config.backend()}
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
