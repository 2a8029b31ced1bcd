"""`SpikePool2D`: a pooling neuron fires when any neuron in its window fires."""

from functools import partial
from typing import Any

import keras
from keras import ops

from ..basics.types import Tensor
from ..basics.window import Window
from ._maps import on_maps
from .stage import Stage
from .time_axis import over_time, without_time

__all__ = ["SpikePool2D"]


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class SpikePool2D(Stage):
    """Spike pooling: the logical OR of the spikes in a window, at each step.

    A pooling neuron fires at step t if there is at least one spike in its window at t
    (section 2.3 of Kheradpisheh et al., "Spiking neural networks trained via proxy"):

        out[t] = max(spikes[t] in the window)

    Args:
        pool_size: Integer or pair: size of the window in pixels.
        strides: Integer or pair; `None` for the size of the window.
        padding: `"valid"` or `"same"`.
        **kwargs: Further arguments of `keras.layers.Layer`, such as `name`.

    Input shape:
        Spikes `(batch, time, height, width, channels)`.

    Output shape:
        Spikes `(batch, time, pooled height, pooled width, channels)`.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.layers import SpikePool2D
    >>> spikes = np.zeros((1, 1, 2, 4, 1), "float32")  # one step, 2 x 4 pixels
    >>> spikes[0, 0, 0, 1] = spikes[0, 0, 1, 0] = 1
    >>> np.array(SpikePool2D(2)(spikes)).ravel().tolist()
    [1.0, 0.0]
    """

    passes_spikes = True

    def __init__(
        self,
        pool_size: int | tuple[int, int] = 2,
        strides: int | tuple[int, int] | None = None,
        padding: str = "valid",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        # Keras's own layer checks the arguments and computes the output shape.
        self._pooling = keras.layers.MaxPooling2D(
            pool_size, strides, padding, data_format="channels_last"
        )

    @property
    def window(self) -> Window:
        """The window."""
        pooling = self._pooling
        return Window(tuple(pooling.pool_size), tuple(pooling.strides), pooling.padding)

    def call(self, inputs: Tensor) -> Any:
        """Pool each step; see the class."""
        size, strides, padding, _ = self.window
        pool = partial(ops.max_pool, pool_size=size, strides=strides, padding=padding)
        return over_time(partial(on_maps, pool), inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """`(batch, time, pooled height, pooled width, channels)`."""
        shape = self._pooling.compute_output_shape(without_time(tuple(input_shape)))
        return (shape[0], input_shape[1], *shape[1:])

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        size, strides, padding, _ = self.window
        return {**super().get_config(), "pool_size": size, "strides": strides, "padding": padding}
