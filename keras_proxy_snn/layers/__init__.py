"""Spiking layers: an IF layer holds the standard Keras layer whose weights it shares."""

from .at_each_step import AtEachStep
from .current_sum import CurrentSum
from .if_activation import IFActivation
from .if_batch_normalization import IFBatchNormalization
from .if_conv2d import IFConv2D
from .if_dense import IFDense
from .if_depthwise_conv2d import IFDepthwiseConv2D
from .if_separable_conv2d import IFSeparableConv2D
from .integrate_and_fire import IF
from .learned_threshold import LearnedThreshold
from .spike_concatenate import SpikeConcatenate
from .spike_flatten import SpikeFlatten
from .spike_pool2d import SpikePool2D
from .stage import Stage
from .synapses import Synapses

__all__ = [
    "IF",
    "OF_TWINS",
    "AtEachStep",
    "CurrentSum",
    "IFActivation",
    "IFBatchNormalization",
    "IFConv2D",
    "IFDense",
    "IFDepthwiseConv2D",
    "IFSeparableConv2D",
    "LearnedThreshold",
    "SpikeConcatenate",
    "SpikeFlatten",
    "SpikePool2D",
    "Stage",
    "Synapses",
]

_WITH_WEIGHTS = (IFBatchNormalization, IFConv2D, IFDense, IFDepthwiseConv2D, IFSeparableConv2D)

OF_TWINS: dict[type, type] = {layer.twin_class: layer for layer in _WITH_WEIGHTS}
"""Spiking layer for each class of Keras's layers with weights; `from_keras` reads this table."""
