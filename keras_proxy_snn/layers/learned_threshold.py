"""`LearnedThreshold`: a threshold that is trained with the weights."""

import math
from collections.abc import MutableMapping
from typing import Any

import keras
from keras import ops

from ..basics.fixed import Fixed
from ..basics.types import Tensor
from ..neurons.neuron import Neuron

__all__ = ["LearnedThreshold"]


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class LearnedThreshold(Fixed, keras.layers.Layer, fixed=("initial", "threshold", "value")):
    """Divide currents by a threshold that is trained with the weights.

    Put this layer into the ANN before an activation that is bounded at 1. Pass it to IF neurons as
    their `v_threshold`; they then use its threshold theta:

        ANN:  y = min(max(0, z / theta), 1)        SNN:  spike = 1 if v >= theta

    The derivative for theta comes from the ANN (straight-through for the spikes). The trained
    variable is the logarithm of theta, so theta stays positive and the derivative is scaled by
    theta.

    Args:
        v_threshold: Initial threshold, a positive number in units of the weights.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        inputs: Currents z, any shape.

    Output shape:
        As the inputs.

    Raises:
        ValueError: If the threshold is not a positive number.

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn.layers import LearnedThreshold
    >>> layer = LearnedThreshold(2.0)
    >>> scaled = keras.ops.convert_to_numpy(layer(np.float32([3.0])))
    >>> round(float(scaled[0]), 6), round(layer.value, 6)
    (1.5, 2.0)
    """

    def __init__(self, v_threshold: float = 1.0, **kwargs: object):
        self.initial = Neuron(v_threshold).v_threshold
        super().__init__(**kwargs)
        self.log_threshold = self.add_weight(
            name="log_threshold",
            shape=(),
            dtype="float32",
            initializer=keras.initializers.Constant(math.log(self.initial)),
        )
        self.built = True

    @property
    def threshold(self) -> Any:
        """The threshold as a scalar tensor."""
        return ops.exp(self.log_threshold)

    @property
    def value(self) -> float:
        """The threshold as a Python number; not available in traced code.

        Raises:
            ValueError: If training has driven the threshold out of its range.
        """
        return self._check()

    def _check(self) -> float:
        theta = float(ops.convert_to_numpy(self.threshold))
        try:
            return float(Neuron(theta).v_threshold)
        except ValueError as error:
            raise ValueError(
                f"The learned threshold of layer {self.name!r} has diverged. Load earlier weights, "
                f"and train with a lower learning rate. {error}"
            ) from error

    def save_own_variables(self, store: MutableMapping[str, Tensor]) -> None:
        """As Keras's; raises a `ValueError` if the threshold has diverged."""
        self._check()
        super().save_own_variables(store)

    def call(self, inputs: Tensor) -> Any:
        """Currents in units of the threshold."""
        return ops.divide(inputs, ops.cast(self.threshold, inputs.dtype))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """As the inputs."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments; the trained threshold is among the weights."""
        return {**super().get_config(), "v_threshold": self.initial}
