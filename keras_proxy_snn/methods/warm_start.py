"""The paper's form of proxy learning, started from a trained ANN in place of random weights."""

from collections.abc import Mapping
from dataclasses import replace

import keras
import numpy as np

from ..basics.types import Images, Tensor
from ..cnn.build import layer_thresholds
from ..conversion.thresholds import scaled_maxima
from ..model import ProxyModel
from ..presets import Preset
from ._conversion import PLAIN, normalised
from ._training import Trained, Training, cosine, fit_phase
from .ann import compile_ann, preset_model
from .proxy import PAPER
from .quantised_proxy import with_dropout

__all__ = ["fit", "spiking_weights"]

_IMAGES = 1000
_LAST_SHARE = 9  # one of so many epochs is proxy learning
# With Table 1's rate, this is 1e-5. At the notebook's 1e-4 rates rise and the accuracy falls again,
# see `benchmarks/NOTES.md`.
_LAST_RATE = 0.01


def fit(preset: Preset, x: Images, y: Tensor, training: Training) -> Trained:
    """Train the ANN alone, scale its weights for the neurons, then train via proxy.

    Neurons, proxy and loss are the paper's (`PAPER`): reset to zero, ReLU, cross-entropy of counts,
    neither biases nor batch normalisation. A ReLU network without biases gives the same classes
    when the weights of a layer are multiplied by a positive number. `spiking_weights` uses this to
    start the neurons at rates that are neither near 0 nor cut off at 1. It does not keep them so:
    `benchmarks/NOTES.md` has a training whose rates rose until the readout fell silent.

    The ANN is trained in mixed bfloat16 with a learning rate that falls along a cosine. One of 9
    epochs, rounded up, is proxy learning with a tenth of the preset's rate.

    Args:
        preset: Architecture, T, threshold and optimizer.
        x: Images `(batch, height, width, channels)`.
        y: Integer labels `(batch,)`.
        training: Budget, held-out data and checkpoints.

    Returns:
        `Trained`; `network` is a `ProxyModel`, and `facts["lambda"]` has the activation that
        stands for one spike per step, by layer. A training of one epoch has no proxy learning.

    Example:

    >>> import keras_proxy_snn as kps
    >>> from keras_proxy_snn.methods import Training, warm_start
    >>> (x, y), _ = kps.datasets.load("digits")
    >>> trained = warm_start.fit(kps.PRESETS["digits"], x[:64], y[:64], Training(epochs=2))
    >>> list(trained.history)
    ['ann', 'proxy']
    """
    preset = replace(preset, **PAPER)
    last = -(-training.epochs // _LAST_SHARE) if training.epochs > 1 else 0
    plain = preset_model(preset, **PLAIN)
    ann = with_dropout(plain, 0.0, "mixed_bfloat16").ann
    compile_ann(ann, preset)
    epochs = training.epochs - last
    history = {"ann": fit_phase(ann, x, y, training, "ann", epochs=epochs, fall=cosine)}
    plain.ann.set_weights(ann.get_weights())
    some = np.sort(np.random.default_rng(0).permutation(len(x))[:_IMAGES])
    peaks = scaled_maxima(plain.ann, np.asarray(x)[some], verbose=0)
    peaks[plain.ann.layers[-1].name] = float(preset.time_steps)
    model = preset_model(replace(preset, learning_rate=_LAST_RATE * preset.learning_rate))
    model.ann.set_weights(spiking_weights(plain.ann, peaks, model))
    if last:
        history["proxy"] = fit_phase(model, x, y, training, "proxy", epochs=last)
    return Trained(model, history, {"lambda": peaks})


def spiking_weights(
    ann: keras.Sequential, peaks: Mapping[str, float], model: ProxyModel
) -> list[np.ndarray]:
    """Weights of a ReLU network, scaled for neurons with unit spikes.

    With lambda_l for the activation of layer l that stands for one spike per step, theta_l for the
    threshold, and lambda_0 = 1:

        W_l <- W_l theta_l lambda_{l-1} / lambda_l

    (section 2.2 of Rueckauer et al., "Conversion of continuous-valued deep networks to efficient
    event-driven networks for image classification", 2017, there with theta = 1.) With
    lambda = T for the readout, a count of T stands for an output of T.

    Args:
        ann: A trained ReLU network without biases and batch normalisation.
        peaks: lambda by name of the layer.
        model: Model whose thresholds are theta.
    """
    thetas = layer_thresholds(model.v_threshold, list(peaks))
    unit = normalised(ann, peaks, peaks, None).get_weights()
    return [np.float32(thetas[name]) * w for name, w in zip(peaks, unit, strict=True)]
