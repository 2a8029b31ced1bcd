"""`Currents`: what neurons read, and the layers of a program with neurons that read it."""

from dataclasses import replace
from typing import Any, NamedTuple

import keras
import numpy as np

from ...basics.window import Window
from ...layers import SpikePool2D
from ...neurons.neuron import Neuron
from ..layers import Conv, Dense, Pool, Shortcut
from .kernels import FullWeights

__all__ = ["Currents", "conv", "dense", "pool", "scaled", "shortcut"]


class Currents(NamedTuple):
    """Currents that no neurons have read yet: a sum of convolutions of spikes, and a bias."""

    terms: tuple[Shortcut, ...]
    bias: np.ndarray | None


def scaled(term: Shortcut, factor: np.ndarray) -> Shortcut:
    """A term times a number, or times a number per filter."""
    return replace(term, kernel=term.kernel * factor)


def shortcut(source: str, kernel: np.ndarray, window: Window) -> Shortcut:
    """A convolution of the spikes of a layer."""
    return Shortcut(source, kernel, window.strides, window.padding, window.dilation)


def conv(stage: keras.layers.Layer, currents: Currents) -> Conv:
    """Neurons of a convolution: the first term gives the kernel, others are shortcuts."""
    own, *shortcuts = currents.terms
    return Conv(
        stage.twin.name,
        own.kernel,
        currents.bias,
        strides=own.strides,
        padding=own.padding,
        dilation=own.dilation,
        shortcuts=tuple(shortcuts),
        **_firing(stage.neuron),
    )


def dense(stage: keras.layers.Layer, weights: FullWeights, repeats: int) -> Dense:
    """A Dense with weights that are repeated for each pixel of a global average."""
    kernel = np.tile(weights.kernel, (repeats, 1))
    return Dense(stage.twin.name, kernel, weights.bias, **_firing(stage.neuron))


def _firing(neuron: Neuron) -> dict[str, Any]:
    """A neuron as fields of a layer of a program, where `v_0` is a potential and no fraction."""
    return {
        "v_threshold": neuron.v_threshold,
        "reset": neuron.reset,
        "v_0": neuron.v_initial,
    }


def pool(stage: SpikePool2D) -> Pool:
    """The maximum of spikes."""
    window = stage.window
    return Pool(stage.name, window.size, window.strides, window.padding)
