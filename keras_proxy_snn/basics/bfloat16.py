"""Numbers of PyTorch in NumPy, which has no bfloat16: their bits stand for them."""

from typing import Any

import numpy as np
import torch

__all__ = ["DTYPES", "in_numpy", "in_torch"]

DTYPES = (torch.float32, torch.bfloat16)
"""Dtypes that `in_numpy` takes."""


def in_numpy(x: torch.Tensor) -> np.ndarray:
    """Float32, or the bits of bfloat16 as uint16, in the memory of a tensor on a processor.

    Example:

    >>> import torch
    >>> from keras_proxy_snn.basics.bfloat16 import in_numpy
    >>> in_numpy(torch.ones(1)).tolist()
    [1.0]
    >>> [hex(bits) for bits in in_numpy(torch.ones(1, dtype=torch.bfloat16)).tolist()]
    ['0x3f80']
    """
    x = x.detach()
    found: np.ndarray = (
        x.numpy() if x.dtype == torch.float32 else x.view(torch.int16).numpy().view(np.uint16)
    )
    return found


def in_torch(x: np.ndarray) -> Any:
    """The tensor of an array as `in_numpy` makes it, in the same memory.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.basics.bfloat16 import in_torch
    >>> in_torch(np.uint16([0x3F80, 0])).tolist()
    [1.0, 0.0]
    """
    if x.dtype == np.float32:
        return torch.from_numpy(x)
    return torch.from_numpy(x.view(np.int16)).view(torch.bfloat16)
