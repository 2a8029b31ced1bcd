"""The integrate-and-fire neuron. Its equations stand here and nowhere else."""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

from keras import ops

from .._checks import check_choice

__all__ = ["RESETS", "biased", "check_neuron", "fire", "heaviside", "known_steps", "simulate"]

RESETS = ("zero", "subtract")


def check_neuron(v_threshold: float, reset: str, v_0: float = 0.0) -> None:
    """Check a neuron's parameters.

    Raises:
        ValueError: If the threshold is not a positive finite number, the reset is neither
            `"zero"` nor `"subtract"`, or `v_0` is not in [0, 1).
    """
    if not _is_number(v_threshold) or v_threshold <= 0:
        raise ValueError(f"`v_threshold` must be a positive number. Received: {v_threshold!r}.")
    if not _is_number(v_0) or not 0 <= v_0 < 1:
        raise ValueError(
            "`v_0`, the potential before the first step as a fraction of the threshold, must be "
            f"in [0, 1). Received: {v_0!r}."
        )
    check_choice("reset", reset, RESETS)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def heaviside(v: Any, v_threshold: Any) -> Any:
    """Spikes of potentials (Eq. 5): 1 where `v >= v_threshold`, else 0, in the dtype of `v`."""
    return ops.cast(ops.greater_equal(v, v_threshold), v.dtype)


def fire(
    v: Any,
    current: Any,
    v_threshold: Any,
    reset: str,
    spike: Callable[[Any, Any], Any] = heaviside,
) -> tuple[Any, Any]:
    """Advance integrate-and-fire neurons by one time step.

    With unit resistance and no leak (Eq. 3 and 5 of Kheradpisheh et al.,
    "Spiking neural networks trained via proxy"):

        v[t] = v[t-1] + current[t]
        spike[t] = 1 if v[t] >= v_threshold else 0

    Where a neuron fired, its potential is then set to zero (`reset="zero"`, the
    paper) or lowered by the threshold (`reset="subtract"`).

    Args:
        v: Membrane potentials before the step, any shape, in units of the weights.
        current: Input currents of the step, same shape.
        v_threshold: Positive number, or a scalar tensor.
        reset: `"zero"` or `"subtract"`.
        spike: Function of potentials and threshold that gives the spikes. Another than
            `heaviside` must give the same values, and may have another derivative.

    Returns:
        `(spikes, v)`: zeros and ones, and the potentials after the step, in the
        shape and dtype of `v`.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.neurons.equations import fire
    >>> spikes, v = fire(np.float32([0.5, 0.5]), np.float32([0.75, 0.25]), 1.0, "subtract")
    >>> [float(s) for s in spikes], [float(p) for p in v]
    ([1.0, 0.0], [0.25, 0.75])
    """
    v = ops.add(v, current)
    spikes = spike(v, v_threshold)
    # A product, not a choice, so that a derivative of the spikes reaches the reset. It is exact.
    lost = v if reset == "zero" else v_threshold
    return spikes, ops.subtract(v, ops.multiply(spikes, lost))


def simulate(
    current: Any,
    v: Any,
    v_threshold: Any,
    reset: str,
    time_steps: int | None = None,
    spike: Callable[[Any, Any], Any] = heaviside,
    bias: Any | None = None,
) -> tuple[Any, Any]:
    """Run integrate-and-fire neurons over time.

    Args:
        current: Currents `(batch, time, ...)`; or `(batch, ...)`, constant in time
            (direct coding, Eq. 6), if `time_steps` is given. They are cast to the dtype of `v`.
        v: Membrane potentials before the first step, `(batch, ...)`.
        v_threshold: Positive number, or a scalar tensor.
        reset: `"zero"` or `"subtract"`.
        time_steps: Number of steps for which a constant current flows.
        spike: As in `fire`.
        bias: Added to the currents of each step.

    Returns:
        `(spikes, v)`: spikes `(batch, time, ...)`, and the potentials after the last step.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.neurons.equations import simulate
    >>> current = np.float32([[0.5]])  # one neuron, the same current at each step
    >>> spikes, v = simulate(current, np.zeros_like(current), 1.0, "zero", time_steps=4)
    >>> np.array(spikes)[0, :, 0].tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    if time_steps is None:
        # Slices would do, but their gradients are as many tensors of the whole's size.
        current = ops.convert_to_tensor(current)
        steps = ops.unstack(current, num=known_steps(current), axis=1)
        currents = [biased(step, bias, v.dtype) for step in steps]
    else:
        currents = [biased(current, bias, v.dtype)] * time_steps
    spikes = []
    for step_current in currents:
        s, v = fire(v, step_current, v_threshold, reset, spike)
        spikes.append(s)
    return ops.stack(spikes, axis=1), v


def biased(current: Any, bias: Any | None, dtype: Any) -> Any:
    """Currents in a dtype, and the bias, if there is one, added to them there."""
    current = ops.cast(current, dtype)
    return current if bias is None else ops.add(current, bias)


def known_steps(inputs: Any) -> int:
    """Length of the time axis of `(batch, time, ...)`.

    Raises:
        ValueError: If it is not known while a graph is being traced.
    """
    steps = inputs.shape[1]
    if steps is None:
        raise ValueError(
            "The time axis (axis 1) must have a known length when the layer runs. "
            f"Received: an input of shape {tuple(inputs.shape)}."
        )
    return int(steps)
