"""Proxy learning of an ANN that has learned the steps of its neurons before."""

from dataclasses import replace
from typing import Any

from ..conversion.quantised_ann import QuantisedANN
from ..presets import Preset
from ._training import Trained, Training, fit_phase
from .ann import compile_ann, preset_model
from .proxy import low_t

__all__ = ["fit"]

_LEVELS = 4  # those of QCFS
_LAST_SHARE = 4  # one epoch in so many is of the second part
_LAST_RATE = 0.1  # of the preset's learning rate


def fit(preset: Preset, x: Any, y: Any, training: Training, *, by_proxy: bool = True) -> Trained:
    """Train the ANN with the steps of its neurons, and then via proxy.

    As `examples/from_keras.py` does with a CNN of one's own: `keras_proxy_snn.QuantisedANN` for
    three quarters of the epochs, which simulates nothing; then proxy learning with a tenth of the
    learning rate. Averages take the place of max pooling, because the OR of spikes is not
    the maximum of rates. All else is `LOW_T`'s.

    With batch normalisation give thresholds of 2: activations are then clipped at two standard
    deviations of the currents, where QCFS starts too. What that and the other choices made of
    held-out images of CIFAR-10 (`cifar10_compact`, T = 8, 4 epochs, one seed), in percent:

                                                      after the first part    at the end
        as here                                               74.1               77.5
        second part at 0.3 of the rate                        74.1               74.8
        the same, with the proxy's activations "qcfs"         74.1               74.5
        first part with T levels, dithered                    73.0
        the same, thresholds of 1, 0.3 of the rate            68.4               69.0

    Args:
        preset: Architecture, T, threshold and optimizer.
        x: Images `(batch, height, width, channels)`.
        y: Integer labels `(batch,)`.
        training: Budget and surroundings.
        by_proxy: `False`: the second part is like the first but for the learning rate. What the
            proxy adds is the difference. T has no part in it then.

    Returns:
        `Trained`; `network` is a `ProxyModel` whose ANN has average pooling. A training of one
        epoch has no second part.

    Example:

    >>> import keras_proxy_snn as kps
    >>> from keras_proxy_snn.methods import Training, quantised_proxy
    >>> (x, y), _ = kps.datasets.load("digits")
    >>> trained = quantised_proxy.fit(kps.PRESETS["digits"], x[:64], y[:64], Training(epochs=2))
    >>> list(trained.history)
    ['quantised', 'proxy']
    """
    preset = replace(low_t(preset), pooling="average")
    slower = replace(preset, learning_rate=_LAST_RATE * preset.learning_rate)
    model = preset_model(slower)
    steps = QuantisedANN(model, levels=_LEVELS, dither=False)
    compile_ann(steps, preset)
    last = -(-training.epochs // _LAST_SHARE) if training.epochs > 1 else 0
    first = training.epochs - last
    history = {"quantised": fit_phase(steps, x, y, training, "quantised", epochs=first)}
    if last and by_proxy:
        history["proxy"] = fit_phase(model, x, y, training, "proxy", epochs=last)
    elif last:
        compile_ann(steps, slower)
        history["slower"] = fit_phase(steps, x, y, training, "slower", epochs=last)
    return Trained(model, history)
