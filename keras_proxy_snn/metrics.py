"""Accuracy of spike counts, with a stated rule for ties."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
from keras import ops

from ._targets import one_hot

__all__ = ["SpikeAccuracy", "readout_potential"]

_potential: ContextVar[Any] = ContextVar("readout_potential", default=None)


@contextmanager
def readout_potential(v: Any) -> Iterator[None]:
    """Let `SpikeAccuracy(ties="potential")` see the readout's potentials inside the block.

    Keras hands metrics the predictions alone; `ProxyModel` uses this to hand over the rest.
    A context variable, so replicas that run in threads do not see each other's.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.metrics import SpikeAccuracy, readout_potential
    >>> accuracy = SpikeAccuracy(ties="potential")
    >>> with readout_potential(np.float32([[0.1, 0.4]])):
    ...     accuracy.update_state([1], np.float32([[3.0, 3.0]]))
    >>> float(accuracy.result())
    1.0
    """
    token = _potential.set(v)
    try:
        yield
    finally:
        _potential.reset(token)


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class SpikeAccuracy(keras.metrics.Mean):
    """Share of samples whose class has the most output spikes.

    Several output neurons often fire equally often, so the rule for ties matters:

    * `"first"`: the first of the tied classes wins (argmax). Strict, the figure to report.
    * `"wrong"`: a tied sample counts as wrong.
    * `"any"`: a sample counts as right if its class is among the tied ones, all-zero
      counts included: the final figure of the authors' notebook. Report it only
      beside a strict figure, named as such.
    * `"potential"`: among the tied classes the readout neuron with the highest remaining
      membrane potential wins.

    Args:
        ties: One of the rules above.
        name: Name in the logs.
        dtype: Dtype of the metric's state.

    Call arguments of `update_state`:
        y_true: Integer labels `(batch,)` or `(batch, 1)`, or one-hot `(batch, classes)`.
        y_pred: Spike counts `(batch, classes)`.
        sample_weight: Optional weights `(batch,)`.
        potential: For `"potential"`, membrane potentials `(batch, classes)`. A `ProxyModel`
            supplies them by itself.

    Raises:
        ValueError: If `ties` is not one of the rules, or potentials are needed and missing.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn import SpikeAccuracy
    >>> counts = np.float32([[5, 2, 0], [4, 4, 1], [0, 0, 0]])
    >>> for ties in ("first", "wrong", "any"):
    ...     accuracy = SpikeAccuracy(ties=ties)
    ...     accuracy.update_state([0, 1, 2], counts)
    ...     print(ties, round(float(accuracy.result()), 2))
    first 0.33
    wrong 0.33
    any 1.0
    """

    RULES = ("first", "wrong", "any", "potential")

    def __init__(self, ties: str = "first", name: str = "accuracy", dtype: Any = None):
        if ties not in self.RULES:
            raise ValueError(f"`ties` must be one of {self.RULES}. Received: {ties!r}.")
        super().__init__(name=name, dtype=dtype)
        self.ties = ties

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, potential: Any = None
    ) -> None:
        """Add a batch; see the class."""
        counts = ops.convert_to_tensor(y_pred)
        label = ops.cast(one_hot(ops.convert_to_tensor(y_true), counts), "bool")
        right = ops.any(ops.logical_and(self._winners(counts, potential), label), axis=-1)
        super().update_state(ops.cast(right, self.dtype), sample_weight)

    def _winners(self, counts: Any, potential: Any) -> Any:
        """Which classes count as the network's answer, `(batch, classes)`."""
        tied = ops.equal(counts, ops.max(counts, axis=-1, keepdims=True))
        if self.ties == "any":
            return tied
        if self.ties == "wrong":
            alone = ops.equal(ops.sum(ops.cast(tied, "int32"), axis=-1, keepdims=True), 1)
            return ops.logical_and(tied, alone)
        scores = counts
        if self.ties == "potential":
            v = _potential.get() if potential is None else potential
            if v is None:
                raise ValueError(
                    "SpikeAccuracy(ties='potential') needs the readout's membrane potentials: "
                    "compile it into a ProxyModel, or pass `potential`. Received: potential=None."
                )
            scores = ops.where(tied, ops.cast(v, counts.dtype), -float("inf"))
        return ops.cast(ops.one_hot(ops.argmax(scores, axis=-1), counts.shape[-1]), "bool")

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"ties": self.ties, "name": self.name, "dtype": self.dtype}
