"""An ONNX file that a runtime has opened."""

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Feeds", "Session"]

Feeds = dict[str, Any]
"""Arrays by the names of inputs or outputs."""


class Session(NamedTuple):
    """An opened file.

    Attributes:
        names: Names of its inputs and outputs.
        time_steps: T of the program in the file.
        infer: Function from inputs to outputs, both by name.
    """

    names: set[str]
    time_steps: int
    infer: Callable[[Feeds], Feeds]
