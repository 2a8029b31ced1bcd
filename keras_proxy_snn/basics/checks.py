"""Checks of arguments, and of libraries, that many rooms make. Needs only the standard library."""

import importlib.util
from collections.abc import Collection, Iterable
from contextlib import suppress
from numbers import Integral
from typing import Any, cast

__all__ = [
    "MOST_VALUES",
    "check_choice",
    "check_flag",
    "check_installed",
    "check_plain",
    "check_shape",
    "positive_integer",
    "positive_integers",
    "require",
]

# Libraries that are installed by another name than that of their module.
_NAMES = {"PIL": "Pillow"}

MOST_VALUES = 2**30
"""Largest size of an image, of a layer's output for one, and of its weights: 4 GiB of float32."""


def check_choice(argument: str, value: object, choices: Collection[str | None]) -> None:
    """Raise a `ValueError` unless an argument is one of the choices.

    Args:
        argument: Name of the argument, for the message.
        value: What was given.
        choices: What may be given.

    Example:

    >>> from keras_proxy_snn.basics.checks import check_choice
    >>> check_choice("reset", "subtract", ("zero", "subtract"))
    >>> check_choice("reset", "hard", ("zero", "subtract"))
    Traceback (most recent call last):
    ValueError: `reset` must be one of ('zero', 'subtract'). Received: 'hard'.
    """
    known = value is None or isinstance(value, str)
    if not known or value not in choices:
        raise ValueError(f"`{argument}` must be one of {tuple(choices)}. Received: {value!r}.")


def check_flag(argument: str, value: object) -> bool:
    """The value, if it is `True` or `False`.

    Args:
        argument: Name of the argument, for the message.
        value: What was given.

    Raises:
        TypeError: If it is anything else.

    Example:

    >>> from keras_proxy_snn.basics.checks import check_flag
    >>> check_flag("events", "no")
    Traceback (most recent call last):
    TypeError: `events` must be True or False. Received: 'no'.
    """
    if not isinstance(value, bool):
        raise TypeError(f"`{argument}` must be True or False. Received: {value!r}.")
    return value


def check_plain(what: str, array: object) -> None:
    """Raise a `ValueError` for arrays of NumPy that backends refuse or read as other values.

    Args:
        what: Subject of the message.
        array: What was given. Only a masked array, and one in the byte order of another machine,
            are refused.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.basics.checks import check_plain
    >>> check_plain("Images", np.zeros(3))
    >>> check_plain("Images", np.ma.masked_equal(np.zeros(3), 0))
    Traceback (most recent call last):
    ValueError: Images must have no mask; `filled` gives the array. Received: a MaskedArray.
    """
    if hasattr(array, "get_fill_value"):
        kind = type(array).__name__
        raise ValueError(f"{what} must have no mask; `filled` gives the array. Received: a {kind}.")
    dtype = getattr(array, "dtype", None)
    if not getattr(dtype, "isnative", True):
        raise ValueError(
            f"{what} must have this machine's order of bytes; `astype` gives it. "
            f"Received: an array of {getattr(dtype, 'str', dtype)}."
        )


def check_shape(what: str, batch: object, shape: tuple[int, ...]) -> None:
    """Raise a `ValueError` unless each sample of a batch has a shape.

    Args:
        what: Subject of the message.
        batch: What was given, an array or a tensor `(batch, ...)`.
        shape: Of one sample.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.basics.checks import check_shape
    >>> check_shape("Images", np.zeros((2, 8, 8, 1)), (8, 8, 1))
    >>> check_shape("Images", np.zeros((8, 8, 1)), (8, 8, 1))
    Traceback (most recent call last):
    ValueError: Images must have shape (batch, 8, 8, 1). Received: an input of shape (8, 8, 1).
    """
    received = getattr(batch, "shape", None)
    if received is None:
        kind = f"a {type(batch).__name__}"
    elif getattr(received, "rank", 0) is None:  # of TensorFlow
        received, kind = None, "an input of unknown shape; state it where the dataset is made"
    else:
        received = tuple(received)
        kind = f"an input of shape {received}"
    if not received or received[1:] != shape:
        wanted = ", ".join(map(str, ("batch", *shape)))
        raise ValueError(f"{what} must have shape ({wanted}). Received: {kind}.")


def positive_integer(argument: str, value: object, most: int | None = None) -> int:
    """The value as an `int`, if it is a positive integer: an `int`, or one of NumPy's.

    Args:
        argument: Name of the argument, for the message.
        value: What was given.
        most: The largest value, or `None` for no limit.

    Raises:
        ValueError: If it is not, or is larger than `most`.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.basics.checks import positive_integer
    >>> positive_integer("time_steps", np.int64(8))
    8
    >>> positive_integer("time_steps", True)
    Traceback (most recent call last):
    ValueError: `time_steps` must be a positive integer. Received: True.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{argument}` must be a positive integer. Received: {value!r}.")
    whole = int(value)
    if most is not None and whole > most:
        power = whole.bit_length() - 1
        raise ValueError(f"`{argument}` must be at most {most}. Received: about 2**{power}.")
    return whole


def positive_integers(argument: str, value: object, names: Collection[str]) -> tuple[int, ...]:
    """The value as a tuple of `int`, if it has one positive integer per name.

    Args:
        argument: Name of the argument, for the message.
        value: What was given.
        names: Names of the integers, in order.

    Raises:
        ValueError: If it is anything else.

    Example:

    >>> from keras_proxy_snn.basics.checks import positive_integers
    >>> positive_integers("image_size", [32, 24], ("height", "width"))
    (32, 24)
    >>> positive_integers("image_size", (32, 0), ("height", "width"))
    Traceback (most recent call last):
    ValueError: `image_size` must be (height, width), positive integers. Received: (32, 0).
    """
    with suppress(TypeError, ValueError):
        sizes = tuple(positive_integer(argument, size) for size in cast("Iterable[object]", value))
        if len(sizes) == len(names):
            return sizes
    rule = f"({', '.join(names)}), positive integers"
    raise ValueError(f"`{argument}` must be {rule}. Received: {value!r}.")


def check_installed(library: str, package: str = "keras-proxy-snn[export]") -> None:
    """Raise an `ImportError` unless a library is installed; does not import it.

    Args:
        library: Name of its module, without a dot.
        package: What `pip` installs it with.

    Example:

    >>> from keras_proxy_snn.basics.checks import check_installed
    >>> check_installed("json")
    >>> check_installed("no_such_library")
    Traceback (most recent call last):
    ImportError: no-such-library is needed: pip install "keras-proxy-snn[export]"
    """
    if importlib.util.find_spec(library) is None:
        raise ImportError(_missing(library, package))


def require(module: str, package: str = "keras-proxy-snn[export]") -> Any:
    """Import a library that only some features need.

    Args:
        module: Name of the module.
        package: What `pip` installs it with.

    Returns:
        The module.

    Raises:
        ImportError: If it cannot be imported, with the command that installs it.

    Example:

    >>> from keras_proxy_snn.basics.checks import require
    >>> require("json").loads("[1]")
    [1]
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(_missing(module, package)) from error


def _missing(module: str, package: str) -> str:
    # Packages are named as their modules, with hyphens; `_NAMES` has the others.
    module = module.partition(".")[0]
    library = _NAMES.get(module, module.replace("_", "-"))
    return f'{library} is needed: pip install "{package}"'
