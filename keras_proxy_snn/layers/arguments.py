"""Arguments of layers with weights: the layer's own, those of its twin, and scales of spikes."""

from typing import Any

import keras
import numpy as np

from .integrate_and_fire import NEURON_FIELDS

__all__ = ["check_scale", "make_twin", "split_layer_arguments"]


def check_scale(scale: object) -> float | tuple[float, ...]:
    """A scale of spikes as a number, or as a tuple with one number per channel.

    Raises:
        ValueError: If a scale is not positive.
    """
    values = np.asarray(scale, "float64")
    if values.ndim > 1 or not values.size or not np.all(values > 0):
        raise ValueError(f"A scale of spikes must be positive. Received: {scale!r}.")
    return tuple(values.tolist()) if values.ndim else float(values)


def make_twin(
    twin_class: type[keras.layers.Layer],
    twin: keras.layers.Layer | None,
    arguments: dict[str, Any],
    layer_arguments: dict[str, Any],
) -> keras.layers.Layer:
    """The given twin, or a new layer from Keras's own arguments.

    Raises:
        ValueError: If both a twin and arguments for a new one are given, or neither.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    if twin is None:
        if layer_arguments.get("name"):
            given.setdefault("name", f"{layer_arguments['name']}_twin")
        if "kernel_size" in arguments:
            # Set explicitly, because `keras.config.image_data_format()` may differ.
            given.setdefault("data_format", "channels_last")
        return twin_class(**given)
    if given:
        raise ValueError(
            f"Give either `twin` or the arguments of a new {twin_class.__name__}, not both. "
            f"Received: twin={twin.name!r} and {given}."
        )
    return twin


def split_layer_arguments(kwargs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split keyword arguments into arguments of the IF layer and arguments of the twin."""
    layer = ("name", "dtype", "trainable")
    own = (*layer, "neuron", *NEURON_FIELDS, "time_steps", "return_state", "input_scale")
    return (
        {key: value for key, value in kwargs.items() if key in own},
        {key: value for key, value in kwargs.items() if key not in own},
    )
