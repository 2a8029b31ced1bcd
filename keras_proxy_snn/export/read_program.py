"""`load`: read the file of a `Program`, and check that the program can run."""

from pathlib import Path

from ..basics.archives import UNREADABLE
from .program import Program
from .program_file import read_archive
from .validity import check_program

__all__ = ["load"]


def load(path: str | Path) -> Program:
    """Read a program that `Program.save` wrote.

    Raises:
        OSError: If there is no such file, or the file cannot be opened.
        ValueError: If the file is not a program that can run, see
            `keras_proxy_snn.export.validity.check_program`.

    Example:

    >>> import pathlib, tempfile
    >>> import keras_proxy_snn
    >>> from keras_proxy_snn.export import from_model, load
    >>> model = keras_proxy_snn.build("2C3-P2-3F", input_shape=(4, 4, 1), time_steps=2)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "net.kps"
    >>> from_model(model).save(path)
    >>> load(path).time_steps
    2
    """
    if not Path(path).is_file():  # a pipe would never end
        raise FileNotFoundError(f"There is no file {path}.")
    with open(path, "rb") as stream:
        try:
            facts, layers = read_archive(stream)
            facts["input_shape"] = tuple(facts["input_shape"])
            return check_program(Program(layers=layers, **facts))
        except (OSError, *UNREADABLE) as error:  # an OSError: a place that no file can have
            raise ValueError(
                f"A program file of version 1 is expected. Received: {path} ({error})."
            ) from error
