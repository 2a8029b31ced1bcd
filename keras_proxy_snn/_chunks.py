"""How many time steps are simulated at once."""

import math
from collections.abc import Sequence
from typing import Any

import keras

__all__ = ["balanced", "check_chunk_steps", "chosen", "on_gpu"]

_LEAST = 2
# Values of the largest layer in a chunk, beyond which a longer one gains nothing (processors, see
# `benchmarks/NOTES.md`) or costs memory that small GPUs have not: half a GiB a tensor in float32.
_ON_PROCESSOR = 2**18
_ON_GPU = 2**27
_UNKNOWN_BATCH = 32


def check_chunk_steps(value: Any) -> int | None:
    """The value, if it is a positive integer or `None`, which stands for a choice."""
    whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
    if value is not None and not whole:
        raise ValueError(f"`chunk_steps` must be a positive integer, or None. Received: {value!r}.")
    return value


def chosen(time_steps: int, potentials: Sequence[Any]) -> int:
    """Length k of a chunk for layers with such potentials, `(batch, ...)`.

    Long chunks pay where starting an operation takes longer than the operation: on GPUs, and on
    PyTorch where layers are small. In a compiled graph on a processor, short ones do.
    """
    gpu = on_gpu(potentials[0])
    if not gpu and keras.config.backend() != "torch":
        return balanced(time_steps, _LEAST)
    neurons = max(math.prod(v.shape[1:]) for v in potentials)
    values = neurons * (potentials[0].shape[0] or _UNKNOWN_BATCH)
    return balanced(time_steps, max(_LEAST, (_ON_GPU if gpu else _ON_PROCESSOR) // values))


def balanced(time_steps: int, longest: int) -> int:
    """Length of the fewest chunks of at most `longest` steps, nearly equal."""
    return math.ceil(time_steps / math.ceil(time_steps / longest))


def on_gpu(tensor: Any) -> bool:
    """Whether tensors like this one are on a GPU, or may be while a graph is traced."""
    if keras.config.backend() == "torch":
        return bool(tensor.is_cuda)
    return not keras.distribution.list_devices()[0].startswith("cpu")
