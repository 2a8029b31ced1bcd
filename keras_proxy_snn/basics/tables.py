"""Tables of text for terminals, and the same tables as HTML for notebooks."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

__all__ = ["Table"]


class Table(NamedTuple):
    """Rows of cells with a title and notes; the first row has the names of the columns.

    Attributes:
        title: Text above the table.
        rows: Cells; all rows have as many as the first.
        labels: Number of columns, from the left, that hold labels; the others hold numbers.
        notes: Lines below the table.

    Example:

    >>> from keras_proxy_snn.basics.tables import Table
    >>> table = Table("Sizes", [("layer", "neurons"), ("conv1", "1,024")], 1)
    >>> print(table)
    Sizes
    layer  neurons
    conv1    1,024
    """

    title: str
    rows: Sequence[Sequence[str]]
    labels: int
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self.rows, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if i < self.labels else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in self.rows
        ]
        return "\n".join([self.title, *lines, *self.notes])

    def html(self) -> str:
        """The table as HTML, without colours or fonts of its own."""
        head, *body = self.rows
        rows = [self._row(head, "th"), *(self._row(row, "td") for row in body)]
        notes = "".join(f"<div><small>{escape(note)}</small></div>" for note in self.notes)
        return f"<div><b>{escape(self.title)}</b></div><table>{''.join(rows)}</table>{notes}"

    def _row(self, cells: Iterable[str], tag: str) -> str:
        sides = ("left" if i < self.labels else "right" for i, _ in enumerate(cells))
        shown = (
            f'<{tag} style="text-align:{side}">{escape(cell)}</{tag}>'
            for cell, side in zip(cells, sides, strict=True)
        )
        return f"<tr>{''.join(shown)}</tr>"
