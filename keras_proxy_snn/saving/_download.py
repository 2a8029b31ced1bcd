"""`download`: the content of a URL, with a copy on disk."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from ..basics.files import replacing
from ..basics.warn import warn

__all__ = ["download"]

_SECONDS = 30
_GONE = (404, 410)


def download(
    url: str, sha256: str | None = None, check: Callable[[bytes], object] | None = None
) -> bytes:
    """Content of a file at a URL.

    The function keeps a copy in Keras's folder, `$KERAS_HOME` or `~/.keras`. If `sha256` is given
    and the copy has it, the function returns the copy. Otherwise it downloads the file each time,
    because the author may have published another file. If the URL cannot be reached and no
    `sha256` is given, the function returns the copy and warns. A copy is replaced only by content
    that is right: a page that asks for a password, for example, never takes its place.

    Args:
        url: The URL.
        sha256: SHA-256 of the expected content, if it is known.
        check: Function that raises an error if the content is not what the URL should have.

    Raises:
        FileNotFoundError: If the URL has no file.
        ConnectionError: If the URL cannot be reached and there is no copy.
        Exception: The errors of `check`.
    """
    home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    copy = home / "keras_proxy_snn" / hashlib.sha256(url.encode()).hexdigest()[:32]
    kept = copy.read_bytes() if copy.is_file() else None
    if kept is not None and hashlib.sha256(kept).hexdigest() == sha256:
        return kept
    try:
        content = _fetch(url)
    except ConnectionError as error:
        if kept is None or sha256 is not None:
            raise
        warn(f"{error} The copy of an earlier download is used.")
        return kept
    if check is not None:
        check(content)
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        return content  # the caller refuses it
    with suppress(OSError):  # without permission to write, no copy is kept
        copy.parent.mkdir(parents=True, exist_ok=True)
        with replacing(copy) as draft:
            draft.write_bytes(content)
    return content


def _fetch(url: str) -> bytes:
    try:
        with urlopen(url, timeout=_SECONDS) as response:
            content: bytes = response.read()
            return content
    except (OSError, HTTPException) as error:
        gone = isinstance(error, HTTPError) and error.code in _GONE
        # A URL of a local file raises this error.
        absent = isinstance(error, URLError) and isinstance(error.reason, FileNotFoundError)
        if gone or absent:
            raise FileNotFoundError(f"There is no file {url} ({error}).") from error
        raise ConnectionError(f"{url} cannot be reached ({error}).") from error
