"""What the mapper cannot map: the error, and the advice for each kind of layer."""

from typing import Any

import keras
import numpy as np

from ..cnn.graph import Graph, LinearPart
from ..layers import OF_TWINS, LearnedThreshold
from ..layers.activations import activation_kind
from ..layers.at_each_step import AVERAGES, MAXIMA, MOVES
from .parts import FIXED_PREPARING, PREPARING, is_identity

__all__ = ["advice", "check_float32", "check_kinds", "maximum_of_currents", "refusal"]

_KINDS = (
    *(*OF_TWINS, *AVERAGES, *MAXIMA, *MOVES, keras.layers.Add, keras.layers.Concatenate),
    *(keras.layers.BatchNormalization, LearnedThreshold, LinearPart),
)
_OPERATIONS = "keras.src.ops.numpy"
_PAGE = (
    "Layers must be of the kinds that can be converted "
    "(https://keras-proxy-snn.github.io/keras-proxy-snn/learn/own-cnn/#what-can-be-converted)."
)

_CURE = "It has no spiking counterpart: leave it out, or take another layer, and train again."
_OWN = (
    "Code of your own cannot be converted: take Keras's layers. To scale images, take "
    "keras.layers.Rescaling at the input."
)
_NORMALISE = "Put keras.layers.BatchNormalization in its place and train again."
_PRODUCT = (
    "Spikes cannot be multiplied: leave out the whole block, such as a gate, and train again."
)
_OF_GATES = ("sigmoid", "hard_sigmoid", "tanh")
_GATE = "If it belongs to the gate, leave it out with it; else set activation='relu' in it."
_ENLARGE = "Maps cannot be enlarged: leave it out and train again."
_CURES = {
    **dict.fromkeys(("LayerNormalization", "GroupNormalization"), _NORMALISE),
    **dict.fromkeys(("UnitNormalization", "RMSNormalization"), _NORMALISE),
    **dict.fromkeys(("Multiply", "Dot", "Attention", "MultiHeadAttention"), _PRODUCT),
    "Average": "Put keras.layers.Add in its place and train again.",
    **dict.fromkeys(("Conv2DTranspose", "UpSampling2D"), _ENLARGE),
}


def check_kinds(graph: Graph, start: int) -> None:
    """Raise a `ValueError` if a CNN's last activation, or several layers, cannot be mapped.

    One error names all such layers, so that the CNN is trained anew only once. A single layer of
    another kind is left to the mapper, which knows more about it.

    Args:
        graph: The CNN up to its logits.
        start: Position of the first layer after those that prepare images.
    """
    layers = [call.layer for call in graph.calls[start:]]
    wrong = [layer for layer in layers if not _has_counterpart(layer)]
    if len(wrong) > 1:
        has_gate = any(type(layer).__name__ == "Multiply" for layer in wrong)
        cures = []
        for layer in wrong:
            last = layer is layers[-1]
            gates = has_gate and not last and _activation_name(layer) in _OF_GATES
            cures.append(
                f"{_named(layer)}: {(_GATE if gates else advice(layer, last)).rstrip('.')}"
            )
        raise ValueError(
            f"{_PAGE} Received: {len(wrong)} layers of other kinds. {'; '.join(cures)}."
        )
    if wrong and _other_activation(wrong[0]):
        raise refusal(wrong[0], advice(wrong[0], wrong[0] is layers[-1]))


def _has_counterpart(layer: Any) -> bool:
    if _other_activation(layer):
        return False
    if type(layer) in _KINDS or isinstance(layer, PREPARING) or is_identity(layer):
        return True
    return activation_kind(layer) in ("relu", "softmax")


def _other_activation(layer: Any) -> bool:
    """Whether a layer has an activation that neurons cannot have."""
    return activation_kind(getattr(layer, "activation", None)) is None


def _named(layer: keras.layers.Layer) -> str:
    """Name and class of a layer, and its activation if that is the reason."""
    if not _other_activation(layer):
        return f"{layer.name!r} ({type(layer).__name__})"
    return f"{layer.name!r} ({type(layer).__name__} with activation {_activation_name(layer)!r})"


def _activation_name(layer: keras.layers.Layer) -> str:
    activation: Any = getattr(layer, "activation", None)
    return str(getattr(activation, "__name__", type(activation).__name__))


def check_float32(layer: keras.layers.Layer) -> None:
    """Raise a `ValueError` unless the weights of a layer are float32."""
    if layer.variable_dtype != "float32":
        raise ValueError(
            "Weights must be float32, because neurons compute in float32. Half precision is "
            "possible with the dtype policy 'mixed_float16' or 'mixed_bfloat16'. Received: layer "
            f"{layer.name!r} with weights of {layer.variable_dtype}, from its dtype policy or "
            "keras.config.floatx()."
        )


def advice(layer: keras.layers.Layer, last: bool = False) -> str:
    """What a user can do about a layer without a spiking counterpart; `last`: about the last."""
    if last and _other_activation(layer):
        return (
            "The CNN must end in weights without an activation or with a softmax; for two classes "
            "take Dense(2, activation='softmax') and train again."
        )
    if type(layer) in FIXED_PREPARING:
        return "It can be at the input, before all weights, or scale values before a ReLU."
    if isinstance(layer, PREPARING):
        return "Layers that prepare images must come first, one after the other."
    if plain := _plain_class(layer):
        return (
            f"A subclass of keras.layers.{plain.__name__} can compute something else in `call`: "
            f"use keras.layers.{plain.__name__} itself."
        )
    if type(layer) is keras.layers.ReLU:
        return (
            "Neurons approximate a ReLU that is 0 up to 0. Here it has "
            f"negative_slope={layer.negative_slope:g}, threshold={layer.threshold:g} and "
            f"max_value={layer.max_value}: take keras.layers.ReLU() and train again."
        )
    if type(layer).__module__ == _OPERATIONS:
        return (
            "It is an operation between layers, such as `image / 255`: scale images with "
            "keras.layers.Rescaling at the input, which needs no new training."
        )
    if _other_activation(layer) and type(layer) in (*_KINDS, keras.layers.Activation):
        return "IF neurons approximate ReLU: set activation='relu' in it and train the CNN again."
    if "elu" in type(layer).__name__.lower():
        return "IF neurons approximate ReLU: put keras.layers.ReLU in its place and train again."
    return _CURES.get(type(layer).__name__, _OWN if _is_own(layer) else _CURE)


def _is_own(layer: keras.layers.Layer) -> bool:
    """Whether a layer has code of the user."""
    return type(layer) is keras.layers.Lambda or not type(layer).__module__.startswith("keras.")


def _plain_class(layer: keras.layers.Layer) -> Any:
    """The Keras class that a user's layer class extends; `None` if the class is Keras's own."""
    found = [cls for cls in type(layer).__mro__ if cls.__module__.startswith("keras.src.layers.")]
    known = found and vars(keras.layers).get(found[0].__name__) is found[0]
    return found[0] if known and found[0] not in (type(layer), keras.layers.Layer) else None


def refusal(layer: keras.layers.Layer, cure: str) -> ValueError:
    """The error for a layer; `cure` is a sentence, such as from `advice`."""
    return ValueError(f"{_PAGE} {cure} Received: layer {_named(layer)}.")


def maximum_of_currents(
    layer: keras.layers.Layer, maker: tuple[keras.layers.Layer, bool] | None
) -> ValueError:
    """The error for a max pooling of currents.

    Args:
        layer: The pooling.
        maker: The layer between ReLUs and the pooling that makes currents of spikes, such as a
            `BatchNormalization`, and whether its results are never negative; `None` if no ReLU
            comes before.
    """
    rule = "Neurons cannot take the maximum of currents."
    if maker is None:
        return refusal(
            layer,
            f"{rule} Put the pooling after a ReLU: Conv2D, BatchNormalization, ReLU, pooling; and "
            "train again. If a ReLU came later, after a dropout or a normalisation with no "
            "negative gamma, the trained CNN gives the same results in this order.",
        )
    cause, never_negative = maker
    name = f"{cause.name!r} ({type(cause).__name__})"
    between = f"{rule} Between the ReLU and the pooling stands {name}, which makes currents."
    if type(cause) is keras.layers.BatchNormalization:
        return refusal(layer, f"{between} {_order_of_normalisation(cause)}")
    if never_negative:
        cure = (
            f"Put a ReLU directly after {cause.name!r}: its results come from ReLUs and are never "
            "negative, so this does not change the CNN, and no training is needed."
        )
        return refusal(layer, f"{between} {cure}")
    return refusal(
        layer,
        f"{rule} The pooling reads {name}, whose results can be negative: not all of its inputs "
        f"come from a ReLU. Put a ReLU directly after {cause.name!r} and train again.",
    )


def _order_of_normalisation(layer: keras.layers.BatchNormalization) -> str:
    gamma = keras.ops.convert_to_numpy(layer.gamma) if layer.scale else np.ones(1)
    swap = (
        "Or put it after the pooling: because none of its gamma is negative, the trained CNN gives "
        "the same results in this order."
        if (gamma >= 0).all()
        else "Some of its gamma are negative, so after the pooling the CNN would be another one."
    )
    return (
        "Put it between the convolution and its ReLU and train again: Conv2D without activation, "
        f"BatchNormalization, ReLU, pooling. {swap}"
    )
