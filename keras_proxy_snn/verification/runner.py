"""`verify`: start a process for each backend and one for the files, and add up their records."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..basics.checks import check_choice, positive_integer
from ..basics.startup import BACKENDS, INSTALL_A_BACKEND, installed_backends
from .files import RUNTIMES, installed
from .report import WEIGHTS, Record, Report, Task

__all__ = ["verify"]

# Number of networks for one process of each task; then the report is written. The imports of a
# process take some seconds.
_CHUNK = 100


def verify(
    networks: int = 6,
    *,
    seed: int = 0,
    weights: str = "dyadic",
    only: Sequence[str] = (),
    path: str | Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Report:
    """Run random networks through everything that is installed, and compare with the oracle.

    Args:
        networks: Number of networks.
        seed: Seed of the first network; the others have the numbers that follow.
        weights: `"dyadic"`: multiples of 1/256, on which no count may differ. `"float"`: rounding
            may decide a spike of the float form.
        only: Names of backends and runtimes. By default all that are installed.
        path: Report file. It is written after every 100 networks; an existing report is continued.
        tell: Called with a line about the progress, and one that names what is not installed.

    Returns:
        A `Report`.

    Raises:
        ValueError: If an argument is out of range, a name in `only` is not installed, or the report
            file has other settings.
        ImportError: If no backend is installed.

    Example:

    >>> from keras_proxy_snn.verification.runner import verify
    >>> report = verify(only=["interpreter", "onnxruntime"])  # doctest: +SKIP
    >>> report.wrong  # doctest: +SKIP
    False
    """
    positive_integer("networks", networks)
    check_choice("weights", weights, WEIGHTS)
    backends, runtimes = _chosen(only)
    missing = [name for name in (*BACKENDS, *RUNTIMES) if name not in {*backends, *runtimes}]
    if missing and not only:
        tell(f"not installed, so left out: {', '.join(missing)}")
    report = Report(seed, weights, [*backends, *runtimes])
    if path is not None and Path(path).exists():
        report.resume(path)
    while report.done < networks:
        first, number = seed + report.done, min(_CHUNK, networks - report.done)
        records: list[Record] = []
        tasks = [Task(name, [name], first, number, weights) for name in backends]
        if runtimes:
            tasks.append(Task("files", runtimes, first, number, weights))
        for task in tasks:
            tell(f"networks {first} to {first + number - 1}: {task.kind} ...")
            records.extend(start(task))
        report.add(records, number)
        if path is not None:
            report.save(path)
    return report


def _chosen(only: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of the backends and of the runtimes."""
    backends = installed_backends()
    if not backends:
        raise ImportError(f"A backend is needed: {INSTALL_A_BACKEND}.")
    runtimes = list(installed())
    for name in only:
        check_choice("only", name, (*backends, *runtimes))
    if only:
        backends, runtimes = ([n for n in names if n in only] for names in (backends, runtimes))
    return backends, runtimes


def start(task: Task) -> Iterable[Record]:
    """Do a task in a process of its own.

    If the process dies, each of its rows gets an error.
    """
    own = task.kind if task.kind in BACKENDS else os.environ.get("KERAS_BACKEND")
    backend = own or installed_backends()[0]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "KERAS_BACKEND": backend}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.json"
        module = f"{__package__}.worker"
        command = [sys.executable, "-m", module, json.dumps(task._asdict()), str(path)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            error = f"The process ended with {done.returncode}: {last}"
            return [Record(row, "float", task.first, error=error) for row in task.rows]
        return [Record(**record) for record in json.loads(path.read_text())]
