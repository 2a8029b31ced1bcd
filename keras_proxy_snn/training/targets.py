"""Labels in the two forms in which users have them."""

from typing import Any

from keras import ops

__all__ = ["one_hot"]


def one_hot(y_true: Any, y_pred: Any) -> Any:
    """Targets as one-hot `(batch, classes)` in the dtype of the predictions.

    Args:
        y_true: Integer labels `(batch,)` or `(batch, 1)`, or one-hot `(batch, classes)` already.
        y_pred: Predictions `(batch, classes)`.
    """
    if len(y_true.shape) == 2 and y_true.shape[-1] == y_pred.shape[-1]:
        return ops.cast(y_true, y_pred.dtype)
    labels = ops.reshape(ops.cast(y_true, "int32"), (-1,))
    return ops.one_hot(labels, y_pred.shape[-1], dtype=y_pred.dtype)
