"""Hardships for `stress.py`: no space, no permission, no data, and two trainings on one file.

A command under a hardship must end with exit status 2 and one line, leave the file that it had
written, and, once the hardship is over, end as a command that never met one.
"""

import contextlib
import os
import signal
import subprocess

import numpy as np
from _child import Child, LostError, finished, fresh, must_be_clean, must_equal, whole
from _kills import (
    COMMAND,
    EXACT,
    SAME_FILE,
    export_words,
    fit_words,
    paper_words,
    same_bytes,
    train_words,
)

EPOCHS = 10
LIMIT = 4096  # bytes of a file, under the limit on files; every output is larger
SAYS = {
    "full disk": "No space left on device",
    "file-size limit": "File too large",
    "read-only folder": "must be writable",
}


@contextlib.contextmanager
def disk(folder):
    """A disk of 4 MiB in memory, mounted at a folder."""
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", fresh(folder)]
    subprocess.run(command, check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextlib.contextmanager
def hardship(kind, folder):
    """Make the disk hard to write to; yields further options of a process."""
    if kind == "full disk":
        filler = folder / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        yield {}
        filler.unlink()
    elif kind == "read-only folder":
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        yield {}
        subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
    else:
        yield {"limit": LIMIT}


def refused(child, says, status=2):
    """The process must end with a status and say why: in one line of its own, if it is a command.

    HDF5 prints a traceback for each object that it could not write, as an ignored exception.
    """
    if child.end() != status:
        raise LostError(f"exit status {child.process.returncode}: {child.lines[-2:]}")
    begin = "error: " if status == 2 else ""
    own = [line for line in child.lines if line.startswith(begin) and says in line]
    if not own or (status == 2 and len(own) > 1):
        raise LostError(f"{says!r} is not what it says: {child.lines[-2:]}")
    return own[-1]


def _go_on(words, backend, folder, kinds, status=2):
    """Kill a training on a small disk, let it meet each hardship, and go on to the end."""
    uncut = fresh(folder / "whole")
    finished(words(uncut / "net.keras"), uncut, backend)
    said = {}
    with disk(folder / "disk") as place:
        path = place / "net.keras"
        child = Child(words(path), place, backend)
        child.wait_for(lambda: child.epochs > 1)
        child.kill()
        for kind in kinds:
            before = path.read_bytes()
            with hardship(kind, place) as options:
                said[kind] = refused(
                    Child(words(path), place, backend, **options), SAYS[kind], status
                )
            if path.read_bytes() != before:
                raise LostError(f"{kind}: the file has changed")
        finished(words(path), place, backend)
        must_be_clean(place)
        must_equal(path, uncut / "net.keras")
    return said


def train(backend, folder, rng):
    """`train --resume` without space, over a limit, in a folder that is read-only."""
    said = _go_on(lambda path: train_words(path, epochs=EPOCHS), backend, folder, SAYS)
    return {"said": said, "outcome": EXACT}


def fit(backend, folder, rng):
    """The script with `fit` and `ModelCheckpoint`, whose error is Python's."""
    said = _go_on(lambda path: fit_words(path, EPOCHS), backend, folder, SAYS, status=1)
    return {"said": said, "outcome": EXACT}


def paper(backend, folder, rng):
    """`paper` in its first epoch, then without a hardship."""
    uncut, said = fresh(folder / "whole"), {}
    finished(paper_words(uncut, 2), uncut, backend)
    with disk(folder / "disk") as place:
        for kind, says in SAYS.items():
            with hardship(kind, place) as options:
                said[kind] = refused(Child(paper_words(place, 2), place, backend, **options), says)
            whole(place)
        finished(paper_words(place, 2), place, backend)
        must_be_clean(place)
        must_equal(*(next((p / "scratch").glob("*/model.keras")) for p in (place, uncut)))
    return {"said": said, "outcome": EXACT}


def export(backend, folder, rng):
    """`export`, which leaves nothing under a hardship, and then the whole file."""
    uncut, said = fresh(folder / "whole"), {}
    model = uncut / "net.keras"
    finished(train_words(model, epochs=1), uncut, backend)
    finished(export_words(model, uncut / "net.onnx"), uncut, backend)
    with disk(folder / "disk") as place:
        for kind, says in SAYS.items():
            words = export_words(model, place / "net.onnx")
            with hardship(kind, place) as options:
                said[kind] = refused(Child(words, place, backend, **options), says)
            if list(place.iterdir()):
                raise LostError(f"{kind}: something is left")
        finished(words, place, backend)
        same_bytes(place / "net.onnx", uncut / "net.onnx")
    return {"said": said, "outcome": SAME_FILE}


def vanished(backend, folder, rng):
    """Pictures that are gone while `train` reads them, and when it is to go on."""
    from PIL import Image

    place, pictures = fresh(folder / "run"), fresh(folder / "pictures")
    uncut, away = fresh(folder / "whole"), folder / "away"
    numbers = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        (pictures / name).mkdir()
        for number in range(12):
            pixels = numbers.integers(0, 256, (8, 8, 3), dtype="uint8")
            Image.fromarray(pixels).save(pictures / name / f"{number}.png")

    def words(path):
        more = ["--resume"] if path.exists() else []
        start = [*COMMAND, "train", "4C3-P2-3F", "--data", pictures, "--time-steps", "4"]
        return [*start, "--epochs", 2 * EPOCHS, "--output", path, *more]

    finished(words(uncut / "net.keras"), uncut, backend)
    path, said = place / "net.keras", {}
    child = Child(words(path), place, backend)
    child.wait_for(lambda: child.epochs > 1)
    child.process.send_signal(signal.SIGSTOP)
    os.rename(pictures, away)
    child.process.send_signal(signal.SIGCONT)
    said["data set vanishes"] = refused(child, "")
    whole(place)
    said["data set is gone"] = refused(Child(words(path), place, backend), "")
    os.rename(away, pictures)
    finished(words(path), place, backend)
    must_equal(path, uncut / "net.keras")
    must_be_clean(place)
    return {"said": said, "outcome": EXACT}


def two_trainings(backend, folder, rng):
    """Two trainings with other seeds that begin a new file at once: one ends, one is refused."""
    place = fresh(folder / "both")
    path = place / "net.keras"
    children = [Child(train_words(path, seed, EPOCHS), place, backend) for seed in (1, 2)]
    states = [child.end() for child in children]
    if sorted(states) != [0, 2]:
        raise LostError(f"exit statuses {states}: {[child.lines[-1] for child in children]}")
    said = refused(children[states.index(2)], "another process")
    uncut = fresh(folder / "whole") / "net.keras"
    finished(train_words(uncut, states.index(0) + 1, EPOCHS), uncut.parent, backend)
    must_equal(path, uncut)
    must_be_clean(place)
    kind = "two trainings on one file"
    return {"said": {kind: said}, "outcome": EXACT}


KINDS = {
    "train": train,
    "fit": fit,
    "paper": paper,
    "export": export,
    "pictures": vanished,
    "two trainings": two_trainings,
}
