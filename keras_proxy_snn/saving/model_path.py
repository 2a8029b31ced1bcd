"""`check_model_path`: whether a file can be a saved model. No backend is needed."""

import zipfile
from difflib import get_close_matches
from pathlib import Path

__all__ = ["check_model_path"]


def check_model_path(path: str | Path) -> Path:
    """The path, if a file is there that can be a `.keras` file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the name has another suffix, or the file is no ZIP archive.

    Example:

    >>> from keras_proxy_snn.saving.model_path import check_model_path
    >>> check_model_path("none.keras")
    Traceback (most recent call last):
    FileNotFoundError: There is no file none.keras.
    """
    path = Path(path)
    if not path.is_file():
        kind = " (it is a folder)" if path.is_dir() else ""
        near = get_close_matches(path.stem, [f.stem for f in path.parent.glob("*.keras")], 1)
        hint = f" Did you mean {path.with_name(f'{near[0]}.keras')}?" if near else ""
        raise FileNotFoundError(f"There is no file {path}{kind}.{hint}")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        fault = "it is no ZIP archive" if path.suffix == ".keras" else "its name must end in .keras"
        raise ValueError(f"{path} is not a saved Keras model ({fault}).")
    return path
