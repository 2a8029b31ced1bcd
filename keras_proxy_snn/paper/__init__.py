"""The paper's tables and figures, as data, and the runner that trains and draws them.

`keras-proxy-snn paper NAME` is the command. `EXPERIMENTS` needs neither Keras nor a backend.
"""

from ._experiment import SIZES, Config, Experiment, Run, Size
from .experiments import EXPERIMENTS

__all__ = ["EXPERIMENTS", "SIZES", "Config", "Experiment", "Run", "Size"]
