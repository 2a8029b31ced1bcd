"""Values by name, as users index them. Needs only the standard library."""

from typing import NoReturn, TypeVar

__all__ = ["Named"]

Value = TypeVar("Value")


class Named(dict[str, Value]):
    """A dictionary whose error for an unknown name lists the names that there are.

    Example:

    >>> from keras_proxy_snn.basics.named import Named
    >>> rates = Named(conv1=0.1, readout=0.2)
    >>> rates["conv9"]
    Traceback (most recent call last):
    KeyError: "The name must be one of ('conv1', 'readout'). Received: 'conv9'."
    """

    def __missing__(self, name: object) -> NoReturn:
        raise KeyError(f"The name must be one of {tuple(self)}. Received: {name!r}.")
