"""`from_nir`: read a NIR file as a `ProxyModel`, for evaluation or further training."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from ...model import ProxyModel
from .. import nir
from ..program import Conv, Dense, Flatten, Layer, Program, weights_after_sums

__all__ = ["from_nir"]

# Thresholds and initial potentials in a file are rounded to float32.
_FRACTION_ROUNDING = 1e-6


def from_nir(path: str | Path, *, time_steps: int | None = None, dt: float = 1.0) -> ProxyModel:
    """Make a model from a NIR file, with the same weights, layer names and spike counts.

    Initial potentials are read with the rounding of float32: a model's `v_0` of 0 or 1/2 is
    restored exactly, and 0.3 as 0.3 +- 1e-7.

    Args:
        path: A file from `model.export(..., format="nir")` or from another tool;
            `keras_proxy_snn.export.nir.read` describes the graphs that can be read.
        time_steps: Number T of time steps; the T in the file's metadata if `None`.
        dt: Length of a time step in the file; see `read`.

    Returns:
        A `ProxyModel`, not compiled. It takes images `(batch, height, width, channels)`.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If the `nir` package is missing.
        ValueError: If a `ProxyModel` cannot express the network in the file; the error names the
            node.

    Example:

    >>> import tempfile
    >>> import keras_proxy_snn
    >>> from keras_proxy_snn.export import from_model, nir
    >>> ann = keras_proxy_snn.build_ann(keras_proxy_snn.parse_spec("4C3-P2-10F"), (8, 8, 1))
    >>> model = keras_proxy_snn.ProxyModel(ann, time_steps=6)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nir.write(from_model(model), f"{folder}/net.nir")
    ...     same = keras_proxy_snn.from_nir(f"{folder}/net.nir")
    >>> [layer.name for layer in same.ann.layers]
    ['conv1', 'conv1_relu', 'pool1', 'flatten', 'readout', 'readout_relu']
    """
    program = nir.read(path, time_steps=time_steps, dt=dt)
    if program.is_integer or program.input_scale != 1.0:
        raise ValueError(
            f"A ProxyModel must have pixels in [0, 1] and float weights. Received: {path} with "
            f"{program.number_format!r} and input scale {program.input_scale:g}; "
            "keras_proxy_snn.export.nir.read gives it as a Program."
        )
    ann = keras.Sequential([keras.Input(program.input_shape, name="image")], name="ann")
    for layer in program.layers:
        for part in _keras_layers(layer):
            ann.add(part)
    # The ANN has averages where the program has sums.
    for layer in weights_after_sums(program.layers, lambda pool: pool.largest):
        if isinstance(layer, Conv | Dense):
            weights = [layer.kernel] if layer.bias is None else [layer.kernel, layer.bias]
            ann.get_layer(layer.name).set_weights(weights)
    thresholds = _thresholds(path, program)
    v_0 = _fraction(path, program, thresholds)
    model = ProxyModel(ann, program.time_steps, thresholds, v_0=v_0)
    model.input_range = program.input_range
    model.class_names = program.class_names
    return model


def _thresholds(path: str | Path, program: Program) -> dict[str, float]:
    values = {layer.name: np.unique(layer.v_threshold) for layer in program.neurons}
    if mixed := {name: value for name, value in values.items() if value.size != 1}:
        listed = ", ".join(f"{name!r}: {value}" for name, value in mixed.items())
        raise ValueError(
            "All neurons of a layer of a ProxyModel must have the same threshold. Received: "
            f"{path} with thresholds {listed}; keras_proxy_snn.export.nir.read gives it as a "
            "Program."
        )
    return {name: float(value[0]) for name, value in values.items()}


def _fraction(path: str | Path, program: Program, thresholds: dict[str, float]) -> float:
    """The common `v_0` of all layers, as a fraction of each layer's threshold."""
    fractions = {
        layer.name: np.unique(np.asarray(layer.v_0) / thresholds[layer.name])
        for layer in program.neurons
    }
    values = np.concatenate(list(fractions.values()))
    if np.ptp(values) > _FRACTION_ROUNDING:
        listed = ", ".join(f"{name!r}: {value}" for name, value in fractions.items())
        raise ValueError(
            "All neurons of a ProxyModel must start at the same fraction of their threshold, "
            f"`v_0`. Received: {path} with fractions {listed}; keras_proxy_snn.export.nir.read "
            "gives it as a Program."
        )
    return float(values.mean())


def _keras_layers(layer: Layer) -> list[Any]:
    if isinstance(layer, Conv):
        zeros = None if isinstance(layer.padding, str) else layer.padding
        conv = keras.layers.Conv2D(
            layer.kernel.shape[-1],
            layer.kernel.shape[:2],
            strides=layer.strides,
            padding="valid" if zeros else layer.padding,
            dilation_rate=layer.dilation,
            use_bias=layer.bias is not None,
            name=layer.name,
        )
        padded = [keras.layers.ZeroPadding2D(zeros, name=f"{layer.name}_zeros")] if zeros else []
        return [*padded, conv, keras.layers.ReLU(name=f"{layer.name}_relu")]
    if isinstance(layer, Dense):
        units, biased = layer.kernel.shape[-1], layer.bias is not None
        dense = keras.layers.Dense(units, use_bias=biased, name=layer.name)
        return [dense, keras.layers.ReLU(name=f"{layer.name}_relu")]
    # A program uses the name of the spiking layer: a prefix, and the name of the twin.
    name = layer.name.removeprefix("spike_")
    if isinstance(layer, Flatten):
        return [keras.layers.Flatten(name=name)]
    if layer.kind == "or":
        return [keras.layers.MaxPooling2D(layer.size, layer.strides, layer.padding, name=name)]
    if layer.padding == "same":
        raise ValueError(
            "A ProxyModel cannot sum padded maps, because Keras's average pooling ignores "
            f"padding. Received: pooling {layer.name!r}; keras_proxy_snn.export.nir.read gives a "
            "Program."
        )
    return [keras.layers.AveragePooling2D(layer.size, layer.strides, name=name)]
