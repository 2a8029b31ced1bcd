"""`compiled`: functions that Numba compiles and keeps on disk."""

from collections.abc import Callable
from typing import Any

import numba

__all__ = ["compiled"]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function; the next process finds it on disk, if a folder can be written.

    Numba compiles again when the file of the function changes, and ignores other files. So all
    that the function calls must be in this file.

    Example:

    >>> from keras_proxy_snn.basics.compiled import compiled
    >>> compiled(lambda a, b: a + b)(1, 2)
    3
    """
    plain: Callable[..., Any] = numba.njit(nogil=True)(function)
    try:
        kept: Callable[..., Any] = numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:
        return plain  # Numba has found no folder to which it may write.

    def run(*arguments: object) -> Any:
        try:
            return kept(*arguments)
        except Exception:  # The disk is full, or the file on it is damaged.
            return plain(*arguments)

    return run
