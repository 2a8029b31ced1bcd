"""`AtEachStep`: a standard layer that is applied at each time step."""

import inspect
from typing import Any

import keras
from keras import ops

from ..basics.types import Tensor
from ..basics.window import Window
from .stage import Stage
from .time_axis import over_time, without_time

__all__ = ["AVERAGES", "KEEP_CHANNELS", "MAXIMA", "MOVES", "AtEachStep"]

# Keras's layers that can run at each step of spikes, by what they do to zeros and ones.
AVERAGES = (keras.layers.AveragePooling2D, keras.layers.GlobalAveragePooling2D)
MAXIMA = (keras.layers.MaxPooling2D, keras.layers.GlobalMaxPooling2D)
MOVES = (
    keras.layers.ZeroPadding2D,
    keras.layers.Cropping2D,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Permute,
)
# Of these, the layers whose outputs have the channels of the inputs.
KEEP_CHANNELS = (*AVERAGES, keras.layers.ZeroPadding2D, keras.layers.Cropping2D)


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class AtEachStep(Stage, fixed=("layer", "prepares_images")):
    """A standard Keras layer without weights, applied at each step.

    A layer that only moves spikes (zero padding, reshaping) gives spikes. A layer that is linear
    gives a current: the average of a window's spikes at step t is a current at step t, and the
    next layer adds it to its weighted sum. The mean of this current over time equals the result of
    the ANN's layer for the mean spikes, so average pooling needs no neurons:

        out[t] = 1/n sum of spikes[t] in the window

    Args:
        layer: A layer such as `keras.layers.AveragePooling2D`. It runs in inference mode.
        prepares_images: Whether `layer` scales or augments images at the input of a network; see
            `keras_proxy_snn.simulation.network.SpikingNetwork.preprocess`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Input shape:
        `(batch, time, ...)`.

    Output shape:
        `(batch, time, ...)`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn.layers import AtEachStep
    >>> mean = AtEachStep(keras.layers.GlobalAveragePooling2D())
    >>> spikes = np.float32([[[[[1], [0]]], [[[1], [1]]]]])  # two steps, 1 x 2 pixels
    >>> np.array(mean(spikes)).tolist()
    [[[0.5], [1.0]]]
    """

    def __init__(self, layer: keras.layers.Layer, prepares_images: bool = False, **kwargs: object):
        super().__init__(**kwargs)
        self.layer = layer
        self.prepares_images = prepares_images
        self.passes_spikes = type(layer) in (*MAXIMA, *MOVES)
        self.averages = type(layer) in AVERAGES
        self.adds = isinstance(layer, AVERAGES)

    @property
    def window(self) -> Window | None:
        """The window of an average pooling."""
        layer = self.layer
        if not isinstance(layer, keras.layers.AveragePooling2D):
            return None
        return Window(tuple(layer.pool_size), tuple(layer.strides), layer.padding)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the inner layer, unless it is built already."""
        if not self.layer.built:
            self.layer.build(without_time(input_shape))

    def call(self, inputs: Tensor) -> Any:
        """Apply the layer to each step; see the class."""
        return over_time(self.at_once, inputs)

    def at_once(self, x: Tensor, training: bool = False) -> Any:
        """Apply the inner layer to `(batch, ...)`."""
        if keras.config.backend() == "torch":
            from .torch_average import average

            if (y := average(self.layer, x)) is not None:
                return ops.cast(y, self.compute_dtype)
        knows_training = "training" in inspect.signature(self.layer.call).parameters
        # `__call__` would cast to the ANN's dtype and keep spikes in memory.
        y = self.layer.call(x, training=training) if knows_training else self.layer.call(x)
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Output shape of the inner layer, with the time axis."""
        shape = self.layer.compute_output_shape(without_time(tuple(input_shape)))
        return (shape[0], input_shape[1], *shape[1:])

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, with the complete configuration of the inner layer."""
        layer = keras.saving.serialize_keras_object(self.layer)
        return {**super().get_config(), "layer": layer, "prepares_images": self.prepares_images}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "AtEachStep":
        """Recreate the layer."""
        layer = keras.saving.deserialize_keras_object(config["layer"])
        return cls(**{**config, "layer": layer})
