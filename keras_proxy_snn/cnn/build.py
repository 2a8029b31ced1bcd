"""`build_ann`: from a spec to a plain Keras CNN, the proxy."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras

from ..basics.checks import check_choice, check_flag
from ..layers import LearnedThreshold
from ..neurons.neuron import Neuron
from .spec import Conv, Dense, Pool, Spec, layer_shapes

__all__ = [
    "POOLINGS",
    "PROXY_ACTIVATIONS",
    "READOUT_ACTIVATIONS",
    "Threshold",
    "build_ann",
    "layer_thresholds",
    "neuron_names",
]

Threshold = float | Mapping[str, float]

PROXY_ACTIVATIONS = ("relu", "clip")
READOUT_ACTIVATIONS = ("relu", "linear")
_POOLS = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}
POOLINGS = tuple(_POOLS)
# Whatever `keras.config.image_data_format()` says.
_LAYOUT = {"data_format": "channels_last"}


def build_ann(
    spec: Spec,
    input_shape: tuple[int, int, int],
    *,
    v_threshold: Threshold = 1.0,
    proxy_activation: str = "relu",
    readout_activation: str = "relu",
    pooling: str = "max",
    kernel_initializer: str = "glorot_uniform",
    use_bias: bool = False,
    batch_norm: bool = False,
    learn_threshold: bool = False,
    l2: float = 0.0,
    name: str = "ann",
) -> keras.Sequential:
    """Build the proxy: a CNN that has only standard Keras layers.

    Each `Conv2D` or `Dense` is followed by an optional `BatchNormalization` and by the
    proxy's activation of its currents z:

        "relu":  max(0, z)                   (Eq. 2, the paper)
        "clip":  min(max(0, z / theta), 1)   (the rate that an IF neuron can reach: one
                                              spike per step)

    Args:
        spec: Layers from `parse_spec`.
        input_shape: `(height, width, channels)` of the images, in pixels.
        v_threshold: Threshold theta of the IF neurons, for `"clip"`; see `layer_thresholds`.
        proxy_activation: `"relu"` or `"clip"`.
        readout_activation: `"relu"`: the last layer has the proxy's activation too, as in the
            paper. `"linear"`: no activation, as in the authors' notebook.
        pooling: `"max"` (the paper): the SNN takes the OR of the spikes in a window. It fires more
            often than the most active neuron, and the difference grows with T. `"average"`: both
            networks take means, and their rates agree at any T.
        kernel_initializer: Name of a Keras initializer of all weights, or `"rate_preserving"`:
            He's uniform initializer times the layer's threshold, variance 2 theta^2 / fan-in. The
            rate of an IF neuron is z / theta. With He's or Glorot's initializer alone, rates would
            fall by theta from layer to layer, and deep layers would be silent.
        use_bias: Whether the layers have biases; the paper's layers have no biases.
        batch_norm: Whether each layer but the readout is batch-normalised.
        learn_threshold: Whether the thresholds of all layers but the readout are trained with
            the weights, from `v_threshold` on; needs `"clip"`, because the ANN of the paper has no
            thresholds.
        l2: Penalty lambda * ||w||^2 on the weights of every layer.
        name: Name of the model.

    Returns:
        A built `keras.Sequential` without softmax.

    Raises:
        ValueError: If an argument is out of range.
        TypeError: If a flag is not True or False.

    Example:

    >>> from keras_proxy_snn import build_ann, parse_spec
    >>> ann = build_ann(parse_spec("4C3-P2-10F"), (8, 8, 1))
    >>> [layer.name for layer in ann.layers]
    ['conv1', 'conv1_relu', 'pool1', 'flatten', 'readout', 'readout_relu']
    """
    check_choice("proxy_activation", proxy_activation, PROXY_ACTIVATIONS)
    check_choice("readout_activation", readout_activation, READOUT_ACTIVATIONS)
    check_choice("pooling", pooling, POOLINGS)
    check_flag("use_bias", use_bias)
    check_flag("batch_norm", batch_norm)
    check_flag("learn_threshold", learn_threshold)
    if learn_threshold and proxy_activation != "clip":
        raise ValueError(
            "`learn_threshold` needs proxy_activation='clip'. "
            f"Received: proxy_activation={proxy_activation!r}."
        )
    layer_shapes(spec, input_shape)
    thresholds = layer_thresholds(v_threshold, neuron_names(spec))
    shared = {
        "use_bias": use_bias,
        "kernel_regularizer": keras.regularizers.L2(l2) if l2 else None,
    }
    stack: list[keras.layers.Layer] = [keras.Input(input_shape, name="image")]
    for part, part_name in zip(spec, _layer_names(spec), strict=True):
        if isinstance(part, Pool):
            stack.append(_POOLS[pooling](part.size, name=part_name, **_LAYOUT))
            continue
        initial = _initializer(kernel_initializer, thresholds[part_name])
        if isinstance(part, Conv):
            layer = keras.layers.Conv2D(
                part.maps,
                part.kernel_size,
                padding="same",
                kernel_initializer=initial,
                name=part_name,
                **_LAYOUT,
                **shared,
            )
        else:
            if not any(isinstance(layer, keras.layers.Flatten) for layer in stack):
                stack.append(keras.layers.Flatten(name="flatten", **_LAYOUT))
            layer = keras.layers.Dense(
                part.units, kernel_initializer=initial, name=part_name, **shared
            )
        stack.append(layer)
        if batch_norm and part_name != "readout":
            # The SNN uses the running statistics. With this momentum, the authors', they follow
            # within tens of steps; with Keras's default of 0.99 they would need hundreds.
            norm = f"{layer.name}_batch_norm"
            stack.append(keras.layers.BatchNormalization(momentum=0.9, name=norm))
        if part_name != "readout" or readout_activation == "relu":
            learn = learn_threshold and part_name != "readout"
            stack += _activation(part_name, proxy_activation, thresholds[part_name], learn)
    return keras.Sequential(stack, name=name)


def _initializer(name: str, v_threshold: float) -> Any:
    if name != "rate_preserving":
        return name
    return keras.initializers.VarianceScaling(2 * v_threshold**2, "fan_in", "uniform")


def _activation(
    name: str, proxy_activation: str, v_threshold: float, learn_threshold: bool
) -> list[keras.layers.Layer]:
    if proxy_activation == "relu":
        return [keras.layers.ReLU(name=f"{name}_relu")]
    scale: keras.layers.Layer
    if learn_threshold:
        scale = LearnedThreshold(v_threshold, name=f"{name}_threshold")
    else:
        scale = keras.layers.Rescaling(1.0 / v_threshold, name=f"{name}_per_threshold")
    return [scale, keras.layers.ReLU(max_value=1.0, name=f"{name}_relu")]


def _layer_names(spec: Spec) -> list[str]:
    """Names of a spec's layers: `conv1`, `pool1`, ..., `readout`."""
    labels = {Conv: "conv", Pool: "pool", Dense: "dense"}
    numbers = dict.fromkeys(labels, 0)
    names = []
    for part in spec:
        numbers[type(part)] += 1
        names.append(f"{labels[type(part)]}{numbers[type(part)]}")
    return [*names[:-1], "readout"]


def neuron_names(spec: Spec) -> list[str]:
    """Names of the layers with neurons of a spec's ANN: `conv1`, ..., `dense1`, ..., `readout`."""
    parts = zip(spec, _layer_names(spec), strict=True)
    return [name for part, name in parts if not isinstance(part, Pool)]


def layer_thresholds(v_threshold: Threshold, names: Iterable[str]) -> dict[str, float]:
    """Thresholds of layers of IF neurons by name.

    Args:
        v_threshold: A positive number for all layers, or a mapping from names of layers of the
            ANN to positive numbers. A layer that the mapping does not name has 1.
        names: The layers' names.

    Returns:
        Name to threshold.

    Raises:
        ValueError: If a threshold is not a positive number or belongs to no layer.

    Example:

    >>> from keras_proxy_snn.cnn.build import layer_thresholds
    >>> layer_thresholds({"readout": 8}, ["conv1", "readout"])
    {'conv1': 1.0, 'readout': 8.0}
    """
    names = list(names)
    if not isinstance(v_threshold, Mapping):
        v_threshold = dict.fromkeys(names, v_threshold)
    unknown = sorted(set(v_threshold) - set(names))
    if unknown:
        raise ValueError(
            f"`v_threshold` can name the layers {names}. Received: thresholds for {unknown}."
        )
    return {name: Neuron(v_threshold.get(name, 1.0)).v_threshold for name in names}
