"""`warn`: a warning that names the line of the user."""

import inspect
import warnings

__all__ = ["warn"]

_INNER = {"keras_proxy_snn", "keras", "tensorflow", "jax", "torch"}


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, and name the last line that is neither of this package nor of Keras and its backends.

    Python shows a warning once per such line, so two calls of the user give two warnings.

    Example:

    >>> import warnings
    >>> from keras_proxy_snn.basics.warn import warn
    >>> with warnings.catch_warnings(record=True) as seen:
    ...     warnings.simplefilter("always")
    ...     warn("Too bright.")
    >>> print(seen[0].category.__name__, seen[0].message)
    UserWarning Too bright.
    """
    level, frame = 1, inspect.currentframe()
    while frame and frame.f_globals.get("__name__", "").split(".")[0] in _INNER:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
