"""The command line: one file per command.

Nothing here imports Keras before a command runs, so that `--help` loads no backend.
"""

from .group import commands

__all__ = ["commands"]
