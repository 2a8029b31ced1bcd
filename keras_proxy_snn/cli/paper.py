"""`keras-proxy-snn paper`."""

from pathlib import Path
from typing import Any

import click

from ..paper import EXPERIMENTS, SIZES
from ._shared import (
    BadInput,
    check_backend,
    example,
    import_backend,
    json_option,
    print_json,
    print_rows,
)

__all__ = ["paper"]


@click.command(
    short_help="Repeat a table or figure of the paper.",
    epilog=example("paper --list", "paper figure2 --size tiny --epochs 1"),
)
@click.argument("name", required=False, type=click.Choice(list(EXPERIMENTS)), metavar="[NAME]")
@click.option("--list", "show", is_flag=True, help="Show the experiments.")
@click.option("--size", type=click.Choice(SIZES), help="Default: full with a GPU, else compact.")
@click.option(
    "--seed",
    "seeds",
    type=click.IntRange(0, 2**32 - 1),
    multiple=True,
    metavar="N",
    help="Train with this seed. Repeat the option for several seeds. Default: the experiment's.",
)
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="Default: the experiment's.")
@click.option(
    "--only",
    multiple=True,
    metavar="METHOD",
    help="Train this method only. Repeat the option for several methods.",
)
@click.option(
    "--time-steps", type=click.IntRange(1), metavar="T", help="Train only the runs of this T."
)
@click.option("--again", is_flag=True, help="Train again even if results exist.")
@click.option("--draw-only", is_flag=True, help="Do not train; draw the existing results.")
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the results. Default: benchmarks/results/paper in a checkout, else "
    "paper_results.",
)
@click.option(
    "--scratch",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/paper"),
    help="Folder for checkpoints and trained models.",
)
@click.option("--data-dir", type=click.Path(), help="Folder or archive of the data set.")
@json_option
def paper(name: str | None, show: bool, as_json: bool, **options: Any) -> None:
    """Train the networks of a table or figure and draw it. --list shows all experiments.

    Most experiments are from the paper; some go further. Each training is written to one JSON file
    and is not done again. Experiments share equal trainings. After Ctrl-C, the same command
    resumes from the last whole epoch. On two CPU cores, --size compact takes hours and --size tiny
    takes minutes. The networks of the paper (--size full) need a GPU.
    """
    if show:
        _show(as_json)
        return
    check_backend()
    if name is None:
        raise BadInput(
            f"NAME must be one of {', '.join(EXPERIMENTS)}; see --list. Received: nothing."
        )
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
