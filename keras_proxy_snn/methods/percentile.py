"""ANN-to-SNN conversion by robust normalisation of the weights."""

import numpy as np

from ..basics.types import Images, Tensor
from ..conversion.thresholds import activation_percentiles
from ..presets import Preset
from ._conversion import convert
from ._training import Trained, Training
from .ann import train_ann

__all__ = ["fit"]

_IMAGES = 1000


def fit(preset: Preset, x: Images, y: Tensor, training: Training) -> Trained:
    """Train the plain ANN and normalise each layer by a percentile of its activations.

    (Section 2.2 of Rueckauer et al., "Conversion of continuous-valued deep networks to efficient
    event-driven networks for image classification", 2017.) lambda_l is the 99.9th percentile of
    the non-zero activations of layer l. Batch normalisation is folded into W and b first:

        W_l <- W_l lambda_{l-1} / lambda_l,    b_l <- b_l / lambda_l,    v_threshold = 1

    Neurons are reset by subtraction. The readout has no output neurons and sums its currents over
    T, so it is not divided by a lambda of its own. The percentiles are taken over up to 1,000
    training images. With max pooling, spikes are pooled by OR; in the publication only the spikes
    of the most active neuron pass. See `keras_proxy_snn.methods.METHODS`.

    Args:
        preset: Architecture and optimizer.
        x: Images `(batch, height, width, channels)`.
        y: Integer labels `(batch,)`.
        training: Budget, held-out data and checkpoints.

    Returns:
        `Trained`; `network` is a `ProxyModel`. Its `ann` is the normalised ANN, which gives the
        same outputs as the trained ANN; `facts["lambda"]` has the percentiles by layer.

    Raises:
        ValueError: If a layer has no activation above zero.
    """
    ann, history = train_ann(preset, x, y, training)
    some = np.sort(np.random.default_rng(0).permutation(len(x))[:_IMAGES])
    percentiles = activation_percentiles(ann, np.asarray(x)[some])
    del percentiles[ann.layers[-1].name]
    model = convert(preset, ann, percentiles, percentiles)
    return Trained(model, {"ann": history}, {"lambda": percentiles})
