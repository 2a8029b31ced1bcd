"""Thresholds for a trained CNN from its activations on some images, without training."""

from collections.abc import Iterable, Iterator
from numbers import Real
from typing import Any

import keras
import numpy as np
from keras import ops

from ..basics.arrays import as_float32
from ..basics.checks import check_choice, positive_integer
from ..basics.named import Named
from ..basics.pixel_range import warn_of_range
from ..basics.progress import Progress
from ..basics.types import Images, Tensor, Verbose
from ..mapping.twin import SpikingTwin, spiking_twin
from ..training.batches import ImageBatches, rereadable
from ..training.input_range import layers_range, peek, range_of
from ..training.responses import quantisation_level

__all__ = [
    "CALIBRATIONS",
    "PERCENTILE",
    "activation_percentiles",
    "calibrate",
    "least_error_steps",
    "scaled_maxima",
]

PERCENTILE = 99.9
_CANDIDATES = np.arange(1, 51) / 50  # of the step, as a fraction of the maximum
_AGREEMENT = 0.99
_HALVINGS = 7
_LABEL = "calibrating"
_BATCH = 20  # 10 million activations of the paper's widest layer


def calibrate(
    ann: keras.Model,
    x: Images,
    method: str = "percentile",
    *,
    time_steps: int = 16,
    percentile: float = PERCENTILE,
    verbose: Verbose = "auto",
) -> dict[str, float]:
    """Thresholds that suit a trained CNN, for spikes as high as their threshold.

    With such spikes (`spike_height="threshold"`), a layer's rates times its threshold theta follow
    its activations up to theta, in steps of theta / T. A large theta keeps large activations but
    has coarse steps; a small theta has fine steps but cuts large activations off. The methods
    choose theta as follows:

        "percentile"  the 99.9th percentile of the activations above zero (Rueckauer et al.,
                      "Conversion of continuous-valued deep networks to efficient event-driven
                      networks for image classification", 2017, section 2.2)
        "rnl"         f times the largest activation, with one f for all layers: the smallest with
                      which the CNN, its activations cut off at theta, still gives 99 % of the
                      images the class that it gave them before
        "qcfs"        the step lambda for which QCFS with L = T levels changes the activations
                      least, in the mean of squares, among 1/50, 2/50, ..., 1 of the largest

    "rnl" takes the scale of the rate norm layer (Ding et al., "Optimal ANN-SNN conversion for fast
    and accurate inference in deep spiking neural networks", 2021). There the scale is trained to
    make thresholds small while the accuracy holds. "qcfs" takes the activation of Bu et al.
    ("Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency spiking neural networks",
    2022). There the steps are trained with the weights. `calibrate` changes no weights;
    `keras_proxy_snn.methods` has both methods with their training.

    Args:
        ann: The CNN; see `keras_proxy_snn.mapping.twin.spiking_twin`.
        x: Some hundred training images, `(batch, ...)`, or batches as `fit` takes them; labels
            beside them are not used. They are read several times, so a generator's are kept.
        method: `"percentile"`, `"rnl"` or `"qcfs"`.
        time_steps: Number T of time steps, for `"qcfs"`.
        percentile: Per cent, in (0, 100], for `"percentile"`.
        verbose: Whether a line shows the progress: 0, 1, or `"auto"` for a terminal or a notebook.

    Returns:
        Name of each layer with neurons, the readout included, to its threshold; an argument for
        `v_threshold`. For a linear readout, the absolute values of its outputs count.

    Raises:
        ValueError: If an argument is out of range, there are no images, or a layer has no
            activation above zero.

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn import calibrate
    >>> dense = keras.layers.Dense(2, name="readout", kernel_initializer="ones")
    >>> calibrate(keras.Sequential([keras.Input((1,)), dense]), np.float32([[2], [4]]), "rnl")
    {'readout': 0.03125}
    """
    check_choice("method", method, CALIBRATIONS)
    if method == "percentile":
        return Named(activation_percentiles(ann, x, percentile, verbose))
    if method == "rnl":
        return Named(scaled_maxima(ann, x, verbose))
    return Named(least_error_steps(ann, x, time_steps, verbose))


CALIBRATIONS = ("percentile", "rnl", "qcfs")


def activation_percentiles(
    ann: keras.Model, x: Images, percentile: float = PERCENTILE, verbose: Verbose = "auto"
) -> dict[str, float]:
    """Percentile of the activations above zero of each layer with neurons.

    The function holds the largest activations only, not all of them.

    Args:
        ann: The CNN.
        x: As in `calibrate`.
        percentile: Per cent, in (0, 100].
        verbose: As in `calibrate`.

    Returns:
        Percentiles by name of the layer, interpolated as in `numpy.percentile`; see `calibrate`.

    Raises:
        ValueError: If the percentile is out of range or a layer has no activation above zero.

    Example:

    >>> import numpy as np
    >>> import keras_proxy_snn as kps
    >>> from keras_proxy_snn.conversion.thresholds import activation_percentiles
    >>> ann = kps.build_ann(kps.parse_spec("4C3-P2-10F"), (8, 8, 1))
    >>> list(activation_percentiles(ann, np.random.rand(8, 8, 8, 1)))
    ['conv1', 'readout']
    """
    number = isinstance(percentile, Real) and not isinstance(percentile, bool)
    if not number or not 0 < percentile <= 100:
        raise ValueError(f"`percentile` must be in (0, 100]. Received: {percentile!r}.")
    found: dict[str, _Percentile] = {}
    twin, batches = _read(ann, x)
    images = batches.number()
    with Progress(_LABEL, images, verbose) as progress:
        for name, activations in _activations(twin, progress.over(batches)):
            most = images * activations[0].size
            one = found.setdefault(name, _Percentile(percentile, most))
            one.add(activations[activations > 0])
    _check_heard({name: one.number for name, one in found.items()})
    return {name: one.result() for name, one in found.items()}


def scaled_maxima(ann: keras.Model, x: Images, verbose: Verbose = "auto") -> dict[str, float]:
    """Maxima of the activations times the smallest scale that keeps the classes; `calibrate`."""
    twin, batches = _read(ann, x)
    low, high = 0.0, 1.0
    with Progress(_LABEL, batches.known_number(), verbose, passes=1 + _HALVINGS) as progress:
        maxima = _maxima(twin, progress.over(batches))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            caps = {name: middle * largest for name, largest in maxima.items()}
            agrees = _agreement(twin, progress.over(batches), caps) >= _AGREEMENT
            low, high = (low, middle) if agrees else (middle, high)
    return {name: high * largest for name, largest in maxima.items()}


def least_error_steps(
    ann: keras.Model, x: Images, levels: int, verbose: Verbose = "auto"
) -> dict[str, float]:
    """Steps with the least squared error of QCFS at so many levels; see `calibrate`."""
    levels = positive_integer("time_steps", levels)
    twin, batches = _read(ann, x)
    with Progress(_LABEL, batches.known_number(), verbose, passes=2) as progress:
        maxima = _maxima(twin, progress.over(batches))
        errors = {name: np.zeros(len(_CANDIDATES)) for name in maxima}
        for name, activations in _activations(twin, progress.over(batches)):
            heard = activations[activations > 0]
            for i, fraction in enumerate(_CANDIDATES):
                step = fraction * maxima[name]
                level = np.floor(ops.convert_to_numpy(quantisation_level(heard, step, levels)))
                errors[name][i] += np.sum((level * (step / levels) - heard) ** 2, dtype="float64")
    return {name: float(_CANDIDATES[e.argmin()] * maxima[name]) for name, e in errors.items()}


def _read(ann: keras.Model, x: Images) -> tuple[SpikingTwin, ImageBatches]:
    """The layers of a CNN, and images for it."""
    twin = spiking_twin(ann)
    images, x = peek(rereadable(x))
    if (known := layers_range(twin.graph)) is not None:
        warn_of_range(known, range_of(images))
    return twin, ImageBatches(x, twin.graph.input_shape, _BATCH)


def _activations(
    twin: SpikingTwin, batches: Iterable[np.ndarray]
) -> Iterator[tuple[str, np.ndarray]]:
    """Activations of each layer with neurons, in parts `(batch, ...)`, layer by layer."""
    names = {place: name for name, place in twin.activations.items()}
    for batch in batches:
        for place, result in twin.graph.run(ops.convert_to_tensor(batch)):
            if place in names:
                yield names[place], _heights(twin, place, result)


def _heights(twin: SpikingTwin, place: int, result: Tensor) -> np.ndarray:
    values = as_float32(result)
    return np.abs(values) if place == len(twin.graph.calls) - 1 else values


def _maxima(twin: SpikingTwin, batches: Iterable[np.ndarray]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, activations in _activations(twin, batches):
        found[name] = max(found.get(name, 0.0), float(activations.max()))
    _check_heard(found)
    return found


def _check_heard(found: dict[str, Any]) -> None:
    silent = [name for name, value in found.items() if not value]
    if silent:
        raise ValueError(
            "Each layer must have an activation above zero on at least one image. Received: "
            f"only zeros in {silent}."
        )


def _agreement(twin: SpikingTwin, batches: Iterable[np.ndarray], caps: dict[str, float]) -> float:
    """Share of images whose class stays if activations before the readout are cut off at `caps`.

    Both classes are taken of the same batch, because data may come in a new order when read again.
    """
    limits = {twin.activations[name]: cap for name, cap in caps.items()}
    limits.pop(len(twin.graph.calls) - 1, None)
    same = [_classes(twin, b, limits) == _classes(twin, b, {}) for b in batches]
    return float(np.mean(np.concatenate(same)))


def _classes(twin: SpikingTwin, batch: np.ndarray, limits: dict[int, float]) -> np.ndarray:
    """Classes of a batch if activations are cut off at limits, by position of the call."""
    run = twin.graph.run(ops.convert_to_tensor(batch))
    place, result = next(run)
    while place != len(twin.graph.calls) - 1:
        place, result = run.send(ops.minimum(result, limits[place]) if place in limits else None)
    classes: np.ndarray = ops.convert_to_numpy(result).argmax(axis=-1)
    return classes


class _Percentile:
    """A percentile of values that arrive in parts; only the largest values are kept."""

    def __init__(self, percentile: float, most: int):
        self._fraction = percentile / 100
        # The two order statistics around the percentile, however many values were added.
        self._keep = int(most * (1 - self._fraction)) + 2
        self._largest = np.zeros(0, "float32")
        self.number = 0

    def add(self, values: np.ndarray) -> None:
        self.number += values.size
        values = np.concatenate([self._largest, values])
        drop = max(values.size - self._keep, 0)
        self._largest = np.partition(values, drop)[drop:] if drop else values

    def result(self) -> float:
        rank = self._fraction * (self.number - 1) - (self.number - self._largest.size)
        ranks = np.arange(self._largest.size)
        return float(np.interp(rank, ranks, np.sort(self._largest)))
