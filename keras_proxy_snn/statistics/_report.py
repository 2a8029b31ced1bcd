"""Activity, work and energy of a network as tables."""

from dataclasses import asdict, dataclass
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
from ._tables import energy_table, work_table

__all__ = ["Report", "report"]


@dataclass(frozen=True, kw_only=True)
class Report:
    """Activity and costs of a network, shown as tables.

    Attributes:
        model: The model's name.
        images: Number of images.
        time_steps: Number T of time steps.
        layers: Activity of each layer with neurons, in order.
        spikes_per_image: Mean number of spikes that all layers fire for an image.
        costs: Work of both networks per image.
        energy_table: Constants of the energy estimate, with their sources.
    """

    model: str
    images: int
    time_steps: int
    layers: tuple[LayerStatistics, ...]
    spikes_per_image: float
    costs: Costs
    energy_table: EnergyTable

    def as_dict(self) -> dict[str, Any]:
        """The report as dictionaries, tuples, strings and numbers, ready for `json.dumps`."""
        return asdict(self)

    def _tables(self) -> list[Table]:
        costs = self.costs
        energy = energy_table(
            costs.estimates, costs.activation_bits, costs.time_steps, self.energy_table.name
        )
        return [activity_table(self.layers), work_table(costs.layers), energy]

    def _head(self) -> str:
        spikes = f"{self.spikes_per_image:,.0f} spikes per image"
        return f"{self.model}: T = {self.time_steps}, {self.images} images, {spikes}"

    def __str__(self) -> str:
        return "\n\n".join([self._head(), *map(str, self._tables())])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = f"<div>{escape(self._head())}</div>"
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
        `Report`, shown as its tables; `as_dict` gives plain data. `LayerStatistics`,
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
        spikes_per_image=sum(layer.spikes_per_image for layer in layers),
        costs=costs,
        energy_table=table,
    )
