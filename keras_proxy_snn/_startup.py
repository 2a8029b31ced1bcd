"""Which process this is: a program that uses the library, or the library's command line."""

import sys
from pathlib import Path

__all__ = ["is_command_line"]

_SCRIPTS = {"keras-proxy-snn", "keras-proxy-snn.exe"}


def is_command_line() -> bool:
    """Whether the package is being imported to run its own commands.

    Importing the package has to register its classes with Keras, which loads a backend: seconds
    that `keras-proxy-snn --help` must not take. So there, and only there, each command imports
    what it needs. Of `python -m keras_proxy_snn` Python says no more than `-m` in `sys.argv`
    while it looks for the module; the module's name is what precedes the arguments.

    Example:

    >>> from keras_proxy_snn._startup import is_command_line
    >>> is_command_line()
    False
    """
    program = sys.argv[0] if sys.argv else ""
    if program == "-m":
        return sys.orig_argv[-len(sys.argv)].endswith("keras_proxy_snn")
    return Path(program).name in _SCRIPTS
