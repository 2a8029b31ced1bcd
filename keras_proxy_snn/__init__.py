"""Convolutional spiking neural networks trained through an ANN proxy, on any Keras 3 backend."""

from ._startup import is_command_line
from ._version import __version__

# The commands import what they need, so that `--help` loads no backend.
if not is_command_line():
    from . import datasets, statistics, visualization
    from .bias_calibration import calibrate_biases
    from .calibration import calibrate
    from .callbacks import CollapseWarning, ProxyMonitor
    from .conversion import from_keras
    from .export.nir_model import from_nir
    from .layers import IF, IFConv2D, IFDense, SpikeFlatten, SpikePool2D
    from .losses import SpikeCountCrossentropy, SpikeCountMeanSquaredError
    from .metrics import SpikeAccuracy
    from .model import ProxyModel
    from .presets import PRESETS, Preset, build
    from .quantised_ann import QuantisedANN
    from .spec import SpecError, format_spec, parse_spec
    from .tensorboard import SpikeTensorBoard
    from .twins import build_ann

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
