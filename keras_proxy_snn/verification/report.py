"""`Report`: the results of a verification so far, as a table and as a file."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from .._version import __version__
from ..basics.files import replacing

__all__ = ["WEIGHTS", "Record", "Report", "Task"]

WEIGHTS = ("dyadic", "float")

# Number of findings that are listed; all findings are counted.
_LISTED = 50


class Task(NamedTuple):
    """Work for one process.

    Attributes:
        kind: A backend, or `"files"`.
        rows: Rows of the table that it fills.
        first: Seed of the first network.
        networks: Number of networks.
        weights: One of `WEIGHTS`.
    """

    kind: str
    rows: list[str]
    first: int
    networks: int
    weights: str


class Record(NamedTuple):
    """One network in one runtime.

    Attributes:
        row: Name of the runtime.
        form: `"float"` or `"integer"`.
        seed: Seed of the network.
        counts: Number of counts that were compared.
        differing: Number of counts that differ from the oracle's.
        refused: Why the format cannot express the network, or `None`.
        error: What the runtime raised, or `None`.
    """

    row: str
    form: str
    seed: int
    counts: int = 0
    differing: int = 0
    refused: str | None = None
    error: str | None = None


@dataclass
class Report:
    """Sums of records.

    Attributes:
        seed: Seed of the first network.
        weights: `"dyadic"` or `"float"`.
        rows: The runtimes.
        done: Number of networks so far.
        cells: By row and form: networks compared, refused and failed, counts, differing counts,
            and networks with a differing count.
        found: The first 50 records of errors and of counts that differ.
        version: Version of the package.

    Example:

    >>> from keras_proxy_snn.verification.report import Record, Report
    >>> report = Report(0, "dyadic", ["c"])
    >>> report.add([Record("c", "integer", 0, counts=30, differing=2)], 1)
    >>> report.wrong, report.table()[1]
    (True, ['c', 'integer', '1', '0', '0', '30', '2', '1'])
    """

    seed: int
    weights: str
    rows: list[str]
    done: int = 0
    cells: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    found: list[dict[str, Any]] = field(default_factory=list)
    version: str = __version__

    def add(self, records: Iterable[Record], networks: int) -> None:
        """Add the records of further networks."""
        for record in records:
            cell = self.cells.setdefault(record.row, {}).setdefault(
                record.form, dict.fromkeys(_COLUMNS, 0)
            )
            outcome = "refused" if record.refused else "failed" if record.error else "compared"
            cell[outcome] += 1
            cell["counts"] += record.counts
            cell["differing"] += record.differing
            cell["networks"] += record.differing > 0
            if (record.error or record.differing) and len(self.found) < _LISTED:
                self.found.append(record._asdict())
        self.done += networks

    @property
    def wrong(self) -> bool:
        """Whether a runtime failed, or a count differs that must not.

        Rounding may decide a spike only in networks with float weights that are not dyadic.
        """
        return any(
            cell["failed"] or (cell["differing"] and (form, self.weights) != ("float", "float"))
            for forms in self.cells.values()
            for form, cell in forms.items()
        )

    def table(self) -> list[list[str]]:
        """Rows of cells; the first row has the names of the columns."""
        head = ["runtime", "form", "compared", "refused", "failed", "counts", "differing"]
        return [[*head, "in networks"]] + [
            [row, form, *(str(cell[column]) for column in _COLUMNS)]
            for row, forms in self.cells.items()
            for form, cell in forms.items()
        ]

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "wrong": self.wrong}

    def save(self, path: str | Path) -> None:
        """Write the report for a later `resume`; an existing file is replaced."""
        with replacing(path) as draft:
            draft.write_text(json.dumps(self.as_dict(), indent=1) + "\n")

    def resume(self, path: str | Path) -> None:
        """Continue the report in a file.

        Raises:
            ValueError: If the file is not a report, or is a report of other networks or runtimes.
        """
        try:
            facts = json.loads(Path(path).read_text())
            wrong = facts.pop("wrong")
            before = Report(**facts)
            if before.wrong is not wrong or not isinstance(before.done, int):
                raise ValueError("its numbers do not fit together")
        except (ValueError, TypeError, KeyError, AttributeError, UnicodeError) as error:
            raise ValueError(
                f"The file must be a report of `verify`. Received: {path} ({error})."
            ) from error
        for name in ("seed", "weights", "rows", "version"):
            mine, theirs = getattr(self, name), getattr(before, name)
            if mine != theirs:
                raise ValueError(
                    f"A report must keep its settings: {name} {theirs!r} in {path}. Received: "
                    f"{mine!r}. Name another file, or delete this file."
                )
        self.done, self.cells, self.found = before.done, before.cells, before.found


_COLUMNS = ("compared", "refused", "failed", "counts", "differing", "networks")
