"""Checks that need only the arguments; a command makes them before it loads Keras, data or models.

So a wrong option is reported at once, and not after a minute. Those of data and of exports are in
`_data_arguments.py` and `_export_arguments.py`.
"""

from collections.abc import Iterable
from pathlib import Path

from .. import datasets
from ..basics.files import check_target
from ..datasets.names import is_hub
from ..presets import PRESETS
from ..saving.model_path import check_model_path
from ..saving.pretrained import pretrained_card, pretrained_names
from ._shared import BadInput

__all__ = ["check_calibration", "check_network", "check_output", "check_pictures"]


def check_network(name: str | Path, weights: str | None = None) -> None:
    """Raise an error unless a name is a preset (if text), or a file that can be a saved model.

    Args:
        name: The preset or the file.
        weights: `"pretrained"`: the preset needs weights in this package.

    Raises:
        ValueError: If a file is not a `.keras` file, or a preset has no pretrained weights.
        OSError: If there is no such file.
    """
    if isinstance(name, str) and name in PRESETS:
        if weights == "pretrained":
            pretrained_card(name)
        return
    try:
        check_model_path(name)
    except FileNotFoundError as error:
        if str(name) not in PRESETS:
            raise
        raise FileNotFoundError(f"{error} {_file_of(str(name))}") from error


def _file_of(preset: str) -> str:
    """How to get a file of a preset, for commands that take only files."""
    trained = f"`keras-proxy-snn train {preset}` writes one"
    if preset in pretrained_names():
        trained += f"; so does build({preset!r}, weights='pretrained').save('{preset}.keras')"
    return f"{preset} is a preset, and this command takes a file: {trained}."


def check_calibration(name: str | None) -> None:
    """Raise `BadInput` unless `--calibration` names images that can exist."""
    if name is None or is_hub(name) or name in datasets.NAMES:
        return
    path = Path(name)
    if not (path.is_dir() or (path.is_file() and path.suffix == ".npy")):
        there = "a file of another kind" if path.exists() else "nothing of this name is here"
        raise BadInput(
            "--calibration must be a folder of pictures, a .npy file or the name of a data set, "
            f"one of {', '.join(datasets.NAMES)}. Received: {name} ({there})."
        )


def check_output(path: Path, force: bool) -> None:
    """Raise an error if a file cannot be written to a path.

    Raises:
        OSError: If it cannot be written; an existing file is replaced only with `force`.
    """
    if path.exists() and not force:
        raise FileExistsError(f"{path} exists already; --force replaces it.")
    check_target(path, overwrite=True)


def check_pictures(paths: Iterable[Path]) -> None:
    """Raise `BadInput` unless each path exists."""
    for path in paths:
        if not path.exists():
            raise BadInput(
                f"An image must be a file or a folder. Received: {path}, which does not exist."
            )
