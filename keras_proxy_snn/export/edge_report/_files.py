"""The files of the edge report: every format, form and number format."""

import itertools
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from ...basics.files import check_target
from ...basics.types import Images, Verbose
from .. import half, litert, vela
from ..formats import FORMATS, Format, writer
from ..program import Program
from ..quantise import quantise
from ._table import NPUS
from ._twin import write_twin

__all__ = ["KINDS", "missing", "number_formats", "write_files"]

#: Kinds of files: all formats, and the ANN twin as a LiteRT file.
KINDS = {**FORMATS, "twin": Format(".tflite", ("one pass",), "LiteRT")}
Programs = dict[str, Program | ValueError]
Row = dict[str, Any]


def number_formats(program: Program, calibration: Images, verbose: Verbose) -> Programs:
    """The program in three number formats: float32, kernels rounded to float16, and integers.

    If a program cannot be made, the error that says why stands in its place.
    """
    programs: Programs = {"float32": program, "float16": half.rounded(program)}
    try:
        if calibration is None:
            raise ValueError("An integer network needs training images. Received: no images.")
        programs["int8"] = quantise(program, calibration, verbose=verbose)
    except ValueError as error:
        programs["int8"] = error
    return programs


def write_files(
    programs: Programs,
    calibration: Images,
    folder: Path,
    formats: Collection[str],
    overwrite: bool,
) -> list[Row]:
    """Write all files; return facts about each, or the reason why it cannot be written."""
    files = []
    for format in formats:
        kind = KINDS[format]
        for form, number in itertools.product(kind.forms, kind.contents):
            path = folder / f"{format}-{form}-{number}{kind.suffix}".replace(" ", "-")
            check_target(path, overwrite)
            files.append(_write(programs, calibration, format, form, number, path))
    there = [f for f in files if f["file"].endswith(".tflite") and "reason" not in f]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(partial(_ask_devices, folder), there))
    return files


def _write(
    programs: Programs, calibration: Images, format: str, form: str, number: str, path: Path
) -> Row:
    facts = {"format": format, "form": form, "numbers": number, "file": path.name}
    module: Any = litert if format == "twin" else writer(format)
    options = {"weights": number} if number in KINDS[format].weights[1:] else {}
    try:
        if number not in programs:
            raise ValueError(
                f"Networks of the report are in {', '.join(programs)}. Received: {number}."
            )
        program = programs["float32" if format == "twin" else number]
        if isinstance(program, ValueError):
            raise program
        if format == "twin":
            write_twin(program, calibration, number, path)
        else:
            module.write(program, path, form=form, **options)
        return facts | {"KiB": path.stat().st_size / 1024, "nodes": module.node_count(path)}
    except ImportError as error:
        return facts | missing(facts, error) | {"reason": str(error)}
    except ValueError as error:
        return facts | {"reason": str(error)}


def missing(row: Row, error: ImportError) -> Row:
    """The row's list of packages that are not installed, with one more.

    The table says it in a cell, and names each package once below.
    """
    return {"missing": [*row.get("missing", []), str(error)]}


def _ask_devices(folder: Path, file: Row) -> None:
    """Add facts about a `.tflite` file from the Ethos-U compiler and TensorFlow Lite Micro."""
    npus = NPUS if file["numbers"] == "int8" else ()  # NPUs compute with integers only
    questions: dict[str, Any] = {"arena": litert.arena_bytes}
    for npu in npus:
        questions[npu] = partial(vela.report, accelerator=f"ethos-{npu}")
    for name, ask in questions.items():
        try:
            known = ask(folder / file["file"])
            file[name] = known if name == "arena" else [known.npu_share, known.milliseconds]
        except ImportError as error:
            file |= missing(file, error) | {name: str(error)}
        except RuntimeError:
            file[name] = "refused"
