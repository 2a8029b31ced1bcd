"""Images and labels are checked where they enter a model: in `fit`, `evaluate` and `predict`.

A compiled step cannot raise an error. So arrays are checked whole before the first step. In batches
from elsewhere (datasets, generators), each step of `fit` and `evaluate` counts wrong labels, images
and weights; the counts are read once per epoch.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ..basics.labels import check_labels
from ..basics.types import Images, Tensor
from ..simulation.traces import Retraced
from .images import check_floatx, check_images, is_array
from .importance import check_class_weight, check_sample_weight
from .losses import SpikeCountLoss, warn_of_probabilities
from .steps import NO_SCORES, Simulated
from .targets import check_targets
from .wrong import Watch, WrongImages, WrongLabels, WrongWeights

__all__ = ["CheckedInputs"]

# Images of a batch whose range is looked at, in methods that take one batch.
_SEEN = 32


class CheckedInputs(Retraced):
    """A model whose methods check images and labels; see this module."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._wrong_labels = WrongLabels()
        self._wrong_images = WrongImages()
        self._wrong_weights = WrongWeights()

    @property
    def rows_are_shares(self) -> bool:
        """Whether rows of targets must be one-hot or smoothed, as this package's losses need."""
        return isinstance(getattr(self, "loss", None), SpikeCountLoss)

    # Not a property, because Keras would also save the weights of the object that a property gives.
    def holder(self) -> Any:
        """The model that holds the shape, the range and the classes of images: here itself."""
        return self

    def fit(self, *args: object, **kwargs: object) -> Any:
        """As `keras.Model.fit`; images and labels are checked."""
        given = self._checked(super().fit, args, kwargs)
        self._warn_of_loss()
        self._agree_on_names(given.get("x"))
        self._agree_on_names(given.get("validation_data"))
        given["x"] = self.holder().note_input_range(given.get("x"))
        if given.get("validation_data") is not None:
            given["validation_data"] = self._compared(given["validation_data"])
        return super().fit(**self._watched(given))

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.evaluate`; images and labels are checked."""
        given = self._checked(super().evaluate, args, kwargs)
        self._agree_on_names(given.get("x"))
        # `fit` hands its callbacks on to `evaluate`, and has looked at its images.
        if not isinstance(given.get("callbacks"), keras.callbacks.CallbackList):
            self._warn_of_loss()
            given["x"] = self.holder().compare_range(given.get("x"))
        return super().evaluate(**self._watched(given))

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.predict`; images are checked."""
        given = self._checked(super().predict, args, kwargs)
        given["x"] = self.holder().compare_range(given.get("x"))
        scores = super().predict(**given)
        self._check_scores(scores)
        return scores

    def train_on_batch(self, *args: object, **kwargs: object) -> Any:
        """As `keras.Model.train_on_batch`; images and labels are checked."""
        given = self._checked(super().train_on_batch, args, kwargs)
        if not self.holder().knows_range:
            self.holder().note_input_range(given["x"])
        self._look_at(given["x"])
        return super().train_on_batch(**given)

    def test_on_batch(self, *args: object, **kwargs: object) -> Any:
        """As `keras.Model.test_on_batch`; images and labels are checked."""
        given = self._checked(super().test_on_batch, args, kwargs)
        self._look_at(given["x"])
        return super().test_on_batch(**given)

    def predict_on_batch(self, *args: object, **kwargs: object) -> Any:
        """As `keras.Model.predict_on_batch`; images are checked."""
        given = self._checked(super().predict_on_batch, args, kwargs)
        self._look_at(given["x"])
        return super().predict_on_batch(**given)

    def get_metrics_result(self) -> dict[str, Any]:
        """As Keras's, without the numbers of wrong labels, images and weights."""
        result = super().get_metrics_result()
        own = {wrong.name for wrong in self._wrong()}
        return {k: value for k, value in result.items() if k not in own}

    def compute_loss(
        self,
        x: Images = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Any:
        """As Keras's; the shape of labels is checked."""
        if y is not None:
            check_targets(y, y_pred)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(
        self, x: Images, y: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> dict[str, Any]:
        """As Keras's; wrong labels, images and weights are counted."""
        self._wrong_images.update_state(x.images if isinstance(x, Simulated) else x)
        if y is not None:
            self._wrong_labels.update_state(y, self.holder().classes, self.rows_are_shares)
        if sample_weight is not None:
            self._wrong_weights.update_state(sample_weight)
        metrics: dict[str, Any] = super().compute_metrics(x, y, y_pred, sample_weight)
        return metrics

    def _checked(
        self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        """Arguments by name, after a check of the images and labels among them."""
        check_floatx()
        self.holder().check_ann()
        given = inspect.signature(method).bind(*args, **kwargs).arguments
        given = {**{k: v for k, v in given.items() if k != "kwargs"}, **given.get("kwargs", {})}
        learns = "y" in inspect.signature(method).parameters
        self._check_data(given.get("x"), given.get("y"), learns)
        check_sample_weight(given.get("sample_weight"))
        check_class_weight(given.get("class_weight"), self.holder().classes)
        validation = given.get("validation_data")
        if isinstance(validation, tuple | list):
            images, labels, weights = (*validation, None, None, None)[:3]
            self._check_data(images, labels, needed=True)
            check_sample_weight(weights)
        return given

    def _warn_of_loss(self) -> None:
        # Otherwise the output is logits.
        warn_of_probabilities(getattr(self, "loss", None), spikes=self.holder() is self)

    def _look_at(self, x: Images) -> None:
        """Warn if the first images of a batch have another range."""
        if is_array(x):
            self.holder().compare_range(x[:_SEEN])

    def _compared(self, validation: Any) -> Any:
        """Data for validation, or an equal replacement, after a look at the range of its images."""
        if isinstance(validation, tuple | list):
            self.holder().compare_range(validation[0])
            return validation
        return self.holder().compare_range(validation)

    def _wrong(self) -> tuple[WrongLabels, WrongImages, WrongWeights]:
        return self._wrong_labels, self._wrong_images, self._wrong_weights

    def _check_scores(self, scores: np.ndarray) -> None:
        """Raise an error if images from a generator or a data set had no scores."""
        if none := int((scores == NO_SCORES).all(axis=-1).sum()):
            raise ValueError(
                f"Pixels must be finite numbers. Received: nan or inf in {none} images."
            )

    def _agree_on_names(self, data: object) -> None:
        """Take the names of the classes from data; raise if the model has other names."""
        names = getattr(data, "class_names", None)
        if names is None:
            return
        known, classes = self.holder().class_names, self.holder().classes
        if len(names) != classes:
            raise ValueError(
                f"The data are of {len(names)} classes; an architecture for them ends in "
                f"-{len(names)}F, and `build` takes classes={len(names)}. "
                f"Received: a model of {classes} classes, and data with {list(names)}."
            )
        if known is None:
            self.holder().class_names = names
        elif known != tuple(names):
            raise ValueError(
                f"The data must have the classes of the model, {list(known)}, in this order. "
                f"Received: {list(names)}."
            )

    def _check_data(self, x: Any, y: Any, needed: bool) -> None:
        check_images(x, self.holder().image_shape)
        if needed and y is None and is_array(x) and self.rows_are_shares:
            self._refuse_labels("None")
        if y is not None and not hasattr(y, "shape"):
            self._refuse_labels(f"a {type(y).__name__}")
        if is_array(y):
            y = ops.convert_to_numpy(y) if ops.is_tensor(y) else y
            check_labels(y, self.holder().classes, shares=self.rows_are_shares)

    def _refuse_labels(self, received: str) -> None:
        raise ValueError(
            "Labels must be one array: whole numbers (batch,) or one-hot rows (batch, "
            f"{self.holder().classes}). Received: {received}."
        )

    def _watched(self, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments, with a callback that looks at what was wrong."""
        watch = Watch(*self._wrong(), self.holder().classes)
        callbacks = given.get("callbacks")
        if isinstance(callbacks, keras.callbacks.CallbackList):
            # `fit` hands its own list on to `evaluate`, and there is a watch in it.
            if not any(isinstance(callback, Watch) for callback in callbacks.callbacks):
                callbacks.append(watch)
            return given
        several = callbacks if isinstance(callbacks, Sequence) else [callbacks]
        return {**given, "callbacks": [*(c for c in several if c is not None), watch]}
