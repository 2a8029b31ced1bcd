"""The networks as `ProxyModel`s, simulated on the backend of this process."""

import importlib.util
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from ..basics.types import Images
from ..cnn.build import build_ann
from ..cnn.spec import parse_spec
from ..export.layers import Conv, Dense, Flatten, Pool
from ..export.program import Program
from ..mapping.twin import neuron_layers
from ..model import ProxyModel
from .networks import Network

__all__ = ["build", "simulations"]


def build(network: Network) -> ProxyModel:
    """The model of a network, with its weights.

    Example:

    >>> from keras_proxy_snn.verification.models import build
    >>> from keras_proxy_snn.verification.networks import draw
    >>> network = draw(1)
    >>> build(network).time_steps == network.program.time_steps
    True
    """
    program = network.program
    thetas = [layer.v_threshold for layer in program.neurons]
    ann = _residual_ann(program) if program.sources else _spec_ann(network)
    _set_weights(ann, program)
    return ProxyModel(
        ann,
        program.time_steps,
        dict(zip(neuron_layers(ann), thetas, strict=True)),
        program.neurons[0].reset,
        v_0=network.v_0,
        readout=program.readout,
    )


def simulations(model: ProxyModel, images: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Scores of the dense and of the event-driven simulation, each with the name of its row."""
    backend = keras.config.backend()
    yield backend, model.predict(images, verbose=0)
    if importlib.util.find_spec("numba") is not None:
        model.event_driven = True
        yield f"{backend}, event-driven", model.predict(images, verbose=0)


def _spec_ann(network: Network) -> Any:
    program = network.program
    return build_ann(
        parse_spec(program.metadata["spec"]),
        program.input_shape,
        v_threshold={layer.name: layer.v_threshold for layer in program.neurons},
        proxy_activation="clip" if network.learned else "relu",
        learn_threshold=network.learned,
        pooling="average" if _averages(program) else "max",
        use_bias=program.neurons[0].bias is not None,
        kernel_initializer="zeros",
    )


def _residual_ann(program: Program) -> Any:
    image = keras.Input(program.input_shape)
    x: Images = image
    outputs: dict[str, Any] = {}
    for layer in program.layers:
        # Weights are set later; JAX would compile a random generator for each shape.
        named = {"name": layer.name, "kernel_initializer": "zeros"}
        if isinstance(layer, Flatten):
            x = keras.layers.Flatten()(x)
        elif isinstance(layer, Pool):
            kind = "AveragePooling2D" if layer.kind == "sum" else "MaxPooling2D"
            x = getattr(keras.layers, kind)(layer.size, name=layer.name)(x)
        elif isinstance(layer, Conv):
            filters, size = layer.kernel.shape[-1], layer.kernel.shape[:2]
            bias = layer.bias is not None
            x = keras.layers.Conv2D(filters, size, padding="same", use_bias=bias, **named)(x)
            for shortcut in layer.shortcuts:
                x = keras.layers.Add()([x, outputs[shortcut.source]])
            x = keras.layers.ReLU()(x)
        else:
            units, bias = layer.kernel.shape[-1], layer.bias is not None
            x = keras.layers.Dense(units, use_bias=bias, **named)(x)
            x = keras.layers.ReLU()(x)
        outputs[layer.name] = x
    return keras.Model(image, x)


def _averages(program: Program) -> bool:
    return any(isinstance(layer, Pool) and layer.kind == "sum" for layer in program.layers)


def _set_weights(ann: Any, program: Program) -> None:
    window = 1
    for layer in program.layers:
        if isinstance(layer, Pool):
            window = layer.largest
        elif isinstance(layer, Conv | Dense):
            kernel = np.multiply(layer.kernel, window, dtype="float32")
            bias = [] if layer.bias is None else [layer.bias]
            ann.get_layer(layer.name).set_weights([kernel, *bias])
            window = 1
