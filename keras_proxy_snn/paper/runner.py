"""Train and evaluate the networks of an experiment; write one JSON file per training."""

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from .. import methods
from ..basics.files import check_target, replacing
from ..basics.quiet import start_tensorflow
from ..model import ProxyModel
from ._curve import Curve
from ._evaluation import accuracies, activity, ann_accuracy, early_stopping
from ._experiment import Config, Run, Size
from ._rows import config_of
from .data import Data
from .facts import hardware, versions

__all__ = ["Folders", "Job", "plan", "run"]

# Number of held-out images for MSSE. To simulate them costs as much as to train on them.
_MSSE_IMAGES = 1000


@dataclass(frozen=True)
class Folders:
    """Folders for the files of trainings.

    Attributes:
        results: Folder with one JSON file per training.
        scratch: Folder with one folder per training, for checkpoints and the trained model.
    """

    results: Path
    scratch: Path


@dataclass(frozen=True)
class Job:
    """A training, and every T at which its network is evaluated.

    Attributes:
        config: All settings of the training.
        rows: Each T of the experiment's rows; firing rates are measured at these T too.
        evaluate_at: Further T at which accuracy is measured.
        stop_at: Each T whose simulations are also evaluated with early stopping.
    """

    config: Config
    rows: tuple[int, ...]
    evaluate_at: tuple[int, ...]
    stop_at: tuple[int, ...] = ()


def plan(size: Size, seeds: Iterable[int], epochs: int, runs: Sequence[Run]) -> list[Job]:
    """Trainings of an experiment, seed by seed; rows that share a network share one training."""
    jobs: dict[str, tuple[Config, set[int], set[int], set[int]]] = {}
    for seed in seeds:
        for run in runs:
            config = config_of(size, run, epochs, seed, keras.config.backend())
            _, rows, further, stops = jobs.setdefault(config.id, (config, set(), set(), set()))
            further.update(run.evaluate_at)
            if run.time_steps is not None:
                rows.add(run.time_steps)
                stops.update([run.time_steps] if run.stops_early else [])
    return [
        Job(config, tuple(sorted(rows)), tuple(sorted(further - rows)), tuple(sorted(stops)))
        for config, rows, further, stops in jobs.values()
    ]


def run(
    job: Job, data: Data, folders: Folders, say: Callable[[str], None], again: bool = False
) -> dict[str, Any]:
    """Do the parts of a job that are not done; nothing if its result has every T.

    If the trained network of an old result is lost, a new network is trained and also evaluated at
    each T of the old result.
    A killed training resumes from its last whole epoch. Keras restores weights, optimizer and
    epoch, but not the order of the images. So the outcome differs from an uninterrupted training
    as much as with another seed.

    Args:
        job: The job.
        data: Images of the preset.
        folders: Folders for the files.
        say: Function that receives lines about the progress.
        again: Whether to train again even if a result exists.

    Returns:
        The result, as in the file.

    Raises:
        ValueError: If there is no such method or preset.
        OSError: If the result cannot be written; raised before the training.
    """
    data = data if job.config.hold_out else data.undivided()
    path = folders.results / f"{job.config.id}.json"
    folder = folders.scratch / job.config.id
    path.parent.mkdir(parents=True, exist_ok=True)
    check_target(path, overwrite=True)
    if again:
        path.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    result: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
    if result is not None and not _left(job, result) and not _never_stopped(job, result):
        say("  is there")
        return result
    model = folder / "model.keras"
    if result is not None and model.exists():
        network = keras.models.load_model(model, compile=False)
    else:
        if result is not None:
            say(f"  {model} is not there: trained anew, for all its T")
            job = _with_every_t_of(result, job)
        network, trained = _train(job.config, data, folder, say)
        with replacing(model) as draft:
            network.save(draft)
        result = {**_head(job.config, data, model), **trained, "accuracy": []}
    _evaluate(network, job, data, result)
    with replacing(path) as draft:
        draft.write_text(json.dumps(result, indent=1) + "\n")
    return result


def _left(job: Job, result: dict[str, Any]) -> list[int]:
    """Each T at which the result has no accuracy yet; none for the result of an ANN."""
    done = {entry["time_steps"] for entry in result["accuracy"]}
    if None in done:
        return []
    return [steps for steps in (*job.rows, *job.evaluate_at) if steps not in done]


def _never_stopped(job: Job, result: dict[str, Any]) -> list[int]:
    """Each T for which early stopping is not evaluated yet."""
    done = {entry["time_steps"] for entry in result.get("early_stopping", [])}
    return [steps for steps in job.stop_at if steps not in done]


def _with_every_t_of(result: dict[str, Any], job: Job) -> Job:
    """The job, extended by every T of an old result whose network is trained again."""
    active = {entry["time_steps"] for entry in result.get("activity", [])}
    rows = (*job.rows, *sorted(active - set(job.rows)))
    further = {*job.evaluate_at, *(entry["time_steps"] for entry in result["accuracy"])}
    stopped = {entry["time_steps"] for entry in result.get("early_stopping", [])}
    return replace(
        job,
        rows=rows,
        evaluate_at=tuple(sorted(further - {None, *rows})),
        stop_at=tuple(sorted({*job.stop_at, *stopped})),
    )


def _train(
    config: Config, data: Data, folder: Path, say: Callable[[str], None]
) -> tuple[keras.Model, dict[str, Any]]:
    folder.mkdir(parents=True, exist_ok=True)
    x, y = (part[:_MSSE_IMAGES] for part in data.held_out)
    curve = Curve(folder / "curve.json", x, y, say)
    training = methods.Training(
        config.epochs,
        config.batch_size,
        data.held_out if config.hold_out else None,
        folder,
        callbacks=[curve],
        augment=config.augment,
        seed=config.seed,
    )
    fields = dict(config.fields)
    if config.time_steps is not None:
        fields["time_steps"] = config.time_steps
    start_tensorflow()
    keras.utils.set_random_seed(config.seed)
    trained = methods.fit(config.method, config.preset, *data.train, training=training, **fields)
    facts = {"curve": curve.epochs, "facts": trained.facts}
    facts["seconds"] = sum(entry["seconds"] for entry in curve.epochs)
    return trained.network, facts


def _head(config: Config, data: Data, model: Path) -> dict[str, Any]:
    return {
        "id": config.id,
        "config": config.as_dict(),
        "data": data.title,
        "images": {part: len(getattr(data, part)[0]) for part in ("train", "held_out", "test")},
        "versions": versions(),
        "hardware": hardware(),
        "model": _from_here(model),
    }


def _from_here(path: Path) -> str:
    """A path below the present folder as seen from there: results are published, homes are not."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def _evaluate(network: keras.Model, job: Job, data: Data, result: dict[str, Any]) -> None:
    """Add the missing accuracies and the other measures of the trained network to the result."""
    spiking = isinstance(network, ProxyModel)
    left = _left(job, result)
    result.setdefault("parameters", network.count_params())
    if spiking:
        twin = result.get("twin_accuracy")
        result["twin_accuracy"] = ann_accuracy(network.ann, data.test) if twin is None else twin
        rows = [steps for steps in left if steps in job.rows]
        done = result.get("activity", [])
        result["activity"] = [*done, *(activity(network, data.test[0], t) for t in rows)]
    new = accuracies(network, data.test, left)
    result["accuracy"] = sorted([*result["accuracy"], *new], key=lambda e: e["time_steps"] or 0)
    if job.stop_at:
        new = [early_stopping(network, data, t) for t in _never_stopped(job, result)]
        result["early_stopping"] = [*result.get("early_stopping", []), *new]
    if "lossless" not in result and data.lossless:
        result["lossless"] = {
            name: accuracies(network, split, job.rows[:1])[0]
            for name, split in data.lossless.items()
        }
