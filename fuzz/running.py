"""Run a target on many inputs, and keep the inputs that fail."""

import hashlib
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from .mutations import mutated
from .targets import TARGETS, WORDS

HERE = Path(__file__).resolve().parent
SECONDS = 10  # for one input; most inputs take some microseconds
BYTES = 2**30  # that the whole process may grow by
HEAD = """# Inputs tried

Written by `python -m fuzz TARGET --inputs N --seed S --note`.

| target | inputs | seed | read | refused | failed | slowest, ms | memory, MiB | seconds |
|---|---|---|---|---|---|---|---|---|
"""


@dataclass
class Outcome:
    """Numbers of a run; `failures` are one line each."""

    target: str
    inputs: int
    seed: int
    read: int = 0
    refused: int = 0
    slowest: float = 0.0
    grown: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


class Hang(BaseException):
    """An input took too long. It is not an `Exception`, so that no reader catches it."""


def run(name, inputs, seed, keep=False):
    """Try a number of inputs.

    If `keep` is true, inputs that fail are kept in the corpus. An input that ends the whole process
    stays there, too, in the file `now`, which git ignores.
    """
    target, rng = TARGETS[name], random.Random(f"{name} {seed}")
    seeds, tokens = target.seeds(), [*WORDS, *target.tokens]
    outcome, start, before = Outcome(name, inputs, seed), time.perf_counter(), memory()
    for _ in range(inputs):
        data = mutated(rng.choice(seeds), rng, tokens, target.head)
        if keep:
            write(HERE / "corpus" / name, data, "now")
        if failure := attempt(target, data, outcome):
            outcome.failures.append(failure)
            if keep:
                write(HERE / "corpus" / name, data)
    if keep:
        (HERE / "corpus" / name / "now").unlink()
    outcome.grown = memory() - before
    outcome.seconds = time.perf_counter() - start
    if outcome.grown > BYTES:
        outcome.failures.append(f"the process grew by {outcome.grown / 2**20:.0f} MiB")
    return outcome


def attempt(target, data, outcome):
    """Give one input to a reader; return what is wrong, or None."""
    start = time.perf_counter()
    place = tempfile.TemporaryDirectory() if target.on_disk else nullcontext("nowhere")
    with place as folder, warnings.catch_warnings(), limit():
        warnings.simplefilter("ignore")
        try:
            target.read(data, Path(folder))
            outcome.read += 1
        except target.errors:
            outcome.refused += 1
        except (Exception, Hang) as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            return f"{type(error).__name__}: {error!s:.200} ({at.filename}:{at.lineno})"
        finally:
            outcome.slowest = max(outcome.slowest, time.perf_counter() - start)
    return None


@contextmanager
def limit():
    def stop(*_):
        raise Hang(f"longer than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def memory():
    """Largest memory of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def write(folder, data, name=""):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / (name or hashlib.sha256(data).hexdigest()[:16])).write_bytes(data)


def line(outcome):
    """The row of a table."""
    return (
        f"| {outcome.target} | {outcome.inputs:,} | {outcome.seed} | {outcome.read:,} "
        f"| {outcome.refused:,} | {len(outcome.failures)} | {1000 * outcome.slowest:.0f} "
        f"| {outcome.grown / 2**20:.0f} | {outcome.seconds:.0f} |"
    )


def note(outcome):
    """Put a run into RESULTS.md, in place of an earlier one of the same target and seed."""
    path = HERE / "RESULTS.md"
    rows = (
        [row for row in path.read_text().splitlines() if row.startswith("| ")][1:]
        if (path.exists())
        else []
    )
    mine = (outcome.target, str(outcome.seed))
    rows = [row for row in rows if (row.split(" | ")[0][2:], row.split(" | ")[2]) != mine]
    path.write_text(HEAD + "\n".join(sorted([*rows, line(outcome)])) + "\n")
