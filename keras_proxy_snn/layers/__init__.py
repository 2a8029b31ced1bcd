"""Spiking layers: an IF layer holds the standard Keras layer whose weights it shares."""

from .if_conv2d import IFConv2D
from .if_dense import IFDense
from .integrate_and_fire import IF
from .learned_threshold import LearnedThreshold
from .spike_flatten import SpikeFlatten
from .spike_pool2d import SpikePool2D

__all__ = ["IF", "IFConv2D", "IFDense", "LearnedThreshold", "SpikeFlatten", "SpikePool2D"]
