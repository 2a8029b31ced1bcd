"""The files of a directory, of a tar or of a zip archive, as one stream of members.

Nothing is ever unpacked to disk: a member is read where it lies, so that no name in an archive can
point outside it. Sizes that a file declares are never allocated: all is read in pieces of 64 KiB,
up to a limit that the caller knows.
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
_MAX_ENTRIES = 200_000  # far more than images and folders of any set; each takes some memory

# RuntimeError is zipfile's word for an encrypted member; it and tarfile are too deep in headers of
# headers with a RecursionError, which is one too. OSError: a place before the file's begin.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
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
            f"{where}: expected a whole, undamaged file; received one that cannot be read to its "
            f"end ({type(error).__name__}: {error})"
        ) from error


@dataclass(frozen=True)
class Member:
    """One file: `name` is its path inside `place`, with slashes."""

    place: Path
    name: str
    open: Callable[[], IO[bytes]]

    def __str__(self) -> str:
        """The whole path; a member of an archive stands behind the archive's own."""
        return f"{self.place}/{self.name}"

    def read(self, limit: int) -> bytes:
        """The first `limit` bytes, unpacked if the name ends in ".gz".

        A limit of one byte over the size that a file should have is enough to tell one that is
        too long, and keeps a compressed file from filling the memory.
        """
        with _damage_named(self), self.open() as file:
            if not self.name.endswith(".gz"):
                return _first(file, limit)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _first(unpacked, limit)


def _first(file: Any, limit: int) -> bytes:
    pieces = []
    while limit and (piece := file.read(min(limit, _PIECE))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


def is_archive(path: Path) -> bool:
    """Whether the path is a file that `members` can read as an archive."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES) and path.is_file()


def members(place: Path, info: DatasetInfo) -> Iterator[Member]:
    """The files of a directory or an archive; read each before asking for the next.

    Of a directory: the files in it, then those in `train/<class>` and `test/<class>`, each folder
    in the order of the names. Of an archive: every regular file, in the archive's order.
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
    """A file for tarfile, which would read a header of any size that the header before declares."""

    def __init__(self, file: Any):
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
                if entry.isfile():  # no links: what they point to may lie anywhere
                    yield Member(place, entry.name, partial(_opened_entry, archive, entry))


def _opened_entry(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(entry)
    assert file is not None  # it is None for what is not a regular file only
    return file


def _zip_members(place: Path) -> Iterator[Member]:
    with zipfile.ZipFile(place) as archive:
        for number, entry in enumerate(archive.infolist()):
            _check_number(number)
            if not entry.is_dir():
                yield Member(place, entry.filename, partial(_opened_zipped, archive, entry))


def _opened_zipped(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> IO[bytes]:
    # zipfile unpacks a piece of any other method whole, whatever its size comes to.
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(
            f"stored or deflated members are read, not those of method {entry.compress_type}"
        )
    return archive.open(entry)


def _check_number(number: int) -> None:
    if number >= _MAX_ENTRIES:
        raise EOFError(f"it has more than {_MAX_ENTRIES:,} entries")
