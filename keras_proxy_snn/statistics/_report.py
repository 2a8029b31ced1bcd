"""Activity, work and energy of a network as tables."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

from ..basics.tables import Table
from ..basics.types import Images, Verbose
from ..model import ProxyModel
from ._activity import ActivitySums
from ._costs import Costs, CostSums
from ._energy import HOROWITZ_45NM, EnergyTable
from ._layers import LayerStatistics, activity_table
from ._signals import batches, check_model

__all__ = ["Report", "report"]


@dataclass(frozen=True, kw_only=True)
class Report:
    """Activity and costs of a network; `print` and notebooks show them as tables.

    Attributes:
        model: The model's name.
        images: Number of images.
        time_steps: Number T of time steps.
        layers: Activity of each layer with neurons, in order.
        costs: Work of both networks per image.
        energy_table: Constants of the energy estimate, with their sources.
    """

    model: str
    images: int
    time_steps: int
    layers: tuple[LayerStatistics, ...] = field(repr=False)
    costs: Costs = field(repr=False)
    energy_table: EnergyTable = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """The report as dictionaries, tuples, strings and numbers, ready for `json.dumps`."""
        return asdict(self)

    def _tables(self) -> list[Table]:
        return [activity_table(self.layers), _work(self.costs), _energy(self.costs, self)]

    def __str__(self) -> str:
        head = f"{self.model}: T = {self.time_steps}, {self.images} images"
        return "\n\n".join([head, *map(str, self._tables())])

    def _repr_html_(self) -> str:
        head = f"<div>{escape(self.model)}: T = {self.time_steps}, {self.images} images</div>"
        return head + "".join(table.html() for table in self._tables())


def report(
    model: ProxyModel,
    x: Images,
    *,
    time_steps: int | None = None,
    table: EnergyTable = HOROWITZ_45NM,
    batch_size: int = 32,
    verbose: Verbose = "auto",
) -> Report:
    """Activity, costs and an energy estimate of a network on some images.

    The function keeps only sums, so it takes any number of images. The model is not changed.

    Args:
        model: A `ProxyModel`.
        x: Images `(images, height, width, channels)`, or batches as `fit` takes them. Spikes
            depend on them, so give real images.
        time_steps: Number T of time steps for this call only; `None` for the model's own.
        table: Energy of an operation and of a memory access.
        batch_size: Number of images simulated at once.
        verbose: Whether a line shows the progress: 0, 1, or `"auto"` for a terminal or a notebook.

    Returns:
        `Report`. `print` shows its tables, `as_dict` gives plain data. `LayerStatistics`,
        `LayerCosts` and `Estimate` define each number.

    Raises:
        TypeError: If the model is not a `ProxyModel`.
        ValueError: If x is empty or has another shape than the model's images, `time_steps` or
            `batch_size` is not a positive integer, or `verbose` is none of these.

    Example:

    >>> import numpy as np
    >>> import keras_proxy_snn
    >>> from keras_proxy_snn import statistics
    >>> model = keras_proxy_snn.build("4C3-P2-10F", input_shape=(8, 8, 1), time_steps=6)
    >>> report = statistics.report(model, np.ones((2, 8, 8, 1)))
    >>> str(report).splitlines()[2]
    'Activity (rates and errors in spikes per neuron and step)'
    >>> [layer.name for layer in report.layers]
    ['conv1', 'readout']
    """
    check_model(model)
    activity: list[ActivitySums] = []
    spent = CostSums()
    with model.at_time_steps(time_steps):
        for batch in batches(model, x, batch_size, verbose):
            activity = activity or [ActivitySums(model.time_steps) for _ in batch]
            for sums, signals in zip(activity, batch, strict=True):
                sums.add(signals)
            spent.add(batch)
        costs = spent.costs(model.time_steps, table)
    layers = tuple(sums.statistics() for sums in activity)
    return Report(
        model=model.name,
        images=costs.images,
        time_steps=costs.time_steps,
        layers=layers,
        costs=costs,
        energy_table=table,
    )


def _work(costs: Costs) -> Table:
    rows: list[Sequence[str]] = [
        ("layer", "parameters", "multiply-adds", "of non-zeros", "spikes in", "SynOps")
    ]
    columns = [
        (
            layer.parameters,
            layer.multiply_adds,
            layer.nonzero_multiply_adds,
            layer.input_spikes,
            layer.synops,
        )
        for layer in costs.layers
    ]
    names = [layer.name for layer in costs.layers]
    totals = tuple(sum(column) for column in zip(*columns, strict=True))
    for name, numbers in zip([*names, "total"], [*columns, totals], strict=True):
        rows.append((name, *(f"{number:,.0f}" for number in numbers)))
    notes = (
        "parameters: with batch normalisation folded in; `summary` and `inspect` do not fold it.",
        "The SNN does the multiply-adds of its first layer too, once.",
        "SynOps: additions of a weight to a potential, caused by spikes.",
    )
    return Table("Work per image", rows, 1, notes)


def _energy(costs: Costs, report: Report) -> Table:
    rows: list[Sequence[str]] = [
        (
            *("format", "dataflow", "network"),
            *("weights moved", "states moved", "signals moved"),
            *("compute µJ", "memory µJ", "total µJ"),
        )
    ]
    for e in costs.estimates:
        bits = f", {e.activation_bits} bits" if e.network == "ANN" else ""
        moved = (f"{b / 1000:,.1f}" for b in (e.weight_bytes, e.state_bytes, e.signal_bytes))
        energies = (f"{nj / 1000:,.3f}" for nj in (e.compute_nj, e.memory_nj, e.total_nj))
        rows.append((e.number_format, e.dataflow, e.network + bits, *moved, *energies))
    notes = (
        "moved: kB read from memory or written to it, in each step anew; not the size of a memory.",
        "event: nothing reused, zeros skipped. layer: each value moved once per pass.",
        f"The ANN of {costs.activation_bits}-bit activations has as many levels as "
        f"counts of 0 to {report.time_steps}: a fair comparison with the int8 SNN.",
    )
    title = f"Energy per image, {report.energy_table.name}: an estimate, not a measurement"
    return Table(title, rows, 3, notes)
