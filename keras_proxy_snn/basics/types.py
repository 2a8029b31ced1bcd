"""Types for readers, where a type checker sees little more than `Any`: tensors, images, shapes.

Keras and its backends ship no type information, and each backend has a tensor class of its own.
"""

from typing import Any, TypeAlias

__all__ = ["Images", "Shape", "Tensor", "Verbose"]

Tensor: TypeAlias = Any
"""A tensor of Keras's backend, symbolic or not, or a NumPy array: what `keras.ops` takes."""

Images: TypeAlias = Any
"""Images `(batch, height, width, channels)`, or frames with a time axis; an array or a tensor."""

Shape: TypeAlias = tuple[Any, ...]
"""Sizes of the axes of a tensor: whole numbers, and `None` for a size that is not known yet."""

Verbose: TypeAlias = bool | int | str
"""How much is shown, in every function of the package the same, see `progress.check_verbose`."""
