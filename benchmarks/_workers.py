"""Processes that are told "step" and answer seconds and peak memory.

Each contestant of a benchmark has its own process, so its peak memory is its own and all can take
turns. The parent writes one JSON line per request; the worker answers with one line:

    parent                        worker
                                  {"facts": {...}, "peak_bytes": ..., ...}    once it is ready
    {"least_seconds": 0.2}        {"seconds": [...], "result": ..., "peak_bytes": ..., ...}

A request runs steps until they add up to `least_seconds`, at least one. Peak memory is Linux's
VmHWM of the worker: `getrusage` would start from the peak of the process that forked it.
"""

import importlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

# Memory that a worker must leave to the machine, in bytes.
RESERVE = 2**30
POLL_SECONDS = 0.05
# Key in the facts: number of training steps per step of the worker, if more than one.
IN_A_ROW = "in_a_row"


class Prepared(NamedTuple):
    """Result of the `prepare` function of a worker's module.

    Attributes:
        step: A function without arguments that returns when all its work is done.
        facts: Values for the table, for JSON.
        device_peak: A function that gives the peak bytes of a GPU's memory, if there is one.
    """

    step: Any
    facts: dict[str, Any]
    device_peak: Any = None


class WorkerError(Exception):
    """The worker has ended; the message tells the reason."""


class MemoryShortageError(WorkerError):
    """The worker was stopped because the machine's memory was nearly used up.

    Attributes:
        reached: Bytes that the worker had.
    """

    def __init__(self, reached):
        super().__init__(f"does not fit: stopped at {reached / 2**30:.1f} GiB")
        self.reached = reached


class Worker:
    """A process that runs one contestant.

    Args:
        module: Name of a module in this folder.
        prepare: Name of its function from settings to `Prepared`.
        settings: For that function, JSON values.
        threads: Cores that the process may use.
        environment: Variables of its environment, beside the parent's.
    """

    def __init__(self, module, prepare, settings, threads=2, environment=None):
        settings = {**settings, "module": module, "prepare": prepare, "threads": threads}
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed with the worker)
        self._process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **_variables(threads), **(environment or {})},
        )

    def ready(self):
        """Wait for the worker to be prepared; its first answer."""
        return self._answer()

    def step(self, least_seconds=0.0):
        """One turn; its answer."""
        request = json.dumps({"least_seconds": least_seconds})
        # A worker that was killed while it waited has closed the pipe; `_answer` says so.
        with suppress(BrokenPipeError):
            print(request, file=self._process.stdin, flush=True)
        return self._answer()

    def close(self):
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with suppress(BrokenPipeError):
                stream.close()

    def _answer(self):
        while not select.select([self._process.stdout], [], [], POLL_SECONDS)[0]:
            if available_memory() < RESERVE:
                reached = status_bytes("VmRSS", self._process.pid)
                self._process.kill()
                raise MemoryShortageError(reached)
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        if self._process.wait() == -9:
            raise WorkerError("does not fit: killed by the system")
        self._errors.seek(0)
        said = [text.strip() for text in self._errors if text.strip()] or ["no message"]
        raise WorkerError(f"failed: {said[-1]}")


def _variables(threads):
    names = ("OMP", "MKL", "OPENBLAS", "NUMBA")
    variables = {f"{name}_NUM_THREADS": str(threads) for name in names}
    return {
        **variables,
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # No worker may reserve the whole GPU, because the others need it too.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }


def status_bytes(field, pid="self"):
    """A size in `/proc/PID/status`; 0 if the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(field)), 0)


def available_memory():
    """Bytes of available memory, of the machine or of the container, whichever is smaller."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    group = Path("/sys/fs/cgroup")
    limit = group / "memory.max"
    if limit.exists() and limit.read_text().strip() != "max":
        used = int((group / "memory.current").read_text())
        cached = (group / "memory.stat").read_text().split("inactive_file ")[1].split()[0]
        free = min(free, int(limit.read_text()) - used + int(cached))
    return free


def serve(settings):
    """The worker's side."""
    # Whatever frameworks print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Every framework sees the same number of cores, whatever its own setting of threads is.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: settings["threads"]])
    clock = time.process_time if settings.get("processor_time") else time.perf_counter
    module = importlib.import_module(settings["module"])
    step, facts, device_peak = getattr(module, settings["prepare"])(settings)

    def answer(**values):
        values["peak_bytes"] = status_bytes("VmHWM")
        values["device_peak_bytes"] = device_peak() if device_peak else None
        print(json.dumps(values), file=answers, flush=True)

    answer(facts=facts)
    for line in sys.stdin:
        least, seconds, result = json.loads(line)["least_seconds"], [], None
        while not seconds or sum(seconds) < least:
            start = clock()
            result = step()
            seconds.append(clock() - start)
        answer(seconds=seconds, result=result)


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
