"""Bits moved and operations made per image, by the rules that `Estimate` states."""

from collections.abc import Sequence
from typing import NamedTuple

from ._layer_costs import LayerCosts

__all__ = ["Bits", "Move", "Work", "ann_work", "snn_work"]


class Bits(NamedTuple):
    """Bits per number in a format; a spike always has one bit."""

    name: str
    weight: int
    state: int
    pixel: int
    activation: int


class Move(NamedTuple):
    """Bits moved per image, and bits that the memory must hold."""

    moved: float
    stored: float


class Work(NamedTuple):
    """Work of a network per image."""

    network: str
    weights: Move
    states: Move
    signals: Move
    pixel_multiplications: float
    multiplications: float
    additions: float


def snn_work(layers: Sequence[LayerCosts], time_steps: int, event: bool, bits: Bits) -> Work:
    """Work of the SNN: its first layer reads pixels, all other layers read spikes."""
    first, rest = layers[0], layers[1:]
    products = _products(first, event)
    updates = first.neurons * time_steps
    weights, signals = _image_layer(first, event, bits)
    # The current is written; each step reads it, and reads and writes the potential.
    states = 3 * updates + (2 * products if event else first.neurons)
    additions = products + first.has_bias * first.neurons + 2 * updates
    for layer in rest:
        updates = layer.neurons * time_steps
        biases = layer.has_bias * updates
        additions += layer.synops + biases + updates
        if event:
            weights += (layer.synops + biases) * bits.weight
            states += 2 * (layer.synops + biases)
            signals += 2 * layer.input_spikes * _address(layer)
        else:
            weights += time_steps * layer.parameters * bits.weight
            states += 2 * updates
            signals += 2 * time_steps * layer.inputs
    neurons = sum(layer.neurons for layer in layers)
    return Work(
        "SNN",
        Move(weights, _stored_weights(layers, bits)),
        Move(states * bits.state, (neurons + first.neurons) * bits.state),
        Move(signals, _largest_inputs(layers, bits, 1)),
        products,
        0.0,
        additions,
    )


def ann_work(layers: Sequence[LayerCosts], event: bool, bits: Bits) -> Work:
    """Work of the ANN."""
    first, rest = layers[0], layers[1:]
    weights, signals = _image_layer(first, event, bits)
    for layer in rest:
        if event:
            weights += (layer.nonzero_multiply_adds + _biases(layer)) * bits.weight
            signals += 2 * layer.nonzero_inputs * (bits.activation + _address(layer))
        else:
            weights += layer.parameters * bits.weight
            signals += 2 * layer.inputs * bits.activation
    products = [_products(layer, event) for layer in layers]
    neurons = sum(layer.neurons for layer in layers)
    # Each operation reads and writes a sum; the activation reads it once more.
    states = 2 * sum(products) + neurons if event else 0
    largest = max(layer.neurons for layer in layers)
    return Work(
        "ANN",
        Move(weights, _stored_weights(layers, bits)),
        Move(states * bits.state, largest * bits.state),
        Move(signals, _largest_inputs(layers, bits, bits.activation)),
        products[0],
        sum(products[1:]),
        sum(products) + neurons + sum(map(_biases, layers)),
    )


def _image_layer(first: LayerCosts, event: bool, bits: Bits) -> tuple[float, float]:
    """Bits of weights and pixels that the first layer moves; both networks move the same."""
    read = _products(first, event) + _biases(first) if event else first.parameters
    return read * bits.weight, first.inputs * bits.pixel


def _products(layer: LayerCosts, event: bool) -> float:
    return layer.nonzero_multiply_adds if event else layer.multiply_adds


def _biases(layer: LayerCosts) -> int:
    """Number of biases, if each neuron adds its own once per image."""
    return layer.neurons if layer.has_bias else 0


def _address(layer: LayerCosts) -> int:
    """Bits of an address among the layer's inputs."""
    return max(1, (layer.inputs - 1).bit_length())


def _stored_weights(layers: Sequence[LayerCosts], bits: Bits) -> float:
    return sum(layer.parameters for layer in layers) * bits.weight


def _largest_inputs(layers: Sequence[LayerCosts], bits: Bits, signal: int) -> float:
    sizes = [layer.inputs * (signal if i else bits.pixel) for i, layer in enumerate(layers)]
    return max(sizes)
