"""`IFBatchNormalization`: neurons for a batch normalisation that cannot be folded into weights."""

from typing import Any

import keras
from keras import ops

from ..basics.types import Tensor
from .base import SynapticWeights, TiedIF

__all__ = ["IFBatchNormalization"]


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class IFBatchNormalization(TiedIF):
    r"""Integrate-and-fire neurons that read normalised currents or spikes.

    A batch normalisation after a sum, a pooling or a ReLU has no kernel to fold into. With its
    running statistics, it is a weight and a bias per channel:

        current = scale * inputs + bias
        scale = input_scale * gamma / sqrt(variance + epsilon)
        bias = beta - mean * gamma / sqrt(variance + epsilon)

    Args:
        twin: A `keras.layers.BatchNormalization` over the last axis, whose weights this layer
            shares.
        batch_norm: Must be `None`, because the twin is the normalisation.
        **kwargs: `input_scale` as in `IFConv2D`; all others as in `IF`.

    Input shape:
        `(batch, time, ...)`, without `time` if `time_steps` is set.

    Output shape:
        Spikes, as the inputs.

    Raises:
        ValueError: If an argument is out of range or the twin cannot be shared.

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn.layers import IFBatchNormalization
    >>> layer = IFBatchNormalization(twin=keras.layers.BatchNormalization(epsilon=0.0))
    >>> np.array(layer(np.float32([[[1, 0], [0, 0], [1, 1]]]))).tolist()
    [[[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]]
    """

    twin_class = keras.layers.BatchNormalization

    def __init__(
        self, *, twin: keras.layers.BatchNormalization, batch_norm: None = None, **kwargs: Any
    ):
        super().__init__(twin, batch_norm, **kwargs)

    def _check_twin(self, twin: keras.layers.Layer) -> None:
        self._check_batch_norm(twin)

    @property
    def bias_variable(self) -> Any:
        """The twin's `beta`."""
        return self.twin.beta if self.twin.center else None

    def synaptic_weights(self) -> SynapticWeights:
        """Scale and bias per channel."""
        return self.fold(self.twin, self.scale_inputs(ops.ones((), self.compute_dtype)), None)

    def scale_inputs(self, kernel: Tensor) -> Any:
        """Multiply the scales by `input_scale`; there is one scale per input channel."""
        return kernel * ops.convert_to_tensor(self.input_scale, self.compute_dtype)

    def sum_inputs(self, inputs: Tensor, weights: SynapticWeights) -> Any:
        """Scale each channel of `(batch, ...)`."""
        return ops.multiply(inputs, weights.kernel)
