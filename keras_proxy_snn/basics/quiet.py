"""Keep back what libraries in C write while they start."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["start_tensorflow", "without_standard_error"]


@contextmanager
def without_standard_error() -> Iterator[None]:
    """Drop what is written to standard error, past Python too.

    TensorFlow writes some lines while it is imported, before its log level counts, and LiteRT one
    when it prepares its first file. Errors are raised as always.

    Example:

    >>> import os
    >>> from keras_proxy_snn.basics.quiet import without_standard_error
    >>> with without_standard_error():
    ...     written = os.write(2, b"INFO: Created a delegate")
    """
    _flush()
    try:
        kept = os.dup(2)
    except OSError:  # a program without a standard error
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        _flush()
        os.dup2(kept, 2)
        os.close(kept)


def start_tensorflow() -> None:
    """Import TensorFlow, if it is installed, without the lines that it writes at its start.

    Call it right before Keras imports TensorFlow. Keras does so on every backend when it saves a
    model, where it looks for TensorFlow's types, and when it sets the seed of random numbers.

    Example:

    >>> from keras_proxy_snn.basics.quiet import start_tensorflow
    >>> start_tensorflow()
    """
    if "tensorflow" not in sys.modules:
        with suppress(ImportError), without_standard_error():
            importlib.import_module("tensorflow")


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
