"""A Keras CNN (Sequential, functional or nested) as a plain list of calls."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, NamedTuple

import keras
from keras import ops

from ..basics.types import Tensor
from ..layers.activations import activation_kind
from ..layers.kernels import kernel_of
from ..layers.own_call import check_own_call
from .operations import standard_layer

__all__ = ["INPUT", "Call", "Graph", "LinearPart", "read_graph", "structure"]

INPUT = -1

# Attributes of layers that the spiking stages, or traced functions, take over as constants.
_CONSTANTS = ("scale", "offset", "epsilon", "pool_size", "strides", "padding", "dilation_rate")


class Call(NamedTuple):
    """A call of a layer in a graph.

    Attributes:
        layer: The layer, also where a model has `x + y` or `ops.relu(x)`, see
            `keras_proxy_snn.cnn.operations.standard_layer`; of others the operation.
        inputs: Positions of the calls whose results it reads; `INPUT` for the model's input.
        shape: Shape of the result, `(None, ...)`.
    """

    layer: keras.layers.Layer
    inputs: tuple[int, ...]
    shape: tuple[int | None, ...]

    def run(self, arguments: list[Any], training: bool) -> Any:
        """Result of the layer; see `Graph.run`."""
        if not isinstance(self.layer, keras.layers.Layer):
            return self.layer(*arguments)
        if keras.config.backend() == "torch":
            from .torch_layers import fast_call

            if (result := fast_call(self.layer, arguments[0], training)) is not None:
                return result
        return self.layer(arguments[0] if len(arguments) == 1 else arguments, training=training)


@dataclass(frozen=True)
class Graph:
    """Calls of a model with one input and one output. Each call reads earlier calls only.

    Attributes:
        calls: In order; the last one gives the output.
        input_shape: Shape of the input without the batch.
    """

    calls: tuple[Call, ...]
    input_shape: tuple[int, ...]

    def readers(self) -> dict[int, list[int]]:
        """Position of each call to the positions of the calls that read it, in order."""
        found: dict[int, list[int]] = {place: [] for place in range(INPUT, len(self.calls))}
        for place, call in enumerate(self.calls):
            for source in call.inputs:
                found[source].append(place)
        return found

    def run(
        self, x: Tensor, training: bool = False, start: int = 0
    ) -> Generator[tuple[int, Any], Any, None]:
        """Call the layers in order, and hold only results that will still be read.

        Args:
            x: Input `(batch, ...)`; or the result of the call before `start`, if that is not 0.
            training: Whether the layers train.
            start: Position of the first call. The calls before it must be a chain.

        Yields:
            Position and result of each call. A value sent to the generator replaces the result.
        """
        last_reader = {source: places[-1:] for source, places in self.readers().items()}
        results = {start - 1: x}
        for place in range(start, len(self.calls)):
            call = self.calls[place]
            result = call.run([results[source] for source in call.inputs], training)
            for source in set(call.inputs):
                if last_reader[source] == [place]:
                    del results[source]
            instead = yield place, result
            results[place] = result if instead is None else instead

    def output(self, x: Tensor, training: bool = False, start: int = 0) -> Any:
        """Output for an input; arguments as in `run`."""
        *_, (_, result) = self.run(x, training, start)
        return result

    def without_softmax(self) -> "Graph":
        """The graph up to its logits, if it ends with a softmax."""
        *before, last = self.calls
        if activation_kind(last.layer) == "softmax":
            return replace(self, calls=tuple(before))
        dense = type(last.layer) is keras.layers.Dense
        if dense and activation_kind(last.layer.activation) == "softmax":
            linear = last._replace(layer=LinearPart(last.layer))
            return replace(self, calls=(*before, linear))
        return self


class LinearPart:
    """A `Dense` without its activation, for a readout that has a softmax.

    Args:
        layer: The layer, whose weights are used.
    """

    def __init__(self, layer: keras.layers.Dense):
        self.layer = layer

    @property
    def name(self) -> str:
        """Name of the layer."""
        return self.layer.name

    def __call__(self, x: Tensor) -> Any:
        """Weighted sum of `(batch, features)`."""
        layer = self.layer
        dtype = layer.compute_dtype
        z = ops.matmul(ops.cast(x, dtype), ops.cast(kernel_of(layer), dtype))
        return z if layer.bias is None else ops.add(z, ops.cast(layer.bias, dtype))


def read_graph(model: keras.Model) -> Graph:
    """Calls of a Keras model; models inside it are opened.

    Args:
        model: A built `keras.Sequential` or functional model with one input and one output.

    Raises:
        ValueError: If it is another kind of model, or the `call` of a layer was replaced.

    Example:

    >>> import keras
    >>> from keras_proxy_snn.cnn.graph import read_graph
    >>> x = keras.Input((8, 8, 3))
    >>> y = keras.layers.Conv2D(3, 3, padding="same", name="conv")(x)
    >>> graph = read_graph(keras.Model(x, keras.layers.Add(name="add")([x, y])))
    >>> [(call.layer.name, call.inputs) for call in graph.calls]
    [('conv', (-1,)), ('add', (-1, 0))]
    """
    if isinstance(model, str | PathLike):
        raise ValueError(
            "The ANN must be a keras.Sequential or a functional keras.Model; "
            f"keras.models.load_model loads one from its file. Received: {model!r}."
        )
    if isinstance(model, keras.Model):
        check_own_call(model)
    functional = _functional(model) if isinstance(model, keras.Model) else None
    if functional is None:
        unbuilt = isinstance(model, keras.Sequential) and not model.built
        raise ValueError(
            "The ANN must be a keras.Sequential or a functional keras.Model"
            + (
                ", and be built: put keras.Input first, or call `build((None, height, width, "
                "channels))`."
                if unbuilt
                else "; a subclass of keras.Model does not state the order of its layers."
            )
            + f" Received: {model!r}."
        )
    if len(functional.inputs) != 1 or len(functional.outputs) != 1:
        raise ValueError(
            "The ANN must have one input and one output. Received: "
            f"{len(functional.inputs)} inputs and {len(functional.outputs)} outputs, of {model!r}."
        )
    calls: list[Call] = []
    output = _read(functional, [INPUT], calls)[0]
    if output != len(calls) - 1:
        # A nested model may compute results that nothing reads.
        raise ValueError(
            f"Each layer of the ANN must lead to its output. Received: {model!r}, in which layer "
            f"{calls[-1].layer.name!r} does not."
        )
    return Graph(tuple(calls), tuple(functional.inputs[0].shape[1:]))


def structure(model: keras.Model) -> tuple[Any, ...]:
    """Layers, their constants, activations and connections: equal as long as they stay the same.

    Args:
        model: As in `read_graph`.

    Example:

    >>> import keras
    >>> from keras_proxy_snn.cnn.graph import structure
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> before = structure(model)
    >>> model.add(keras.layers.Dense(2))
    >>> structure(model) == before
    False
    """
    return tuple(
        (
            # A layer of an operation such as `x + y` is made at each reading.
            id(layer) if getattr(layer, "weights", None) else layer.name,
            activation_kind(getattr(layer, "activation", None)),
            tuple(repr(getattr(layer, name, None)) for name in _CONSTANTS),
            inputs,
            shape,
        )
        for layer, inputs, shape in read_graph(model).calls
    )


def _functional(model: keras.layers.Layer) -> Any:
    """The functional model that a model is or holds, or `None`."""
    if not type(model).call.__module__.startswith("keras."):
        return None  # A user's own class may call its layers in any way.
    if isinstance(model, keras.Sequential):
        # Keras has no public attribute for the functional model that it makes of a Sequential.
        model = model._functional if model.built else None  # noqa: SLF001
    return model if hasattr(model, "_nodes_by_depth") else None


def _read(model: keras.Model, inputs: list[int], calls: list[Call]) -> list[int]:
    """Append the calls of a model; return the positions of its outputs."""
    places = {id(tensor): place for tensor, place in zip(model.inputs, inputs, strict=True)}
    # Keras has no public attribute for the order in which such a model calls its layers.
    nodes = model._nodes_by_depth  # noqa: SLF001
    for depth in sorted(nodes, reverse=True):
        for node in nodes[depth]:
            if node.is_input:
                continue
            layer, result = node.operation, node.outputs[0]
            check_own_call(layer)
            sources = [places[id(tensor)] for tensor in node.input_tensors]
            nested = _functional(layer)
            if nested is not None:
                found = _read(nested, sources, calls)
            else:
                standard = standard_layer(layer, node.arguments.args, result.dtype)
                calls.append(Call(standard, tuple(sources), tuple(result.shape)))
                found = [len(calls) - 1]
            if len(node.outputs) != 1:
                raise ValueError(
                    "Each layer of the ANN must have one output. Received: layer "
                    f"{layer.name!r} ({type(layer).__name__}) with {len(node.outputs)}."
                )
            places[id(node.outputs[0])] = found[0]
    return [places[id(tensor)] for tensor in model.outputs]
