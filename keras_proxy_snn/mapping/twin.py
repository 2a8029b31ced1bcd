"""`spiking_twin`: the spiking stages of a Keras CNN, built around the CNN's own layers."""

from collections.abc import Mapping
from dataclasses import dataclass

import keras

from ..basics.checks import check_choice
from ..cnn.graph import Graph, read_graph
from ..layers.base import CURRENT_DTYPES
from ..neurons.neuron import Neuron
from ..simulation.nodes import Node
from .mapper import Mapper
from .order import relu_before_maximum
from .parts import find_parts, preprocessing_length
from .refusals import check_kinds

__all__ = ["SPIKE_HEIGHTS", "SpikingTwin", "neuron_layers", "spiking_twin"]

SPIKE_HEIGHTS = ("one", "threshold")


@dataclass(frozen=True)
class SpikingTwin:
    """The stages of a spiking network, and the CNN from which they were made.

    Attributes:
        nodes: Stages in order; the last stage is the readout.
        graph: The CNN up to its logits, with a ReLU before a max pooling instead of after it.
        start: Number of the first calls of the CNN that prepare images, for both networks.
        activations: Name of each CNN layer with neurons to the position of the call whose result
            the firing rates follow.
        gains: The same names to the activation that corresponds to one spike per step. It is the
            threshold times the factor of a `Rescaling` before the ReLU. After a
            `LearnedThreshold`, which divides by the threshold, it is only the factor.
        sources: Name of each stage with weights to the position of the call whose result the same
            weights read in the CNN.
        spike_height: Value of a spike, see `spiking_twin`.
    """

    nodes: tuple[Node, ...]
    graph: Graph
    start: int
    activations: dict[str, int]
    gains: dict[str, float]
    sources: dict[str, int]
    spike_height: str

    @property
    def current_dtype(self) -> str:
        """Dtype in which hidden layers sum weighted spikes: `"float32"` or `"bfloat16"`."""
        dtypes = {
            tied.current_dtype for node in self.nodes if (tied := node.stage.tied()) is not None
        }
        return "bfloat16" if "bfloat16" in dtypes else "float32"


def spiking_twin(
    ann: keras.Model,
    neurons: Neuron | Mapping[str, Neuron] | None = None,
    spike_height: str = "one",
    current_dtype: str = "float32",
) -> SpikingTwin:
    """Make the spiking stages of a CNN around that CNN's own layers.

    ============================================  =================================================
    layers of the CNN                             stage
    ============================================  =================================================
    `Conv2D`, `DepthwiseConv2D`,                  neurons (`IFConv2D`, ...) with this very layer as
    `SeparableConv2D`, `Dense`; with the          the twin, the normalisation folded into the
    `BatchNormalization` and the ReLU after it    weights
    such a layer without a ReLU                   `Synapses`: currents
    ReLU alone, after a sum or a pooling          neurons without weights, `IFActivation`
    `BatchNormalization` alone                    a weight and a bias per channel, with neurons
                                                  if a ReLU follows (`IFBatchNormalization`)
    `MaxPooling2D`, `GlobalMaxPooling2D`          the OR of the spikes in a window (`SpikePool2D`);
                                                  a ReLU after it is moved before it
    `AveragePooling2D`,                           the mean of the spikes in a window, a current
    `GlobalAveragePooling2D`                      that the next weights read (`AtEachStep`)
    `Add`                                         `CurrentSum`, the sum of currents or spikes
    `Concatenate`                                 `SpikeConcatenate`
    `Flatten`, `Reshape`, `Permute`,              the same layer at each step
    `ZeroPadding2D`, `Cropping2D`
    `Dropout`, noise, `ActivityRegularization`    nothing: they act in training only
    `Rescaling`, `Normalization`, `Resizing`,     run once, before the first weights; both
    `RandomFlip` and other augmentation, first    networks read the result, in training too
    ============================================  =================================================

    A softmax at the end has no stage: the readout's neurons get the currents before it. Neurons
    saturate at one spike per step, like a ReLU with `max_value`. So the threshold for such a ReLU
    should not exceed this value.

    Args:
        ann: A built `keras.Sequential` or functional model of these layers, with one input
            and an output `(batch, classes)`. A `Rescaling` or a `LearnedThreshold` may come before
            a ReLU (see `build_ann`).
        neurons: The neuron of all layers, `keras_proxy_snn.neurons.neuron.Neuron`; or a mapping
            from names of the CNN's layers to neurons, with `Neuron()` for other layers. A layer
            with a `LearnedThreshold` has that threshold.
        spike_height: `"one"`: each spike enters the next layer as 1. `"threshold"`: each spike
            enters as the threshold of its neuron, so that rates times thresholds follow the CNN's
            activations for any thresholds. Spikes are still zeros and ones; the weights that read
            them are multiplied (`input_scale` of the stages).
        current_dtype: Dtype in which hidden layers sum weighted spikes: `"float32"` or
            `"bfloat16"`. The first layer, which sums only once, and the readout stay in float32.

    Returns:
        `SpikingTwin`.

    Raises:
        ValueError: If the model is not built or has a layer without a spiking counterpart. The
            error gives name and type of the layer, and a cure.

    Example:

    >>> from keras_proxy_snn import build_ann, parse_spec
    >>> from keras_proxy_snn.mapping.twin import spiking_twin
    >>> ann = build_ann(parse_spec("4C3-P2-10F"), (8, 8, 1))
    >>> nodes = spiking_twin(ann).nodes
    >>> [node.name for node in nodes]
    ['if_conv1', 'spike_pool1', 'spike_flatten', 'if_readout']
    >>> nodes[0].stage.twin is ann.get_layer("conv1")
    True
    """
    check_choice("spike_height", spike_height, SPIKE_HEIGHTS)
    check_choice("current_dtype", current_dtype, CURRENT_DTYPES)
    graph = _graph(ann)
    start = preprocessing_length(graph)
    check_kinds(graph, start)
    parts = find_parts(graph, start)
    names = [part.layer.name for part in parts if part.neurons]
    mapper = Mapper(graph, _of_layers(neurons or Neuron(), names), spike_height)
    for place in range(start):
        mapper.prepare(place)
    for part in parts[:-1]:
        mapper.add(part, current_dtype)
    mapper.add(parts[-1])
    if len(graph.calls[-1].shape) != 2:
        raise ValueError(
            "The output of the ANN must be (batch, classes), as of a network that classifies: end "
            "it in Flatten or a global pooling and a Dense. Received: "
            f"{graph.calls[-1].shape} of {ann!r}."
        )
    activations = {part.layer.name: part.last for part in parts if part.neurons}
    nodes = tuple(mapper.nodes)
    gains, sources = mapper.gains, mapper.sources
    return SpikingTwin(nodes, graph, start, activations, gains, sources, spike_height)


def neuron_layers(ann: keras.Model) -> list[str]:
    """Names of the layers of a CNN that have neurons in its spiking twin, in order.

    Raises:
        ValueError: If the model has no spiking twin, see `spiking_twin`.
    """
    graph = _graph(ann)
    parts = find_parts(graph, preprocessing_length(graph))
    return [part.layer.name for part in parts if part.neurons]


def _graph(ann: keras.Model) -> Graph:
    """The calls up to the logits, of a CNN whose images have one size."""
    graph = relu_before_maximum(read_graph(ann).without_softmax())
    if None in graph.input_shape:
        raise ValueError(
            "Images must have one size, such as keras.Input((32, 32, 3)): the SNN keeps a "
            f"potential of each neuron. Received: {graph.input_shape}, the images of {ann.name!r}."
        )
    return graph


def _of_layers(neurons: Neuron | Mapping[str, Neuron], names: list[str]) -> Mapping[str, Neuron]:
    if isinstance(neurons, Neuron):
        return dict.fromkeys(names, neurons)
    unknown = sorted(set(neurons) - set(names))
    if unknown:
        raise ValueError(f"`neurons` can name the layers {names}. Received: neurons for {unknown}.")
    return neurons
