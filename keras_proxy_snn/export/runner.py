"""The runner: `on_device.py`, a script that runs a file on a device, put beside the file."""

import shutil
from pathlib import Path

from ..basics.files import check_target, replacing
from .formats import FORMATS

__all__ = ["RUNNER", "check_runner", "place_runner"]

RUNNER = "on_device.py"
_SCRIPT = Path(__file__).with_name(RUNNER)


def check_runner(format: str, path: str | Path, overwrite: bool) -> None:
    """Raise an error if the runner cannot be put beside a file.

    Args:
        format: Format of the file.
        path: The file.
        overwrite: Whether another file of the runner's name may be replaced.

    Raises:
        ValueError: If the runner does not run files of this format.
        FileExistsError: If another file has its name, and `overwrite` is false.
    """
    formats = tuple(name for name, entry in FORMATS.items() if entry.runner)
    if format not in formats:
        raise ValueError(
            f"`with_runner` is for the formats {' and '.join(formats)}, whose files {RUNNER} runs. "
            f"Received: {format!r}."
        )
    target = Path(path).with_name(RUNNER)
    if not target.is_file() or target.read_bytes() != _SCRIPT.read_bytes():
        check_target(target, overwrite)


def place_runner(path: str | Path) -> Path:
    """Put the runner beside a file.

    Args:
        path: The file.

    Returns:
        Path of the runner.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_proxy_snn.export.runner import place_runner
    >>> place_runner(pathlib.Path(tempfile.mkdtemp()) / "net.onnx").name
    'on_device.py'
    """
    target = Path(path).with_name(RUNNER)
    with replacing(target) as draft:
        shutil.copyfile(_SCRIPT, draft)
    return target
