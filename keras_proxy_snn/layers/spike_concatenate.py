"""`SpikeConcatenate`: concatenate spikes or currents of several layers."""

from typing import Any

import keras
from keras import ops

from ..basics.types import Tensor
from .stage import Stage

__all__ = ["SpikeConcatenate"]


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class SpikeConcatenate(Stage, fixed=("axis",)):
    """Concatenate spikes or currents at each step.

    An input that is constant in time has a time axis of length 1 and is repeated.

    Args:
        axis: Axis of the inputs without the time axis, as in `keras.layers.Concatenate`.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        *inputs: `(batch, time, ...)`, or `(batch, 1, ...)`.

    Output shape:
        `(batch, time, ...)`.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.layers import SpikeConcatenate
    >>> both = SpikeConcatenate()(np.zeros((2, 5, 4, 4, 3)), np.zeros((2, 1, 4, 4, 1)))
    >>> both.shape == (2, 5, 4, 4, 4)
    True
    """

    passes_spikes = True

    def __init__(self, axis: int = -1, **kwargs: object):
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, *input_shapes: Any) -> None:
        """Nothing to build."""

    def call(self, *inputs: Tensor) -> Any:
        """Concatenate each step; see the class."""
        steps = max(x.shape[1] for x in inputs)
        repeated = [x if x.shape[1] == steps else ops.repeat(x, steps, axis=1) for x in inputs]
        return ops.concatenate(repeated, axis=self._axis_with_time())

    def _axis_with_time(self) -> int:
        return self.axis if self.axis < 0 else self.axis + 1

    def compute_output_shape(self, *input_shapes: tuple[int | None, ...]) -> Any:
        """`(batch, time, ...)`."""
        axis = self._axis_with_time() % len(input_shapes[0])
        steps, sizes = ([s[i] for s in input_shapes] for i in (1, axis))
        shape = list(input_shapes[0])
        shape[1] = None if None in steps else max(n for n in steps if n)
        shape[axis] = None if None in sizes else sum(n for n in sizes if n)
        return tuple(shape)

    def compute_output_spec(self, *inputs: Tensor) -> Any:
        """Symbolic output; Keras alone cannot infer it for a `call` with `*inputs`."""
        shape = self.compute_output_shape(*(x.shape for x in inputs))
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "axis": self.axis}
