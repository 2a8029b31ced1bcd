"""One process of a verification: `python -m keras_proxy_snn.verification.worker '{...}' FILE`.

It simulates networks on its own backend, or runs their files, and compares with the oracle.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from ..basics.files import replacing
from ..export import Program, from_model
from ..export.quantise import quantise
from . import models, oracle
from .files import RUNTIMES, RefusedError
from .networks import Network, draw
from .report import Record, Task

__all__ = ["work"]


def work(task: Task) -> Iterator[Record]:
    """Compare every row of a task, for every network of the task.

    Example:

    >>> from keras_proxy_snn.verification.report import Task
    >>> from keras_proxy_snn.verification.worker import work
    >>> [record.differing for record in work(Task("files", ["interpreter"], 1, 1, "dyadic"))]
    [0, 0]
    """
    for seed in range(task.first, task.first + task.networks):
        network = draw(seed, task.weights)
        model = models.build(network)
        if task.kind == "files":
            program = from_model(model)
            yield from _in_files(task, network, "float", program)
            try:
                integer = quantise(program, network.images, bits=network.bits)
            except ValueError as error:  # its potentials need more than 16 bits
                yield from (Record(row, "integer", seed, refused=str(error)) for row in task.rows)
            else:
                yield from _in_files(task, network, "integer", integer)
        else:
            expected = oracle.run(network.program, network.images)
            for row, scores in models.simulations(model, network.images):
                yield _compared(row, "float", seed, expected, partial(np.asarray, scores))


def _in_files(task: Task, network: Network, form: str, program: Program) -> Iterator[Record]:
    drawn = network.program if form == "float" else program
    expected = oracle.run(drawn, network.images)
    for row in task.rows:
        with tempfile.TemporaryDirectory() as folder:
            run = partial(RUNTIMES[row].run, program, Path(folder), network.images, network.seed)
            yield _compared(row, form, network.seed, expected, run)


def _compared(
    row: str, form: str, seed: int, expected: np.ndarray, run: Callable[[], np.ndarray]
) -> Record:
    try:
        scores = run()
    except RefusedError as refusal:
        return Record(row, form, seed, refused=str(refusal))
    except Exception as error:  # any error of a runtime is a finding; the other runtimes continue
        return Record(row, form, seed, error=f"{type(error).__name__}: {error}")
    if scores.shape != expected.shape:
        return Record(row, form, seed, error=f"Received: scores of shape {scores.shape}.")
    return Record(row, form, seed, expected.size, int((scores != expected).sum()))


def main(task: str, path: str) -> None:
    """Work, and write the records to a file."""
    records = [record._asdict() for record in work(Task(**json.loads(task)))]
    with replacing(path) as draft:
        draft.write_text(json.dumps(records))


if __name__ == "__main__":
    main(*sys.argv[1:])
