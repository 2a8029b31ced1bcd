"""The number of time steps, and of images, that are simulated at once."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
from keras import ops

from ..basics.checks import positive_integer
from ..basics.types import Images, Tensor

__all__ = [
    "Chunks",
    "balanced",
    "check_chunk_steps",
    "chosen",
    "gpu_memory",
    "images_at_once",
    "joined",
    "on_gpu",
]

_LEAST = 2
# Largest number of values of a layer in a chunk; longer chunks gain little, see
# `benchmarks/NOTES.md`.
_ON_PROCESSOR = 2**23
_ON_GPU = 2**28
# A value of a chunk takes up to 15 bytes in bfloat16; a chunk may take an eighth of the memory.
_GPU_BYTES = 16 * 8
_UNKNOWN_BATCH = 32
# Largest number of neurons of a layer in a part of the batch, on PyTorch and processors. A chunk of
# such a part holds several steps, in memory that the allocator keeps.
_KEPT = 2**20


class Chunks:
    """The chunks of all time steps, in order: as many `whole` ones as fit, then a shorter one.

    Args:
        time_steps: Number T of time steps.
        steps: Number of steps per whole chunk.
        frames: Images of all steps, `(batch, T, ...)`; `None` if each step has the same image.

    Example:

    >>> from keras_proxy_snn.simulation.chunks import Chunks
    >>> chunks = Chunks(8, 3, frames=None)
    >>> chunks.whole, [steps for steps, _ in chunks.since(0)]
    (2, [3, 3, 2])
    """

    def __init__(self, time_steps: int, steps: int, frames: Images | None):
        self._time_steps = time_steps
        self._frames = frames
        self.steps = steps
        self.whole = time_steps // steps

    def since(self, number: int) -> Iterator[tuple[int, Images | None]]:
        """Number of steps and frames of each chunk, from the chunk of this number on."""
        for start in range(number * self.steps, self._time_steps, self.steps):
            steps = min(self.steps, self._time_steps - start)
            frames = self._frames
            yield steps, None if frames is None else frames[:, start : start + steps]

    def frames_of_whole(self) -> Callable[[Any], Images | None]:
        """A function that gives the frames of a whole chunk by its number, which may be a tensor.

        A loop in a graph has no other numbers; a slice would need one that is known beforehand.
        """
        frames = self._frames
        if frames is None:
            return lambda _: None
        shape = (-1, self.whole, self.steps, *frames.shape[2:])
        whole = ops.reshape(frames[:, : self.whole * self.steps], shape)
        return lambda number: ops.take(whole, number, axis=1)


def check_chunk_steps(value: object) -> int | None:
    """The value, if it is a positive integer, or `None` for a number chosen at each run."""
    return None if value is None else positive_integer("chunk_steps", value)


def joined(chunks: Sequence[Any]) -> Any:
    """Chunks of signals `(batch, steps, ...)`, one after the other."""
    return chunks[0] if len(chunks) == 1 else ops.concatenate(chunks, axis=1)


def chosen(time_steps: int, potentials: Sequence[Any]) -> int:
    """Number k of steps per chunk, for layers with these potentials, `(batch, ...)`.

    Long chunks are faster where starting an operation takes longer than the operation: on GPUs, and
    on PyTorch where layers are small. In a compiled graph on a processor, short chunks are faster.
    """
    gpu = on_gpu(potentials[0])
    if not gpu and keras.config.backend() != "torch":
        return balanced(time_steps, _LEAST)
    neurons = max(math.prod(v.shape[1:]) for v in potentials)
    values = neurons * (potentials[0].shape[0] or _UNKNOWN_BATCH)
    longest = min(_ON_GPU, gpu_memory(potentials[0]) // _GPU_BYTES) if gpu else _ON_PROCESSOR
    return balanced(time_steps, max(_LEAST, longest // values))


def images_at_once(images: Images, shapes: Sequence[tuple[int, ...]]) -> int | None:
    """Number of images that are simulated at once; `None` for the whole batch.

    Args:
        images: The batch.
        shapes: Shapes of the potentials of one image.
    """
    if keras.config.backend() != "torch" or on_gpu(images):
        return None
    most = max(1, _KEPT // max(map(math.prod, shapes)))
    return most if most < len(images) else None


def balanced(time_steps: int, longest: int) -> int:
    """Length of the fewest chunks of at most `longest` steps, nearly equal."""
    return math.ceil(time_steps / math.ceil(time_steps / longest))


def on_gpu(tensor: Tensor) -> bool:
    """Whether tensors like this one are on a GPU, or may be while a graph is traced."""
    if keras.config.backend() == "torch":
        return bool(tensor.is_cuda)
    return not keras.distribution.list_devices()[0].startswith("cpu")


def gpu_memory(tensor: Tensor) -> int:
    """Bytes of memory of the tensor's GPU; 16 GiB if the backend does not tell."""
    if keras.config.backend() == "torch":
        import torch

        return int(torch.cuda.get_device_properties(tensor.device).total_memory)
    told: dict[str, int] = {}
    if keras.config.backend() == "jax":
        import jax

        told = jax.devices()[0].memory_stats() or {}
    return told.get("bytes_limit", 2**34)
