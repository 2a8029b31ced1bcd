"""`Stage`: base of the layers of a spiking network. Each stage says what other rooms ask of it."""

import keras
import numpy as np

from ..basics.fixed import Fixed
from ..basics.window import Window

__all__ = ["Stage"]


class Stage(Fixed, keras.layers.Layer, fixed=("name", "dtype_policy")):
    """A layer of a spiking network, from `(batch, time, ...)` to `(batch, time, ...)`.

    Simulation, statistics and exporters ask a stage for the facts below, and not for its class. So
    a new stage is one class. A subclass overrides the facts that differ from the defaults here.

    Stages compute in float32 for any global dtype policy, because potentials in half precision
    change the spikes. Pass `dtype=` to choose another dtype.

    Attributes:
        has_neurons: Whether the stage has membrane potentials. Its outputs then are spikes.
        passes_spikes: Whether a stage without neurons turns zeros and ones into zeros and ones.
        averages: Whether the stage averages what it reads, as an average pooling does.
        adds: Whether the stage multiplies or adds; otherwise it only moves or compares values.
        adds_unweighted: Whether the stage adds its inputs themselves, times a scale at most, so
            that a current that enters has no further addition.

    Example:

    >>> from keras_proxy_snn.layers import IFConv2D, SpikePool2D
    >>> conv, pool = IFConv2D(8, 3), SpikePool2D(2)
    >>> [stage.passes_spikes for stage in (conv, pool)], [stage.adds for stage in (conv, pool)]
    ([False, True], [True, False])
    >>> int(conv.fan_out((5, 5, 1)).sum())  # 3 * 3 windows of 3 * 3 pixels, 8 maps
    648
    """

    has_neurons = False
    passes_spikes = False
    averages = False
    adds = False
    adds_unweighted = False

    def __init__(self, **kwargs: object):
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "float32"
        super().__init__(**kwargs)

    def tied(self) -> keras.layers.Layer | None:
        """The `TiedIF` whose weights the stage uses; `None` for a stage without weights.

        It is no property, because Keras saves every layer that is an attribute.
        """
        return None

    @property
    def window(self) -> Window | None:
        """The window of a convolution or pooling; `None` for other stages."""
        return None

    @property
    def outputs_per_window(self) -> int:
        """Number of outputs that an input reaches in each window that contains it."""
        return 1

    def fan_out(self, input_shape: tuple[int, ...]) -> np.ndarray:
        """Number of outputs that each input reaches.

        An input near the border of an image lies in fewer windows. With strides, some inputs may
        lie in no window. The zeros that padding adds are not inputs. A connection counts even if
        its weight is zero.

        Args:
            input_shape: Shape of the inputs without batch and time.

        Returns:
            Integers of that shape. Their sum is the number of connections.
        """
        reached = np.full(input_shape, self.outputs_per_window)
        if self.window is None:
            return reached
        return reached * self.window.coverage(input_shape)[..., None]
