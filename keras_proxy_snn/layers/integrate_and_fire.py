"""`IF`: integrate-and-fire neurons as a layer, the spiking counterpart of a ReLU."""

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

import keras
from keras import ops

from ..basics.checks import check_flag, positive_integer
from ..basics.fixed import Fixed
from ..basics.types import Tensor
from ..neurons import equations
from ..neurons.neuron import Neuron
from .learned_threshold import LearnedThreshold

__all__ = ["IF", "NEURON_FIELDS"]

NEURON_FIELDS = tuple(field.name for field in fields(Neuron))
_FIXED = ("name", "dtype_policy", "neuron", *NEURON_FIELDS, "time_steps", "return_state")


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class IF(Fixed, keras.layers.Layer, fixed=_FIXED):
    """Integrate-and-fire neurons driven by input currents: a spiking ReLU.

    Each neuron adds its current to its membrane potential, fires when the potential reaches the
    threshold, and is then reset; see `keras_proxy_snn.neurons.neuron.Neuron`. In each call,
    potentials start at `v_0` times the threshold, unless `initial_state` is given. The layer keeps
    no state between calls, so you need not reset it.

    Neurons compute in float32 for any global dtype policy, because potentials in half precision
    change the spikes. Pass `dtype=` to choose another dtype.

    Args:
        v_threshold: Positive number, in units of the weights (1 if not given); or the
            `keras_proxy_snn.layers.LearnedThreshold` of the ANN that has it.
        reset: Reset of the potential after a spike: `"zero"` (default, the paper) or `"subtract"`
            (the threshold is subtracted and the excess is kept).
        time_steps: `None`: inputs have a time axis. A positive integer: inputs have no time axis;
            they are currents that flow, constant in time, for this number of steps.
        v_0: Potential before the first step as a fraction of the threshold, in [0, 1). The default
            is 0 (the paper). With 1/2, the number of spikes rounds the current to the nearest
            number instead of down, which matters at few steps.
        return_state: If true, also return the potentials after the last step.
        neuron: A `keras_proxy_snn.neurons.neuron.Neuron` in place of `v_threshold`, `reset` and
            `v_0`.
        **kwargs: Further fields of `Neuron`, and arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        inputs: Currents `(batch, time, ...)`, or `(batch, ...)` if `time_steps` is set.
        initial_state: Potentials before the first step, `(batch, ...)`, alone or as the only item
            of a list; `v_0` times the threshold by default.

    Input shape:
        `(batch, time, ...)`, or `(batch, ...)` if `time_steps` is set.

    Output shape:
        Spikes (zeros and ones) `(batch, time, ...)`; with `return_state`, a pair of
        them and the potentials `(batch, ...)`.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.layers import IF
    >>> spikes = IF(v_threshold=1.0, time_steps=4)(np.float32([[0.5, 0.25]]))
    >>> np.array(spikes)[0].T.tolist()
    [[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]]
    """

    def __init__(
        self,
        v_threshold: float | LearnedThreshold | None = None,
        reset: str | None = None,
        time_steps: int | None = None,
        return_state: bool = False,
        v_0: float | None = None,
        neuron: Neuron | None = None,
        **kwargs: Any,
    ):
        learned = v_threshold if isinstance(v_threshold, LearnedThreshold) else None
        number = 1.0 if learned is not None else v_threshold
        parts = {"v_threshold": number, "reset": reset, "v_0": v_0}
        parts |= {name: kwargs.pop(name) for name in NEURON_FIELDS if name in kwargs}
        neuron = _neuron(neuron, parts)
        if time_steps is not None:
            time_steps = positive_integer("time_steps", time_steps)
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self._learned = learned
        self._neuron = neuron
        self.time_steps = time_steps
        self.return_state = check_flag("return_state", return_state)

    @property
    def neuron(self) -> Neuron:
        """The neuron as numbers; a learned threshold has its present value."""
        return self._neuron if self._learned is None else self._neuron.at(self._learned.value)

    @property
    def v_threshold(self) -> float:
        """The threshold as a number."""
        return float(self.neuron.v_threshold)

    @property
    def reset(self) -> str:
        """`"zero"` or `"subtract"`."""
        return self._neuron.reset

    @property
    def v_0(self) -> float:
        """Potential before the first step as a fraction of the threshold."""
        return self._neuron.v_0

    def traced_neuron(self) -> Neuron:
        """The neuron for traced code; a learned threshold is a scalar tensor."""
        if self._learned is None:
            return self._neuron
        # The SNN is never differentiated.
        theta = ops.stop_gradient(self._learned.threshold)
        return self._neuron.at(ops.cast(theta, self.compute_dtype))

    def initial_potentials(self, shape: tuple[Any, ...]) -> Any:
        """Potentials before the first step, `v_0` times the threshold."""
        return ops.ones(shape, self.compute_dtype) * self.traced_neuron().v_initial

    def call(self, inputs: Tensor, initial_state: Tensor = None) -> Any:
        """Spikes of all steps; see the class."""
        spikes, v = self.fire(self.current(inputs), initial_state, self.time_steps)
        return (spikes, v) if self.return_state else spikes

    def current(self, inputs: Tensor) -> Any:
        """Input currents of the neurons: the inputs themselves."""
        return inputs

    def fire(
        self,
        current: Tensor,
        v: Tensor = None,
        time_steps: int | None = None,
        simulate: Callable[..., tuple[Any, Any]] = equations.simulate,
        bias: Tensor | None = None,
    ) -> tuple[Any, Any]:
        """Spikes `(batch, time, ...)` and final potentials for given currents.

        Args:
            current: Currents, with a time axis unless `time_steps` is given.
            v: Potentials before the first step; `None` for `initial_potentials`.
            time_steps: Number of steps for which a constant current flows.
            simulate: `keras_proxy_snn.neurons.equations.simulate`, or a function with equal values.
            bias: Bias to add to the currents of each step; `None` if they include it.

        Returns:
            `(spikes, v)`.
        """
        if isinstance(v, list | tuple):
            (v,) = v
        if v is None:
            v = self.initial_potentials(
                ops.shape(current if time_steps is not None else current[:, 0])
            )
        v = ops.cast(v, self.compute_dtype)
        return simulate(current, v, self.traced_neuron(), time_steps, bias=bias)

    def compute_current_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape of the currents for an input shape; both have a time axis, or neither has."""
        return tuple(input_shape)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        """Shape of the spikes; with `return_state`, shapes of spikes and potentials."""
        shape = self.compute_current_shape(tuple(input_shape))
        spikes = shape if self.time_steps is None else (shape[0], self.time_steps, *shape[1:])
        return (spikes, (spikes[0], *spikes[2:])) if self.return_state else spikes

    def compute_output_spec(self, inputs: Tensor, initial_state: Tensor = None) -> Any:
        """Symbolic outputs, without running the time loop."""
        shapes = self.compute_output_shape(inputs.shape)
        if self.return_state:
            return tuple(keras.KerasTensor(shape, self.compute_dtype) for shape in shapes)
        return keras.KerasTensor(shapes, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, without potentials."""
        parts = asdict(self._neuron)
        if self._learned is not None:
            parts["v_threshold"] = keras.saving.serialize_keras_object(self._learned)
        return {
            **super().get_config(),
            **parts,
            "time_steps": self.time_steps,
            "return_state": self.return_state,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "IF":
        """Recreate the layer."""
        if isinstance(config["v_threshold"], dict):
            threshold = keras.saving.deserialize_keras_object(config["v_threshold"])
            config = {**config, "v_threshold": threshold}
        return cls(**config)


def _neuron(neuron: Neuron | None, parts: dict[str, Any]) -> Neuron:
    """The given neuron, or a neuron made from the given parts."""
    given = {name: value for name, value in parts.items() if value is not None}
    if neuron is None:
        return Neuron(**given)
    if given or not isinstance(neuron, Neuron):
        raise ValueError(
            "Give either `neuron`, a Neuron, or `v_threshold`, `reset` and `v_0`. "
            f"Received: neuron={neuron!r} and {given}."
        )
    return neuron
