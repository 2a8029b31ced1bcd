"""`Output`: the file of a training, which one training at a time may write."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..basics.files import check_target
from ._shared import BadInput

__all__ = ["Output"]


class Output:
    """The `.keras` file that `train` writes after each epoch.

    Args:
        path: The file.
        resume: Whether the training in it is to be continued.
        force: Whether an existing file may be replaced.

    Attributes:
        path: The file.

    Raises:
        BadInput: If the file cannot be written, or exists without `resume` and `force`.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_proxy_snn.cli._output import Output
    >>> output = Output(pathlib.Path(tempfile.mkdtemp()) / "net.keras", False, False)
    >>> with output.written():
    ...     _ = output.path.write_text("a network")
    """

    def __init__(self, path: Path, resume: bool, force: bool):
        self.path = path
        self._seen = self._state()
        self._check(resume, force)

    @contextmanager
    def written(self) -> Iterator[None]:
        """Write the file in this context.

        Raises:
            BadInput: If another process has written it since this training began.
        """
        if self._state() not in (None, self._seen):
            raise BadInput(
                f"One training at a time can write {self.path}. Received: a file that another "
                "process has written since this training began. It is kept; name another --output."
            )
        yield
        self._seen = self._state()

    def _state(self) -> tuple[int, int, int] | None:
        """Values that change whenever the file is written; `None` if there is no file."""
        if not self.path.exists():
            return None
        facts = self.path.stat()
        return facts.st_ino, facts.st_mtime_ns, facts.st_size

    def _check(self, resume: bool, force: bool) -> None:
        if resume and force:
            raise BadInput("--resume continues a file, --force replaces it. Received: both.")
        if self.path.suffix != ".keras":
            raise BadInput(f"--output must end in .keras. Received: {self.path}.")
        if not self.path.parent.is_dir():
            raise BadInput(f"The folder of --output must exist. Received: {self.path}.")
        if resume and not self.path.is_file():
            raise BadInput(
                f"--resume needs the file of an earlier training. Received: {self.path}, which "
                "does not exist."
            )
        if self.path.exists() and not (resume or force):
            raise BadInput(
                f"{self.path} exists already; --force replaces it, --resume continues its training."
            )
        check_target(self.path, overwrite=True)
