"""Images and labels are checked where they enter a model: in `fit`, `evaluate` and `predict`.

A compiled step cannot raise. So arrays are checked whole before the first step, and of batches from
elsewhere (datasets, generators) wrong labels are counted in the step and looked at once per epoch.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from .._labels import check_labels
from .._types import Tensor
from .losses import SpikeCountLoss
from .metrics import WrongLabels

__all__ = ["CheckedInputs", "check_images"]

# Images that are looked at together, so that a copy of them is small.
_TOGETHER = 1024


class CheckedInputs(keras.Model):
    """A model whose methods check images and labels; see this module.

    Subclasses have `image_shape` and `classes`, and update `_wrong_labels` in a step.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._wrong_labels = WrongLabels()

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch."""
        raise NotImplementedError

    @property
    def classes(self) -> int:
        """Number of classes."""
        raise NotImplementedError

    @property
    def rows_are_shares(self) -> bool:
        """Whether rows of targets must be one-hot or smoothed, as this package's losses need."""
        return isinstance(getattr(self, "loss", None), SpikeCountLoss)

    def note_input_range(self, x: Tensor) -> Any:
        """Look at the range of training images; see `ProxyModel`."""
        raise NotImplementedError

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.fit`; images and labels are checked."""
        given = self._checked(super().fit, args, kwargs)
        given["x"] = self.note_input_range(given.get("x"))
        return super().fit(**self._watched(given))

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.evaluate`; images and labels are checked."""
        given = self._checked(super().evaluate, args, kwargs)
        return super().evaluate(**self._watched(given))

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.predict`; images are checked."""
        return super().predict(**self._checked(super().predict, args, kwargs))

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.train_on_batch`; images and labels are checked."""
        return super().train_on_batch(**self._checked(super().train_on_batch, args, kwargs))

    def test_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.test_on_batch`; images and labels are checked."""
        return super().test_on_batch(**self._checked(super().test_on_batch, args, kwargs))

    def predict_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.predict_on_batch`; images are checked."""
        return super().predict_on_batch(**self._checked(super().predict_on_batch, args, kwargs))

    def get_metrics_result(self) -> dict[str, Any]:
        """As Keras's, without the number of wrong labels."""
        result = super().get_metrics_result()
        return {k: value for k, value in result.items() if k != self._wrong_labels.name}

    def _checked(
        self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        """Arguments by name, once images and labels among them have been checked."""
        check_floatx()
        given = inspect.signature(method).bind(*args, **kwargs).arguments
        given = {**{k: v for k, v in given.items() if k != "kwargs"}, **given.get("kwargs", {})}
        self._check_data(given.get("x"), given.get("y"))
        validation = given.get("validation_data")
        if isinstance(validation, tuple | list):
            self._check_data(*validation[:2])
        return given

    def _check_data(self, x: Tensor, y: Tensor = None) -> None:
        if x is not None:
            check_images(x, self.image_shape)
        if isinstance(y, dict | list | tuple | str):
            raise ValueError(
                "Labels must be one array: whole numbers (batch,) or one-hot rows (batch, "
                f"{self.classes}). Received: a {type(y).__name__}."
            )
        if _is_array(y):
            y = ops.convert_to_numpy(y) if ops.is_tensor(y) else y
            check_labels(y, self.classes, shares=self.rows_are_shares)

    def _watched(self, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments, with a callback that looks at the wrong labels."""
        watch = _WatchLabels(self._wrong_labels, self.classes)
        callbacks = given.get("callbacks")
        if isinstance(callbacks, keras.callbacks.CallbackList):
            # `fit` hands its own list on to `evaluate`, and there is a watch in it.
            if not any(isinstance(callback, _WatchLabels) for callback in callbacks.callbacks):
                callbacks.append(watch)
            return given
        several = callbacks if isinstance(callbacks, Sequence) else [callbacks]
        return {**given, "callbacks": [*(c for c in several if c is not None), watch]}


class _WatchLabels(keras.callbacks.Callback):
    """Raise an error at the end of an epoch whose labels were wrong."""

    def __init__(self, wrong: WrongLabels, classes: int):
        super().__init__()
        self._wrong, self._classes = wrong, classes

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._look()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._look()

    def _look(self) -> None:
        wrong = self._wrong.taken()
        if wrong:
            raise ValueError(
                f"Labels must be whole numbers from 0 to {self._classes - 1}, or one-hot rows of "
                f"{self._classes}. Received: {wrong} of another kind since the last look."
            )


def check_images(x: Tensor, shape: tuple[int, ...]) -> None:
    """Check images that are an array, and the declared shape of a `tf.data.Dataset`.

    Args:
        x: What a user gives to `fit`: an array or a tensor `(batch, ...)`; or a dataset or a
            generator, whose batches are checked in the step.
        shape: Of one image.

    Raises:
        ValueError: If `x` is a dictionary or a list, no image, of another shape, or a pixel is
            not a finite number.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.training.inputs import check_images
    >>> check_images(np.zeros((2, 8, 8, 1)), (8, 8, 1))
    >>> check_images(np.full((1, 8, 8, 1), np.nan), (8, 8, 1))
    Traceback (most recent call last):
    ValueError: Pixels must be finite numbers. Received: nan or inf in image 0.
    """
    wanted = f"(batch, {', '.join(map(str, shape))})"
    if isinstance(x, dict | list | tuple):
        raise ValueError(
            f"Images must be one array of shape {wanted}, or a dataset of batches (images, "
            f"labels). Received: a {type(x).__name__}."
        )
    if not _is_array(x):
        return
    if tuple(x.shape[1:]) != shape or not len(x.shape):
        raise ValueError(
            f"Images must have shape {wanted}. Received: an input of shape {tuple(x.shape)}."
        )
    if not x.shape[0]:
        raise ValueError(f"Images must be at least one, {wanted}. Received: none.")
    _check_pixels(x)


def _check_pixels(x: Tensor) -> None:
    if not ops.is_tensor(x):
        x = np.asarray(x)
        if x.dtype.kind not in "biuf":
            raise ValueError(f"Pixels must be real numbers. Received: an array of {x.dtype}.")
        if x.dtype.kind != "f":
            return
    elif not keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype)):
        return
    is_finite: Any = ops.isfinite if ops.is_tensor(x) else np.isfinite
    for start in range(0, x.shape[0], _TOGETHER):
        finite = is_finite(x[start : start + _TOGETHER])
        if not bool(finite.all() if hasattr(finite, "all") else ops.all(finite)):
            finite = np.asarray(ops.convert_to_numpy(finite))
            place = start + int(np.argmin(finite.reshape(len(finite), -1).all(axis=1)))
            raise ValueError(
                f"Pixels must be finite numbers. Received: nan or inf in image {place}."
            )


def check_floatx() -> None:
    """Raise a `ValueError` where Keras would round images before a model sees them."""
    if keras.config.floatx() in ("float16", "bfloat16"):
        raise ValueError(
            "Keras rounds images to `keras.config.floatx()`, which must be 'float32': for half "
            "precision use keras.config.set_dtype_policy('mixed_float16') or 'mixed_bfloat16'. "
            f"Received: {keras.config.floatx()!r}."
        )


def _is_array(x: Tensor) -> bool:
    return ops.is_tensor(x) or (hasattr(x, "shape") and hasattr(x, "dtype"))
