"""Operations per image of the spiking network and of its ANN."""

from dataclasses import dataclass

import numpy as np

from ..basics.tables import Table
from ..basics.types import Images, Verbose
from ..layers import Stage
from ..model import ProxyModel
from ._energy import HOROWITZ_45NM, EnergyTable, Estimate, estimates
from ._groups import Source
from ._layer_costs import LayerCosts
from ._signals import LayerSignals, batches, check_model
from ._tables import work_table

__all__ = ["CostSums", "Costs", "costs"]


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Work of both networks per image, shown as the table of the work.

    Attributes:
        images: Number of images that the means are taken over.
        time_steps: Number T of time steps.
        layers: Work of each layer with neurons, in order.
        synops: Synaptic operations of the SNN, in all layers but the first.
        snn_multiply_adds: Multiply-adds of the SNN's first layer, made once per image.
        ann_multiply_adds: Multiply-adds of the whole ANN.
        activation_bits: ceil(log2(T + 1)), the bits that hold a spike count of 0 to T. An ANN
            with activations of as many bits is the fair opponent (Yan et al., "Reconsidering
            the energy efficiency of spiking neural networks", arXiv:2409.08290).
        estimates: Bytes moved and energy; see `Estimate`.
    """

    images: int
    time_steps: int
    layers: tuple[LayerCosts, ...]
    synops: float
    snn_multiply_adds: int
    ann_multiply_adds: int
    activation_bits: int
    estimates: tuple[Estimate, ...]

    def _table(self) -> Table:
        plural = "s" * (self.images != 1)
        return work_table(
            self.layers, f", mean of {self.images} image{plural}, T = {self.time_steps}"
        )

    def __repr__(self) -> str:
        return str(self._table())

    def _repr_html_(self) -> str:
        return self._table().html()


def costs(
    model: ProxyModel,
    x: Images,
    *,
    time_steps: int | None = None,
    table: EnergyTable = HOROWITZ_45NM,
    batch_size: int = 32,
    verbose: Verbose = "auto",
) -> Costs:
    """Count operations and bytes of both networks, and estimate their energy.

    Args:
        model: A `ProxyModel`; it is not changed.
        x: Images `(images, height, width, channels)`, or batches as `fit` takes them. Spikes
            depend on them, so give real images.
        time_steps: Number T of time steps for this call only; `None` for the model's own.
        table: Energy of an operation and of a memory access.
        batch_size: Number of images simulated at once.
        verbose: Whether a line shows the progress: 0, 1, or `"auto"` for a terminal or a notebook.

    Returns:
        `Costs`.

    Raises:
        TypeError: If the model is not a `ProxyModel`.
        ValueError: If x is empty or has another shape than the model's images, `time_steps` or
            `batch_size` is not a positive integer, or the image enters more than the first layer
            of neurons.

    Example:

    >>> import numpy as np
    >>> import keras_proxy_snn
    >>> from keras_proxy_snn import statistics
    >>> model = keras_proxy_snn.build("4C3-P2-10F", input_shape=(8, 8, 1), time_steps=6)
    >>> spent = statistics.costs(model, np.ones((2, 8, 8, 1)))
    >>> spent.snn_multiply_adds, spent.ann_multiply_adds  # 22 * 22 * 4, and 4 * 4 * 4 * 10 more
    (1936, 2576)
    >>> bool(spent.synops == 10 * spent.layers[1].input_spikes), spent.activation_bits
    (True, 3)
    >>> print(repr(spent).splitlines()[0])
    Work per image, mean of 2 images, T = 6
    """
    check_model(model)
    sums = CostSums()
    with model.at_time_steps(time_steps):
        for batch in batches(model, x, batch_size, verbose):
            sums.add(batch)
        return sums.costs(model.time_steps, table)


class CostSums:
    """Costs, summed over batches that are not kept."""

    def __init__(self) -> None:
        self._images = 0
        self._sums: list[np.ndarray] = []

    def add(self, batch: list[LayerSignals]) -> None:
        """Add a batch to the sums."""
        _check_image(batch)
        self._batch = batch
        self._images += len(batch[0].spike_counts)
        sums = [_data_sums(signals) for signals in batch]
        self._sums = [a + b for a, b in zip(self._sums, sums, strict=True)] if self._sums else sums

    def costs(self, time_steps: int, table: EnergyTable) -> Costs:
        """Costs of all batches so far; there must be at least one."""
        layers = tuple(
            _layer_costs(signals, sums / self._images)
            for signals, sums in zip(self._batch, self._sums, strict=True)
        )
        # ceil(log2(T + 1)), in integers.
        bits = time_steps.bit_length()
        return Costs(
            images=self._images,
            time_steps=time_steps,
            layers=layers,
            synops=sum(layer.synops for layer in layers),
            snn_multiply_adds=layers[0].multiply_adds,
            ann_multiply_adds=sum(layer.multiply_adds for layer in layers),
            activation_bits=bits,
            estimates=estimates(layers, time_steps, bits, table),
        )


def _data_sums(signals: LayerSignals) -> np.ndarray:
    """Numbers that depend on data, summed over a batch, in the order of `_layer_costs`."""
    total = np.zeros(4)
    for connection in signals.connections:
        source = connection.source
        reach = source.stage.fan_out(connection.inputs.shape[1:])
        if _has_weights(source.stage):
            nonzero = np.asarray(connection.ann_inputs) != 0
            total[:2] += (nonzero * reach).sum(), nonzero.sum()
        if not source.constant and _adds(source):
            events = connection.inputs.astype("float64")
            total[2:] += events.sum(), (events * reach).sum()
    return total


def _layer_costs(signals: LayerSignals, means: np.ndarray) -> LayerCosts:
    weights, multiply_adds, inputs, has_bias = 0, 0, 0, False
    for connection in signals.connections:
        stage, shape = connection.source.stage, connection.inputs.shape[1:]
        inputs += int(np.prod(shape)) if _adds(connection.source) else 0
        if _has_weights(stage):
            kernel, bias = stage.synaptic_weights()
            weights += sum(int(np.prod(w.shape)) for w in (kernel, bias) if w is not None)
            has_bias = has_bias or bias is not None
            multiply_adds += int(stage.fan_out(shape).sum())
    nonzero_multiply_adds, nonzero_inputs, spikes, synops = means.tolist()
    return LayerCosts(
        name=signals.layer.twin.name,
        neurons=int(np.prod(signals.spike_counts.shape[1:])),
        inputs=inputs,
        parameters=weights,
        has_bias=has_bias,
        multiply_adds=multiply_adds,
        nonzero_multiply_adds=nonzero_multiply_adds,
        nonzero_inputs=nonzero_inputs,
        input_spikes=spikes,
        synops=synops,
    )


def _has_weights(stage: Stage) -> bool:
    return stage.tied() is not None and not stage.adds_unweighted


def _adds(source: Source) -> bool:
    """Whether each event is an addition. Currents that enter a potential were added before."""
    return source.spikes or not source.stage.adds_unweighted


def _check_image(batch: list[LayerSignals]) -> None:
    for place, signals in enumerate(batch):
        constant = {connection.source.constant for connection in signals.connections}
        if constant != {place == 0}:
            raise ValueError(
                "Costs are defined only if the image enters no layer but the first layer of "
                f"neurons. Received: a network whose layer {place + 1}, "
                f"{signals.layer.twin.name!r}, breaks this rule."
            )
