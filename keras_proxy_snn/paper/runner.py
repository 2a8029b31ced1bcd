"""Train what is not trained yet, evaluate it, and write one JSON file a training."""

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from .. import methods
from .._files import check_target, replacing
from ..model import ProxyModel
from ._curve import Curve
from ._evaluation import accuracy, activity, ann_accuracy, early_stopping
from ._experiment import Config, Run, Size
from ._rows import training_steps
from .data import Data
from .facts import hardware, versions

__all__ = ["Folders", "Job", "plan", "run"]

# Held-out images for MSSE: their simulation costs as much as training on them.
_MSSE_IMAGES = 1000


@dataclass(frozen=True)
class Folders:
    """Where files go.

    Attributes:
        results: One JSON file a training.
        scratch: A folder for each training, with its checkpoints and the trained model.
    """

    results: Path
    scratch: Path


@dataclass(frozen=True)
class Job:
    """A training, and every T at which its network is evaluated.

    Attributes:
        config: All that the training depends on.
        rows: Each T of the experiment's rows; there firing rates are taken too.
        evaluate_at: Further T.
        stop_at: Each T before which simulations are stopped early, too.
    """

    config: Config
    rows: tuple[int, ...]
    evaluate_at: tuple[int, ...]
    stop_at: tuple[int, ...] = ()


def plan(size: Size, seeds: Iterable[int], epochs: int, runs: Sequence[Run]) -> list[Job]:
    """Trainings of an experiment, seed by seed; rows that one network serves are one training."""
    jobs: dict[str, tuple[Config, set[int], set[int], set[int]]] = {}
    for seed in seeds:
        for run in runs:
            config = Config(
                run.method,
                size.preset,
                training_steps(run),
                seed,
                epochs,
                size.batch_size,
                run.fields,
                keras.config.backend(),
                size.augment,
            )
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
    """Do what is left of a job: nothing if its result is there, with every T.

    Where the trained network of a result is gone, a new one takes its place, at each T of the old
    result too.
    A training that was killed goes on from its last whole epoch. Keras restores weights,
    optimizer and epoch, not the order of the images, so its end differs from that of
    a training that was never stopped as another seed's would.

    Args:
        job: What is to be done.
        data: Images of the preset.
        folders: Where files go.
        say: Takes lines about the progress.
        again: Whether to begin anew, whatever is there.

    Returns:
        The result, as it is in the file.

    Raises:
        ValueError: If there is no such method or preset.
        OSError: If the result cannot be written, before the training.
    """
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


def _left(job: Job, result: dict[str, Any]) -> list[int | None]:
    """Each T at which the result has no accuracy yet; `None` of an ANN."""
    done = {entry["time_steps"] for entry in result["accuracy"]}
    if None in done:
        return []
    return [steps for steps in (*job.rows, *job.evaluate_at) if steps not in done]


def _never_stopped(job: Job, result: dict[str, Any]) -> list[int]:
    """Each T before which simulations are still to be stopped early."""
    done = {entry["time_steps"] for entry in result.get("early_stopping", [])}
    return [steps for steps in job.stop_at if steps not in done]


def _with_every_t_of(result: dict[str, Any], job: Job) -> Job:
    """The job, extended to evaluate a network that takes another's place wherever that was."""
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
        data.held_out,
        folder,
        callbacks=[curve],
        augment=config.augment,
        seed=config.seed,
    )
    fields = dict(config.fields)
    if config.time_steps is not None:
        fields["time_steps"] = config.time_steps
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
        "model": model.as_posix(),
    }


def _evaluate(network: keras.Model, job: Job, data: Data, result: dict[str, Any]) -> None:
    """Add accuracies at every T that is left, and what else is known of the trained network."""
    spiking = isinstance(network, ProxyModel)
    left = _left(job, result) if spiking else [None]
    result.setdefault("parameters", network.count_params())
    if spiking:
        twin = result.get("twin_accuracy")
        result["twin_accuracy"] = ann_accuracy(network.ann, data.test) if twin is None else twin
        rows = [steps for steps in left if steps in job.rows]
        done = result.get("activity", [])
        result["activity"] = [*done, *(activity(network, data.test[0], t) for t in rows)]
    new = [accuracy(network, data.test, steps) for steps in left]
    result["accuracy"] = sorted([*result["accuracy"], *new], key=lambda e: e["time_steps"] or 0)
    if job.stop_at:
        new = [early_stopping(network, data, t) for t in _never_stopped(job, result)]
        result["early_stopping"] = [*result.get("early_stopping", []), *new]
    if "lossless" not in result and data.lossless:
        steps = job.rows[0] if spiking else None
        result["lossless"] = {
            name: accuracy(network, split, steps) for name, split in data.lossless.items()
        }
