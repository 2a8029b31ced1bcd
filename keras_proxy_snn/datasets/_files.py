"""The files of a directory, of a tar or of a zip archive, as one stream of members.

Nothing is ever unpacked to disk: a member is read where it lies, so that no name in an archive can
point outside it.
"""

import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from ._info import DatasetError, DatasetInfo

__all__ = ["ARCHIVE_SUFFIXES", "Member", "is_archive", "members"]

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".zip")

# RuntimeError is zipfile's word for an encrypted member or a compression that it does not know.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    RuntimeError,
)


@contextmanager
def _damage_named(where: object) -> Iterator[None]:
    try:
        yield
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
                return file.read(limit)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return unpacked.read(limit)


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


def _tar_members(place: Path) -> Iterator[Member]:
    with tarfile.open(place, "r:*") as archive:
        for entry in archive:
            if entry.isfile():  # no links: what they point to may lie anywhere
                yield Member(place, entry.name, partial(_opened_entry, archive, entry))


def _opened_entry(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(entry)
    assert file is not None  # it is None for what is not a regular file only
    return file


def _zip_members(place: Path) -> Iterator[Member]:
    with zipfile.ZipFile(place) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                yield Member(place, entry.filename, partial(archive.open, entry))
