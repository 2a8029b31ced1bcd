"""`weights_of`: weights of a spiking layer in the form that a program needs."""

from typing import NamedTuple

import keras
import numpy as np

from ...basics.types import Tensor
from ...layers import Stage

__all__ = ["FullWeights", "weights_of"]


class FullWeights(NamedTuple):
    """Weights in float32; the kernel is the full kernel of `TiedIF.full_kernel`."""

    kernel: np.ndarray
    bias: np.ndarray | None


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
