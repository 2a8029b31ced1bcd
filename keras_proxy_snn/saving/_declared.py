"""`check_declared`: whether a `.keras` file asks for memory that its network cannot need.

Keras makes a model's weights before it reads them, so a small file can ask for any memory. Here the
model is first made without values: Keras finds all shapes and takes no memory for them.
"""

import math
import random
import warnings
import zipfile
from pathlib import Path
from typing import Any

import keras
from keras.src.backend.common import global_state

from ..basics.archives import read_json
from ..basics.checks import MOST_VALUES
from ..model import ProxyModel

__all__ = ["check_declared"]

_LISTED = "uninitialized_variables"
_CONFIG, _FACTS, _WEIGHTS = "config.json", "metadata.json", "model.weights."
# A number takes at least a byte, but the factors of LoRA are saved as their product.
_NUMBERS_PER_BYTE = 2
_EXPANSION = 1032  # at most, of the bytes that a ZIP archive compresses


def check_declared(path: str | Path) -> None:
    """Raise an error if a file declares more weights than it can hold, or absurd images.

    Args:
        path: A `.keras` file, which is a ZIP archive.

    Raises:
        ValueError: If it does, or its JSON is absurdly long. Beside it any of
            `keras_proxy_snn.basics.archives.UNREADABLE`.
    """
    with zipfile.ZipFile(path) as file:
        read_json(file, _FACTS)
        config = read_json(file, _CONFIG)
        members = [one for one in file.infolist() if one.filename.startswith(_WEIGHTS)]
    # An archive can state any size of its members, so the size of the archive counts too.
    size = min(sum(one.file_size for one in members), _EXPANSION * Path(path).stat().st_size)
    held = size * _NUMBERS_PER_BYTE
    model = _without_values(config)
    sizes = {weight.path: math.prod(weight.shape) for weight in model.weights}
    if sum(sizes.values()) > held:
        largest = max(sizes, key=sizes.__getitem__)
        raise ValueError(
            f"A file must hold the weights that its layers declare. Received: {sizes[largest]:,} "
            f"numbers in {largest!r}, in a file that can hold {held:,}"
        )
    if isinstance(model, ProxyModel):
        _check_images(model)


def _check_images(model: ProxyModel) -> None:
    """Raise an error if one image, or the result of a layer for one image, is absurdly large."""
    shapes = {call.layer.name: call.shape[1:] for call in model.twin.graph.calls}
    for name, shape in {"the input": model.image_shape, **shapes}.items():
        if math.prod(n or 1 for n in shape) > MOST_VALUES:
            raise ValueError(
                f"An image, and what a layer makes of it, must have at most {MOST_VALUES:,} "
                f"values. Received: shape {shape} of {name}"
            )


def _without_values(config: Any) -> Any:
    """What a file describes; its variables have shapes and no values."""
    if isinstance(config, dict):
        config = {**config, "compile_config": None}
    # Keras lists variables without values and has no public way to drop them from its list. After
    # the next `StatelessScope` of the process it would give them values.
    listed = global_state.get_global_attribute(_LISTED)
    global_state.set_global_attribute(_LISTED, [])
    state = random.getstate()  # Keras draws seeds
    try:
        with keras.StatelessScope(initialize_variables=False), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # loading the file warns too
            return keras.saving.deserialize_keras_object(config)
    finally:
        random.setstate(state)
        global_state.set_global_attribute(_LISTED, listed)
