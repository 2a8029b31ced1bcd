"""`Synapses`: weights without neurons, for currents that are added to others first."""

from typing import Any

import keras

from ..basics.types import Tensor
from ..basics.window import Window
from .base import SynapticWeights, TiedIF
from .stage import Stage

__all__ = ["Synapses"]


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class Synapses(Stage, fixed=("layer",)):
    """The currents of a layer, without its neurons.

    An example is a convolution in a residual block: its result is added to another result before
    the ReLU, so the convolution has no neurons of its own.

    Args:
        layer: An `IFConv2D`, `IFDense`, ... Only its weights, batch normalisation and
            `input_scale` are used. Its neurons never run.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Input shape:
        `(batch, time, ...)`, as for `layer`.

    Output shape:
        Currents, in the shape of the spikes of `layer`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn.layers import IFDense, Synapses
    >>> layer = Synapses(IFDense(1, kernel_initializer="ones"))
    >>> currents = layer(np.float32([[[1, 1], [0, 1]]]))  # two steps
    >>> keras.ops.convert_to_numpy(currents).tolist()
    [[[2.0], [1.0]]]
    """

    adds = True

    def __init__(self, layer: TiedIF, **kwargs: object):
        super().__init__(**kwargs)
        self.layer = layer

    @property
    def twin(self) -> keras.layers.Layer:
        """The standard layer that owns the weights."""
        return self.layer.twin

    def tied(self) -> TiedIF:
        """The layer with the weights."""
        return self.layer

    @property
    def window(self) -> Window | None:
        """The window of the layer."""
        return self.layer.window

    @property
    def outputs_per_window(self) -> int:
        """As of the layer."""
        return self.layer.outputs_per_window

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the twin, unless it is built already."""
        if not self.layer.built:
            self.layer.build(input_shape)

    def synaptic_weights(self) -> SynapticWeights:
        """Weights with batch normalisation folded in."""
        return self.layer.synaptic_weights()

    def linear(self, inputs: Tensor, weights: SynapticWeights) -> Any:
        """Currents `(batch, ...)` of inputs `(batch, ...)` through given weights."""
        return self.layer.linear(inputs, weights)

    def call(self, inputs: Tensor) -> Any:
        """Currents of all steps; see the class."""
        return self.layer.current(inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Shape of the layer's currents."""
        return self.layer.compute_current_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, with the complete configuration of the layer."""
        return {**super().get_config(), "layer": keras.saving.serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Synapses":
        """Recreate the layer."""
        layer = keras.saving.deserialize_keras_object(config["layer"])
        return cls(**{**config, "layer": layer})
