"""Proxy learning of an ANN that has learned the steps of its neurons before."""

from typing import Any

from ..metrics import SpikeAccuracy
from ..model import ProxyModel
from ..presets import Preset
from ..quantised_ann import QuantisedANN
from ._conversion import variant
from ._training import Trained, Training, fit_phase
from .ann import compile_ann, preset_model
from .proxy import low_t

__all__ = ["fit"]

_PROXY_SHARE = 4  # one epoch in so many is via proxy
_PROXY_RATE = 0.3  # of the preset's learning rate


def fit(preset: Preset, x: Any, y: Any, training: Training) -> Trained:
    """Train the ANN with the steps of its neurons, and then via proxy.

    As `examples/from_keras.py` does with a CNN of one's own: `keras_proxy_snn.QuantisedANN` with T
    steps, dithered, for three quarters of the epochs, which simulates nothing; then proxy learning
    with 0.3 of the learning rate. Averages take the place of max pooling, because the OR of
    spikes is not the maximum of rates. All else is `LOW_T`'s. (Batch normalisation trains on:
    frozen, accuracy on held-out images of CIFAR-10 was half a point lower, 4 epochs, one seed.)

    Returns:
        `Trained`; `network` is a `ProxyModel` whose ANN has average pooling. A training of one
        epoch has no part via proxy.

    Example:

    >>> import keras_proxy_snn as kps
    >>> from keras_proxy_snn.baselines import Training, quantised_proxy
    >>> (x, y), _ = kps.datasets.load("digits")
    >>> trained = quantised_proxy.fit(kps.PRESETS["digits"], x[:64], y[:64], Training(epochs=2))
    >>> list(trained.history)
    ['quantised', 'proxy']
    """
    preset = low_t(preset)
    plain = preset_model(preset, learning_rate=_PROXY_RATE * preset.learning_rate)
    averaging = variant(plain.ann, pooling="average")
    model = ProxyModel(**{**plain.get_config(), "ann": averaging})
    model.compile(plain.optimizer, plain.loss, metrics=[SpikeAccuracy()])
    steps = QuantisedANN(model, seed=training.seed)
    compile_ann(steps, preset)
    by_proxy = -(-training.epochs // _PROXY_SHARE) if training.epochs > 1 else 0
    first = training.epochs - by_proxy
    history = {"quantised": fit_phase(steps, x, y, training, "quantised", epochs=first)}
    if by_proxy:
        history["proxy"] = fit_phase(model, x, y, training, "proxy", epochs=by_proxy)
    return Trained(model, history)
