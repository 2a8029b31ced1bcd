"""Activity of layers: numbers and arrays, and a table of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..basics.named import Named
from ..basics.tables import Table

__all__ = ["LayerRecord", "LayerStatistics", "Record", "activity_table"]

_MOST_INDICES = 12


@dataclass(frozen=True, kw_only=True)
class LayerStatistics:
    """Activity of one layer of neurons on some images, as plain numbers.

    The rate r of a neuron on an image is its number of spikes per step. The proxy rests on
    Eq. 9 of Kheradpisheh et al., "Spiking neural networks trained via proxy", which gives this
    rate from the rates of the inputs (for the first layer: from the pixels):

        r = ReLU(I / v_threshold)        I = sum of weights * input rates + bias

    `rate_error` and `rate_distance` compare both sides of this equation for the inputs that the
    *SNN's own* layer received. They measure the error of this layer alone: uneven spikes, the
    excess that a reset to zero discards, rounding to 1/T, the start at `v_0`, and the limit of
    one spike per step. Layers and pooling before it have no part in them. `ann_error` and
    `ann_distance` compare r with the activation a of the same layer of the ANN. They include
    the errors of all layers before.

    Distances are cosine distances, `1 - p.q / (|p| |q|)`, over the neurons of an image, averaged
    over images. They do not depend on scale and are 0 for proportional vectors. The distance of
    two vectors of zeros is 0; the distance of a vector of zeros and any other vector is 1.

    Attributes:
        name: Name of the ANN's layer, the twin.
        neurons: Number of neurons.
        v_threshold: Their threshold, in units of the weights.
        firing_rate: Mean of r over neurons and images, in spikes per neuron and step.
        spikes_per_image: Mean number of spikes that the layer fires for an image, which is
            neurons * firing_rate * T.
        dead_fraction: Share of the neurons that spike at no step of any image.
        saturated_fraction: Share of the neurons that spike at every step of every image.
        maps: Number of feature maps; each neuron of a dense layer is a map of its own.
        dead_maps: Indices of the maps (the filters) without a spike at any step of any image.
        rate_error: Mean of |r - ReLU(I / v_threshold)|, in spikes per step.
        rate_distance: Cosine distance of r and ReLU(I / v_threshold).
        ann_error: Mean of |r - a / u|, in spikes per step. The unit u is the activation that
            stands for a rate of 1: the product of v_threshold * scale over all layers up to this
            one, with the scale of a `Rescaling` or a `LearnedThreshold` before the ReLU. So u = 1
            for the proxy `"clip"`. `None` if there is no such unit: a bias or a batch
            normalisation after a layer with u other than 1 does not scale with the rates.
        ann_distance: Cosine distance of r and a; it needs no unit. A linear readout is rectified.
    """

    name: str
    neurons: int
    v_threshold: float
    firing_rate: float
    spikes_per_image: float
    dead_fraction: float
    saturated_fraction: float
    maps: int
    dead_maps: tuple[int, ...]
    rate_error: float
    rate_distance: float
    ann_error: float | None
    ann_distance: float

    @property
    def dead_maps_in_words(self) -> str:
        """The dead maps as part of a sentence; of many, the first ones."""
        shown = ", ".join(map(str, self.dead_maps[:_MOST_INDICES]))
        rest = ", ..." if len(self.dead_maps) > _MOST_INDICES else ""
        noun = "map" if len(self.dead_maps) == 1 else "maps"
        return f"{noun} {shown}{rest} ({len(self.dead_maps)} of {self.maps})"


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerRecord(LayerStatistics):
    """Activity of one layer at each step: the numbers of `LayerStatistics` and NumPy arrays.

    Attributes:
        spikes: Zeros and ones, `(images, time, ...)`, uint8.
        potentials: Membrane potentials after each step (and its reset), `(images, time, ...)`,
            in units of the weights.
        firing_rates: Spikes per step of each neuron, `(images, ...)`.
        expected_rates: Rates that Eq. 9 gives for the layer's own inputs, `(images, ...)`.
        activations: The ANN's activations of the layer, after ReLU, `(images, ...)`.
    """

    spikes: np.ndarray = field(repr=False)
    potentials: np.ndarray = field(repr=False)
    firing_rates: np.ndarray = field(repr=False)
    expected_rates: np.ndarray = field(repr=False)
    activations: np.ndarray = field(repr=False)


class Record(Named[LayerRecord]):
    """Name to `LayerRecord`, in the order of the network; shown as the table of the activity.

    Example:

    >>> import numpy as np
    >>> import keras_proxy_snn
    >>> from keras_proxy_snn import statistics
    >>> model = keras_proxy_snn.build("4C3-P2-10F", input_shape=(8, 8, 1), time_steps=6)
    >>> seen = statistics.record(model, np.ones((2, 8, 8, 1)))
    >>> list(seen)
    ['conv1', 'readout']
    >>> print(repr(seen).splitlines()[0])
    Activity of 2 images, T = 6 (rates and errors in spikes per neuron and step)
    """

    def _table(self) -> Table:
        of = ""
        for layer in self.values():
            images, time_steps = layer.spikes.shape[:2]
            of = f" of {images} image{'s' * (images != 1)}, T = {time_steps}"
        return activity_table(tuple(self.values()), of)

    def __repr__(self) -> str:
        return str(self._table())

    def _repr_html_(self) -> str:
        return self._table().html()


def activity_table(layers: Sequence[LayerStatistics], of: str = "") -> Table:
    """The activity of layers, one row per layer; below it the maps that never spike."""
    head = ("layer", "neurons", "threshold", "rate", "spikes", "dead", "saturated")
    rows: list[Sequence[str]] = [(*head, "Eq. 9", "dist.", "ANN", "dist.")]
    rows += [
        (
            layer.name,
            f"{layer.neurons:,}",
            f"{layer.v_threshold:g}",
            f"{layer.firing_rate:.4f}",
            f"{layer.spikes_per_image:,.0f}",
            f"{layer.dead_fraction:.1%}",
            f"{layer.saturated_fraction:.1%}",
            f"{layer.rate_error:.4f}",
            f"{layer.rate_distance:.3f}",
            "-" if layer.ann_error is None else f"{layer.ann_error:.4f}",
            f"{layer.ann_distance:.3f}",
        )
        for layer in layers
    ]
    notes = (
        *_dead_maps(layers),
        "spikes: fired for one image, neurons x rate x T.",
        "Eq. 9: firing rate against ReLU(current / threshold) for the layer's own inputs.",
        "ANN: against the activation of the same layer of the ANN. dist.: cosine distance.",
    )
    title = f"Activity{of} (rates and errors in spikes per neuron and step)"
    return Table(title, rows, 1, notes)


def _dead_maps(layers: Iterable[LayerStatistics]) -> Iterable[str]:
    """A line for each convolutional layer with maps that never spike."""
    for layer in layers:
        if layer.dead_maps and layer.maps < layer.neurons:
            yield f"{layer.name}: {layer.dead_maps_in_words} never spiked."
