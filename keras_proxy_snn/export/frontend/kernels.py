"""Weights of a spiking layer in the form that a program needs, and what is folded into them."""

from typing import NamedTuple

import keras
import numpy as np

from ...basics.types import Tensor
from ...layers import Stage, Synapses

__all__ = ["FullWeights", "Normalisation", "weights_of"]


class FullWeights(NamedTuple):
    """Weights in float32; the kernel is the full kernel of `TiedIF.full_kernel`."""

    kernel: np.ndarray
    bias: np.ndarray | None


class Normalisation(NamedTuple):
    """A batch normalisation of what the next weights read: `scale * inputs + shift`.

    Attributes:
        scale: Scales per channel; or per feature, after a `Flatten`.
        shift: Shifts, with the shape of `scale`.
    """

    scale: np.ndarray
    shift: np.ndarray

    @classmethod
    def of(cls, stage: Synapses) -> "Normalisation":
        """The normalisation of a stage around an `IFBatchNormalization`."""
        weights = stage.synaptic_weights()
        scale, shift = _array(weights.kernel), _array(weights.bias)
        return cls(*np.broadcast_arrays(scale, shift))

    def then(self, after: "Normalisation") -> "Normalisation":
        """This normalisation and then another one."""
        scale, shift = self._along(len(after.scale))
        return Normalisation(after.scale * scale, after.scale * shift + after.shift)

    def times(self, factor: float) -> "Normalisation":
        """This normalisation and then a factor, which is a factor of the inputs from there on."""
        return self._replace(shift=self.shift * np.float32(factor))

    def folded(self, weights: FullWeights, scale: float) -> FullWeights:
        """Weights, times a scale of the inputs, that read inputs which are not normalised."""
        own, shift = self._along(weights.kernel.shape[-2])
        kernel = weights.kernel.astype("float64")
        bias = (kernel * shift[:, None]).reshape(-1, kernel.shape[-1]).sum(axis=0)
        bias += 0.0 if weights.bias is None else weights.bias
        kernel = kernel * own[:, None] * scale
        return FullWeights(kernel.astype("float32"), bias.astype("float32"))

    def _along(self, features: int) -> tuple[np.ndarray, np.ndarray]:
        """Scale and shift per feature: `Flatten` puts all channels of a pixel side by side."""
        repeats = features // len(self.scale)
        return np.tile(self.scale, repeats), np.tile(self.shift, repeats)


def weights_of(stage: Stage, scale: float = 1.0) -> FullWeights | None:
    """Full kernel times a scale, and bias, both with normalisation folded in.

    Returns:
        The weights; `None` if a stage has no weights, or no kernel that a program can hold.
    """
    tied = stage.tied()
    if tied is None:
        return None
    weights = tied.synaptic_weights()
    kernel = tied.full_kernel(_array(weights.kernel))
    if kernel is None:
        return None
    bias = None if weights.bias is None else _array(weights.bias)
    return FullWeights(kernel if scale == 1.0 else kernel * np.float32(scale), bias)


def _array(weights: Tensor) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(weights), "float32")
