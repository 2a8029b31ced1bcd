"""Equations of the integrate-and-fire neuron, in `keras.ops`. Faster kernels must equal them."""

from collections.abc import Callable
from typing import Any

from keras import ops

from ..basics.types import Tensor
from .neuron import Neuron

__all__ = ["biased", "fire", "heaviside", "known_steps", "simulate"]


def heaviside(v: Tensor, v_threshold: Tensor) -> Any:
    """Spikes of potentials (Eq. 5): 1 where `v >= v_threshold`, else 0, in the dtype of `v`."""
    return ops.cast(ops.greater_equal(v, v_threshold), v.dtype)


def fire(
    v: Tensor,
    current: Tensor,
    neuron: Neuron,
    spike: Callable[[Any, Any], Any] = heaviside,
) -> tuple[Any, Any]:
    """Advance integrate-and-fire neurons by one time step; `Neuron` has the equations.

    Args:
        v: Membrane potentials before the step, any shape, in units of the weights.
        current: Input currents of the step, same shape.
        neuron: Threshold and reset.
        spike: Function of potentials and threshold that gives the spikes. It must give the same
            values as `heaviside`, but may have another derivative.

    Returns:
        `(spikes, v)`: zeros and ones, and the potentials after the step, in the
        shape and dtype of `v`.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.neurons.equations import fire
    >>> from keras_proxy_snn.neurons.neuron import Neuron
    >>> neuron = Neuron(1.0, "subtract")
    >>> spikes, v = fire(np.float32([0.5, 0.5]), np.float32([0.75, 0.25]), neuron)
    >>> [float(s) for s in spikes], [float(p) for p in v]
    ([1.0, 0.0], [0.25, 0.75])
    """
    v = ops.add(v, current)
    spikes = spike(v, neuron.v_threshold)
    # A product instead of `where`, so that a derivative of the spikes reaches the reset. It is
    # exact.
    lost = neuron.v_threshold if neuron.subtracts else v
    return spikes, ops.subtract(v, ops.multiply(spikes, lost))


def simulate(
    current: Tensor,
    v: Tensor,
    neuron: Neuron,
    time_steps: int | None = None,
    spike: Callable[[Any, Any], Any] = heaviside,
    bias: Tensor | None = None,
) -> tuple[Any, Any]:
    """Run integrate-and-fire neurons over time.

    Args:
        current: Currents `(batch, time, ...)`; or `(batch, ...)`, constant in time
            (direct coding, Eq. 6), if `time_steps` is given. They are cast to the dtype of `v`.
        v: Membrane potentials before the first step, `(batch, ...)`.
        neuron: Threshold and reset.
        time_steps: Number of steps for which a constant current flows.
        spike: As in `fire`.
        bias: Bias to add to the currents of each step, or `None`.

    Returns:
        `(spikes, v)`: spikes `(batch, time, ...)`, and the potentials after the last step.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.neurons.equations import simulate
    >>> from keras_proxy_snn.neurons.neuron import Neuron
    >>> current = np.float32([[0.5]])  # one neuron, the same current at each step
    >>> spikes, v = simulate(current, np.zeros_like(current), Neuron(), time_steps=4)
    >>> np.array(spikes)[0, :, 0].tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    if time_steps is None:
        # Slices would work, but the gradient of each slice is a tensor of the full size.
        current = ops.convert_to_tensor(current)
        steps = ops.unstack(current, num=known_steps(current), axis=1)
        currents = [biased(step, bias, v.dtype) for step in steps]
    else:
        currents = [biased(current, bias, v.dtype)] * time_steps
    spikes = []
    for step_current in currents:
        s, v = fire(v, step_current, neuron, spike)
        spikes.append(s)
    return ops.stack(spikes, axis=1), v


def biased(current: Tensor, bias: Tensor | None, dtype: str) -> Any:
    """Currents cast to a dtype, plus the bias in this dtype if it is given."""
    current = ops.cast(current, dtype)
    return current if bias is None else ops.add(current, bias)


def known_steps(inputs: Tensor) -> int:
    """Length of the time axis of `(batch, time, ...)`.

    Raises:
        ValueError: If the length is not known while a graph is traced.
    """
    steps = inputs.shape[1]
    if steps is None:
        raise ValueError(
            "The time axis (axis 1) must have a known length when the layer runs. "
            f"Received: an input of shape {tuple(inputs.shape)}."
        )
    return int(steps)
