"""Images and labels are checked where they enter a model: in `fit`, `evaluate` and `predict`.

A compiled step cannot raise. So arrays are checked whole before the first step, and of batches from
elsewhere (datasets, generators) wrong labels and images are counted in the step of `fit` and
`evaluate`, and looked at once per epoch.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ..basics.labels import check_labels
from ..basics.pixel_range import warn_of_range
from ..basics.types import Images, Tensor
from .images import check_floatx, check_images, is_array
from .input_range import agreed_range, layers_range, peek, range_of
from .losses import SpikeCountLoss, warn_of_probabilities
from .metrics import WrongImages, WrongLabels
from .settings import Settings
from .steps import NO_SCORES, Simulated

__all__ = ["CheckedInputs"]


class CheckedInputs(Settings):
    """A model whose methods check images and labels; see this module."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._wrong_labels = WrongLabels()
        self._wrong_images = WrongImages()

    @property
    def rows_are_shares(self) -> bool:
        """Whether rows of targets must be one-hot or smoothed, as this package's losses need."""
        return isinstance(getattr(self, "loss", None), SpikeCountLoss)

    def note_input_range(self, x: Images) -> Images:
        """Take the input range from training images; warn if they contradict the known range.

        Args:
            x: As in `fit`. Events and inputs that are not images leave the range as it is.

        Returns:
            `x`, or an equal replacement if reading from `x` uses it up.
        """
        if self.events or len(self.snn.image_shape) != 3:
            return x
        images, x = peek(x)
        self._input_range = agreed_range(self._input_range, self.twin.graph, images)
        return x

    def compare_range(self, x: Images) -> Images:
        """Warn of images that are far brighter or darker than the model's range, if it is known.

        Args:
            x: As in `predict`.

        Returns:
            `x`, or an equal replacement if reading from `x` uses it up.
        """
        known = self._input_range or layers_range(self.twin.graph)
        if known is None or self.events or len(self.image_shape) != 3:
            return x
        images, x = peek(x)
        warn_of_range(known, range_of(images))
        return x

    def fit(self, *args: object, **kwargs: object) -> Any:
        """As `keras.Model.fit`; images and labels are checked."""
        given = self._checked(super().fit, args, kwargs)
        warn_of_probabilities(getattr(self, "loss", None))
        self._agree_on_names(given.get("x"))
        self._agree_on_names(given.get("validation_data"))
        given["x"] = self.note_input_range(given.get("x"))
        return super().fit(**self._watched(given))

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.evaluate`; images and labels are checked."""
        given = self._checked(super().evaluate, args, kwargs)
        self._agree_on_names(given.get("x"))
        # `fit` hands its callbacks on to `evaluate`, and has looked at its images.
        if not isinstance(given.get("callbacks"), keras.callbacks.CallbackList):
            warn_of_probabilities(getattr(self, "loss", None))
            given["x"] = self.compare_range(given.get("x"))
        return super().evaluate(**self._watched(given))

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.predict`; images are checked."""
        given = self._checked(super().predict, args, kwargs)
        given["x"] = self.compare_range(given.get("x"))
        scores = super().predict(**given)
        self._check_scores(scores)
        return scores

    def train_on_batch(self, *args: object, **kwargs: object) -> Any:
        """As `keras.Model.train_on_batch`; images and labels are checked."""
        return super().train_on_batch(**self._checked(super().train_on_batch, args, kwargs))

    def test_on_batch(self, *args: object, **kwargs: object) -> Any:
        """As `keras.Model.test_on_batch`; images and labels are checked."""
        return super().test_on_batch(**self._checked(super().test_on_batch, args, kwargs))

    def predict_on_batch(self, *args: object, **kwargs: object) -> Any:
        """As `keras.Model.predict_on_batch`; images are checked."""
        return super().predict_on_batch(**self._checked(super().predict_on_batch, args, kwargs))

    def get_metrics_result(self) -> dict[str, Any]:
        """As Keras's, without the numbers of wrong labels and images."""
        result = super().get_metrics_result()
        own = (self._wrong_labels.name, self._wrong_images.name)
        return {k: value for k, value in result.items() if k not in own}

    def compute_metrics(
        self, x: Images, y: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> dict[str, Any]:
        """As Keras's; wrong labels and images are counted."""
        self._wrong_images.update_state(x.images if isinstance(x, Simulated) else x)
        if y is not None:
            self._wrong_labels.update_state(y, self.classes, self.rows_are_shares)
        metrics: dict[str, Any] = super().compute_metrics(x, y, y_pred, sample_weight)
        return metrics

    def _checked(
        self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        """Arguments by name, once images and labels among them have been checked."""
        check_floatx()
        self.check_ann()
        given = inspect.signature(method).bind(*args, **kwargs).arguments
        given = {**{k: v for k, v in given.items() if k != "kwargs"}, **given.get("kwargs", {})}
        learns = "y" in inspect.signature(method).parameters
        self._check_data(given.get("x"), given.get("y"), learns)
        weights = given.get("sample_weight")
        if hasattr(weights, "shape") and not np.isfinite(ops.convert_to_numpy(weights)).all():
            raise ValueError(
                "`sample_weight` must hold finite numbers. Received: nan or inf among them."
            )
        weights = given.get("class_weight")
        if isinstance(weights, dict) and not np.isfinite([*weights.values()]).all():
            raise ValueError(f"`class_weight` must hold finite numbers. Received: {weights!r}.")
        validation = given.get("validation_data")
        if isinstance(validation, tuple | list):
            labels = validation[1] if len(validation) > 1 else None
            self._check_data(validation[0] if validation else None, labels, needed=True)
        return given

    def _check_scores(self, scores: np.ndarray) -> None:
        """Raise an error if images from a generator or a data set had no scores."""
        if none := int((scores == NO_SCORES).all(axis=-1).sum()):
            raise ValueError(
                f"Pixels must be finite numbers. Received: nan or inf in {none} images."
            )

    def _agree_on_names(self, data: object) -> None:
        """Take the names of the classes from data; raise if they differ from those known."""
        names = getattr(data, "class_names", None)
        if names is None:
            return
        if self.class_names is None:
            self.class_names = names
        elif self.class_names != tuple(names):
            raise ValueError(
                f"The data must have the classes of the model, {list(self.class_names)}, in this "
                f"order. Received: {list(names)}."
            )

    def _check_data(self, x: Tensor, y: Tensor, needed: bool) -> None:
        check_images(x, self.image_shape)
        if needed and y is None and is_array(x) and self.rows_are_shares:
            self._refuse_labels("None")
        if y is not None and not hasattr(y, "shape"):
            self._refuse_labels(f"a {type(y).__name__}")
        if is_array(y):
            y = ops.convert_to_numpy(y) if ops.is_tensor(y) else y
            check_labels(y, self.classes, shares=self.rows_are_shares)

    def _refuse_labels(self, received: str) -> None:
        raise ValueError(
            "Labels must be one array: whole numbers (batch,) or one-hot rows (batch, "
            f"{self.classes}). Received: {received}."
        )

    def _watched(self, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments, with a callback that looks at the wrong labels and images."""
        watch = _Watch(self._wrong_labels, self._wrong_images, self.classes)
        callbacks = given.get("callbacks")
        if isinstance(callbacks, keras.callbacks.CallbackList):
            # `fit` hands its own list on to `evaluate`, and there is a watch in it.
            if not any(isinstance(callback, _Watch) for callback in callbacks.callbacks):
                callbacks.append(watch)
            return given
        several = callbacks if isinstance(callbacks, Sequence) else [callbacks]
        return {**given, "callbacks": [*(c for c in several if c is not None), watch]}


class _Watch(keras.callbacks.Callback):
    """Raise an error at the end of an epoch whose labels or images were wrong."""

    def __init__(self, labels: WrongLabels, images: WrongImages, classes: int):
        super().__init__()
        self._labels, self._images, self._classes = labels, images, classes

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._look()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._look()

    def _look(self) -> None:
        wrong, images = self._labels.taken(), self._images.taken()
        if images:
            raise ValueError(
                "Pixels must be finite numbers. "
                f"Received: nan or inf in {images} images since the last check."
            )
        if wrong:
            raise ValueError(
                f"Labels must be whole numbers from 0 to {self._classes - 1}, or one-hot rows of "
                f"{self._classes}. Received: {wrong} other labels since the last check."
            )
