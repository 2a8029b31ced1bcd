"""Proxy learning with a T that grows during training."""

from typing import Any

import keras

from ..basics.types import Images, Tensor
from ..presets import Preset
from ._training import Trained, Training, fit_phase
from .ann import preset_model

__all__ = ["fit"]

# Early epochs need no precise counts, and the cost of an epoch is proportional to T. A start at T/4
# would be cheaper still, but the paper's form with a threshold of 2 collapses at T = 12: Table 1's
# network for Fashion-MNIST with He's initial weights classified 79 % of held-out images correctly
# after 150 steps of 100 images, and was at chance level after 225 steps.
_FRACTIONS = (2, 1)


def fit(preset: Preset, x: Images, y: Tensor, training: Training) -> Trained:
    """Train via proxy as the preset says: half of the epochs at T/2, then half at T.

    The second half continues with the weights and Adam's moments of the first half. The learning
    rate falls linearly over all epochs. With an odd number of epochs, T/2 has one epoch more. A
    training of one epoch runs at T/2 only.

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
    """Sets a learning rate that falls over all phases together, not within each phase."""

    def __init__(self, rate: float, done: int, epochs: int):
        super().__init__()
        self._rate, self._done, self._epochs = rate, done, epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        share = 1 - (self._done + epoch) / self._epochs
        self.model.optimizer.learning_rate = self._rate * share
