"""`keras-proxy-snn paper`."""

from pathlib import Path
from typing import Any

import click

from ..paper import EXPERIMENTS, SIZES
from ._shared import BadInput, example, import_backend, json_option, print_json, print_rows

__all__ = ["paper"]


@click.command(epilog=example("paper --list", "paper figure2 --size tiny --epochs 1"))
@click.argument("name", required=False, type=click.Choice(list(EXPERIMENTS)), metavar="[NAME]")
@click.option("--list", "show", is_flag=True, help="Show the experiments.")
@click.option("--size", type=click.Choice(SIZES), help="Default: full with a GPU, else compact.")
@click.option(
    "--seed",
    "seeds",
    type=click.IntRange(0, 2**32 - 1),
    multiple=True,
    metavar="N",
    help="Can be given several times. Default: the experiment's.",
)
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="Default: the experiment's.")
@click.option(
    "--only", multiple=True, metavar="METHOD", help="This method alone; can be given several times."
)
@click.option(
    "--time-steps", type=click.IntRange(1), metavar="T", help="Only what is trained or run at T."
)
@click.option("--again", is_flag=True, help="Train anew what is there.")
@click.option("--draw-only", is_flag=True, help="Train nothing; draw the results that are there.")
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    help="Default: benchmarks/results/paper in a checkout, else paper_results.",
)
@click.option(
    "--scratch",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/paper"),
    help="For checkpoints and trained models.",
)
@click.option("--data-dir", type=click.Path(), help="Folder or archive of the data set.")
@json_option
def paper(name: str | None, show: bool, as_json: bool, **options: Any) -> None:
    """Train and draw a table or figure of the paper, or one that asks further.

    Each training is written to the results as one JSON file and is not done again; experiments
    share those they have in common. After Ctrl-C the same command goes on from the last whole
    epoch. The networks of the paper (--size full) need a GPU; compact ones take two CPU
    cores hours, and tiny ones minutes.
    """
    if show:
        _show(as_json)
        return
    if name is None:
        raise BadInput(f"NAME is one of {', '.join(EXPERIMENTS)}; see --list. Received: nothing.")
    import_backend()
    from ._paper import run

    options["results"] = options["results"] or _results()
    result = run(EXPERIMENTS[name], **options)
    if as_json:
        print_json(result)
        return
    click.echo(result["text"])
    click.echo(f"\nWritten: {', '.join(result['files'])}.")


def _show(as_json: bool) -> None:
    titles = {name: experiment.title for name, experiment in EXPERIMENTS.items()}
    if as_json:
        print_json(titles)
    else:
        print_rows(titles.items())


def _results() -> Path:
    checkout = Path("benchmarks/results")
    return checkout / "paper" if checkout.is_dir() else Path("paper_results")
