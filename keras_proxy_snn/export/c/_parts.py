"""Pieces of C code that several modules use."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ._plan import Map, Neurons, Window
from ._tables import Tables, padded

__all__ = ["block", "constant", "deliver", "fill", "pair_words", "window_taps"]


def block(text: str, **values: object) -> list[str]:
    """Lines of a piece of C code, with each `$name` replaced by its value.

    If a line is only a `$name` whose value is a list, the lines of the list replace it, with the
    same indentation.
    """
    lines: list[str] = []
    for line in text.strip("\n").split("\n"):
        name = line.strip().removeprefix("$")
        inner_lines = values.get(name)
        if isinstance(inner_lines, list):
            indent = line[: len(line) - len(line.lstrip())]
            lines += [indent + inner if inner else "" for inner in inner_lines]
        else:
            lines.append(fill(line, values))
    return lines


def fill(line: str, values: Mapping[str, object]) -> str:
    """A line with each `$name` replaced. A name is letters and, optionally, a 0 or 1."""
    return re.sub(r"\$([A-Za-z]+[01]?)", lambda found: str(values[found[1]]), line)


def deliver(prefix: str, receivers: Iterable[str], *arguments: str) -> list[str]:
    """Calls that deliver the spikes of a pixel: its position, their channels, their number."""
    return [f"{prefix}_{name}_receive(s, {', '.join(arguments)});" for name in receivers]


def pair_words(neurons: Neurons) -> int:
    """Number of words per pixel: two potentials per word, plus a row counter if rows are added."""
    return padded(neurons.shape[2]) // 2 + (not neurons.constant)


def constant(tables: Tables, name: str, values: np.ndarray, filters: int, fill: int) -> Any:
    """A function from an index, as C text, to a C expression for that filter's number.

    If all filters have the same number, the expression is the number; otherwise it reads a table.
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
    """For each position along both axes, the positions that a window connects it with.

    Args:
        window: The window.
        inputs: Shape of the input map.
        outputs: Shape of the output map.
        by_input: If true, lists are by input position and hold output positions; if false, the
            reverse.
        to: Step between two neighbours of the positions in the lists, along each axis.
        at: Step between two taps in the weights, along each axis. If `None`, the pairs hold the
            position itself in place of the tap.
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
