"""Losses on spike counts."""

from typing import Any

import keras
from keras import ops

from ..basics.labels import check_labels
from ..basics.types import Tensor
from ..basics.warn import warn
from .targets import one_hot

__all__ = [
    "LOSSES",
    "SpikeCountCrossentropy",
    "SpikeCountLoss",
    "SpikeCountMeanSquaredError",
    "warn_of_probabilities",
]

# Functions of Keras that take probabilities unless they are told otherwise.
_OF_PROBABILITIES = (
    keras.losses.sparse_categorical_crossentropy,
    keras.losses.categorical_crossentropy,
    keras.losses.binary_crossentropy,
)


class SpikeCountLoss(keras.losses.Loss):
    """A loss of labels, which it checks if they are arrays. In a train step they are tensors."""

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> Any:
        """Loss of a batch; see the class."""
        if not ops.is_tensor(y_true) and not isinstance(y_true, keras.KerasTensor):
            check_labels(y_true, y_pred.shape[-1])
        return super().__call__(y_true, y_pred, sample_weight)


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class SpikeCountCrossentropy(SpikeCountLoss):
    """Cross-entropy of the softmax over spike counts, the paper's loss.

    For counts c and the one-hot label Y (Eq. 12 and 13 of Kheradpisheh et al., "Spiking neural
    networks trained via proxy"):

        O_k = exp(c_k) / sum_j exp(c_j)
        L = -sum_k Y_k ln(O_k)

    Args:
        name: Name of the loss.
        **kwargs: Arguments of `keras.losses.Loss`.

    Call arguments:
        y_true: Integer labels `(batch,)` or one-hot `(batch, classes)`.
        y_pred: Spike counts `(batch, classes)`.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn import SpikeCountCrossentropy
    >>> loss = SpikeCountCrossentropy()
    >>> round(float(loss(np.array([0]), np.float32([[2, 0]]))), 4)
    0.1269
    """

    def __init__(self, name: str = "spike_count_crossentropy", **kwargs: object):
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Any:
        """Loss of each sample, `(batch,)`."""
        target = one_hot(y_true, y_pred)
        return ops.categorical_crossentropy(target, y_pred, from_logits=True)


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class SpikeCountMeanSquaredError(SpikeCountLoss):
    """Mean squared error of spike counts and one-hot labels, the loss of the authors' notebook.

    The target is one spike for the true class and no spikes for the others. For counts c and the
    one-hot label Y over K classes:

        L = 1/K sum_k (c_k - Y_k)^2

    Args:
        name: Name of the loss.
        **kwargs: Arguments of `keras.losses.Loss`.

    Call arguments:
        y_true: Integer labels `(batch,)` or one-hot `(batch, classes)`.
        y_pred: Spike counts `(batch, classes)`.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn import SpikeCountMeanSquaredError
    >>> loss = SpikeCountMeanSquaredError()
    >>> float(loss(np.array([0]), np.float32([[3, 0]])))
    2.0
    """

    def __init__(self, name: str = "spike_count_mean_squared_error", **kwargs: object):
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Any:
        """Loss of each sample, `(batch,)`."""
        return ops.mean(ops.square(y_pred - one_hot(y_true, y_pred)), axis=-1)


LOSSES = {"crossentropy": SpikeCountCrossentropy, "mse": SpikeCountMeanSquaredError}


def warn_of_probabilities(loss: Any, spikes: bool = True) -> None:
    """Warn of a loss of Keras that takes probabilities, as a CNN with a softmax has it.

    Args:
        loss: The loss of a compiled model: a name, a function or a `keras.losses.Loss`.
        spikes: Whether the output is spike counts; if not, it is logits.

    Example:

    >>> import keras
    >>> from keras_proxy_snn.training.losses import warn_of_probabilities
    >>> warn_of_probabilities(keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    """
    found = keras.losses.get(loss) if isinstance(loss, str) else loss
    told = isinstance(found, keras.losses.Loss) and found.get_config().get("from_logits") is False
    if told or found in _OF_PROBABILITIES:
        output = "a ProxyModel is spike counts" if spikes else "a QuantisedANN is logits"
        own = "keras_proxy_snn.SpikeCountCrossentropy(), or with " if spikes else ""
        name = getattr(found, "name", None) or found.__name__
        warn(
            f"The output of {output}, but its loss takes probabilities. Compile with {own}a loss "
            f"that has from_logits=True. Received: {name}."
        )
