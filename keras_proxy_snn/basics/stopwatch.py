"""Time of a call: the only loop with which the package measures, and what disturbs it."""

import os
import time
from collections.abc import Callable

from .checks import positive_integer

__all__ = ["disturbance", "seconds_of"]

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


def disturbance() -> str | None:
    """Words for a report of times, if more work wants processors than there are.

    Times on such a machine can be many times too long although they differ little. Ask before the
    timing, because it is work too.

    Returns:
        One line, or `None`: other work leaves a processor free, or the system tells no load, such
        as Windows.

    Example:

    >>> from keras_proxy_snn.basics.stopwatch import disturbance
    >>> found = disturbance()
    >>> found is None or "other work disturbs these times" in found
    True
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    processors = os.cpu_count() or 1
    if load <= processors:
        return None
    return f"load average {load:.1f} on {processors} processors: other work disturbs these times"
