"""Before Keras is imported: is this the command line, and which backend does Keras take?"""

import importlib.util
import json
import os
import sys
from pathlib import Path

__all__ = [
    "BACKENDS",
    "INSTALL_A_BACKEND",
    "choose_backend",
    "installed_backends",
    "is_command_line",
]

BACKENDS = ("tensorflow", "jax", "torch")
"""Backends of Keras that the package runs on."""

INSTALL_A_BACKEND = 'pip install "keras-proxy-snn[jax]" (or tensorflow, or torch)'

_SCRIPTS = {"keras-proxy-snn", "keras-proxy-snn.exe"}


def is_command_line() -> bool:
    """Whether the package is being imported to run its own commands.

    An import of the package registers its classes with Keras, which loads a backend. This takes
    seconds, and `keras-proxy-snn --help` should be fast. So on the command line, and only there,
    each command imports what it needs. While Python looks for the module of `python -m
    keras_proxy_snn`, `sys.argv` starts with `-m`; the module's name is in `sys.orig_argv`, before
    the arguments.

    Example:

    >>> from keras_proxy_snn.basics.startup import is_command_line
    >>> is_command_line()
    False
    """
    program = sys.argv[0] if sys.argv else ""
    if program == "-m":
        return sys.orig_argv[-len(sys.argv)].endswith("keras_proxy_snn")
    return Path(program).name in _SCRIPTS


def choose_backend() -> None:
    """Make Keras take the backend that is installed, if nobody chose one, and check a choice.

    Without a choice Keras tries TensorFlow, and writes TensorFlow into `keras.json` as if someone
    had chosen it. A choice is the environment variable `KERAS_BACKEND`, another backend in
    `keras.json`, or a Keras that is imported already. It is never overridden.

    Raises:
        ImportError: If the chosen backend is not installed, or is none of `BACKENDS`; or if no
            backend is chosen, TensorFlow is not installed, and not exactly one other backend is
            installed. The message says what to do.

    Example:

    >>> from keras_proxy_snn.basics.startup import choose_backend
    >>> choose_backend()  # Nothing to choose: Keras is imported already.
    """
    if "keras" in sys.modules:
        return
    installed = installed_backends()
    if named := os.environ.get("KERAS_BACKEND"):
        _check("KERAS_BACKEND", named, installed)
    elif (configured := _configured()) != "tensorflow":
        _check(f"`backend` in {_configuration()}", configured, installed)
    elif "tensorflow" not in installed:
        if len(installed) != 1:
            raise ImportError(
                f"Keras needs a backend. {_cure(installed)} Received: no KERAS_BACKEND; installed "
                f"of {', '.join(BACKENDS)}: {', '.join(installed) or 'nothing'}."
            )
        os.environ["KERAS_BACKEND"] = installed[0]


def _check(what: str, backend: object, installed: list[str]) -> None:
    if backend not in installed:
        *others, last = BACKENDS
        more = f' Or: pip install "keras-proxy-snn[{backend}]".' if backend in BACKENDS else ""
        raise ImportError(
            f"{what} must name an installed backend: {', '.join(others)} or {last}. "
            f"{_cure(installed)}{more if installed else ''} Received: {backend!r}."
        )


def _cure(installed: list[str]) -> str:
    if not installed:
        return f"Install one: {INSTALL_A_BACKEND}."
    return (
        "Set the environment variable KERAS_BACKEND to an installed backend before the import: "
        f"{', '.join(installed)}."
    )


def installed_backends() -> list[str]:
    """Names of the installed backends, found without an import."""
    return [name for name in BACKENDS if importlib.util.find_spec(name) is not None]


def _configuration() -> Path:
    """Keras's configuration file, whether or not it is there."""
    home = Path.home() if os.access(Path.home(), os.W_OK) else Path("/tmp")
    return Path(os.environ.get("KERAS_HOME", home / ".keras")).expanduser() / "keras.json"


def _configured() -> str:
    """The backend in Keras's configuration file, or Keras's default."""
    try:
        return json.loads(_configuration().read_text()).get("backend", "tensorflow")
    except (OSError, ValueError, AttributeError):
        return "tensorflow"  # Keras's own default
