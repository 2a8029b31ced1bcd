"""Files that are whole or absent: each is written under another name, flushed, and then renamed.

A process can be killed at any moment. The file then has its old or its new content, never a part
of it. If a killed process left a draft, the next writer of the same file removes the draft.
"""

import contextlib
import glob
import itertools
import os
import platform
import re
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from .checks import check_flag

__all__ = ["check_target", "draft_of", "replacing", "user_path"]

# Machines may share a folder, and the number of a process says nothing on another machine.
_HOST = f"{zlib.crc32(platform.node().encode()):08x}"
_DRAFT = re.compile(r"\.draft-(\w+)-(\d+)-\d+-")
_TAIL = 50  # letters of the file's name in the draft's: its suffix, and no name that is too long
_A_DAY = 24 * 3600.0

_numbers = itertools.count()
_mine: set[Path] = set()


def user_path(path: str | os.PathLike[str]) -> Path:
    """A path that a user typed: `~` is the home folder. A home that nobody knows stays as it is.

    Of such a home, pathlib's `expanduser` raises a `RuntimeError`.

    Example:

    >>> from keras_proxy_snn.basics.files import user_path
    >>> str(user_path("~nobody-of-this-name/images"))
    '~nobody-of-this-name/images'
    """
    return Path(os.path.expanduser(path))


def check_target(path: str | Path, overwrite: bool = False) -> None:
    """Raise an error if a file cannot be written to a path; for use before long work.

    Args:
        path: Where a file is to be.
        overwrite: Whether an existing file may be replaced.

    Raises:
        FileNotFoundError: If the folder does not exist.
        IsADirectoryError: If there is a folder of this name.
        FileExistsError: If there is a file and `overwrite` is false, or what is there is no
            regular file (a device, a pipe).
        PermissionError: If no file can be created in the folder.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_proxy_snn.basics.files import check_target
    >>> check_target(pathlib.Path(tempfile.mkdtemp()) / "new.json")
    """
    real = Path(os.path.realpath(path))
    if not real.parent.is_dir():
        raise FileNotFoundError(f"The folder {real.parent} does not exist.")
    if real.is_dir():
        raise IsADirectoryError(f"The path must name a file, not a folder. Received: {path}.")
    if real.exists() and not real.is_file():
        raise FileExistsError(
            f"Only a regular file can be replaced. Received: {path}, a device or a pipe."
        )
    if real.exists() and not overwrite:
        raise FileExistsError(f"{path} exists already; pass overwrite=True to replace it.")
    try:  # to create a file: rights alone tell nothing of `/proc`, or of a disk that is full
        with tempfile.TemporaryFile(dir=real.parent):
            pass
    except OSError as error:
        raise PermissionError(
            f"The folder of the file must be writable. Received: {path} ({error.strerror})."
        ) from None


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a draft to write; once it is whole and on the disk, it takes the place of the file.

    If the block raises an error, the file stays as it was and the draft is removed.

    Args:
        path: The file. An existing one is replaced and its mode kept; a link is followed.

    Yields:
        A path in the same folder whose name ends as the file's does.

    Raises:
        OSError: As `check_target`, or if the draft cannot be written. The message names the file,
            not the draft.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_proxy_snn.basics.files import replacing
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "net.json"
    >>> with replacing(path) as draft:
    ...     _ = draft.write_text("{}")
    ...     path.exists(), draft.suffix
    (False, '.json')
    >>> path.read_text()
    '{}'
    """
    check_target(path, overwrite=True)
    path = Path(os.path.realpath(path))
    _sweep(path)
    name = f".draft-{_HOST}-{os.getpid()}-{next(_numbers)}-{path.name[-_TAIL:]}"
    draft = path.with_name(name)
    _mine.add(draft)
    try:
        yield draft
        if path.exists():
            shutil.copymode(path, draft)
        with draft.open("r+b") as file:
            os.fsync(file.fileno())
        draft.replace(path)
        _bring_to_disk(path.parent)
    except OSError as error:
        if draft.name in str(error):
            raise _named(error, draft, path) from error
        raise
    finally:
        draft.unlink(missing_ok=True)
        _mine.discard(draft)


def draft_of(path: str | Path, suffix: str, overwrite: bool) -> AbstractContextManager[str | Path]:
    """As `replacing`, for a path that Keras writes; an address of another machine stays as it is.

    Args:
        path: The file, or an address with `://`.
        suffix: The end that the name of a file must have.
        overwrite: Whether an existing file may be replaced.

    Raises:
        ValueError: If the file has another suffix.
        OSError: As `check_target`.

    Example:

    >>> from keras_proxy_snn.basics.files import draft_of
    >>> with draft_of("gs://bucket/net.keras", ".keras", overwrite=True) as draft:
    ...     draft
    'gs://bucket/net.keras'
    """
    check_flag("overwrite", overwrite)
    if "://" in str(path):
        return contextlib.nullcontext(path)
    if not str(path).endswith(suffix):
        raise ValueError(f"The file must end in {suffix}. Received: {path}.")
    check_target(path, overwrite)
    return replacing(path)


def _named(error: OSError, draft: Path, path: Path) -> OSError:
    """The error, with the name of the file that the user asked for in place of the draft's."""
    text = (error.strerror or str(error)).replace(draft.name, path.name)
    if error.errno is None:
        return OSError(text)
    return OSError(error.errno, text, str(path))  # of the class that belongs to the number


def _bring_to_disk(folder: Path) -> None:
    """Keep the new name after a power cut; Windows and some network drives refuse."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _sweep(path: Path) -> None:
    """Remove drafts of the file whose process is gone."""
    for draft in path.parent.glob(f".draft-*-{glob.escape(path.name[-_TAIL:])}"):
        match = _DRAFT.match(draft.name)
        if match and draft not in _mine and _is_left(draft, match[1], int(match[2])):
            draft.unlink(missing_ok=True)


def _is_left(draft: Path, host: str, process: int) -> bool:
    if host != _HOST or os.name == "nt":
        with contextlib.suppress(FileNotFoundError):  # its process has just finished it
            return time.time() - draft.stat().st_mtime > _A_DAY
        return False
    if process == os.getpid():  # not one of ours: an earlier process had the same number
        return True
    try:
        os.kill(process, 0)
    except OSError as error:  # any other error is of a process that runs, as another user's
        return isinstance(error, ProcessLookupError)
    return False
