"""`CurrentSum`: the sum of currents or spikes of several layers."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from ..basics.types import Tensor
from .arguments import check_scale
from .stage import Stage

__all__ = ["CurrentSum"]


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class CurrentSum(Stage, fixed=("scales",)):
    """Sum of several inputs at each step; each input is multiplied by the value of its spikes.

        current[t] = sum_i scales_i * inputs_i[t]

    An input that is constant in time has a time axis of length 1.

    Args:
        scales: One scale per input: a positive number, or one number per channel.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        *inputs: Spikes or currents `(batch, time, ...)`, or `(batch, 1, ...)`.

    Output shape:
        Currents `(batch, time, ...)`.

    Raises:
        ValueError: If a scale is not positive.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.layers import CurrentSum
    >>> spikes, current = np.float32([[[0], [1]]]), np.float32([[[0.5]]])
    >>> np.array(CurrentSum([2.0, 1.0])(spikes, current)).tolist()
    [[[0.5], [2.5]]]
    """

    adds = True
    adds_unweighted = True

    def __init__(self, scales: Sequence[Any], **kwargs: object):
        super().__init__(**kwargs)
        self.scales = tuple(check_scale(scale) for scale in scales)

    def build(self, *input_shapes: Any) -> None:
        """Nothing to build."""

    def call(self, *inputs: Tensor) -> Any:
        """Weighted sum; see the class."""
        terms = [
            x if scale == 1.0 else ops.multiply(x, ops.convert_to_tensor(scale, self.compute_dtype))
            for scale, x in zip(self.scales, inputs, strict=True)
        ]
        total = terms[0]
        for term in terms[1:]:
            total = ops.add(total, term)
        return total

    def compute_output_shape(self, *input_shapes: tuple[int | None, ...]) -> Any:
        """The shape to which all inputs broadcast."""
        return tuple(
            max(sizes, key=lambda size: (size is None, size or 0))
            for sizes in zip(*input_shapes, strict=True)
        )

    def compute_output_spec(self, *inputs: Tensor) -> Any:
        """Symbolic output; Keras alone cannot infer it for a `call` with `*inputs`."""
        shape = self.compute_output_shape(*(x.shape for x in inputs))
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "scales": self.scales}
