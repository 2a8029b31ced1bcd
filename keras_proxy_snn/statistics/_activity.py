"""Activity per layer: firing rates, silent and saturated neurons, and the errors of Eq. 9."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..basics.types import Images, Verbose
from ..model import ProxyModel
from ._layers import LayerRecord, LayerStatistics, Record
from ._signals import LayerSignals, batches, check_model

__all__ = ["ActivitySums", "record"]


def record(
    model: ProxyModel,
    x: Images,
    layers: Iterable[str] | None = None,
    *,
    time_steps: int | None = None,
    batch_size: int = 32,
    verbose: Verbose = "auto",
) -> Record:
    """Record spikes and potentials of chosen layers at every step.

    The model is not changed. The record takes five bytes per image, neuron and time step, so use
    few images. `report` needs no such memory.

    Args:
        model: A `ProxyModel`.
        x: Images `(images, height, width, channels)`, or batches as `fit` takes them.
        layers: Names of layers with neurons (`"conv1"`, `"readout"`); `None` for all of them.
        time_steps: Number T of time steps for this call only; `None` for the model's own.
        batch_size: Number of images simulated at once.
        verbose: Whether a line shows the progress: 0, 1, or `"auto"` for a terminal or a notebook.

    Returns:
        `Record`: name to `LayerRecord`, in the order of the network.

    Raises:
        TypeError: If the model is not a `ProxyModel`.
        ValueError: If x is empty or has another shape than the model's images, a layer is
            unknown, no layer is named, or `time_steps` or `batch_size` is not a positive integer.

    Example:

    >>> import numpy as np
    >>> import keras_proxy_snn
    >>> from keras_proxy_snn import statistics
    >>> model = keras_proxy_snn.build("4C3-P2-10F", input_shape=(8, 8, 1), time_steps=6)
    >>> seen = statistics.record(model, np.ones((2, 8, 8, 1)), layers=["conv1"])["conv1"]
    >>> seen.spikes.shape, seen.potentials.shape
    ((2, 6, 8, 8, 4), (2, 6, 8, 8, 4))
    >>> bool(np.isclose(seen.firing_rate, seen.spikes.mean()))
    True
    """
    check_model(model)
    names = _check_layers(layers, [layer.twin.name for layer in model.snn.if_layers])
    arrays: dict[str, dict[str, list[Any]]] = {name: {} for name in names}
    with model.at_time_steps(time_steps):
        sums = {name: ActivitySums(model.time_steps) for name in names}
        for batch in batches(model, x, batch_size, verbose, keep=names):
            for signals in batch:
                name = signals.layer.twin.name
                if name in sums:
                    sums[name].add(signals)
                    for key, values in _arrays(signals, model.time_steps).items():
                        arrays[name].setdefault(key, []).append(values)
    result = Record()
    for name in names:
        joined: dict[str, Any] = {key: np.concatenate(v) for key, v in arrays[name].items()}
        result[name] = LayerRecord(**vars(sums[name].statistics()), **joined)
    return result


def _check_layers(layers: Iterable[str] | None, known: list[str]) -> list[str]:
    if layers is None:
        return known
    chosen = [layers] if isinstance(layers, str) else list(layers)
    if not chosen or not set(chosen) <= set(known):
        raise ValueError(f"`layers` must name some of the layers {known}. Received: {layers!r}.")
    return [name for name in known if name in chosen]


def _arrays(signals: LayerSignals, time_steps: int) -> dict[str, Any]:
    return {
        "spikes": signals.spikes,
        "potentials": signals.potentials,
        "firing_rates": signals.spike_counts / np.float32(time_steps),
        "expected_rates": signals.expected_rates,
        "activations": signals.ann_activations,
    }


class ActivitySums:
    """Statistics of one layer, summed over batches that are not kept.

    Args:
        time_steps: Number T of time steps.
    """

    def __init__(self, time_steps: int):
        self._time_steps = time_steps
        self._images = 0
        # Each is a mean over neurons, summed over images.
        self._rate = self._rate_error = self._rate_distance = 0.0
        self._ann_error = self._ann_distance = 0.0
        self._fewest = np.array(np.inf)
        self._most = np.array(0.0)

    def add(self, signals: LayerSignals) -> None:
        """Add a batch to the sums."""
        self._last = signals
        self._images += len(signals.spike_counts)
        counts, expected, activations = (
            values.reshape(len(values), -1).astype("float64")
            for values in (signals.spike_counts, signals.expected_rates, signals.ann_activations)
        )
        rates = counts / self._time_steps
        self._rate += rates.mean(axis=1).sum()
        self._rate_error += np.abs(rates - expected).mean(axis=1).sum()
        self._rate_distance += _cosine_distances(rates, expected).sum()
        if signals.ann_unit is not None:
            self._ann_error += np.abs(rates - activations / signals.ann_unit).mean(axis=1).sum()
        self._ann_distance += _cosine_distances(rates, activations).sum()
        self._fewest = np.minimum(self._fewest, counts.min(axis=0))
        self._most = np.maximum(self._most, counts.max(axis=0))

    def statistics(self) -> LayerStatistics:
        """Statistics of all batches so far; there must be at least one."""
        layer, images = self._last.layer, self._images
        # A map is the last axis of the layer's output.
        maps = self._last.spike_counts.shape[-1]
        dead = np.flatnonzero(np.max(self._most.reshape(-1, maps), axis=0) == 0)
        return LayerStatistics(
            name=layer.twin.name,
            neurons=len(self._most),
            v_threshold=layer.v_threshold,
            firing_rate=float(self._rate / images),
            spikes_per_image=float(self._rate / images * len(self._most) * self._time_steps),
            dead_fraction=float(np.mean(self._most == 0)),
            saturated_fraction=float(np.mean(self._fewest == self._time_steps)),
            maps=maps,
            dead_maps=tuple(dead.tolist()),
            rate_error=float(self._rate_error / images),
            rate_distance=float(self._rate_distance / images),
            ann_error=None if self._last.ann_unit is None else float(self._ann_error / images),
            ann_distance=float(self._ann_distance / images),
        )


def _cosine_distances(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Cosine distance per row; `LayerStatistics` says what it is for rows of zeros."""
    norms = np.linalg.norm(p, axis=1) * np.linalg.norm(q, axis=1)
    both_silent = ~p.any(axis=1) & ~q.any(axis=1)
    cosine = np.sum(p * q, axis=1) / np.where(norms > 0, norms, 1.0)
    return np.where(both_silent, 0.0, 1.0 - np.minimum(cosine, 1.0))
