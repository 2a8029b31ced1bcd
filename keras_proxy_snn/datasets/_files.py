"""Files of a directory, a tar archive or a zip archive, as one stream of members.

Nothing is unpacked to disk: each member is read inside its archive, so a name in an archive cannot
point outside the archive. The size that a file declares is never trusted: all data is read in
pieces of 64 KiB, up to a limit that the caller sets.
"""

import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from ._info import DatasetError, DatasetInfo

__all__ = ["ARCHIVE_SUFFIXES", "Member", "is_archive", "members"]

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".zip")

_PIECE = 1 << 16
_MAX_ENTRIES = 200_000  # far more than any set has; each entry takes some memory

# zipfile raises RuntimeError for an encrypted member. zipfile and tarfile raise RecursionError, a
# RuntimeError, for headers nested too deep. OSError: a position before the begin of the file.
# IndexError: a member without a name.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    IndexError,
    MemoryError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


@contextmanager
def _damage_named(where: object) -> Iterator[None]:
    try:
        yield
    except DatasetError:
        raise
    except _DAMAGE as error:
        raise DatasetError(
            f"{where} must be a whole, undamaged file. Received: a file that cannot be read to its "
            f"end ({type(error).__name__}: {error})."
        ) from error


@dataclass(frozen=True)
class Member:
    """One file. `name` is its path inside `place`, with slashes."""

    place: Path
    name: str
    open: Callable[[], IO[bytes]]

    def __str__(self) -> str:
        """The whole path; for a member of an archive: the archive's path, then the member's."""
        return f"{self.place}/{self.name}"

    def read(self, limit: int) -> bytes:
        """The first `limit` bytes, unpacked if the name ends in ".gz".

        With a limit of the expected size plus one byte, a file that is too long is found, and a
        compressed file cannot fill the memory.
        """
        with _damage_named(self), self.open() as file:
            if not self.name.endswith(".gz"):
                return _first(file, limit)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _first(unpacked, limit)


def _first(file: IO[bytes] | gzip.GzipFile, limit: int) -> bytes:
    pieces = []
    while limit and (piece := file.read(min(limit, _PIECE))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


def is_archive(path: Path) -> bool:
    """Whether the path is a file that `members` can read as an archive."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES) and path.is_file()


def members(place: Path, info: DatasetInfo) -> Iterator[Member]:
    """Files of a directory or an archive. Read each file before you ask for the next.

    A directory gives first its own files, then the files in `train/<class>` and `test/<class>`;
    each folder is in the order of its names. An archive gives every regular file, in the archive's
    order.
    """
    if place.is_dir():
        yield from _directory_members(place, info)
        return
    with _damage_named(place):
        if place.name.lower().endswith(".zip"):
            yield from _zip_members(place)
        else:
            yield from _tar_members(place)


def _directory_members(place: Path, info: DatasetInfo) -> Iterator[Member]:
    folders = [place]
    for split in info.sizes:
        if (place / split).is_dir():
            classes = [f for f in sorted((place / split).iterdir()) if f.is_dir()]
            folders += [f for f in classes if info.class_index(f.name) is not None]
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.is_file():
                name = path.relative_to(place).as_posix()
                yield Member(place, name, partial(_opened_file, path))


def _opened_file(path: Path) -> IO[bytes]:
    return path.open("rb")


class _Pieces:
    """A file for tarfile with bounded reads.

    tarfile itself would read a header of any size that the header before it declares.
    """

    def __init__(self, file: IO[bytes]):
        self.seek, self.tell, self._file = file.seek, file.tell, file

    def read(self, size: int) -> bytes:
        if size > _PIECE:
            raise tarfile.TarError(f"it declares a header of {size:,} bytes")
        data: bytes = self._file.read(size)
        return data


def _unpacked(file: IO[bytes]) -> Any:
    magic = file.read(6)
    file.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    return lzma.LZMAFile(file) if magic == b"\xfd7zXZ\0" else file


def _tar_members(place: Path) -> Iterator[Member]:
    with place.open("rb") as file, _unpacked(file) as unpacked:
        pieces: Any = _Pieces(unpacked)
        with tarfile.open(fileobj=pieces, mode="r:") as archive:
            for number, entry in enumerate(archive):
                _check_number(number)
                if entry.isfile():  # no links: a link may point to any place
                    yield Member(place, entry.name, partial(_opened_entry, archive, entry))


def _opened_entry(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(entry)
    if file is None:
        raise ValueError(f"A member of an archive must be a file. Received: {entry.name!r}.")
    return file


def _zip_members(place: Path) -> Iterator[Member]:
    with zipfile.ZipFile(place) as archive:
        for number, entry in enumerate(archive.infolist()):
            _check_number(number)
            if not entry.is_dir():
                yield Member(place, entry.filename, partial(_opened_zipped, archive, entry))


def _opened_zipped(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> IO[bytes]:
    # With any other compression method, zipfile would unpack a piece at once, whatever its size.
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(
            f"a member is compressed by method {entry.compress_type}, neither stored nor deflated"
        )
    return archive.open(entry)


def _check_number(number: int) -> None:
    if number >= _MAX_ENTRIES:
        raise EOFError(f"it has more than {_MAX_ENTRIES:,} entries")
