"""From a spec to a plain Keras CNN, and from that CNN to the layers of its spiking twin."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras

from .layers import IFConv2D, IFDense, LearnedThreshold, SpikeFlatten, SpikePool2D
from .layers._tied import TiedIF, check_current_dtype
from .neuron import check_neuron
from .spec import Conv, Dense, Pool, Spec, layer_shapes

__all__ = [
    "PROXY_ACTIVATIONS",
    "READOUT_ACTIVATIONS",
    "Threshold",
    "build_ann",
    "layer_thresholds",
    "neuron_names",
    "spiking_layers",
]

Threshold = float | Mapping[str, float]

PROXY_ACTIVATIONS = ("relu", "clip")
READOUT_ACTIVATIONS = ("relu", "linear")


def build_ann(
    spec: Spec,
    input_shape: tuple[int, int, int],
    *,
    v_threshold: Threshold = 1.0,
    proxy_activation: str = "relu",
    readout_activation: str = "relu",
    use_bias: bool = False,
    batch_norm: bool = False,
    learn_threshold: bool = False,
    l2: float = 0.0,
    name: str = "ann",
) -> keras.Sequential:
    """Build the proxy: a CNN of nothing but standard Keras layers.

    Each `Conv2D` or `Dense` is followed by an optional `BatchNormalization` and by the
    proxy's activation of its currents z:

        "relu":  max(0, z)                   (Eq. 2, the paper)
        "clip":  min(max(0, z / theta), 1)   (the rate that an IF neuron can reach: one
                                              spike a step)

    Args:
        spec: Layers from `parse_spec`.
        input_shape: `(height, width, channels)` of the images, in pixels.
        v_threshold: Threshold theta of the IF neurons, for `"clip"`; see `layer_thresholds`.
        proxy_activation: `"relu"` or `"clip"`.
        readout_activation: `"relu"`: the last layer has the proxy's activation too, as in the
            paper. `"linear"`: it has none, as in the authors' notebook.
        use_bias: Whether the layers have biases; the paper's have none.
        batch_norm: Whether each layer but the readout is batch-normalised.
        learn_threshold: Whether the thresholds of all layers but the readout are trained with
            the weights, from `v_threshold` on; needs `"clip"`, because the paper's ANN has none.
        l2: Penalty lambda * ||w||^2 on the weights of every layer.
        name: Name of the model.

    Returns:
        A built `keras.Sequential` without softmax: its outputs stand where spike counts will.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> from keras_proxy_snn import build_ann, parse_spec
    >>> ann = build_ann(parse_spec("4C3-P2-10F"), (8, 8, 1))
    >>> [layer.name for layer in ann.layers]
    ['conv1', 'conv1_relu', 'pool1', 'flatten', 'readout', 'readout_relu']
    """
    _check_choice("proxy_activation", proxy_activation, PROXY_ACTIVATIONS)
    _check_choice("readout_activation", readout_activation, READOUT_ACTIVATIONS)
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
            stack.append(keras.layers.MaxPooling2D(part.size, name=part_name))
            continue
        if isinstance(part, Conv):
            layer = keras.layers.Conv2D(
                part.maps, part.kernel_size, padding="same", name=part_name, **shared
            )
        else:
            if not any(isinstance(layer, keras.layers.Flatten) for layer in stack):
                stack.append(keras.layers.Flatten(name="flatten"))
            layer = keras.layers.Dense(part.units, name=part_name, **shared)
        stack.append(layer)
        if batch_norm and part_name != "readout":
            # Running statistics follow in tens of steps, as in the authors' notebook: the SNN
            # sees them alone, and Keras's default of 0.99 leaves it behind for hundreds.
            norm = f"{layer.name}_batch_norm"
            stack.append(keras.layers.BatchNormalization(momentum=0.9, name=norm))
        if part_name != "readout" or readout_activation == "relu":
            learn = learn_threshold and part_name != "readout"
            stack += _activation(part_name, proxy_activation, thresholds[part_name], learn)
    return keras.Sequential(stack, name=name)


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

    >>> from keras_proxy_snn.twins import layer_thresholds
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
    for value in v_threshold.values():
        check_neuron(value, "zero")
    return {name: float(v_threshold.get(name, 1.0)) for name in names}


def _check_choice(argument: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"`{argument}` must be one of {choices}. Received: {value!r}.")


def spiking_layers(
    ann: keras.Model,
    v_threshold: Threshold = 1.0,
    reset: str = "zero",
    v_0: float = 0.0,
    current_dtype: str = "float32",
) -> list[keras.layers.Layer]:
    """Make the spiking layers of a CNN around that CNN's own layers.

    `Conv2D` and `Dense`, each with the `BatchNormalization` and the ReLU that follow it,
    become `IFConv2D` and `IFDense` with this very layer as the twin; `MaxPooling2D` becomes
    `SpikePool2D` and `Flatten` becomes `SpikeFlatten`.

    Args:
        ann: A built `keras.Sequential` of these layers. A `Rescaling` or a `LearnedThreshold`
            may stand before a ReLU (see `build_ann`).
        v_threshold: Threshold of the IF neurons; see `layer_thresholds`. A layer with a
            `LearnedThreshold` has that one.
        reset: `"zero"` or `"subtract"`.
        v_0: Potential before the first step as a fraction of the threshold, in [0, 1).
        current_dtype: `"float32"` or `"bfloat16"`, in what hidden layers sum their weighted spikes.
            The first layer, whose sums are taken once, and the readout stay in float32.

    Returns:
        Layers in order; the last one is the readout, an `IFDense`.

    Raises:
        ValueError: If the model is not built or has a layer that has no spiking
            counterpart. It gives that layer's name and type.

    Example:

    >>> from keras_proxy_snn import build_ann, parse_spec
    >>> from keras_proxy_snn.twins import spiking_layers
    >>> ann = build_ann(parse_spec("4C3-P2-10F"), (8, 8, 1))
    >>> layers = spiking_layers(ann)
    >>> [layer.name for layer in layers]
    ['if_conv1', 'spike_pool1', 'spike_flatten', 'if_readout']
    >>> layers[0].twin is ann.get_layer("conv1")
    True
    """
    if not isinstance(ann, keras.Sequential) or not ann.built:
        raise ValueError(
            "The ANN must be a built keras.Sequential, one that starts with keras.Input. "
            f"Received: {ann!r}."
        )
    names = [layer.name for layer in ann.layers if type(layer) in _IF_LAYERS]
    thresholds = layer_thresholds(v_threshold, names)
    stages: list[keras.layers.Layer] = []
    layers = list(ann.layers)
    while layers:
        layer = layers.pop(0)
        if isinstance(layer, keras.layers.MaxPooling2D):
            stages.append(_spike_pool(layer))
        elif isinstance(layer, keras.layers.Flatten):
            # Before the first neurons there is an image without time; the network flattens it.
            if stages:
                stages.append(SpikeFlatten(name=f"spike_{layer.name}"))
        elif type(layer) in _IF_LAYERS:
            norm = _take(layers, keras.layers.BatchNormalization)
            _take(layers, keras.layers.Rescaling)
            learned = _take(layers, LearnedThreshold)
            active = _take_relu(layers) or layer.activation is keras.activations.relu
            if not active and layers:
                raise ValueError(
                    f"Each layer but the readout must be followed by ReLU. Received: layer "
                    f"{layer.name!r} ({type(layer).__name__}) without one."
                )
            stages.append(
                _IF_LAYERS[type(layer)](
                    twin=layer,
                    batch_norm=norm,
                    name=f"if_{layer.name}",
                    v_threshold=learned or thresholds[layer.name],
                    reset=reset,
                    v_0=v_0,
                )
            )
        else:
            raise ValueError(
                "A spiking twin can be made of Conv2D, Dense, BatchNormalization and ReLU after "
                "one of these, MaxPooling2D and Flatten. "
                f"Received: layer {layer.name!r} ({type(layer).__name__})."
            )
    if not stages or not isinstance(stages[-1], IFDense):
        raise ValueError(f"The last layer of the ANN must be a Dense readout. Received: {ann!r}.")
    for stage in [stage for stage in stages if isinstance(stage, TiedIF)][1:-1]:
        stage.current_dtype = check_current_dtype(current_dtype)
    return stages


_IF_LAYERS = {keras.layers.Conv2D: IFConv2D, keras.layers.Dense: IFDense}


def _spike_pool(layer: keras.layers.MaxPooling2D) -> SpikePool2D:
    return SpikePool2D(layer.pool_size, layer.strides, layer.padding, name=f"spike_{layer.name}")


def _take(
    layers: list[keras.layers.Layer], layer_class: type[keras.layers.Layer]
) -> keras.layers.Layer | None:
    """Remove and return the next layer if it is of that class."""
    return layers.pop(0) if layers and isinstance(layers[0], layer_class) else None


def _take_relu(layers: list[keras.layers.Layer]) -> bool:
    is_relu = bool(layers) and (
        isinstance(layers[0], keras.layers.ReLU)
        or (
            isinstance(layers[0], keras.layers.Activation)
            and layers[0].activation is keras.activations.relu
        )
    )
    if is_relu:
        layers.pop(0)
    return is_relu
