"""Constant tables as C text, each in the smallest integer type that fits."""

from collections.abc import Iterable, Sequence

import numpy as np

__all__ = ["BIAS", "Tables", "packed_currents", "packed_rows", "padded", "rows", "smallest_type"]

BIAS = 128
"""Added to weights of packed rows, so that all bytes are positive."""

_WIDTH = 92


class Tables:
    """The constant tables of a file.

    Args:
        prefix: Prefix of all names.

    Attributes:
        lines: Text of the tables.
        size: Size of the tables, in bytes.
    """

    def __init__(self, prefix: str):
        self.lines: list[str] = []
        self.size = 0
        self._prefix = prefix

    def array(self, name: str, values: Iterable[int], type: str | None = None) -> str:
        """Add a table of numbers; by default in the smallest type that fits.

        Returns:
            Name of the table in C.
        """
        numbers = [int(value) for value in values]
        type = type or smallest_type(min(numbers), max(numbers))
        texts = [f"0x{n:08x}u" if type == "uint32_t" else str(n) for n in numbers]
        self.size += _bytes(type) * len(numbers)
        return self._add(name, type, texts)

    def taps(self, name: str, lists: Sequence[Sequence[tuple[int, int]]]) -> str:
        """Add lists of pairs as one table, and a table `_from` with the start of each list.

        Returns:
            Name of the table of pairs in C.
        """
        pairs = [pair for entries in lists for pair in entries] or [(0, 0)]  # C has no empty arrays
        self.size += 8 * len(pairs)
        self.array(f"{name}_from", np.cumsum([0, *map(len, lists)]))
        return self._add(name, f"{self._prefix}_tap", [f"{{{a}, {b}}}" for a, b in pairs])

    def _add(self, name: str, type: str, texts: Sequence[str]) -> str:
        name = f"{self._prefix}_{name}"
        head = f"static const {type} {name}[{len(texts)}] = {{"
        self.lines += [head, *(f"    {row}" for row in rows(texts)), "};"]
        return name


def smallest_type(low: int, high: int) -> str:
    """The smallest standard integer type that holds two numbers and all numbers between them.

    Example:

    >>> smallest_type(0, 255), smallest_type(-1, 255), smallest_type(0, 65536)
    ('uint8_t', 'int16_t', 'uint32_t')
    """
    for bits in (8, 16, 32):
        if low >= 0 and high < 2**bits:
            return f"uint{bits}_t"
        if low >= -(2 ** (bits - 1)) and high < 2 ** (bits - 1):
            return f"int{bits}_t"
    raise ValueError(f"Numbers in C must fit 32 bits. Received: from {low} to {high}.")


def padded(filters: int) -> int:
    """Number of filters of a packed row: the next multiple of 4."""
    return -(-filters // 4) * 4


def packed_rows(kernel: np.ndarray) -> np.ndarray:
    """Weights plus `BIAS`, four per word: the first two in bytes 0 and 2, the next in 1 and 3.

    Example:

    >>> hex(packed_rows(np.array([[1, 2, 3]]))[0])
    '0x80828381'
    """
    filters = kernel.shape[-1]
    space = [(0, 0)] * (kernel.ndim - 1) + [(0, padded(filters) - filters)]
    quads = (np.pad(kernel.astype("int64"), space) + BIAS).reshape(-1, 4)
    words: np.ndarray = quads @ (1 << np.array([0, 16, 8, 24]))
    return words


def packed_currents(values: np.ndarray) -> np.ndarray:
    """A number per filter, packed like potentials: four numbers in two words.

    Example:

    >>> [hex(word) for word in packed_currents(np.array([1, 2, 3, 4]))]
    ['0x20001', '0x40203']
    """
    fours = np.zeros(padded(len(values)), "int64")
    fours[: len(values)] = values
    one, two, three, four = fours.reshape(-1, 4).T
    words: np.ndarray = np.stack([one + (two << 16), three + (two << 8) + (four << 16)], axis=1)
    return words.ravel() % 2**32


def _bytes(type: str) -> int:
    return int("".join(filter(str.isdigit, type))) // 8


def rows(texts: Sequence[str]) -> list[str]:
    """Join numbers with commas, on lines of limited length."""
    lines, line = [], ""
    for text in texts:
        if line and len(line) + len(text) + 2 > _WIDTH:
            lines.append(line)
            line = ""
        line += f"{' ' if line else ''}{text},"
    return [*lines, line]
