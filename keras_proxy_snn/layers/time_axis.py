"""Helpers for the time axis, which is axis 1, after the batch."""

from collections.abc import Callable
from typing import Any

from keras import ops

from ..basics.types import Tensor
from ..neurons.equations import known_steps

__all__ = ["over_time", "without_time"]


def over_time(function: Callable[[Any], Any], inputs: Tensor) -> Any:
    """Apply a function of `(batch, ...)` at every step of `(batch, time, ...)`.

    Time is folded into the batch, so the function is called once for all steps.
    """
    steps = known_steps(inputs)
    outputs = function(ops.reshape(inputs, (-1, *inputs.shape[2:])))
    return ops.reshape(outputs, (-1, steps, *outputs.shape[1:]))


def without_time(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """The shape `(batch, ...)` of a shape `(batch, time, ...)`."""
    return (shape[0], *shape[2:])
