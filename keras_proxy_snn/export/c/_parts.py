"""Pieces of C that several parts of a file are made of."""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from ._plan import Map, Neurons, Window
from ._tables import Tables, padded

__all__ = ["block", "constant", "deliver", "fill", "pair_words", "window_taps"]


def block(text: str, **values: Any) -> list[str]:
    """Lines of a piece of C with `$name` filled in.

    A value that is a list of lines stands where its name stands alone, as far to the right.
    """
    lines: list[str] = []
    for line in text.strip("\n").split("\n"):
        name = line.strip().removeprefix("$")
        if isinstance(values.get(name), list):
            indent = line[: len(line) - len(line.lstrip())]
            lines += [indent + inner if inner else "" for inner in values[name]]
        else:
            lines.append(fill(line, values))
    return lines


def fill(line: str, values: dict[str, Any]) -> str:
    """A line with each `$name` replaced; names are letters, and perhaps a 0 or 1."""
    return re.sub(r"\$([A-Za-z]+[01]?)", lambda found: str(values[found[1]]), line)


def deliver(prefix: str, receivers: Iterable[str], *arguments: str) -> list[str]:
    """Calls that hand on the spikes of a pixel: its place, their channels, and their number."""
    return [f"{prefix}_{receiver}(s, {', '.join(arguments)});" for receiver in receivers]


def pair_words(neurons: Neurons) -> int:
    """Words of a pixel's potentials, two a word; and a number of rows before, if rows are added."""
    return padded(neurons.shape[2]) // 2 + (not neurons.constant)


def constant(tables: Tables, name: str, values: np.ndarray, filters: int, fill: int) -> Any:
    """A number for each filter: a function from an index, as C text, to an expression.

    One number for all is written where it is used; several are a table.
    """
    values = np.broadcast_to(values, (filters,))
    if (values == values[0]).all():
        return lambda index: f"({int(values[0])})" if values[0] < 0 else str(int(values[0]))
    table = tables.array(name, [*values.tolist(), *[fill] * (padded(filters) - filters)])
    return lambda index: f"{table}[{index}]"


def window_taps(
    window: Window,
    inputs: Map,
    outputs: Map,
    *,
    by_input: bool,
    to: tuple[int, int],
    at: tuple[int, int] | None,
) -> list[list[list[tuple[int, int]]]]:
    """For both axes, and for each place of one, where a window leads from there.

    Args:
        window: The window.
        inputs: Map that it slides over.
        outputs: Map that it gives.
        by_input: Whether lists are by places of the input, and lead to the output; or the reverse.
        to: Distance of two neighbours where it leads, along each axis.
        at: Distance of two taps in the weights; if `None`, the place itself stands in its place.
    """
    axes = []
    for axis in range(2):
        lists: list[list[tuple[int, int]]] = [
            [] for _ in range(inputs[axis] if by_input else outputs[axis])
        ]
        for place, output, tap in window.pairs(axis, inputs[axis], outputs[axis]):
            here, there = (place, output) if by_input else (output, place)
            second = there if at is None else tap * at[axis]
            lists[here].append((there * to[axis], second))
        axes.append(lists)
    return axes
