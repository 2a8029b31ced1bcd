"""Activity of the neurons of a trained network, and the cost of their work.

`record` keeps spikes and potentials. `costs` counts operations and bytes. `report` prints both.
`accuracy_over_time` is the accuracy after each step, and `early_stopping` weighs the steps saved
against the accuracy lost. These functions do not change
the model, and they need only NumPy and Keras.
"""

from ._activity import record
from ._costs import Costs, costs
from ._energy import HOROWITZ_45NM, Constant, EnergyTable, Estimate, Memory
from ._layer_costs import LayerCosts
from ._layers import LayerRecord, LayerStatistics, Record
from ._report import Report, report
from ._stopping import Stopping, early_stopping
from .over_time import accuracy_over_time

__all__ = [
    "HOROWITZ_45NM",
    "Constant",
    "Costs",
    "EnergyTable",
    "Estimate",
    "LayerCosts",
    "LayerRecord",
    "LayerStatistics",
    "Memory",
    "Record",
    "Report",
    "Stopping",
    "accuracy_over_time",
    "costs",
    "early_stopping",
    "record",
    "report",
]
