"""How many time steps, and how many images, are simulated at once."""

import math
from collections.abc import Sequence
from typing import Any

import keras

from .._checks import positive_integer

__all__ = ["balanced", "check_chunk_steps", "chosen", "gpu_memory", "images_at_once", "on_gpu"]

_LEAST = 2
# Values of the largest layer in a chunk, beyond which a longer one gains little, see
# `benchmarks/NOTES.md`.
_ON_PROCESSOR = 2**18
_ON_GPU = 2**28
# A chunk takes up to 15 bytes a value in bfloat16, and an eighth of a GPU's memory at most.
_GPU_BYTES = 16 * 8
_UNKNOWN_BATCH = 32
# Values of the largest layer for which PyTorch's allocator on Linux keeps the memory of a step:
# what is larger it gives back each time, and every page has to be fetched again.
_KEPT = 2**21


def check_chunk_steps(value: Any) -> int | None:
    """The value, if it is a positive integer or `None`, which stands for a choice."""
    return None if value is None else positive_integer("chunk_steps", value)


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
    longest = min(_ON_GPU, gpu_memory(potentials[0]) // _GPU_BYTES) if gpu else _ON_PROCESSOR
    return balanced(time_steps, max(_LEAST, longest // values))


def images_at_once(images: Any, shapes: Sequence[tuple[int, ...]]) -> int | None:
    """How many images of a batch are simulated before the next ones; `None` for all of them.

    Args:
        images: The batch.
        shapes: Of the potentials of one image.
    """
    if keras.config.backend() != "torch" or on_gpu(images):
        return None
    most = max(1, _KEPT // max(map(math.prod, shapes)))
    return most if most < len(images) else None


def balanced(time_steps: int, longest: int) -> int:
    """Length of the fewest chunks of at most `longest` steps, nearly equal."""
    return math.ceil(time_steps / math.ceil(time_steps / longest))


def on_gpu(tensor: Any) -> bool:
    """Whether tensors like this one are on a GPU, or may be while a graph is traced."""
    if keras.config.backend() == "torch":
        return bool(tensor.is_cuda)
    return not keras.distribution.list_devices()[0].startswith("cpu")


def gpu_memory(tensor: Any) -> int:
    """Bytes of the GPU that such a tensor is on; 16 GiB where nobody tells."""
    if keras.config.backend() == "torch":
        import torch

        return int(torch.cuda.get_device_properties(tensor.device).total_memory)
    told: dict[str, int] = {}
    if keras.config.backend() == "jax":
        import jax

        told = jax.devices()[0].memory_stats() or {}
    return told.get("bytes_limit", 2**34)
