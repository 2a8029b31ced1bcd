"""`TiedIF`: base of IF layers with weights. A twin owns the weights; batch norm is folded in."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from ..basics.checks import check_choice
from ..basics.types import Tensor
from ..neurons.equations import biased
from .activations import activation_kind
from .arguments import check_scale
from .integrate_and_fire import IF
from .kernels import kernel_of
from .own_call import check_own_call
from .precision import warn_if_slow
from .stage import Stage
from .time_axis import over_time, without_time

__all__ = [
    "CURRENT_DTYPES",
    "SynapticWeights",
    "TiedIF",
]

CURRENT_DTYPES = ("float32", "bfloat16")


class SynapticWeights(NamedTuple):
    """Weights of the spiking network, in its compute dtype."""

    kernel: Tensor
    bias: Tensor | None


class TiedIF(IF, Stage, fixed=("current_dtype", "input_scale", "twin", "batch_norm")):
    """IF neurons whose weights belong to a standard Keras layer, the twin.

    Subclasses name the class of the twin, define how weights act on inputs, and say the facts of a
    `Stage`. An input spike stands for the value `input_scale`: a number, or one number per input
    channel. The weights are multiplied by this value, so spikes are always zeros and ones.
    """

    twin_class: type[keras.layers.Layer]
    last_axis = 3  # of the twin's output
    has_neurons = True
    adds = True

    def __init__(
        self,
        twin: keras.layers.Layer,
        batch_norm: keras.layers.BatchNormalization | bool | None,
        current_dtype: str = "float32",
        input_scale: Any = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_choice("current_dtype", current_dtype, CURRENT_DTYPES)
        if current_dtype == "bfloat16":
            warn_if_slow()
        self.current_dtype = current_dtype
        self.input_scale = check_scale(input_scale)
        self._check_twin(twin)
        self.twin = twin
        if batch_norm is True:
            batch_norm = keras.layers.BatchNormalization(name=f"{twin.name}_batch_norm")
        self.batch_norm: keras.layers.BatchNormalization | None = batch_norm or None
        if self.batch_norm is not None:
            self._check_batch_norm(self.batch_norm)

    def _check_twin(self, twin: keras.layers.Layer) -> None:
        cls = type(self).__name__
        if type(twin) is not self.twin_class:
            raise ValueError(
                f"The twin of {cls} must be a keras.layers.{self.twin_class.__name__}. "
                f"Received: {twin!r}."
            )
        check_own_call(twin)
        if activation_kind(twin.activation) is None:
            name = getattr(twin.activation, "__name__", twin.activation)
            raise ValueError(
                f"A {self.twin_class.__name__} of a spiking network must have the activation "
                "'relu' or none, because IF neurons approximate ReLU. Set activation='relu' in it "
                f"and train the CNN again. Received: activation={name!r} in layer {twin.name!r}."
            )
        if getattr(twin, "data_format", "channels_last") != "channels_last":
            raise ValueError(
                f"The twin of {cls} must have data_format='channels_last'. "
                f"Received: {twin.data_format!r} in layer {twin.name!r}."
            )

    def _check_batch_norm(self, batch_norm: keras.layers.BatchNormalization) -> None:
        if type(batch_norm) is not keras.layers.BatchNormalization:
            raise ValueError(
                "`batch_norm` must be True, False or a keras.layers.BatchNormalization. "
                f"Received: {batch_norm!r}."
            )
        check_own_call(batch_norm)
        if batch_norm.axis not in (-1, self.last_axis):
            raise ValueError(
                "Batch normalisation folds into the weights only over the last axis, axis=-1. "
                f"Received: axis={batch_norm.axis} in layer {batch_norm.name!r}."
            )

    def tied(self) -> "TiedIF":
        """The layer itself."""
        return self

    @property
    def sums_events(self) -> bool:
        """Whether spikes can be summed one by one, by a full kernel as `full_kernel` gives it."""
        return False

    def full_kernel(self, kernel: np.ndarray) -> np.ndarray | None:
        """The kernel of an ordinary convolution or matrix product that gives the same sums.

        Args:
            kernel: The kernel of `synaptic_weights`, as a NumPy array.

        Returns:
            `(height, width, channels, filters)` with a `window`, `(features, units)` without;
            `None` if the layer is neither a convolution nor a matrix product.
        """
        return None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the twin and the batch normalisation, unless they are built already."""
        shape = tuple(input_shape) if self.time_steps is not None else without_time(input_shape)
        if not self.twin.built:
            self.twin.build(shape)
        if self.batch_norm is not None and not self.batch_norm.built:
            self.batch_norm.build(self.twin.compute_output_shape(shape))

    def synaptic_weights(self) -> SynapticWeights:
        r"""Weights and bias with batch normalisation folded in.

        With gamma, beta, mean and variance of the normalisation (running statistics):

            kernel' = kernel * input_scale * gamma / sqrt(variance + epsilon)
            bias' = (bias - mean) * gamma / sqrt(variance + epsilon) + beta

        Returns:
            `SynapticWeights`; the bias is `None` if there is neither a bias nor a normalisation.
        """
        twin, norm = self.twin, self.batch_norm
        kernel = self.scale_inputs(ops.cast(self.twin_kernel(), self.compute_dtype))
        bias = ops.cast(twin.bias, self.compute_dtype) if twin.use_bias else None
        return SynapticWeights(kernel, bias) if norm is None else self.fold(norm, kernel, bias)

    def fold(
        self, norm: keras.layers.BatchNormalization, kernel: Tensor, bias: Tensor | None
    ) -> SynapticWeights:
        """Weights with a given normalisation folded in; see `synaptic_weights`."""
        mean, variance = (
            ops.cast(v, self.compute_dtype) for v in (norm.moving_mean, norm.moving_variance)
        )
        scale = ops.rsqrt(variance + norm.epsilon)
        if norm.scale:
            scale = scale * ops.cast(norm.gamma, self.compute_dtype)
        bias = (0.0 if bias is None else bias) - mean
        shift = ops.cast(norm.beta, self.compute_dtype) if norm.center else 0.0
        return SynapticWeights(self.scale_outputs(kernel, scale), bias * scale + shift)

    @property
    def bias_variable(self) -> Any:
        """Variable `(outputs,)` that is added to the currents unscaled; `None` without a bias.

        With a batch normalisation it is `beta`, because the twin's bias is scaled.
        """
        if self.batch_norm is not None:
            return self.batch_norm.beta if self.batch_norm.center else None
        return self.twin.bias if self.twin.use_bias else None

    def twin_kernel(self) -> Any:
        """The twin's kernel."""
        return kernel_of(self.twin)

    def scale_inputs(self, kernel: Tensor) -> Any:
        """Multiply a kernel `(..., input channels, outputs)` by `input_scale`."""
        if self.input_scale == 1.0:
            return kernel
        scale = np.reshape(self.input_scale, (-1, 1))
        return kernel * ops.convert_to_tensor(scale, self.compute_dtype)

    def scale_outputs(self, kernel: Tensor, scale: Tensor) -> Any:
        """Multiply a kernel by one scale per output, `(outputs,)`."""
        return kernel * scale

    def linear(self, inputs: Tensor, weights: SynapticWeights) -> Any:
        """Currents `(batch, ...)` of inputs `(batch, ...)` through given weights.

        Weighted inputs are summed in `current_dtype`. The bias and the potentials use the compute
        dtype.
        """
        return biased(self.sum_inputs(inputs, weights), weights.bias, self.compute_dtype)

    def sum_inputs(self, inputs: Tensor, weights: SynapticWeights) -> Any:
        """Currents without the bias, in the dtype of the summation."""
        inputs, kernel = (ops.cast(x, self.current_dtype) for x in (inputs, weights.kernel))
        return self.weighted_sum(inputs, kernel)

    def weighted_sum(self, inputs: Tensor, kernel: Tensor) -> Any:
        """Sum of inputs `(batch, ...)` times weights, all in one dtype."""
        raise NotImplementedError

    def current(self, inputs: Tensor) -> Any:
        """Input currents of the neurons (Eq. 4; Eq. 6 for inputs constant in time)."""
        weights = self.synaptic_weights()
        if self.time_steps is not None:
            return self.linear(inputs, weights)
        return over_time(lambda x: self.linear(x, weights), inputs)

    def compute_current_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape of the currents, from the twin's own rule."""
        if self.time_steps is not None:
            return tuple(self.twin.compute_output_shape(input_shape))
        shape = self.twin.compute_output_shape(without_time(input_shape))
        return (shape[0], input_shape[1], *shape[1:])

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, with the complete configurations of twin and normalisation."""
        serialize = keras.saving.serialize_keras_object
        norm = self.batch_norm
        return {
            **super().get_config(),
            "current_dtype": self.current_dtype,
            "twin": serialize(self.twin),
            "batch_norm": None if norm is None else serialize(norm),
            "input_scale": self.input_scale,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TiedIF":
        """Recreate the layer and its twin."""
        config = dict(config)
        for part in ("twin", "batch_norm"):
            config[part] = keras.saving.deserialize_keras_object(config[part])
        return super().from_config(config)
