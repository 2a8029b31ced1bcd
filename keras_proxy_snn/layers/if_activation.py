"""`IFActivation`: neurons for a ReLU that does not follow a layer with weights."""

from typing import Any

import keras
from keras import ops

from ..basics.types import Tensor
from .activations import activation_kind
from .base import SynapticWeights, TiedIF

__all__ = ["IFActivation"]


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class IFActivation(TiedIF):
    """Integrate-and-fire neurons for a ReLU layer without weights before it.

    An example is the ReLU after the sum of a residual block. The neurons have no weights. The
    inputs are only multiplied by the value of their spikes:

        current = input_scale * inputs

    Args:
        twin: The `keras.layers.ReLU` or `keras.layers.Activation` of the ANN.
        batch_norm: Must be `None`, because there are no weights to fold it into.
        **kwargs: `input_scale` as in `IFConv2D`; all others as in `IF`.

    Input shape:
        `(batch, time, ...)`, without `time` if `time_steps` is set.

    Output shape:
        Spikes, as the inputs.

    Raises:
        ValueError: If an argument is out of range or the twin is another layer.

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn.layers import IFActivation
    >>> layer = IFActivation(twin=keras.layers.ReLU(), v_threshold=2.0)
    >>> np.array(layer(np.float32([[[1, -1], [1, 0], [3, 0]]]))).tolist()
    [[[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]]
    """

    twin_class = keras.layers.ReLU
    adds_unweighted = True

    def __init__(self, *, twin: keras.layers.Layer, batch_norm: None = None, **kwargs: Any):
        super().__init__(twin, batch_norm, **kwargs)

    def _check_twin(self, twin: keras.layers.Layer) -> None:
        if activation_kind(twin) is None:
            raise ValueError(f"The twin of IFActivation must be a ReLU. Received: {twin!r}.")

    @property
    def bias_variable(self) -> None:
        """`None`, because there are no weights."""
        return None

    def synaptic_weights(self) -> SynapticWeights:
        """The scale of the inputs as the kernel."""
        return SynapticWeights(ops.convert_to_tensor(self.input_scale, self.compute_dtype), None)

    def sum_inputs(self, inputs: Tensor, weights: SynapticWeights) -> Any:
        """Scale `(batch, ...)`."""
        return inputs if self.input_scale == 1.0 else ops.multiply(inputs, weights.kernel)
