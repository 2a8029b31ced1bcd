"""`check_declared`: whether a `.keras` file holds as many weights as its layers declare.

Keras makes a model's weights before it reads them, so a small file can ask for any memory.
"""

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..basics.archives import read_json

__all__ = ["check_declared"]

_CONFIG, _FACTS, _WEIGHTS = "config.json", "metadata.json", "model.weights."
_NUMBERS_PER_BYTE = 2  # of Keras's int4, the shortest


def check_declared(path: str | Path) -> None:
    """Raise an error if a file declares more weights than it can hold.

    The number of weights is a lower bound, from the widths of layers and the inputs that they were
    built with.

    Args:
        path: A `.keras` file, which is a ZIP archive.

    Raises:
        ValueError: If it does, or its JSON is absurdly long. Beside it any of
            `keras_proxy_snn.basics.archives.UNREADABLE`.
    """
    with zipfile.ZipFile(path) as file:
        read_json(file, _FACTS)
        members = [one for one in file.infolist() if one.filename.startswith(_WEIGHTS)]
        held = sum(one.file_size for one in members) * _NUMBERS_PER_BYTE
        for name, weights in _kernels(read_json(file, _CONFIG)):
            if weights > held:
                raise ValueError(
                    f"A file must hold the weights that its layers declare. Received: at least "
                    f"{weights:,} in layer {name!r}, of which it can hold {held:,}"
                )


def _kernels(config: Any) -> Iterator[tuple[str, int]]:
    """Names of layers, and the least number of weights that each has."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            waiting += part.values()
            own = part.get("config")
            if isinstance(own, dict):
                yield str(own.get("name")), _least(own, part.get("build_config"))


def _least(config: dict[str, Any], built: Any) -> int:
    outputs = config.get("units", config.get("filters", config.get("depth_multiplier")))
    if not isinstance(outputs, int):
        return 0
    separable = "depth_multiplier" in config and "filters" in config
    window = 1 if separable else math.prod(_sizes(config.get("kernel_size")))
    shape = _sizes(built.get("input_shape") if isinstance(built, dict) else None)
    groups = _sizes([config.get("groups")])
    return outputs * window * (shape[-1] if shape else 1) // (groups[0] if groups else 1)


def _sizes(values: Any) -> list[int]:
    return [n for n in values if isinstance(n, int) and n > 0] if isinstance(values, list) else []
