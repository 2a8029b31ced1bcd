"""`relu_before_maximum`: an equal CNN whose ReLU layers stand before max pooling."""

from collections.abc import Sequence
from dataclasses import replace

import keras

from ..cnn.graph import INPUT, Call, Graph
from ..layers.activations import activation_kind
from ..layers.at_each_step import MAXIMA, MOVES
from .parts import is_identity, is_relu

__all__ = ["relu_before_maximum"]


def relu_before_maximum(graph: Graph) -> Graph:
    """Swap each max pooling with the ReLU that reads it, and only it.

    The largest value of a window, cut off at 0, is the largest of the values that are cut off at 0.
    So results stay equal, bit by bit. Neurons need this order: they can pool spikes, but they
    cannot take the maximum of currents that change with time. The currents of an image are
    constant, and their maximum is exact; that order stays.

    Example:

    >>> import keras
    >>> from keras_proxy_snn.cnn.graph import read_graph
    >>> from keras_proxy_snn.mapping.order import relu_before_maximum
    >>> names = ("conv1", "relu1", "conv2", "pool", "relu2")
    >>> stack = [keras.layers.Conv2D(2, 3, name="conv1"), keras.layers.ReLU(name="relu1")]
    >>> stack += [keras.layers.Conv2D(2, 3, name="conv2")]
    >>> stack += [keras.layers.MaxPooling2D(name="pool"), keras.layers.ReLU(name="relu2")]
    >>> graph = read_graph(keras.Sequential([keras.Input((8, 8, 1)), *stack]))
    >>> [call.layer.name for call in relu_before_maximum(graph).calls]
    ['conv1', 'relu1', 'conv2', 'relu2', 'pool']
    """
    calls, readers, varying = list(graph.calls), graph.readers(), _currents(graph.calls)

    def pools_currents(pool: int) -> bool:
        maximum = pool != INPUT and type(calls[pool].layer) in MAXIMA
        return maximum and calls[pool].inputs[0] in varying

    for last, relu in enumerate(graph.calls):
        if not is_relu(relu.layer):
            continue
        place = last
        while pools_currents(pool := calls[place].inputs[0]) and readers[pool] == [place]:
            (source,), pooling = calls[pool].inputs, calls[pool]
            calls[pool] = relu._replace(inputs=(source,), shape=calls[source].shape)
            calls[place] = pooling._replace(inputs=(pool,))
            place = pool
    return replace(graph, calls=tuple(calls))


def _currents(calls: Sequence[Call]) -> set[int]:
    """Positions of the calls whose results change with time and are no spikes."""
    constant, spikes = {INPUT}, set()
    for place, (layer, inputs, _) in enumerate(calls):
        moves = type(layer) in (*MAXIMA, *MOVES, keras.layers.Concatenate) or is_identity(layer)
        if is_relu(layer) or activation_kind(getattr(layer, "activation", None)) == "relu":
            spikes.add(place)
        elif set(inputs) <= constant:
            constant.add(place)
        elif set(inputs) <= spikes and moves:
            spikes.add(place)
    return set(range(len(calls))) - constant - spikes
