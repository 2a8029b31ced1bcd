"""`write_twin`: write the ANN twin of a program, for comparison."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ...basics.files import replacing
from ..program import Conv, Dense, Pool, Program
from . import _ops as ops
from ._flatbuffer import GraphBuilder, ModelBuilder, Tensor
from ._stages import prepare_image, whole_weights

__all__ = ["write_twin"]

_CAP = 6.0


def write_twin(
    program: Program, path: str | Path, *, clip: bool = False, batch_size: int = 1
) -> None:
    """Write the ANN with a program's weights and ReLU in place of neurons.

    It serves to compare speed and size; `latency` can run it too. Its scores are not normalised.

    Args:
        program: A float32 network.
        path: The file to write; an existing file is replaced.
        clip: If true, activations are `min(max(0, z / theta), 1)`, as in the proxy "clip"; if
            false, `max(0, z)`. LiteRT caps activations at 6, so weights are scaled for this.
        batch_size: Batch size of the file.

    Raises:
        ValueError: If the program is an integer program.
        ImportError: If `ai-edge-litert` is not installed.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, litert
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.float32([[0.5], [0.5]]), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), time_steps=4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     litert.write_twin(program, f"{folder}/twin.tflite")
    ...     litert.latency(f"{folder}/twin.tflite", program, repeats=3) > 0
    True
    """
    if program.is_integer:
        raise ValueError("The ANN twin needs a float32 program. Received: an integer program.")
    program.check_is_chain("The ANN twin")
    model = ModelBuilder(f"ANN twin of {program.metadata.get('spec', 'a spiking network')}")
    graph = model.graph("main")
    image = graph.input("image", (batch_size, *program.input_shape), "float32")
    x = prepare_image(program, graph, image)
    first = program.layers.index(program.neurons[0])
    shapes = program.shapes()
    activation = ops.RELU6 if clip else ops.RELU
    for layer, shape in list(zip(program.layers, shapes, strict=True))[first:]:
        if isinstance(layer, Pool):
            pool = ops.sum_pool if layer.kind == "sum" else ops.max_pool
            x = pool(graph, x, layer, shape)
        elif isinstance(layer, Conv | Dense):
            last = layer is program.layers[-1]
            weights = _scaled(program, layer) if clip else layer
            x = _linear(graph, weights, x, shape, ops.NO_ACTIVATION if last else activation)
    graph.output("scores", x)
    graph.sign("serving_default")
    with replacing(path) as draft:
        draft.write_bytes(model.to_bytes())


def _scaled(program: Program, layer: Conv | Dense) -> Conv | Dense:
    """Scale weights so that activations are 6 times `z / theta`; the readout's scores stay z."""
    first, last = layer is program.neurons[0], layer is program.neurons[-1]
    gain = 1.0 if last else _CAP / np.asarray(layer.v_threshold)
    bias = None if layer.bias is None else (layer.bias * gain).astype("float32")
    kernel = layer.kernel * gain / (1.0 if first else _CAP)
    return replace(layer, kernel=kernel.astype("float32"), bias=bias)


def _linear(
    graph: GraphBuilder, layer: Conv | Dense, x: Tensor, shape: tuple[int, ...], activation: int
) -> Tensor:
    kernel, bias = whole_weights(graph, layer, np.ones(1, "float32"))
    if isinstance(layer, Conv):
        return ops.conv(graph, x, kernel, bias, layer, shape, activation)
    return ops.dense(graph, x, kernel, bias, activation)
