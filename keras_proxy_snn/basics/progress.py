"""`Progress`: a line that says how far long work is. Every part of the package shows this line."""

import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TextIO

import numpy as np

from .types import Verbose

__all__ = ["Progress", "check_verbose"]

_PATIENCE = 1.0  # seconds before the line appears, so short work shows nothing
_PAUSE = 0.1  # seconds between two drawings
_WIDTH = 30  # characters of the bar


def check_verbose(verbose: Verbose) -> Verbose:
    """The value of an argument `verbose`, if it is one: Keras's rule, for the whole package.

    `"auto"` shows the progress where someone looks: in a terminal or in a notebook. 0 or `False`
    shows nothing. 1, 2 or `True` shows the progress everywhere, and prints results if the function
    has some to print.

    Raises:
        ValueError: If it is anything else.

    Example:

    >>> from keras_proxy_snn.basics.progress import check_verbose
    >>> check_verbose("yes")
    Traceback (most recent call last):
    ValueError: `verbose` must be "auto", 0, 1 or 2, or True or False. Received: 'yes'.
    """
    if not isinstance(verbose, bool | int | str) or verbose not in ("auto", 0, 1, 2):
        raise ValueError(
            f'`verbose` must be "auto", 0, 1 or 2, or True or False. Received: {verbose!r}.'
        )
    return verbose


class Progress:
    """A line such as `quantising  [#########---------------------]  30%, 12 s left`.

    The line goes to standard error if that is a terminal, and to the output of the cell in a
    notebook. It appears after one second, and is wiped away at the end of the `with` block.

    Args:
        label: What is being done, one or two words.
        steps: Number of steps of a pass, each of which takes about as long. `None` if nobody knows
            it; then the line says how many are done.
        verbose: Whether the line is shown, see `check_verbose`.
        passes: How often the steps are made.

    Raises:
        ValueError: If `verbose` is none of these.

    Example:

    >>> from keras_proxy_snn.basics.progress import Progress
    >>> with Progress("counting", 3) as progress:
    ...     for _ in range(3):
    ...         progress.step()
    """

    def __init__(
        self, label: str, steps: int | None, verbose: Verbose = "auto", *, passes: int = 1
    ):
        check_verbose(verbose)
        self._label, self._done = label, 0
        self._steps = None if steps is None else max(steps * passes, 1)
        self._stream = _stream() if verbose == "auto" else sys.stderr if verbose else None
        self._start = time.monotonic()
        self._next = self._start + _PATIENCE
        self._width = 0  # of the text that stands in the line

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        if self._width:
            self._write("")  # spaces over the text
            self._write("")  # back to the start of the line

    def step(self, number: int = 1) -> None:
        """Note that so many steps are done."""
        self._done += number
        now = time.monotonic()
        if self._stream is not None and now >= self._next:
            self._next = now + _PAUSE
            self._write(f"{self._label}  {self._state(now - self._start)}")

    def over(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The batches; the images of each are noted once the next batch is asked for."""
        for batch in batches:
            yield batch
            self.step(len(batch))

    def batches(self, images: np.ndarray, size: int) -> Iterator[np.ndarray]:
        """`over` for images that are cut into batches of at most `size`."""
        return self.over(images[start : start + size] for start in range(0, len(images), size))

    def _state(self, seconds: float) -> str:
        if self._steps is None:
            return f"{self._done} done, {_duration(seconds)} so far"
        share = min(self._done / self._steps, 1.0)
        full = int(_WIDTH * share)
        drawn = "#" * full + "-" * (_WIDTH - full)
        return f"[{drawn}]  {share:.0%}, {_duration(seconds * (1 - share) / share)} left"

    def _write(self, text: str) -> None:
        """Replace the text of the line."""
        if self._stream is not None:
            print("\r" + text.ljust(self._width), end="", file=self._stream, flush=True)
            self._width = len(text)


def _stream() -> TextIO | None:
    """Where a person looks, if anywhere."""
    if type(sys.stdout).__module__.startswith("ipykernel"):
        return sys.stdout
    return sys.stderr if sys.stderr is not None and sys.stderr.isatty() else None


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
