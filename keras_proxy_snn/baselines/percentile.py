"""ANN-to-SNN conversion by robust normalisation of the weights."""

from typing import Any

import keras
import numpy as np
from keras import ops

from ..presets import Preset
from ._conversion import PLAIN, convert, variant
from ._training import Trained, Training, fit_phase
from .ann import compile_ann, preset_model

__all__ = ["PERCENTILE", "activation_percentiles", "fit"]

PERCENTILE = 99.9
_IMAGES = 1000
_BATCH = 20  # 10 million activations of the paper's widest layer


def fit(preset: Preset, x: Any, y: Any, training: Training, *, pooling: str = "max") -> Trained:
    """Train the plain ANN and normalise each layer by a percentile of its activations.

    With lambda_l, the 99.9th percentile of the non-zero activations of layer l (section 2.2 of
    Rueckauer et al., "Conversion of continuous-valued deep networks to efficient event-driven
    networks for image classification", 2017), batch normalisation folded into W and b before:

        W_l <- W_l lambda_{l-1} / lambda_l,    b_l <- b_l / lambda_l,    v_threshold = 1

    Reset by subtraction; the readout's currents are summed over T with no output neuron, so the
    readout is not divided by a lambda of its own. The percentiles are those of up to 1,000 training
    images. With max pooling spikes are pooled by OR, where theirs let the neuron that fires most
    pass alone; see `keras_proxy_snn.baselines.METHODS`.

    Args:
        preset: Architecture and optimizer.
        x: Images `(batch, height, width, channels)`.
        y: Integer labels `(batch,)`.
        training: Budget and surroundings.
        pooling: `"max"`, or `"average"` in its place, in the ANN and the spiking network.

    Returns:
        `Trained`; `network` is a `ProxyModel` whose `ann` is the normalised ANN and gives the
        same outputs as the trained one; `facts["lambda"]` are the percentiles by layer.

    Raises:
        ValueError: If a layer has no activation above zero, or `pooling` is unknown.
    """
    plain = preset_model(preset, **PLAIN).ann
    ann = variant(plain, pooling=pooling)
    compile_ann(ann, preset)
    # With max pooling this is the plain ANN, and a folder of its training serves.
    phase = "ann" if pooling == "max" else f"ann_{pooling}_pooling"
    history = fit_phase(ann, x, y, training, phase)
    some = np.sort(np.random.default_rng(0).permutation(len(x))[:_IMAGES])
    percentiles = activation_percentiles(ann, np.asarray(x)[some])
    model = convert(preset, plain, percentiles, percentiles, pooling=pooling)
    return Trained(model, {phase: history}, {"lambda": percentiles})


def activation_percentiles(
    ann: keras.Sequential, x: Any, percentile: float = PERCENTILE
) -> dict[str, float]:
    """Percentile of the non-zero activations of each layer with a ReLU.

    Only the largest activations are held at a time, not all of them.

    Args:
        ann: A built ANN as `build_ann` makes it, with ReLUs.
        x: Images `(batch, height, width, channels)`.
        percentile: Per cent, in (0, 100].

    Returns:
        Percentiles by name of the layer with weights, interpolated as in `numpy.percentile`.

    Raises:
        ValueError: If the percentile is out of range or a layer has no activation above zero.

    Example:

    >>> import numpy as np
    >>> import keras_proxy_snn as kps
    >>> from keras_proxy_snn.baselines.percentile import activation_percentiles
    >>> spec = kps.parse_spec("4C3-P2-10F")
    >>> ann = kps.build_ann(spec, (8, 8, 1), readout_activation="linear")
    >>> list(activation_percentiles(ann, np.random.rand(8, 8, 8, 1)))
    ['conv1']
    """
    if not 0 < percentile <= 100:
        raise ValueError(f"`percentile` must be in (0, 100]. Received: {percentile!r}.")
    found: dict[str, _Percentile] = {}
    for start in range(0, len(x), _BATCH):
        values = ops.convert_to_tensor(x[start : start + _BATCH], "float32")
        for layer in ann.layers:
            values = layer(values)
            if isinstance(layer, keras.layers.ReLU):
                name = layer.name.removesuffix("_relu")
                activations = ops.convert_to_numpy(values)
                most = len(x) * activations[0].size
                one = found.setdefault(name, _Percentile(percentile, most))
                one.add(activations[activations > 0])
    silent = [name for name, one in found.items() if not one.number]
    if silent:
        raise ValueError(
            "Each layer must have an activation above zero on the training images. "
            f"Received: none in {silent}."
        )
    return {name: one.result() for name, one in found.items()}


class _Percentile:
    """A percentile of values that come in parts, of which only the largest are kept."""

    def __init__(self, percentile: float, most: int):
        self._fraction = percentile / 100
        # The two order statistics around it, whatever share of `most` values is added.
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
