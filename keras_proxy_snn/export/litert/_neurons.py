"""Integrate-and-fire neurons in operators that every LiteRT runtime has, exact at the threshold.

Comparison and selection are what runtimes lack: XNNPACK in float32, the Ethos-U in int16. Here a
spike is made by subtraction and clipping:

    spike = relu(clip(v - (theta - 1), -1, 1))      1 if v >= theta, 0 if v <= theta - 1
    quiet = relu(clip(theta - v, -1, 1))            0 if v >= theta, 1 if v <= theta - 1

This is exact for integers, because none lies between `theta - 1` and `theta`. It is exact for
float32 too once potentials are multiplied by the power of two that puts `theta` above 2^23 and at
most at 2^24, because the float32 number before `theta` is then `theta - 1`. A factor of a power of
two changes no rounding, so every spike is that of the unscaled network.
"""

from typing import Any

import numpy as np

from . import _ops as ops
from ._flatbuffer import GraphBuilder, Tensor

__all__ = ["Neurons", "power_of_two"]


class Neurons:
    """The neurons of one layer.

    Args:
        graph: Where operators are added.
        layer: A `Conv` or `Dense` of the program.
        is_integer: Whether the program is.

    Attributes:
        scale: Potentials in the file are those of the program times this, `(1,)` or `(filters,)`.
    """

    def __init__(self, graph: GraphBuilder, layer: Any, is_integer: bool):
        self._graph = graph
        self._reset = layer.reset
        dtype = "int16" if is_integer else "float32"
        theta = np.atleast_1d(np.asarray(layer.v_threshold)).astype(dtype)
        self.scale = np.ones_like(theta) if is_integer else power_of_two(theta)
        theta = theta * self.scale
        one = theta.dtype.type(1)
        self._theta = graph.constant(theta, f"{layer.name}/threshold")
        self._below = graph.constant(theta - one, f"{layer.name}/below_threshold")

    def spikes(self, v: Tensor) -> Tensor:
        """1 where the potential has reached the threshold, else 0."""
        return ops.relu(self._graph, ops.subtract(self._graph, v, self._below, clip=True))

    def after_reset(self, v: Tensor) -> Tensor:
        """Potentials of the neurons that fired set to zero, or lowered by the threshold."""
        graph = self._graph
        if self._reset == "zero":
            quiet = ops.relu(graph, ops.subtract(graph, self._theta, v, clip=True))
            return ops.multiply(graph, v, quiet)
        return ops.subtract(graph, v, ops.multiply(graph, self.spikes(v), self._theta))


def power_of_two(theta: np.ndarray) -> np.ndarray:
    """Powers of two that take float32 thresholds above 2^23 and at most to 2^24.

    Example:

    >>> float(power_of_two(np.float32([0.75]))[0] * 0.75) == 0.75 * 2**24
    True
    """
    mantissa, exponent = np.frexp(theta)
    return np.ldexp(np.ones_like(theta), 24 - exponent + (mantissa == 0.5))
