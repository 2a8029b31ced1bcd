"""What commands share: errors of one line, tables, JSON, and the backend."""

import importlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

__all__ = [
    "BadInput",
    "Interrupted",
    "data_options",
    "example",
    "import_backend",
    "json_option",
    "load_network",
    "model_argument",
    "network_argument",
    "print_json",
    "print_rows",
    "steps_option",
]


class BadInput(click.UsageError):
    """Arguments, files or an environment that a command cannot work with: exit status 2."""


class Interrupted(click.ClickException):
    """Ctrl-C, and what is left: the exit status that a shell gives it."""

    exit_code = 130


def example(*commands: str) -> str:
    """The end of a command's help."""
    # After a backspace alone on its line click keeps the lines as they are.
    return "\n".join(["\b", "Example:", *(f"  keras-proxy-snn {command}" for command in commands)])


model_argument = click.argument("model", type=click.Path(path_type=Path))
network_argument = click.argument("model", metavar="MODEL|PRESET")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
steps_option = click.option(
    "--time-steps", type=click.IntRange(1), metavar="T", help="Default: the model's own."
)


def data_options(command: Any) -> Any:
    """`--dataset` and `--data-dir`."""
    where = click.option("--data-dir", type=click.Path(), help="Folder or archive of the data set.")
    which = click.option("--dataset", metavar="NAME", help="digits, fashion_mnist or cifar10.")
    return which(where(command))


def import_backend() -> None:
    """Import Keras on the backend that `KERAS_BACKEND` names.

    Raises:
        BadInput: If there is no such backend on this machine.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        importlib.import_module("keras_proxy_snn.model")
    except (ImportError, RuntimeError, ValueError) as error:
        raise BadInput(
            "KERAS_BACKEND must name an installed backend: tensorflow, jax or torch. "
            f"Received: {os.environ.get('KERAS_BACKEND', 'nothing')} ({error})."
        ) from error


def load_network(name: str, weights: str | None = None) -> Any:
    """A saved `ProxyModel`, or that of a preset with `weights` as `build` takes them."""
    from ..presets import PRESETS, build
    from ..saving.model_file import load_model

    return build(name, weights=weights) if name in PRESETS else load_model(name)


def print_json(value: Any) -> None:
    """One document, on one line of standard output."""
    click.echo(json.dumps(value))


def print_rows(rows: Iterable[Sequence[Any]]) -> None:
    """Columns, aligned at the left."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())
