"""`is_hub`: whether a name is of a data set of a hub. Keras is not needed to tell."""

import re

__all__ = ["HUB_NAME", "is_hub"]

HUB_NAME = re.compile(r"(hf|tfds):(.+)")
"""Library and name of a data set of a hub."""


def is_hub(name: object) -> bool:
    """Whether a text names a data set for `from_hub`, as `hf:...` and `tfds:...` do.

    Example:

    >>> from keras_proxy_snn.datasets.names import is_hub
    >>> is_hub("hf:beans"), is_hub("my_images")
    (True, False)
    """
    return isinstance(name, str) and HUB_NAME.fullmatch(name) is not None
