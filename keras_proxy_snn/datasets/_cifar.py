"""CIFAR-10's own batches, https://www.cs.toronto.edu/~kriz/cifar.html.

Five batches of training images and one of test images, each image a plane of red, one of green and
one of blue. A Python batch is a pickle of a dictionary, which is read here without running what
else a pickle may hold; a binary batch is a label's byte and the image's 3,072, one after another.
"""

import io
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np

from ._files import Member, members
from ._info import DatasetError, DatasetInfo, Labels, Pixels, RawSplits, check_labels
from ._source import Source

__all__ = ["binary_key", "python_key", "read"]

_BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")


def python_key(info: DatasetInfo, name: str) -> str | None:
    """The name of a pickled batch, or None for any other file."""
    stem = name.rpartition("/")[2]
    return stem if info.name == "cifar10" and stem in _BATCHES else None


def binary_key(info: DatasetInfo, name: str) -> str | None:
    """The name of a binary batch without its ".bin", or None for any other file."""
    return python_key(info, name.removesuffix(".bin")) if name.endswith(".bin") else None


def read(info: DatasetInfo, source: Source) -> RawSplits:
    """Read the six batches of a source whose format is "python" or "binary"."""
    key, parse = (
        (python_key, _python_batch) if source.format == "python" else (binary_key, _binary_batch)
    )
    found: dict[str, tuple[Pixels, Labels]] = {}
    for member in members(source.path, info):
        batch = key(info, member.name)
        if batch is None or batch in found:
            continue
        size = info.sizes["test"] if batch == "test_batch" else info.sizes["train"] // 5
        planes, labels = parse(member, size, int(np.prod(info.shape)))
        check_labels(labels, info, member)
        height, width, channels = info.shape
        pixels = planes.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
        found[batch] = pixels, labels
    missing = [batch for batch in _BATCHES if batch not in found]
    if missing:
        raise DatasetError(
            f"{source.path}: expected the batches {', '.join(_BATCHES)}; "
            f"{', '.join(missing)} missing"
        )
    images, targets = zip(*(found[batch] for batch in _BATCHES[:5]), strict=True)
    return (np.concatenate(images), np.concatenate(targets)), found["test_batch"]


def _binary_batch(member: Member, size: int, values: int) -> tuple[Pixels, Labels]:
    length = size * (1 + values)
    data = member.read(length + 1)
    if len(data) != length:
        received = f"{len(data):,}" if len(data) < length else f"more than {length:,}"
        raise DatasetError(
            f"{member}: expected {length:,} bytes, {size:,} times a label and {values:,} pixel "
            f"values; received {received}"
        )
    records = np.frombuffer(data, np.uint8).reshape(size, 1 + values)
    return records[:, 1:], records[:, 0].astype(np.int64)


def _python_batch(member: Member, size: int, values: int) -> tuple[Pixels, Labels]:
    # A real batch is its pixels and some 20 bytes of label and file name an image.
    data = member.read(2 * size * values + 65_536)
    try:
        batch = _PlainUnpickler(io.BytesIO(data), encoding="bytes").load()
    except Exception as error:  # a damaged pickle can raise anything, says the documentation
        raise DatasetError(f"{member}: expected a pickled CIFAR-10 batch; {error}") from error
    if not isinstance(batch, Mapping):
        raise DatasetError(
            f"{member}: expected a pickled dictionary; received {type(batch).__name__}"
        )
    pixels, labels = _entry(member, batch, "data"), _entry(member, batch, "labels")
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
        raise DatasetError(
            f"{member}: expected 'data' to be a uint8 array; received "
            f"{getattr(pixels, 'dtype', type(pixels).__name__)}"
        )
    if pixels.shape != (size, values):
        raise DatasetError(
            f"{member}: expected 'data' of shape {(size, values)}; received {pixels.shape}"
        )
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise DatasetError(
            f"{member}: expected 'labels' to be a list of int; received {labels!r:.60}"
        )
    if len(labels) != size:
        raise DatasetError(f"{member}: expected {size:,} labels; received {len(labels):,}")
    return pixels, np.array(labels, np.int64)


def _entry(member: Member, batch: Mapping[Any, Any], name: str) -> Any:
    # The published batches were written by Python 2, whose strings are bytes to Python 3.
    for key in (name.encode(), name):
        if key in batch:
            return batch[key]
    raise DatasetError(f"{member}: expected an entry {name!r}; received {sorted(map(str, batch))}")


def _latin1(text: str, encoding: str) -> bytes:
    """`_codecs.encode` as NumPy pickles use it, and for nothing else."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"a pickled encoding other than latin1: {encoding!r}")
    return text.encode("latin1")


class _PlainUnpickler(pickle.Unpickler):
    """Rebuilds lists, dictionaries, strings, numbers and NumPy arrays, and refuses the rest.

    A pickle may name any function of any module and call it; this one finds the four names below
    and no other. They map to objects, so that nothing is imported because a file says so.
    """

    _ARRAY = np.empty(0).__reduce__()[0]  # multiarray._reconstruct, whose home NumPy 2 moved
    _KNOWN = {  # noqa: RUF012
        ("numpy.core.multiarray", "_reconstruct"): _ARRAY,
        ("numpy._core.multiarray", "_reconstruct"): _ARRAY,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): _latin1,
    }

    def find_class(self, module: str, name: str) -> Any:
        """The object of that name if an array needs it."""
        if (module, name) not in self._KNOWN:
            raise pickle.UnpicklingError(
                f"it names {module}.{name}, which a CIFAR-10 batch does not need and which was "
                "not run"
            )
        return self._KNOWN[module, name]
