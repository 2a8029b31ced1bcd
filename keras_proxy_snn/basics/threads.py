"""Share images among threads of the processor."""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

__all__ = ["in_threads"]


def in_threads(work: Callable[[slice], Any], images: int) -> list[Any]:
    """Share images among threads; the work must not hold Python's lock.

    The number of threads is that in `NUMBA_NUM_THREADS`, or else in `OMP_NUM_THREADS`, or else the
    number of cores of this process. Threads are Python's, because GNU OpenMP ends a process that
    forks.

    Args:
        work: Function of a slice of the images.
        images: Number of images.

    Returns:
        Results of the slices, in order.

    Example:

    >>> from keras_proxy_snn.basics.threads import in_threads
    >>> found = in_threads(lambda part: list(range(5)[part]), 5)
    >>> sum(found, [])
    [0, 1, 2, 3, 4]
    """
    parts = max(1, min(_threads(), images))
    bounds = [images * number // parts for number in range(parts + 1)]
    slices = [slice(*pair) for pair in itertools.pairwise(bounds)]
    if parts == 1:
        return [work(slices[0])]
    return list(_pool(os.getpid(), parts).map(work, slices))


def _threads() -> int:
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        said = os.environ.get(name, "").strip()
        if said.isdecimal() and int(said) > 0:
            return int(said)
    cores: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(cores(0)) if cores else os.cpu_count() or 1


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """A pool of this process: threads do not survive a fork."""
    return ThreadPoolExecutor(threads, thread_name_prefix="keras_proxy_snn")
