"""`measure`: write and run the files of the edge report."""

import itertools
import statistics
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...basics.progress import Progress
from ...basics.stopwatch import disturbance
from ...basics.types import Images, Verbose
from ..check import check
from ..formats import writer
from ..images import noise_images
from ..interpreter import prepare_images
from ..interpreter import run as interpret
from ..program import Program
from ._files import KINDS, Row, missing, number_formats, write_files
from ._table import TIMES, accuracy, conclusions
from ._twin import twin_scores

__all__ = ["RUNTIMES", "Report", "expected_scores", "measure", "run_file"]

_FURTHER = {"onnx": {"OpenVINO": {"runtime": "openvino"}}}

#: Runtimes of each format, with the options of its functions `run` and `latency`.
RUNTIMES: dict[str, dict[str, dict[str, str]]] = {
    name: {kind.runtime: {}, **_FURTHER.get(name, {})} for name, kind in KINDS.items()
}
_BATCH, _ROUNDS, _REPEATS = 100, 5, 20
_COMPARED = 64  # images without labels


@dataclass(frozen=True)
class Report:
    """What was measured.

    Attributes:
        rows: A row per file and runtime: format, form, numbers, runtime, KiB, nodes, mismatches,
            borderline, accuracy, times, and what NPU compiler and TensorFlow Lite Micro say.
        conclusions: Sentences that sum up the rows.
    """

    rows: list[Row]
    conclusions: list[str]

    @property
    def mismatches(self) -> int:
        """Number of spike counts that differ and must not."""
        return sum(row.get("mismatches", 0) for row in self.rows)


def measure(
    program: Program,
    folder: str | Path,
    *,
    calibration: Images = None,
    test: tuple[Any, Any] | None = None,
    formats: Collection[str] = tuple(RUNTIMES),
    overwrite: bool = False,
    verbose: Verbose = "auto",
) -> Report:
    """Write a network in every format, form and number format, and run each in each runtime.

    Args:
        program: A float network; if its metadata hold `proxy_activation`, the ANN twin has it.
        folder: An existing folder for the files.
        calibration: Some hundred training images `(batch, height, width, channels)`, in the
            program's input range. Without them the rows of integer networks say so.
        test: Images and labels. Without them, accuracy is empty, and the first 64 images of
            `calibration` are compared; without these too, images of noise.
        formats: Some of `RUNTIMES`.
        overwrite: Whether existing files may be replaced.
        verbose: Whether a line shows the progress: 0, 1, or `"auto"` for a terminal or a notebook.

    Returns:
        A `Report`.

    Raises:
        FileExistsError: If a file exists and `overwrite` is false.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program
    >>> from keras_proxy_snn.export.edge_report import measure
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> readout = Dense("readout", np.eye(4, dtype="float32"), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), readout), (2, 2, 1), time_steps=3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = measure(program, folder, formats=["nir"])
    >>> [(row["numbers"], row.get("mismatches", "not made")) for row in report.rows]
    [('float32', 0), ('int8', 'not made')]
    """
    folder, disturbed = Path(folder), disturbance()
    calibration = None if calibration is None else calibration[:500]
    some = noise_images(program, _COMPARED) if calibration is None else calibration[:_COMPARED]
    x, y = (some, None) if test is None else test
    programs = number_formats(program, calibration, verbose)
    good = {n: program for n, program in programs.items() if isinstance(program, Program)}
    expected = {number: expected_scores(program, x) for number, program in good.items()}
    files = write_files(programs, calibration, folder, formats, overwrite)
    runs = [(file, runtime) for file in files for runtime in RUNTIMES[file["format"]]]
    rows = []
    with Progress("running files", len(runs), verbose) as progress:
        for file, runtime in runs:
            rows.append(run_file(file, runtime, good, expected, folder, x, y))
            progress.step()
    _time(rows, good, folder, verbose)
    summary = [*conclusions(rows, expected, y), *filter(None, [disturbed])]
    return Report(rows, summary)


def expected_scores(program: Program, images: np.ndarray) -> np.ndarray:
    """Scores of the interpreter with sums in float32, `(batch, classes)`."""
    # Integers below 2^24 are exact in float32. `run_file` compares unequal counts again, in
    # integers.
    if program.is_integer:
        images = prepare_images(program, images)
        program = replace(program, number_format="float32", input_scale=1.0)
    traces = (interpret(program, images[at : at + _BATCH]) for at in range(0, len(images), _BATCH))
    return np.concatenate([program.scores(t.spike_counts, t.potentials[-1]) for t in traces])


def run_file(
    file: Row,
    runtime: str,
    programs: dict[str, Program],
    expected: dict[str, np.ndarray],
    folder: Path,
    x: np.ndarray,
    y: Any,
) -> Row:
    """Run one file in one runtime.

    Args:
        file: Facts from `write_files`.
        runtime: Name of the runtime.
        programs: Networks by number format.
        expected: Their scores on the images, from `expected_scores`.
        folder: Folder of the file.
        x: Images.
        y: Labels, or `None`.

    Returns:
        A row of the report.
    """
    row, number = {**file, "runtime": runtime}, file["numbers"]
    if "reason" in file:
        return row
    try:
        if file["format"] == "twin":
            return row | accuracy(twin_scores(folder / file["file"], x), y)
        run = partial(writer(file["format"]).run, **RUNTIMES[file["format"]][runtime])
        counts = run(folder / file["file"], programs[number], x)
    except ImportError as error:
        return row | missing(row, error) | {"reason": str(error)}
    except FileNotFoundError as error:  # no C compiler
        return row | {"reason": str(error)}
    row |= {"mismatches": 0, "borderline": 0, **accuracy(counts, y)}
    unequal = (counts != expected[number]).any(axis=1)
    if unequal.any():
        result = check(programs[number], x[unequal], lambda *_: counts[unequal], verbose=0)
        row |= {"mismatches": result.differing, "borderline": result.borderline}
    return row


def _time(rows: list[Row], programs: dict[str, Program], folder: Path, verbose: Verbose) -> None:
    """Add milliseconds to the rows.

    Each of the five rounds times all rows, so that a busy minute affects all rows equally.
    """
    timed = [row for row in rows if "reason" not in row and hasattr(_module(row), "latency")]
    samples: dict[Any, list[float]] = {(id(r), threads): [] for r in timed for threads in TIMES}
    with Progress("timing files", _ROUNDS * len(samples), verbose) as progress:
        for _, threads, row in itertools.product(range(_ROUNDS), TIMES, timed):
            options = {"repeats": _REPEATS, **RUNTIMES[row["format"]][row["runtime"]]}
            path, program = folder / row["file"], programs[row["numbers"]]
            seconds = _module(row).latency(path, program, threads=threads, **options)
            samples[id(row), threads].append(seconds * 1e3)
            progress.step()
    for row, threads in itertools.product(timed, TIMES):
        values = samples[id(row), threads]
        row[TIMES[threads]] = [statistics.median(values), min(values), max(values)]


def _module(row: Row) -> Any:
    return writer("litert" if row["format"] == "twin" else row["format"])
