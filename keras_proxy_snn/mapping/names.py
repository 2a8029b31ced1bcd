"""`named`: a layer as its user knows it."""

import keras

from ..layers import CurrentSum, SpikeConcatenate, SpikeFlatten, SpikePool2D, Stage

__all__ = ["layer_of", "named"]

# Stages that hold no layer of the CNN: the layer that each stands for.
_STANDS_FOR = {
    CurrentSum: "Add",
    SpikeConcatenate: "Concatenate",
    SpikePool2D: "MaxPooling2D",
    SpikeFlatten: "Flatten",
}


def layer_of(stage: Stage) -> keras.layers.Layer:
    """The layer of the CNN that a stage holds; the stage, if it holds none."""
    held: keras.layers.Layer = getattr(stage, "twin", getattr(stage, "layer", stage))
    return held


def named(layer: keras.layers.Layer) -> str:
    """Name and class of a layer of the CNN, also from a stage that stands for it.

    Example:

    >>> from keras_proxy_snn.layers import CurrentSum
    >>> from keras_proxy_snn.mapping.names import named
    >>> named(CurrentSum([1.0, 1.0], name="sum_add_5"))
    "'add_5' (Add)"
    """
    kind = _STANDS_FOR.get(type(layer))
    if kind is None:
        return f"{layer.name!r} ({type(layer).__name__})"
    # The mapper names such a stage after its layer: `sum_add`, `spike_flatten`.
    name = layer.name.partition("_")[2] or layer.name
    return f"{name!r} ({kind})"
