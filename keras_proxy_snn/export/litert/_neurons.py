"""Integrate-and-fire neurons from operators that every LiteRT runtime has.

Some runtimes have no operators for comparison and selection: XNNPACK in float32, the Ethos-U in
int16. So spikes are computed by subtraction and clipping:

    spike = relu(clip(v - (level - 1), -1, 1))      1 if v >= level, 0 if v <= level - 1
    quiet = relu(clip(level - v, -1, 1))            0 if v >= level, 1 if v <= level - 1

Potentials v are counted from `v_0`; the firing level is `v_threshold - v_0`.

This is exact for integers, because no integer is between `level - 1` and `level`. For float32,
potentials are multiplied by a power of two so that 2^23 < `level` <= 2^24. Then `level - 1` is the
float32 number just below `level`, and the result is exact too. A power of two changes no rounding,
so the spikes are the same as without the factor.
"""

import numpy as np

from ..program import Conv, Dense
from . import _ops as ops
from ._flatbuffer import GraphBuilder, Tensor

__all__ = ["Neurons", "power_of_two"]


class Neurons:
    """The neurons of one layer.

    Args:
        graph: Graph to which operators are added.
        layer: A `Conv` or `Dense` of the program.
        is_integer: Whether the program is an integer program.

    Attributes:
        scale: Factor from the program's potentials to the file's, `(1,)` or `(filters,)`.
    """

    def __init__(self, graph: GraphBuilder, layer: Conv | Dense, is_integer: bool):
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
        """Potentials after the reset: neurons that fired are set to `-v_0`, or lowered by theta."""
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
        # One of the two terms is 0, so nothing is rounded.
        return ops.add(graph, fallen, kept)

    def _constant(self, name: str) -> Tensor:
        return self._graph.constant(self._values[name], f"{self._name}/{name}")


def power_of_two(level: np.ndarray) -> np.ndarray:
    """Powers of two whose product with float32 firing levels is above 2^23 and at most 2^24.

    Example:

    >>> float(power_of_two(np.float32([0.75]))[0] * 0.75) == 0.75 * 2**24
    True
    """
    mantissa, exponent = np.frexp(level)
    return np.ldexp(np.ones_like(level), 24 - exponent + (mantissa == 0.5))
