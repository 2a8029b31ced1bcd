"""IDX files, the format of MNIST and of similar sets, http://yann.lecun.com/exdb/mnist/.

A file has a big-endian header and then the data. The header is the magic number 0x0000080D (8:
unsigned bytes, D: the number of dimensions) and D sizes of four bytes each. In the data the last
dimension varies fastest.
"""

import re

import numpy as np

from ._files import Member, members
from ._info import DatasetError, DatasetInfo, Labels, Pixels, RawSplits, check_labels
from ._source import Source

__all__ = ["key", "read"]

_NAME = re.compile(r"(train|t10k)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")
_SPLITS = {"train": "train", "t10k": "test"}


def key(info: DatasetInfo, name: str) -> tuple[str, str] | None:
    """("train" or "test", "images" or "labels"), or None for any other file."""
    match = _NAME.fullmatch(name.rpartition("/")[2])
    if info.shape[-1] != 1 or match is None:
        return None
    return _SPLITS[match[1]], match[2]


def read(info: DatasetInfo, source: Source) -> RawSplits:
    """Read the four files. If a file exists packed and unpacked, the first one found is read."""
    found: dict[tuple[str, str], Pixels] = {}
    labels: dict[str, Labels] = {}
    for member in members(source.path, info):
        which = key(info, member.name)
        if which is None or which in found:
            continue
        split, content = which
        sizes = (
            (info.sizes[split], *info.shape[:2]) if content == "images" else (info.sizes[split],)
        )
        found[which] = _array(member, sizes)
        if content == "labels":
            labels[split] = found[which].astype(np.int64)
            check_labels(labels[split], info, member)
    for split, short in (("train", "train"), ("test", "t10k")):
        for content in ("images", "labels"):
            if (split, content) not in found:
                raise DatasetError(
                    f"{source.path} must hold the four IDX files of {info.title}. Received: no "
                    f"{short}-{content}."
                )
    return (
        (found["train", "images"][..., None], labels["train"]),
        (found["test", "images"][..., None], labels["test"]),
    )


def _array(member: Member, sizes: tuple[int, ...]) -> Pixels:
    """Check the header and the length of a file, and return its data."""
    start = 4 + 4 * len(sizes)
    length = start + int(np.prod(sizes))
    data = member.read(length + 1)
    if len(data) < start:
        raise DatasetError(
            f"{member} must have an IDX header of {start} bytes. Received: {len(data)} bytes in "
            "all."
        )
    magic, *received = (int(field) for field in np.frombuffer(data, ">u4", 1 + len(sizes)))
    expected = 0x0800 + len(sizes)
    if magic != expected:
        raise DatasetError(
            f"{member} must have the IDX magic number {expected:#010x}. Received: {magic:#010x}."
        )
    if tuple(received) != sizes:
        raise DatasetError(
            f"{member} must have the dimensions {sizes}. Received: {tuple(received)}."
        )
    if len(data) != length:
        size = f"{len(data):,}" if len(data) < length else f"more than {length:,}"
        raise DatasetError(f"{member} must have {length:,} bytes. Received: {size}.")
    return np.frombuffer(data, np.uint8, offset=start).reshape(sizes)
