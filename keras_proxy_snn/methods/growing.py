"""Proxy learning while T grows."""

from typing import Any

import keras

from ..presets import Preset
from ._training import Trained, Training, fit_phase
from .ann import preset_model

__all__ = ["fit"]

# Early epochs need no precise counts, and cost as much as T is long. From a quarter on it would be
# cheaper yet, but the paper's form with a threshold of 2 collapses at T = 12: Table 1's net for
# Fashion-MNIST, from He's first weights, had 79 % of held-out images right after 150 steps of 100
# images, and as many as chance after 225.
_FRACTIONS = (2, 1)


def fit(preset: Preset, x: Any, y: Any, training: Training) -> Trained:
    """Train via proxy as the preset says, for half of the epochs each at T/2 and T.

    The weights and Adam's moments go on from one T to the next, and the learning rate falls
    linearly over all epochs. Of an odd number of epochs one more is trained at T/2, a single one
    there alone.

    Returns:
        `Trained`; `network` is a `ProxyModel` of the preset's T.

    Example:

    >>> import keras_proxy_snn as kps
    >>> from keras_proxy_snn.methods import Training, growing
    >>> (x, y), _ = kps.datasets.load("digits")
    >>> trained = growing.fit(kps.PRESETS["digits"], x[:64], y[:64], Training(epochs=2))
    >>> list(trained.history), trained.network.time_steps
    (['T10', 'T20'], 20)
    """
    model = preset_model(preset)
    rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    all_t = list(dict.fromkeys(max(1, preset.time_steps // n) for n in _FRACTIONS))
    history, done = {}, 0
    for number, model.time_steps in enumerate(all_t):
        epochs = -(-(training.epochs - number) // len(all_t))
        if epochs:
            fall = _Fall(rate, done, training.epochs)
            phase = f"T{model.time_steps}"
            history[phase] = fit_phase(
                model, x, y, training, phase, epochs=epochs, callbacks=[fall]
            )
        done += epochs
    return Trained(model, history)


class _Fall(keras.callbacks.Callback):
    """The learning rate over all phases, where each phase alone would end near zero."""

    def __init__(self, rate: float, done: int, epochs: int):
        super().__init__()
        self._rate, self._done, self._epochs = rate, done, epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        share = 1 - (self._done + epoch) / self._epochs
        self.model.optimizer.learning_rate = self._rate * share
