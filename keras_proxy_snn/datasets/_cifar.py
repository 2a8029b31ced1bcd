"""CIFAR-10's original batches, https://www.cs.toronto.edu/~kriz/cifar.html.

The set has five batches of training images and one batch of test images. Each image is stored as a
red, a green and a blue plane. A Python batch is a pickled dictionary; `_batch.py` reads it without
Python's unpickler. A binary batch holds, for each image, one byte for the label and 3,072 bytes for
the pixels.
"""

import numpy as np

from ._batch import read_batch
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
            f"{source.path} must hold the batches {', '.join(_BATCHES)}. Received: no "
            f"{', '.join(missing)}."
        )
    images, targets = zip(*(found[batch] for batch in _BATCHES[:5]), strict=True)
    return (np.concatenate(images), np.concatenate(targets)), found["test_batch"]


def _binary_batch(member: Member, size: int, values: int) -> tuple[Pixels, Labels]:
    length = size * (1 + values)
    data = member.read(length + 1)
    if len(data) != length:
        received = f"{len(data):,}" if len(data) < length else f"more than {length:,}"
        raise DatasetError(
            f"{member} must have {length:,} bytes, {size:,} times a label and {values:,} pixel "
            f"values. Received: {received}."
        )
    records = np.frombuffer(data, np.uint8).reshape(size, 1 + values)
    return records[:, 1:], records[:, 0].astype(np.int64)


def _python_batch(member: Member, size: int, values: int) -> tuple[Pixels, Labels]:
    # A real batch holds the pixels, and per image some 20 bytes of label and file name.
    data = member.read(2 * size * values + 65_536)
    try:
        batch = read_batch(data, size, values)
    except ValueError as error:
        raise DatasetError(
            f"{member} must be a pickled CIFAR-10 batch. Received: {error}."
        ) from error
    for name in ("data", "labels"):
        if name not in batch:
            raise DatasetError(
                f"{member} must have an entry {name!r}. Received: {sorted(batch)!r:.200}."
            )
    pixels, labels = batch["data"], batch["labels"]
    if not isinstance(pixels, np.ndarray):
        raise DatasetError(
            f"{member} must have a uint8 array as 'data'. Received: {type(pixels).__name__}."
        )
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise DatasetError(
            f"{member} must have a list of int as 'labels'. Received: {labels!r:.60}."
        )
    if len(labels) != size:
        raise DatasetError(f"{member} must have {size:,} labels. Received: {len(labels):,}.")
    return pixels, np.array(labels, np.int64)
