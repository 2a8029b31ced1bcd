"""Convolutional spiking neural networks trained through an ANN proxy, on any Keras 3 backend."""

import importlib

from ._version import __version__
from .basics.quiet import without_standard_error
from .basics.startup import choose_backend, is_command_line

# The commands import what they need, so that `--help` loads no backend.
if not is_command_line():
    choose_backend()
    with without_standard_error():
        importlib.import_module("keras")  # with its backend
    from . import datasets, statistics, visualization
    from .callbacks.monitor import CollapseWarning, ProxyMonitor
    from .callbacks.tensorboard import SpikeTensorBoard
    from .cnn.build import build_ann
    from .cnn.spec import SpecError, format_spec, parse_spec
    from .conversion.biases import calibrate_biases
    from .conversion.from_keras import from_keras
    from .conversion.quantised_ann import QuantisedANN
    from .conversion.thresholds import calibrate
    from .export.frontend.nir_model import from_nir
    from .layers import IF, IFConv2D, IFDense, SpikeFlatten, SpikePool2D
    from .model import ProxyModel
    from .presets import PRESETS, Preset
    from .presets.build import build
    from .training.losses import SpikeCountCrossentropy, SpikeCountMeanSquaredError
    from .training.metrics import SpikeAccuracy

__all__ = [
    "IF",
    "PRESETS",
    "CollapseWarning",
    "IFConv2D",
    "IFDense",
    "Preset",
    "ProxyModel",
    "ProxyMonitor",
    "QuantisedANN",
    "SpecError",
    "SpikeAccuracy",
    "SpikeCountCrossentropy",
    "SpikeCountMeanSquaredError",
    "SpikeFlatten",
    "SpikePool2D",
    "SpikeTensorBoard",
    "__version__",
    "build",
    "build_ann",
    "calibrate",
    "calibrate_biases",
    "datasets",
    "format_spec",
    "from_keras",
    "from_nir",
    "parse_spec",
    "statistics",
    "visualization",
]
