"""Metrics: accuracy of spike counts with a rule for ties, and firing rates."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
from keras import ops

from ..basics.checks import check_choice
from ..basics.labels import check_labels
from ..basics.types import Images, Tensor
from .targets import one_hot

__all__ = ["FiringRates", "ProxyDistance", "SpikeAccuracy", "readout_potential"]

_potential: ContextVar[Any] = ContextVar("readout_potential", default=None)


@contextmanager
def readout_potential(v: Tensor) -> Iterator[None]:
    """Give `SpikeAccuracy(ties="potential")` the readout's potentials inside the block.

    Keras passes only predictions to metrics, so `ProxyModel` passes the potentials this way. They
    are kept in a context variable, so replicas in different threads do not mix them.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.training.metrics import SpikeAccuracy, readout_potential
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
    """Fraction of samples whose class has the most output spikes.

    Several output neurons often fire equally often, so the rule for ties matters:

    * `"first"`: the first of the tied classes wins (argmax). This is the strict rule; report this
      accuracy.
    * `"wrong"`: a tied sample counts as wrong.
    * `"any"`: a sample counts as right if its class is among the tied classes, also if all counts
      are zero. The authors' notebook reports this accuracy. Report it only with its rule and
      together with the strict accuracy.
    * `"potential"`: of the tied classes, the class with the highest remaining membrane potential
      wins.

    Args:
        ties: One of the rules above.
        name: Name in the logs.
        dtype: Dtype of the metric's state.

    Call arguments of `update_state`:
        y_true: Integer labels `(batch,)` or `(batch, 1)`, or one-hot `(batch, classes)`.
        y_pred: Spike counts `(batch, classes)`.
        sample_weight: Optional weights `(batch,)`.
        potential: For `"potential"`, membrane potentials `(batch, classes)`. A `ProxyModel`
            supplies them automatically.

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

    def __init__(
        self,
        ties: str = "first",
        name: str = "accuracy",
        dtype: keras.DTypePolicy | str | None = None,
    ):
        check_choice("ties", ties, self.RULES)
        super().__init__(name=name, dtype=dtype)
        self.ties = ties

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None, potential: Tensor = None
    ) -> None:
        """Add a batch; see the class."""
        counts = ops.convert_to_tensor(y_pred)
        if not ops.is_tensor(y_true):
            check_labels(y_true, counts.shape[-1])
        label = ops.cast(one_hot(ops.convert_to_tensor(y_true), counts), "bool")
        right = ops.any(ops.logical_and(self._winners(counts, potential), label), axis=-1)
        super().update_state(ops.cast(right, self.dtype), sample_weight)

    def _winners(self, counts: Tensor, potential: Tensor) -> Any:
        """Mask of the classes that count as the network's answer, `(batch, classes)`."""
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


class FiringRates(keras.metrics.Metric):
    """Mean firing rate of each layer over images, in the logs as `rate_<layer>`.

    One metric serves all layers, because Keras updates, reads and resets each metric separately.
    On PyTorch, and in `train_on_batch` on JAX, each of these is a separate operation.

    Args:
        layers: Names of the layers.
        name: Name of the metric; it does not appear in the logs.

    Attributes:
        logs: Names in the logs.

    Call arguments of `update_state`:
        rates: Spikes per neuron and step of each layer, averaged over a batch.
        images: Number of images in the batch.

    Example:

    >>> from keras_proxy_snn.training.metrics import FiringRates
    >>> rates = FiringRates(["conv", "readout"])
    >>> rates.update_state([0.5, 0.25], images=3)
    >>> rates.update_state([0.25, 0.25], images=1)
    >>> {name: float(rate) for name, rate in rates.result().items()}
    {'rate_conv': 0.4375, 'rate_readout': 0.25}
    """

    def __init__(self, layers: Sequence[str], name: str = "firing_rates"):
        super().__init__(name=name, dtype="float32")
        self.logs = tuple(f"rate_{layer}" for layer in layers)
        self._sums = self.add_variable((len(self.logs),), "zeros", name="sums")
        self._images = self.add_variable((), "zeros", name="images")

    def update_state(self, rates: Sequence[Any], images: Images) -> None:
        """Add a batch."""
        images = ops.cast(images, "float32")
        self._sums.assign_add(ops.stack(rates) * images)
        self._images.assign_add(images)

    def result(self) -> dict[str, Any]:
        """Names in the logs to rates."""
        means = ops.divide_no_nan(self._sums, self._images)
        return dict(zip(self.logs, ops.unstack(means, num=len(self.logs)), strict=True))


class ProxyDistance(keras.metrics.Mean):
    """Mean cosine distance between spike counts and the ANN's output, over the images that spike.

    The distance is 1 where no image spikes: a silent readout says nothing of its ANN.

    Call arguments of `update_state`:
        spike_counts: Spike counts of the readout, `(batch, classes)`.
        ann_output: Output of the ANN, `(batch, classes)`; it is rectified.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.training.metrics import ProxyDistance
    >>> distance = ProxyDistance()
    >>> distance.update_state(np.float32([[0, 0]]), np.float32([[1, 2]]))
    >>> float(distance.result())
    1.0
    >>> distance.update_state(np.float32([[2, 4]]), np.float32([[1, 2]]))
    >>> round(float(distance.result()), 5)
    0.0
    """

    def __init__(self, name: str = "proxy_distance"):
        super().__init__(name=name, dtype="float32")

    def update_state(self, spike_counts: Tensor, ann_output: Tensor) -> None:
        """Add a batch."""
        rectified = ops.relu(ops.cast(ann_output, "float32"))
        spiked = ops.cast(ops.any(spike_counts > 0, axis=-1), "float32")
        # Keras's function is the negative of the cosine.
        distance = 1.0 + keras.losses.cosine_similarity(spike_counts, rectified)
        super().update_state(distance, sample_weight=spiked)

    def result(self) -> Any:
        """The distance, a scalar."""
        return ops.where(self.count > 0, super().result(), 1.0)
