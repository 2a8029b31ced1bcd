"""Time of a call: the only loop with which the package measures."""

import time
from collections.abc import Callable

from .checks import positive_integer

__all__ = ["seconds_of"]

# The first call traces and compiles; the one after it may still allocate.
_WARM_UP = 2


def seconds_of(call: Callable[[], object], repeats: int) -> tuple[float, ...]:
    """Time a call several times, after two calls without timing.

    Args:
        call: The call. All its work must be done when it returns.
        repeats: Number of timed calls.

    Returns:
        Seconds of each timed call, in order.

    Raises:
        ValueError: If `repeats` is not a positive integer.

    Example:

    >>> from keras_proxy_snn.basics.stopwatch import seconds_of
    >>> len(seconds_of(lambda: sum(range(100)), repeats=5))
    5
    """
    positive_integer("repeats", repeats)
    seconds = []
    for _ in range(_WARM_UP + repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return tuple(seconds[_WARM_UP:])
