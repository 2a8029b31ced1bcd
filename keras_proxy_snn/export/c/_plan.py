"""`plan`: how the layers of a program are connected in C, and which integers they need."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..program import Conv, Dense, Flatten, Pool, Program, Shortcut
from ..quantise._bounds import INT16, input_tops, potential_range, threshold
from ._names import Names

__all__ = ["Map", "Neurons", "Plan", "Pooling", "Synapses", "Window", "plan"]

Map = tuple[int, int, int]
"""`(height, width, channels)`; of a vector `(1, 1, features)`."""


@dataclass(frozen=True)
class Window:
    """Windows that slide over maps, along both axes.

    Attributes:
        size: Size `(vertical, horizontal)`, in pixels.
        strides: Distance between two windows, `(vertical, horizontal)`, in pixels.
        dilation: Distance between two pixels of a window, `(vertical, horizontal)`.
        before: Padding before the map, `(vertical, horizontal)`, in pixels.
    """

    size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    before: tuple[int, int] = (0, 0)

    def pairs(self, axis: int, inputs: int, outputs: int) -> list[tuple[int, int, int]]:
        """All `(input, output, tap)` along an axis for which the tap reads an input pixel."""
        found = []
        for output in range(outputs):
            for tap in range(self.size[axis]):
                place = output * self.strides[axis] + tap * self.dilation[axis] - self.before[axis]
                if 0 <= place < inputs:
                    found.append((place, output, tap))
        return found


@dataclass(frozen=True)
class Synapses:
    """Weights from one layer's spikes, or from the image, to neurons.

    Attributes:
        name: Identifier.
        kernel: Weights `(kernel height, kernel width, input channels, filters)`.
        window: The sliding window of the kernel.
        inputs: Shape of the input map.
        target: The neurons that receive the weights.
    """

    name: str
    kernel: np.ndarray
    window: Window
    inputs: Map
    target: "Neurons"


@dataclass
class Neurons:
    """Neurons of a layer, and the receivers of their spikes.

    Attributes:
        name: Identifier.
        layer: Layer of the program.
        shape: Shape of the map of neurons.
        packed: If true, potentials have 16 bits, two per word; if false, 32 bits.
        constant: Whether their current comes from the image, and so is constant in time.
        clamped: Whether this current is cut to the range from 0 to the threshold.
        readout: Whether their spikes are counted.
        scored: Whether the scores of the classes include the potentials.
        receivers: Identifiers of the synapses and poolings that receive each spike.
    """

    name: str
    layer: Conv | Dense
    shape: Map
    packed: bool
    constant: bool
    clamped: bool
    readout: bool
    scored: bool
    receivers: list[str] = field(default_factory=list)


@dataclass
class Pooling:
    """Pooling of spikes; before the first neurons, pooling of the image.

    Attributes:
        name: Identifier.
        layer: Layer of the program.
        window: The sliding window.
        inputs: Shape of the input map.
        shape: Shape of the output map.
        top: Largest output.
        receivers: As in `Neurons`.
    """

    name: str
    layer: Pool
    window: Window
    inputs: Map
    shape: Map
    top: int
    receivers: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """The parts of a program in its C file.

    Attributes:
        program: The network.
        prefix: Prefix of all names.
        image: Poolings of the image, before the first neurons.
        first: Synapses that read the image.
        synapses: All other synapses.
        neurons: Layers of neurons in order.
        poolings: Poolings of spikes.
    """

    program: Program
    prefix: str
    image: list[Pooling]
    first: Synapses
    synapses: list[Synapses]
    neurons: list[Neurons]
    poolings: list[Pooling]


def plan(program: Program, prefix: str) -> Plan:
    """Connect the layers of a program: each layer with the receivers of its spikes.

    Args:
        program: An integer network that `refuse` accepts.
        prefix: Prefix of all names.
    """
    names = Names()
    image: list[Pooling] = []
    synapses: list[Synapses] = []
    neurons: list[Neurons] = []
    poolings: list[Pooling] = []
    givers: dict[str, Neurons | Pooling] = {}
    giver: Neurons | Pooling | None = None
    shape, top = program.input_shape, round(program.largest_input)
    for layer, output in zip(program.layers, program.shapes(), strict=True):
        if isinstance(layer, Flatten):
            continue
        before, shape = shape, _map(output)
        if isinstance(layer, Pool):
            top *= layer.largest
            window = _window(layer, before)
            pooling = Pooling(names.new(layer.name), layer, window, before, shape, top)
            (poolings if neurons else image).append(pooling)
            if giver is not None:
                giver.receivers.append(pooling.name)
            giver = pooling
        else:
            made = _neurons(program, layer, shape, len(neurons), names)
            neurons.append(made)
            synapses.append(_synapses(names.new(f"{made.name}_in"), layer, before, made))
            if giver is not None:
                giver.receivers.append(synapses[-1].name)
            for number, shortcut in enumerate(layer.shortcuts):
                source = givers[shortcut.source]
                name = names.new(f"{made.name}_shortcut{number}")
                synapses.append(_synapses(name, shortcut, source.shape, made))
                source.receivers.append(name)
            giver, top = made, 1
        givers[layer.name] = giver
    return Plan(program, prefix, image, synapses[0], synapses[1:], neurons, poolings)


def _map(shape: Sequence[int]) -> Map:
    return (1, 1, shape[0]) if len(shape) == 1 else (shape[0], shape[1], shape[2])


def _window(layer: Conv | Pool | Shortcut, inputs: Map) -> Window:
    window = layer.window
    (top, _), (left, _) = window.pads(inputs)
    return Window(window.size, window.strides, window.dilation, (top, left))


def _synapses(name: str, layer: Conv | Dense | Shortcut, inputs: Map, made: Neurons) -> Synapses:
    if isinstance(layer, Dense):  # a convolution whose kernel is as large as the maps
        kernel = layer.kernel.reshape(*inputs, -1)
        return Synapses(name, kernel, Window(inputs[:2]), inputs, made)
    return Synapses(name, layer.kernel, _window(layer, inputs), inputs, made)


def _neurons(program: Program, layer: Any, shape: Map, index: int, names: Names) -> Neurons:
    readout = layer is program.neurons[-1]
    scored = readout and program.readout == "potential"
    clamped = index == 0 and not scored
    if clamped:
        # With a current of at most 0 a neuron never fires; from the threshold on it always fires.
        low = layer.v_reset.min(initial=0)
        high = (layer.firing_level - 1 + threshold(layer)).max()
    else:
        bound = potential_range(layer, input_tops(program)[index], program.time_steps)
        low, high = bound.low.min(), bound.high.max()
    # Rows of weights are counted in 16 bits.
    rows = len(layer.weights) * input_tops(program)[index]
    packed = bool(low >= -INT16 and high <= INT16) and (clamped or (index > 0 and rows < 2**16))
    name = names.new(layer.name)
    return Neurons(name, layer, shape, packed, index == 0, clamped, readout, scored)
