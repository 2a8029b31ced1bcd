"""ANN-to-SNN conversion by robust normalisation of the weights."""

from typing import Any

import numpy as np

from ..calibration import activation_percentiles
from ..presets import Preset
from ._conversion import PLAIN, convert, variant
from ._training import Trained, Training, fit_phase
from .ann import compile_ann, preset_model

__all__ = ["fit"]

_IMAGES = 1000


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
    del percentiles[ann.layers[-1].name]
    model = convert(preset, plain, percentiles, percentiles, pooling=pooling)
    return Trained(model, {phase: history}, {"lambda": percentiles})
