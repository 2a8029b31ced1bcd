"""`proxy_gradient`: the gradient of proxy learning as one operation."""

from typing import Any

import keras
from keras import ops

from ..basics.types import Tensor

__all__ = ["proxy_gradient"]


def proxy_gradient(proxy_output: Tensor, spike_counts: Tensor) -> Any:
    """Replace the ANN's output by the SNN's spike counts; the gradient goes to the ANN.

    Forward and backward pass (Eq. 13 to 16 of Kheradpisheh et al., "Spiking neural networks
    trained via proxy"), with the ANN's output y and the counts c:

        output = c
        dL/dy = dL/d(output)        dL/dc = 0

    So the loss and its derivative are computed from the counts. The derivative then flows back
    through the ANN with the ANN's own activations.

    Args:
        proxy_output: Output of the ANN, `(batch, classes)`, any float dtype.
        spike_counts: Output spikes of the SNN summed over time, same shape.

    Returns:
        The counts, bit for bit, in their own dtype.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.training.gradient import proxy_gradient
    >>> counts = proxy_gradient(np.float32([[0.3, 1.7]]), np.float32([[2.0, 5.0]]))
    >>> np.array(counts).tolist()
    [[2.0, 5.0]]
    """
    spike_counts = ops.convert_to_tensor(spike_counts)
    return _replace(ops.cast(proxy_output, spike_counts.dtype), spike_counts)


@ops.custom_gradient
def _replace(proxy_output: Tensor, spike_counts: Tensor) -> tuple[Any, Any]:
    def grad(*args: object, upstream: Tensor = None) -> tuple[Any, Any]:
        # PyTorch passes the upstream gradient by keyword, after the arguments.
        if upstream is None:
            (upstream,) = args
        return upstream, ops.zeros_like(spike_counts)

    return _after(proxy_output, spike_counts), grad


def _after(first: Tensor, value: Tensor) -> Any:
    """Return `value`, with the guarantee that `first` is computed before.

    Without this guarantee, TensorFlow's graph optimizer can drop the dependencies that let a layer
    read its weights before their update. Sometimes the readout's weights were then updated before
    the gradient of the layers below had read them.
    """
    if keras.config.backend() != "tensorflow":
        return value
    import tensorflow as tf

    with tf.control_dependencies([first]):
        return tf.identity(value)
