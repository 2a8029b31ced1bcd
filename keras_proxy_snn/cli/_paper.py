"""The work of `keras-proxy-snn paper`: run the missing trainings, then draw."""

from pathlib import Path
from typing import Any

import click

from ..basics.processor import gpu_name
from ..paper import Experiment, Run
from ..paper.data import load
from ..paper.drawing import draw
from ..paper.runner import Folders, plan
from ..paper.runner import run as run_job
from ._shared import BadInput, Interrupted, reading

__all__ = ["run"]


def run(
    experiment: Experiment,
    *,
    size: str | None,
    seeds: tuple[int, ...],
    epochs: int | None,
    only: tuple[str, ...],
    time_steps: int | None,
    again: bool,
    draw_only: bool,
    results: Path,
    scratch: Path,
    data_dir: str | None,
) -> dict[str, Any]:
    """Train and draw; the arguments are the options of the command.

    Returns:
        Name and size of the experiment, its tables as text, and the written files.

    Raises:
        BadInput: If the experiment has no such size, method or T, or an option has no effect.
        Interrupted: After Ctrl-C; the message tells how many trainings are done.
    """
    training = {"--again": again, "--only": only, "--seed": seeds, "--time-steps": time_steps}
    useless = [option for option, value in training.items() if draw_only and value]
    if useless:
        raise BadInput(f"--draw-only trains nothing, so these have no effect: {useless}.")
    name = size or ("full" if gpu_name() else "compact")
    if name not in experiment.sizes:
        raise BadInput(f"--size must be one of {tuple(experiment.sizes)}. Received: {name!r}.")
    chosen = experiment.sizes[name]
    epochs = epochs or chosen.epochs
    written = []
    if not draw_only:
        jobs = plan(chosen, seeds or chosen.seeds, epochs, _only(chosen.runs, only, time_steps))
        with reading(f"data set of {chosen.preset}"):
            data = load(chosen.preset, data_dir)
        for number, job in enumerate(jobs):
            click.echo(f"[{number + 1}/{len(jobs)}] {job.config.id}", err=True)
            try:
                run_job(job, data, Folders(results, scratch), _say, again)
            except KeyboardInterrupt:
                left = f"{number} of {len(jobs)} trainings are done"
                raise Interrupted(f"{left}; run the same command again to continue.") from None
            written.append(str(results / f"{job.config.id}.json"))
    with reading(f"results in {results}"):
        drawn = draw(experiment, name, results, epochs, data_dir)
    return {
        "experiment": experiment.name,
        "size": name,
        "text": drawn.text,
        "files": [*written, *map(str, drawn.files)],
    }


def _say(line: str) -> None:
    click.echo(line, err=True)


def _only(
    runs: tuple[Run, ...], methods: tuple[str, ...], time_steps: int | None
) -> tuple[Run, ...]:
    known = list(dict.fromkeys(run.method for run in runs))
    unknown = [method for method in methods if method not in known]
    if unknown:
        raise BadInput(f"--only must name methods of the experiment, {known}. Received: {unknown}.")
    runs = tuple(run for run in runs if not methods or run.method in methods)
    if time_steps is None:
        return runs
    chosen = tuple(run for run in runs if run.time_steps == time_steps)
    if not chosen:
        known_steps = sorted({run.time_steps for run in runs if run.time_steps})
        raise BadInput(f"--time-steps must be one of {known_steps} here. Received: {time_steps}.")
    return chosen
