"""Operations of the spiking network and of its ANN twin, an image."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..layers import AtEachStep, CurrentSum, IFActivation, Synapses
from ..layers.base import TiedIF
from ._connections import fan_out
from ._energy import HOROWITZ_45NM, EnergyTable, Estimate, estimates
from ._groups import Source
from ._signals import LayerSignals, batches

__all__ = ["CostSums", "Costs", "LayerCosts", "costs"]


@dataclass(frozen=True, kw_only=True)
class LayerCosts:
    """Work of one layer with neurons, plain numbers; what depends on data is a mean per image.

    Attributes:
        name: Name of the ANN's layer, the twin.
        neurons: Number of neurons.
        inputs: Number of values or neurons that its weights see, after pooling.
        parameters: Weights and biases, batch normalisation folded in.
        has_bias: Whether the folded layer has biases, which the SNN adds at every step.
        multiply_adds: Of the ANN's layer: one a connection, with none to the padding. The SNN's
            first layer does them too, once an image, since it gets real numbers and not
            spikes (direct coding, Eq. 6 of Kheradpisheh et al., "Spiking neural networks
            trained via proxy").
        nonzero_multiply_adds: Those of them whose input is not zero, pixel or activation.
        nonzero_inputs: Number of these inputs.
        input_spikes: Spikes that enter the SNN's layer in all T steps; 0 for the first layer.
        synops: Synaptic operations, the additions of a weight to a potential: for each
            of these spikes one a neuron that it reaches; 0 for the first layer. Pooling, an OR
            without weights, has none. What stands between spikes and neurons belongs to the
            layer: each spike that goes into a sum (the shortcut of a residual block) is one
            addition, one for each window that averages it, and where weights or averages see
            currents a current that is not zero counts, at each step, as a spike does. Where
            several layers read one result, it belongs to the first of them.
    """

    name: str
    neurons: int
    inputs: int
    parameters: int
    has_bias: bool
    multiply_adds: int
    nonzero_multiply_adds: float
    nonzero_inputs: float
    input_spikes: float
    synops: float


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Work of both networks for an image.

    Attributes:
        images: Number of images over which the means go.
        time_steps: Number T of time steps.
        layers: Work of each layer with neurons, in order.
        synops: Synaptic operations of the SNN, all layers but the first.
        snn_multiply_adds: Multiply-adds of the SNN's first layer, once an image.
        ann_multiply_adds: Multiply-adds of the whole ANN.
        activation_bits: ceil(log2(T + 1)), the bits that hold a spike count of 0 to T: an ANN
            whose activations have as many is the fair opponent (Yan et al.,
            "Reconsidering the energy efficiency of spiking neural networks", arXiv:2409.08290).
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


def costs(model: Any, x: Any, *, table: EnergyTable = HOROWITZ_45NM, batch_size: int = 32) -> Costs:
    """Count operations and bytes of both networks, and estimate their energy.

    Args:
        model: A `ProxyModel`; it is not changed.
        x: Images `(images, height, width, channels)`. Spikes depend on them: take real ones.
        table: Energy of an operation and of a memory access.
        batch_size: Number of images simulated at once.

    Returns:
        `Costs`.

    Raises:
        TypeError: If the model is not a `ProxyModel`.
        ValueError: If x is empty or has another shape than the model's images, `batch_size`
            is not a positive integer, or the image enters more than the first layer of neurons.

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
    """
    sums = CostSums()
    for batch in batches(model, x, batch_size):
        sums.add(batch)
    return sums.costs(model.time_steps, table)


class CostSums:
    """Costs over batches, without keeping these."""

    def __init__(self) -> None:
        self._images = 0
        self._sums: list[np.ndarray] = []

    def add(self, batch: list[LayerSignals]) -> None:
        """Take in a batch."""
        _check_image(batch)
        self._batch = batch
        self._images += len(batch[0].spike_counts)
        sums = [_data_sums(signals) for signals in batch]
        self._sums = [a + b for a, b in zip(self._sums, sums, strict=True)] if self._sums else sums

    def costs(self, time_steps: int, table: EnergyTable) -> Costs:
        """Costs of all batches so far, at least one."""
        layers = tuple(
            _layer_costs(signals, sums / self._images)
            for signals, sums in zip(self._batch, self._sums, strict=True)
        )
        # The bits of a count of 0 to T: ceil(log2(T + 1)) in integers.
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
    """What depends on data, summed over a batch; see `_layer_costs`."""
    total = np.zeros(4)
    for connection in signals.connections:
        source = connection.source
        reach = fan_out(_layer(source.stage), connection.inputs.shape[1:])
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
            multiply_adds += int(fan_out(_layer(stage), shape).sum())
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


def _layer(stage: Any) -> Any:
    """The standard layer that a stage stands for; a sum is itself."""
    if isinstance(stage, AtEachStep):
        return stage.layer
    return stage if isinstance(stage, CurrentSum) else stage.twin


def _has_weights(stage: Any) -> bool:
    return isinstance(stage, TiedIF | Synapses) and not isinstance(stage, IFActivation)


def _adds(source: Source) -> bool:
    """Whether each event is an addition: currents that go into a potential were added before."""
    only_passes = isinstance(source.stage, IFActivation | CurrentSum)
    return source.spikes or not only_passes


def _check_image(batch: list[LayerSignals]) -> None:
    for place, signals in enumerate(batch):
        constant = {connection.source.constant for connection in signals.connections}
        if constant != {place == 0}:
            raise ValueError(
                "Costs are counted of networks whose image enters the first layer of neurons and "
                f"no other. Received: one with the layer {signals.layer.twin.name!r} in place "
                f"{place + 1}."
            )
