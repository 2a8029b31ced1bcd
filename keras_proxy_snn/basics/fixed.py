"""`Fixed`: attributes that are given when an object is made, and cannot be set afterwards."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

__all__ = ["Fixed"]

_WHY = "because it is given when {kind} is made. Make another {kind}. Received: {value!r}."


class Fixed:
    """Base of objects that refuse to set some of their attributes.

    What can be set must obey at once. A compiled program holds many settings as constants, so
    these are set only once, while the object is made.

    A subclass names its own fixed attributes by the keyword `fixed`; those of its bases stay fixed.
    A mapping gives each name the rest of its message, which follows "cannot be set,". In this text,
    `{name}`, `{kind}` and `{value!r}` stand for the attribute, the class and the value received.

    Example:

    >>> from keras_proxy_snn.basics.fixed import Fixed
    >>> class Box(Fixed, fixed=("size",)):
    ...     def __init__(self, size):
    ...         self.size = size
    >>> try:
    ...     Box(3).size = 4
    ... except AttributeError as error:
    ...     print(str(error).partition(", ")[0])
    `size` of Box cannot be set
    """

    _fixed: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, fixed: Collection[str] = (), **kwargs: Any):
        super().__init_subclass__(**kwargs)
        own = fixed if isinstance(fixed, Mapping) else dict.fromkeys(fixed, _WHY)
        inherited = (vars(base).get("_fixed", {}) for base in reversed(cls.__mro__[1:]))
        cls._fixed = {name: rest for part in (*inherited, own) for name, rest in part.items()}

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute, unless it is fixed and has its value already."""
        rest = self._fixed.get(name)
        if rest is not None and (hasattr(type(self), name) or hasattr(self, name)):
            kind = type(self).__name__
            rest = rest.format(name=name, kind=kind, value=value)
            raise AttributeError(f"`{name}` of {kind} cannot be set, {rest}")
        super().__setattr__(name, value)
