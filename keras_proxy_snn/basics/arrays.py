"""Tensors of any backend as NumPy arrays."""

import numpy as np
from keras import ops

from .types import Tensor

__all__ = ["as_float32"]


def as_float32(tensor: Tensor) -> np.ndarray:
    """A tensor of any dtype as an array of float32, which NumPy knows and bfloat16 it does not."""
    return np.asarray(ops.convert_to_numpy(ops.cast(tensor, "float32")))
