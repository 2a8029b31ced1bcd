"""`without_standard_error`: keep back what libraries in C write while they start."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_standard_error"]


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


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
