"""`JointModel`: proxy learning in which the ANN learns from its own output too."""

from typing import Any

from ..basics.types import Images, Tensor
from ..model import ProxyModel
from ..training.steps import Simulated

__all__ = ["JointModel"]


class JointModel(ProxyModel):
    """A `ProxyModel` whose loss is the mean of the SNN's loss and the ANN's.

    Proxy learning at few steps tunes the shared weights to the counts of these steps, and the
    network gets worse at every other T. With average pooling and `reset="subtract"`, the ANN is
    the limit of the SNN for large T. The mean of both losses keeps both good. It costs no time:
    the outputs and the backward pass are those of proxy learning. With `L` the loss, `s` the
    output of the SNN and `a` that of the ANN,

        loss = (L(s) + L(a)) / 2, with the proxy's gradient for L(s).

    Both outputs should have one scale. They do if the readout is a potential and its threshold is
    T, because `s` is then the mean current of the readout. Arguments and attributes are those of
    `ProxyModel`.

    Example:

    >>> import numpy as np
    >>> import keras_proxy_snn as kps
    >>> from keras_proxy_snn.methods.joint import JointModel
    >>> ann = kps.build_ann(kps.parse_spec("4C3-P2-10F"), (8, 8, 1), pooling="average")
    >>> model = JointModel(ann, time_steps=8, reset="subtract", proxy_activation="clip")
    >>> model.compile("adam", kps.SpikeCountCrossentropy())
    >>> history = model.fit(np.random.rand(4, 8, 8, 1), np.arange(4), verbose=0)
    """

    def compute_loss(
        self,
        x: Images = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Any:
        """The mean of both losses in a train step; otherwise the SNN's."""
        spiking = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not (training and isinstance(x, Simulated)):
            return spiking
        # Without simulated spikes the loss is that of `y_pred` itself, the ANN's output.
        return (spiking + super().compute_loss(None, y, y_pred, sample_weight, training)) / 2
