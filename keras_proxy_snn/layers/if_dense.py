"""`IFDense`: fully connected integrate-and-fire neurons."""

from typing import Any

import keras
import numpy as np
from keras import ops

from ..basics.types import Tensor
from .arguments import make_twin, split_layer_arguments
from .base import TiedIF

__all__ = ["IFDense"]


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class IFDense(TiedIF):
    """Fully connected integrate-and-fire neurons.

    The current of a neuron is the weighted sum of its input spikes (Eq. 4 of
    Kheradpisheh et al., "Spiking neural networks trained via proxy"; Eq. 6 for inputs
    that are constant in time). The neurons then follow Eq. 3 and 5, see
    `keras_proxy_snn.layers.IF`. The weights belong to `layer.twin`, a standard
    `keras.layers.Dense`, as in `IFConv2D`.

    Args:
        units: Number of neurons. Not with `twin`.
        twin: An existing `keras.layers.Dense`, linear or ReLU, whose weights are shared.
        batch_norm: `True` for a new `keras.layers.BatchNormalization`, or an existing one.
        current_dtype: Dtype in which weighted inputs are summed: `"float32"` or `"bfloat16"`. The
            latter has a precision of 8 bits and is faster on processors with bfloat16 units.
            Potentials stay float32.
        **kwargs: `v_threshold`, `reset`, `v_0`, `time_steps`, `return_state`, `name` and `dtype` as
            in `IF`. `input_scale` is the value of an input spike: a positive number, or one number
            per feature (default 1). All others go to the new `Dense` (`use_bias`,
            `kernel_initializer`, ...).

    Call arguments:
        inputs: Spikes `(batch, time, features)`; or values `(batch, features)`, constant
            in time, if `time_steps` is set.
        initial_state: Potentials before the first step; `v_0` times the threshold by default.

    Input shape:
        `(batch, time, features)`, without `time` if `time_steps` is set.

    Output shape:
        Spikes `(batch, time, units)`; with `return_state`, a pair of them and the
        potentials `(batch, units)`.

    Raises:
        ValueError: If an argument is out of range or the twin cannot be shared.

    Example:

    >>> import numpy as np
    >>> from keras import ops
    >>> from keras_proxy_snn.layers import IFDense
    >>> layer = IFDense(1, kernel_initializer="ones", return_state=True)
    >>> spikes, v = layer(np.float32([[[1, 0, 0], [0, 0, 0], [0, 1, 1]]]))  # 3 steps
    >>> [ops.convert_to_numpy(x).ravel().tolist() for x in (spikes, v)]
    [[1.0, 0.0, 1.0], [0.0]]
    """

    twin_class = keras.layers.Dense
    last_axis = 1
    sums_events = True

    def __init__(
        self,
        units: int | None = None,
        *,
        twin: keras.layers.Dense | None = None,
        batch_norm: keras.layers.BatchNormalization | bool | None = False,
        current_dtype: str = "float32",
        **kwargs: Any,
    ):
        own, new = split_layer_arguments(kwargs)
        new = {"units": units, **new}
        super().__init__(
            make_twin(self.twin_class, twin, new, own), batch_norm, current_dtype, **own
        )

    @property
    def outputs_per_window(self) -> int:
        """All neurons."""
        return int(self.twin.units)

    def full_kernel(self, kernel: np.ndarray) -> np.ndarray:
        """The kernel itself."""
        return kernel

    def weighted_sum(self, inputs: Tensor, kernel: Tensor) -> Any:
        """Multiply `(batch, features)` by a kernel."""
        return ops.matmul(inputs, kernel)
