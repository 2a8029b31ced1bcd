"""Processes that are watched, killed or starved, and what is the same in two of their files."""

import io
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from _forks import forked, limited

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120  # seconds that a process may take for what is waited for
POLL = 0.001


class LostError(Exception):
    """Something that must not happen has happened."""


class Child:
    """A command or script in a folder, whose lines are read while it runs.

    On PyTorch it is a fork of this process, which imports the package once; on other backends,
    whose threads a fork would lose, a process of its own.
    """

    def __init__(self, words, folder, backend, limit=None):
        words = list(map(str, words))
        start = forked if backend == "torch" else _started
        self.process, self._output = start(words, folder, backend, limit)
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        self.lines.extend(line.rstrip("\n") for line in self._output)

    @property
    def epochs(self):
        """Number of epochs that it has said."""
        return sum("epoch " in line and ": " in line for line in list(self.lines))

    def wait_for(self, condition):
        """Look again and again until the condition holds; the process must not end before."""
        end = time.monotonic() + PATIENCE
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                raise LostError(f"ended, or hung, before it was to be killed: {self.lines[-3:]}")
            time.sleep(POLL)

    def kill(self):
        """SIGKILL."""
        self.process.kill()
        self.end()

    def end(self):
        """Wait for the end; return the exit status."""
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise LostError(f"does not end: {self.lines[-3:]}") from None
        self._reader.join()
        self._output.close()
        return self.process.returncode

    def drafts(self, folder):
        """Files that it has begun and not finished."""
        return list(folder.rglob(f".draft-*-{self.process.pid}-*"))


def _started(words, folder, backend, limit):
    """A process of its own, and what it prints."""
    own = {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **own, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=partial(limited, limit),
    )
    return process, process.stdout


def finished(words, folder, backend):
    """Run a process to its end, which must be a good one."""
    child = Child(words, folder, backend)
    if child.end() != 0:
        raise LostError(f"exit status {child.process.returncode}: {child.lines[-3:]}")
    return child


def killed(start, folder, rng: random.Random, kills):
    """Start again and again, and kill: while it starts, at any moment, in the midst of a write.

    Returns:
        Number of kills that left a draft, and the epochs that all processes said.
    """
    cut = epochs = 0
    for number in range(kills):
        child = start()
        if number == 0:
            time.sleep(rng.uniform(0, 3))
        else:
            child.wait_for(partial(_at_work, child, folder, in_a_write=number % 2))
            time.sleep(rng.uniform(0, 0.003 if number % 2 else 0.1))
        child.kill()
        cut += bool(child.drafts(folder))
        epochs += child.epochs
        whole(folder)
    return cut, epochs


def _at_work(child, folder, in_a_write):
    return child.epochs > 0 and (not in_a_write or child.drafts(folder))


def whole(folder):
    """Every file that is no draft must be whole."""
    for path in folder.rglob("*"):
        if path.name.startswith(".draft-") or not path.is_file():
            continue
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix in (".keras", ".h5"):
            variables(path)


def variables(path):
    """Name and value of every variable in a file, those of the optimizer too."""
    data = path.read_bytes()
    if path.suffix == ".keras":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if broken := archive.testzip():
                raise LostError(f"{path.name} is broken: {broken}")
            data = archive.read("model.weights.h5")
    found = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item)

    with h5py.File(io.BytesIO(data), "r") as file:
        file.visititems(keep)
    return found


def must_equal(path, other):
    """Two files must hold the same variables, bit for bit."""
    mine, theirs = variables(path), variables(other)
    if mine.keys() != theirs.keys() or not mine:
        raise LostError(f"other variables: {sorted(mine)} and {sorted(theirs)}")
    differing = [name for name in mine if mine[name].tobytes() != theirs[name].tobytes()]
    if differing:
        most = max(float(np.abs(mine[name] - theirs[name]).max()) for name in differing)
        raise LostError(f"{len(differing)} of {len(mine)} variables differ, by up to {most:.2g}")


def must_be_clean(folder):
    """No draft may be left."""
    if left := sorted(path.name for path in folder.rglob(".draft-*")):
        raise LostError(f"drafts are left: {left}")


def fresh(folder):
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
