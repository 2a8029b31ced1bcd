"""Tables of results in Markdown."""

import statistics
from collections.abc import Iterable, Sequence

from ._experiment import Size
from ._rows import Row, accuracy_curves

__all__ = ["caption", "lever_table", "matrix_table", "mean_and_spread", "method_table"]


def method_table(rows: Iterable[Row]) -> str:
    """One line per run: accuracy in the paper, here, and of the ANN with the same weights.

    Example:

    >>> from keras_proxy_snn.paper import Run
    >>> from keras_proxy_snn.paper._rows import Row
    >>> from keras_proxy_snn.paper._tables import method_table
    >>> run = Run("proxy_paper", 20, paper=94.56, paper_time_steps=50)
    >>> result = {"twin_accuracy": 0.9, "accuracy": [{"time_steps": 20, "strict": 0.9156}]}
    >>> print(method_table([Row(run, "proxy learning", [result])]))
    | method | T | paper, % | ours, % | n | gap | twin, % | MSynOps |
    |---|---|---|---|---|---|---|---|
    | proxy learning | 20 | 94.56 (T = 50) | 91.56 | 1 | -3.00 | 90.00 | - |
    """
    head = ("method", "T", "paper, %", "ours, %", "n", "gap", "twin, %", "MSynOps")
    return _markdown([head, *map(_cells, rows)])


def _cells(row: Row) -> tuple[str, ...]:
    run, ours = row.run, row.accuracies(row.run.time_steps)
    paper = "-" if run.paper is None else f"{run.paper:.2f}"
    if run.paper_time_steps not in (None, run.time_steps):
        paper += f" (T = {run.paper_time_steps})"
    gap = f"{statistics.mean(ours) - run.paper:+.2f}" if ours and run.paper is not None else "-"
    return (
        row.title,
        "-" if run.time_steps is None else str(run.time_steps),
        paper,
        mean_and_spread(ours),
        str(len(ours)) if ours else "-",
        gap,
        mean_and_spread(row.twins()),
        mean_and_spread([value / 1e6 for value in row.synops()]),
    )


def matrix_table(rows: Sequence[Row]) -> str:
    """One line per curve, one column per T; the ANN has no T and fills all columns."""
    curves = accuracy_curves(rows)
    steps = sorted({t for curve in curves.values() for t in curve if t is not None})
    lines = [("accuracy, %", *(f"T = {t}" for t in steps))]
    for name, curve in curves.items():
        cells = (mean_and_spread(curve.get(t, curve.get(None, []))) for t in steps)
        lines.append((name, *cells))
    return _markdown(lines)


def lever_table(rows: Sequence[Row]) -> str:
    """One line per change, compared with the first row."""
    head = ("network", "T", "accuracy, %", "n", "against the first", "twin, %", "MSynOps")
    first = _lever_accuracies(rows[0])
    return _markdown([head, *(_lever_cells(row, first) for row in rows)])


def _lever_accuracies(row: Row) -> list[float]:
    """Accuracies in percent, by the run's rule or with early stopping."""
    if row.run.stops_early:
        return [100 * value for value in row.stopped("strict")]
    return row.accuracies(row.run.time_steps, row.run.rule)


def _lever_cells(row: Row, first: Sequence[float]) -> tuple[str, ...]:
    ours = _lever_accuracies(row)
    both = first and ours
    change = f"{statistics.mean(ours) - statistics.mean(first):+.2f}" if both else "-"
    _, steps, _, _, n, _, twin, synops = _cells(row)
    if row.run.stops_early:
        # Operations are known for all steps only, not for simulations that stop early.
        steps, synops = f"{mean_and_spread(row.stopped('mean_steps'))} of {steps}", "-"
    return (row.title, steps, mean_and_spread(ours), n, change, twin, synops)


def mean_and_spread(values: Sequence[float]) -> str:
    """Mean, with the standard deviation of two or more values; `-` for no value."""
    if not values:
        return "-"
    mean = f"{statistics.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.2f}"


def caption(title: str, size_name: str, size: Size, epochs: int, rows: Sequence[Row]) -> str:
    """Caption of a table: meaning and origin of its numbers."""
    results = [result for row in rows for result in row.results]
    facts = [f"Size {size_name}: preset `{size.preset}`", f"{epochs} epochs"]
    facts += [_joined(f"{r['images']['train']:,} training images of {r['data']}" for r in results)]
    facts += [_joined(r["config"]["backend"] for r in results)]
    facts += [_joined(r["hardware"] for r in results)]
    rule = (
        "Accuracy on the test images, ties by argmax; mean ± standard deviation over n trainings. "
        "The twin is the ANN with the same weights."
    )
    return f"{title}. {', '.join(filter(None, facts))}. {rule}"


def _joined(values: Iterable[str]) -> str:
    return " and ".join(sorted(set(values)))


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
