"""Integrate-and-fire neurons in operators that every LiteRT runtime has, exact at the threshold.

Comparison and selection are what runtimes lack: XNNPACK in float32, the Ethos-U in int16. Here a
spike is made by subtraction and clipping:

    spike = relu(clip(v - (level - 1), -1, 1))      1 if v >= level, 0 if v <= level - 1
    quiet = relu(clip(level - v, -1, 1))            0 if v >= level, 1 if v <= level - 1

with potentials v counted from `v_0` and the firing level `v_threshold - v_0`.

This is exact for integers, because none lies between `level - 1` and `level`. It is exact for
float32 too once potentials are multiplied by the power of two that puts `level` above 2^23 and at
most at 2^24, because the float32 number before `level` is then `level - 1`. A factor of a power of
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
        level = np.atleast_1d(layer.firing_level).astype(dtype)
        self.scale = np.ones_like(level) if is_integer else power_of_two(level)
        self._values = {
            "firing_level": level * self.scale,
            "below_firing_level": level * self.scale - level.dtype.type(1),
            "threshold": np.asarray(layer.v_threshold).astype(dtype) * self.scale,
            "v_0": np.asarray(layer.v_0).astype(dtype) * self.scale,
        }
        self._name = layer.name

    def spikes(self, v: Tensor) -> Tensor:
        """1 where the potential has reached the threshold, else 0."""
        below = self._constant("below_firing_level")
        return ops.relu(self._graph, ops.subtract(self._graph, v, below, clip=True))

    def after_reset(self, v: Tensor) -> Tensor:
        """Potentials of the neurons that fired set to `-v_0`, or lowered by the threshold."""
        graph = self._graph
        if self._reset == "subtract":
            spent = ops.multiply(graph, self.spikes(v), self._constant("threshold"))
            return ops.subtract(graph, v, spent)
        level = self._constant("firing_level")
        quiet = ops.relu(graph, ops.subtract(graph, level, v, clip=True))
        kept = ops.multiply(graph, v, quiet)
        if not self._values["v_0"].any():
            return kept
        v_0 = self._constant("v_0")
        fallen = ops.subtract(graph, ops.multiply(graph, quiet, v_0), v_0)
        # One of the two is 0, so nothing is rounded.
        return ops.add(graph, fallen, kept)

    def _constant(self, name: str) -> Tensor:
        return self._graph.constant(self._values[name], f"{self._name}/{name}")


def power_of_two(level: np.ndarray) -> np.ndarray:
    """Powers of two that take float32 firing levels above 2^23 and at most to 2^24.

    Example:

    >>> float(power_of_two(np.float32([0.75]))[0] * 0.75) == 0.75 * 2**24
    True
    """
    mantissa, exponent = np.frexp(level)
    return np.ldexp(np.ones_like(level), 24 - exponent + (mantissa == 0.5))
