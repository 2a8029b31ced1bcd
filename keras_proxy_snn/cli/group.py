"""The group of all commands; it turns their errors into one line and an exit status."""

import re
import sys
import textwrap
from typing import Any

import click

from .._version import __version__
from ._shared import BadInput, Interrupted, reason
from .bench import bench
from .draw import draw
from .evaluate import evaluate
from .export import export
from .inspect import inspect
from .paper import paper
from .predict import predict
from .presets import presets
from .train import train
from .verify import verify

__all__ = ["commands"]


class _Commands(click.Group):
    """A group that prints errors as one line; exit status 1: failed check, 2: bad input."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Names in the order of use, which is how `--help` shows them."""
        return list(self.commands)

    def invoke(self, context: click.Context) -> Any:
        """Run a command; its errors name options in place of arguments of Python."""
        try:
            return super().invoke(context)
        except BrokenPipeError:
            raise  # `head` has read enough; click ends in silence
        except (ValueError, OSError, ImportError, MemoryError) as error:
            command = self.commands[str(context.invoked_subcommand)]
            raise BadInput(_by_option(reason(error), command)) from error

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command as click does, with the error handling of this class."""
        kwargs["standalone_mode"] = False
        try:
            status = super().main(*args, **kwargs)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            status = error.exit_code
        except Interrupted as interruption:
            status = _say(f"interrupted: {interruption.message}", interruption.exit_code)
        except click.ClickException as error:
            status = _say(f"error: {error.format_message()}", error.exit_code)
        except click.Abort:
            status = _say("interrupted", Interrupted.exit_code)
        sys.exit(status)


def _by_option(message: str, command: click.Command) -> str:
    """A message in which arguments in backticks are named as the command's options."""
    options = {p.name: p.opts[0] for p in command.params if isinstance(p, click.Option)}
    return re.sub(r"`(\w+)`", lambda found: options.get(found[1], found[0]), message)


def _say(message: str, status: int) -> int:
    # Some messages of Keras contain a whole configuration.
    click.echo(textwrap.shorten(message, 1000, placeholder=" ..."), err=True)
    return status


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    epilog="KERAS_BACKEND chooses the backend: tensorflow, jax or torch. Exit status: 0 for "
    "success, 1 for a failed check, 2 for bad input, 130 after Ctrl-C.",
)
@click.version_option(__version__, prog_name="keras-proxy-snn")
def commands() -> None:
    """Convolutional spiking neural networks trained through an ANN proxy."""


for command in (train, evaluate, predict, export, inspect, draw, bench, verify, presets, paper):
    commands.add_command(command)
