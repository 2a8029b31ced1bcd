"""Wrong labels, images and weights of batches: counted in a step, which cannot raise an error."""

from collections.abc import MutableMapping
from typing import Any

import keras
from keras import ops

from ..basics.types import Tensor
from .images import is_finite
from .targets import wrong_labels

__all__ = ["Watch", "WrongImages", "WrongLabels", "WrongWeights"]


class _Wrong(keras.metrics.Metric):
    """A number of wrong inputs, counted in the step, where no error can be raised.

    Keras calls `reset_state` before each epoch and each evaluation; the number stays.
    """

    def __init__(self, name: str):
        super().__init__(name=name, dtype="float32")
        self._number = self.add_variable((), "zeros", name="number")

    def add(self, number: Tensor) -> None:
        """Add the number of a batch, a scalar."""
        self._number.assign_add(ops.cast(number, "float32"))

    def result(self) -> Any:
        """The number so far."""
        return self._number + 0.0

    def taken(self) -> int:
        """The number since the last call of `taken`."""
        number = int(ops.convert_to_numpy(self._number))
        if number:
            self._number.assign(0.0)
        return number

    def reset_state(self) -> None:
        """Does nothing; see the class."""

    def save_own_variables(self, store: MutableMapping[str, Tensor]) -> None:
        """Saves nothing: the count is not part of a model."""

    def load_own_variables(self, store: MutableMapping[str, Tensor]) -> None:
        """Loads nothing: the count is not part of a model."""


class WrongLabels(_Wrong):
    """Number of labels that are not a class.

    Call arguments of `update_state`:
        y_true: Labels, see `keras_proxy_snn.training.targets.wrong_labels`.
        classes: Number of classes.
        shares: Whether rows must be shares, see there.

    Example:

    >>> from keras_proxy_snn.training.wrong import WrongLabels
    >>> wrong = WrongLabels()
    >>> wrong.update_state([0.0, 3.0, 1.5], classes=3)
    >>> wrong.taken(), wrong.taken()
    (2, 0)
    """

    def __init__(self, name: str = "wrong_labels"):
        super().__init__(name)

    def update_state(self, y_true: Tensor, classes: int, shares: bool = True) -> None:
        """Add a batch."""
        self.add(wrong_labels(ops.convert_to_tensor(y_true), classes, shares))


class WrongImages(_Wrong):
    """Number of images with a pixel that is not finite.

    Call arguments of `update_state`:
        images: `(batch, ...)`.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.training.wrong import WrongImages
    >>> wrong = WrongImages()
    >>> wrong.update_state(np.array([[0.0, np.nan], [0.0, 1.0]]))
    >>> wrong.taken()
    1
    """

    def __init__(self, name: str = "wrong_images"):
        super().__init__(name)

    def update_state(self, images: Tensor) -> None:
        """Add a batch."""
        self.add(ops.sum(ops.cast(ops.logical_not(is_finite(images)), "int32")))


class WrongWeights(_Wrong):
    """Number of images whose weight is not finite.

    Call arguments of `update_state`:
        sample_weight: Weights `(batch,)`.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.training.wrong import WrongWeights
    >>> wrong = WrongWeights()
    >>> wrong.update_state(np.array([1.0, np.inf]))
    >>> wrong.taken()
    1
    """

    def __init__(self, name: str = "wrong_weights"):
        super().__init__(name)

    def update_state(self, sample_weight: Tensor) -> None:
        """Add a batch."""
        finite = ops.isfinite(ops.cast(sample_weight, "float32"))
        self.add(ops.sum(ops.cast(ops.logical_not(finite), "int32")))


class Watch(keras.callbacks.Callback):
    """Raise an error at the end of an epoch whose labels, images or weights were wrong.

    Args:
        labels: Counts the labels of a model.
        images: Counts its images.
        weights: Counts the weights of its images.
        classes: Number of classes.
    """

    def __init__(
        self, labels: WrongLabels, images: WrongImages, weights: WrongWeights, classes: int
    ):
        super().__init__()
        self._labels, self._images, self._weights = labels, images, weights
        self._classes = classes

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the counts of a training, and of the validation in it."""
        self._look()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Look at the counts of an evaluation."""
        self._look()

    def _look(self) -> None:
        labels, images, weights = (
            wrong.taken() for wrong in (self._labels, self._images, self._weights)
        )
        if images:
            raise ValueError(
                "Pixels must be finite numbers. "
                f"Received: nan or inf in {images} images since the last check."
            )
        if labels:
            raise ValueError(
                f"Labels must be whole numbers from 0 to {self._classes - 1}, or one-hot rows of "
                f"{self._classes}. Received: {labels} other labels since the last check."
            )
        if weights:
            raise ValueError(
                "Weights of images must be finite numbers. "
                f"Received: nan or inf as {weights} weights since the last check."
            )
