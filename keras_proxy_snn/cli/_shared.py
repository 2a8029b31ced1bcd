"""Common to all commands: one-line errors, options, tables, JSON, and import of the backend."""

import importlib
import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..basics.quiet import without_standard_error
from ..basics.startup import choose_backend
from ..cnn.spec import SpecError

__all__ = [
    "BadInput",
    "Interrupted",
    "data_options",
    "example",
    "import_backend",
    "json_option",
    "load_network",
    "model_argument",
    "model_facts",
    "names_in",
    "network_argument",
    "print_json",
    "print_rows",
    "reading",
    "reason",
    "steps_option",
    "training_record",
]

_NUMBER = (int, float)
# Fields of the record that `train` writes into a file, as far as the commands read them.
_SETTINGS: dict[str, Any] = {
    "model": str,
    "dataset": str,
    "epochs": int,
    "seed": int,
    "batch_size": int,
    "validation_split": (*_NUMBER, type(None)),
    "data": (str, type(None)),
    "images": (int, type(None)),
    "time_steps": (int, type(None)),
    "fields": dict,
}
_VERSIONS = {"keras_proxy_snn": str, "backend": str}


class BadInput(click.UsageError):
    """Arguments, files or an environment that a command cannot use: exit status 2."""


class Interrupted(click.ClickException):
    """Ctrl-C; the message tells what has been saved. The exit status is 130, as in shells."""

    exit_code = 130


def reason(error: BaseException) -> str:
    """Message of an error as one line; the name of its class if the message is empty."""
    message = error.line if isinstance(error, SpecError) else str(error)
    return message.strip() or type(error).__name__


@contextmanager
def reading(what: object) -> Iterator[None]:
    """Turn every error while a user's file or setting is read into `BadInput`.

    A file can hold anything, and its readers raise anything: `SyntaxError`, `zlib.error`,
    `RecursionError`, `MemoryError`, errors of C libraries. So put only the reading inside this
    context. No other place catches all errors. Warnings of the reader are shown if it succeeds.

    Args:
        what: Name of the file or setting, for the message.

    Raises:
        BadInput: With the name, once, and the reason, for any error except a missing library.
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            yield
    except (click.ClickException, ImportError):
        raise
    except Exception as error:  # see above
        text = reason(error)
        named = text.startswith(f"{what} ") or _is_named(what, text)
        raise BadInput(text if named else f"{what}: {text}") from error
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _is_named(what: object, text: str) -> bool:
    """Whether an error's message ends with the name of a file, or of something in this folder."""
    name = re.escape(str(Path(str(what))))
    said = rf"(Received: .*|no file )(?<![\w./-]){name}(?![\w-])"
    return re.search(said, text, re.DOTALL) is not None


def example(*commands: str) -> str:
    """The examples at the end of a command's help."""
    # A line with a single backspace tells click to keep the line breaks that follow.
    return "\n".join(["\b", "Example:", *(f"  keras-proxy-snn {command}" for command in commands)])


model_argument = click.argument("model", type=click.Path(path_type=Path))
network_argument = click.argument("model", metavar="MODEL|PRESET")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
steps_option = click.option(
    "--time-steps", type=click.IntRange(1), metavar="T", help="Default: the model's own."
)


def data_options(command: Any) -> Any:
    """Add the options `--data`, `--dataset` and `--data-dir` to a command."""
    own = click.option(
        "--data",
        metavar="FOLDER",
        help="Your own pictures: a folder with a subfolder per class. Or hf:NAME, a data set of "
        "Hugging Face; or tfds:NAME, of tensorflow-datasets.",
    )
    where = click.option("--data-dir", type=click.Path(), help="Folder or archive of the data set.")
    which = click.option("--dataset", metavar="NAME", help="digits, fashion_mnist or cifar10.")
    return own(which(where(command)))


def check_backend() -> None:
    """Raise `BadInput` if the backend that `KERAS_BACKEND` names is not installed.

    Each command checks this before its arguments, and imports nothing for it: with a wrong backend
    no arguments help.
    """
    try:
        choose_backend()
    except ImportError as error:
        raise BadInput(str(error)) from error


def import_backend() -> None:
    """Import Keras on the backend that `check_backend` has found.

    Raises:
        BadInput: If the backend cannot be imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with without_standard_error():
            importlib.import_module("keras_proxy_snn.model")
    except (ImportError, RuntimeError, ValueError) as error:
        raise BadInput(
            "KERAS_BACKEND must name a backend that can be imported. "
            f"Received: {os.environ.get('KERAS_BACKEND', 'nothing')} ({error})."
        ) from error


def load_network(name: str | Path, weights: str | None = None, compile: bool = False) -> Any:
    """Load a saved `ProxyModel`, or build a preset with `weights` as in `build`.

    If a preset is asked for with its pretrained weights, and the file that `train` writes of it is
    here too, a line tells that it was not taken.

    Raises:
        BadInput: If the file does not hold a `ProxyModel`.
    """
    from ..presets import PRESETS
    from ..presets.build import build
    from ..saving.model_file import load_model

    if isinstance(name, str) and name in PRESETS:
        if weights == "pretrained" and Path(f"{name}.keras").exists():
            click.echo(
                f"This is preset {name} with the pretrained weights of the package, and not "
                f"{name}.keras.",
                err=True,
            )
        return build(name, weights=weights)
    with reading(name):
        return load_model(name, compile=compile)


def training_record(path: str | Path) -> dict[str, Any] | None:
    """The record that `train` wrote into a file; `None` without one, and for a preset's name.

    Raises:
        BadInput: If the record has not the form that `train` writes.
    """
    from ..presets import PRESETS
    from ..saving.model_file import read_record

    if isinstance(path, str) and path in PRESETS:
        return None
    with reading(f"the record of the training in {path}"):
        record = read_record(path)
        if record is None:
            return None
        _check_fields(record, {"settings": dict, "versions": dict, "history": list})
        _check_fields(record, {"learning_rate": _NUMBER})
        if record["settings"]:
            record["settings"].setdefault("data", None)  # files from before there was --data
        _check_fields(record["settings"], _SETTINGS)
        _check_fields(record["versions"], _VERSIONS)
        for logs in record["history"]:
            _check_fields({"logs": logs}, {"logs": dict})
            _check_fields(logs, dict.fromkeys([*record["history"][0], *logs], _NUMBER))
    return record


def _check_fields(record: object, kinds: dict[str, Any]) -> None:
    if not isinstance(record, dict):
        raise ValueError(f"It must be a mapping. Received: {record!r}.")
    for name, kind in kinds.items():
        if name not in record or not isinstance(record[name], kind):
            received = repr(record[name]) if name in record else "none"
            one_of = kind if isinstance(kind, tuple) else (kind,)
            words = " or ".join(one.__name__ for one in one_of)
            raise ValueError(f"It must have {name!r} of type {words}. Received: {received}.")


def model_facts(path: Path) -> dict[str, Any]:
    """Keras's metadata of a file: version of Keras and date.

    Raises:
        BadInput: If the metadata is not a mapping.
    """
    from ..saving.model_file import read_facts

    with reading(f"the metadata in {path}"):
        facts = read_facts(path)
        _check_fields(facts, {})
        return facts


def names_in(path: Path) -> list[str]:
    """Names of classes from a text file, one per line.

    Raises:
        BadInput: If there is no such file, or it is not UTF-8 text.
    """
    with reading(path):
        if not path.is_file():
            raise FileNotFoundError("Names of classes must be in a file. Received: no such file.")
        return path.read_text(encoding="utf-8-sig").splitlines()  # editors of Windows add a mark


def print_json(value: object) -> None:
    """Print a value as JSON, on one line of standard output."""
    click.echo(json.dumps(value))


def print_rows(rows: Iterable[Sequence[Any]]) -> None:
    """Print rows in columns, aligned at the left."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())
