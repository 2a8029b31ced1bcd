"""What the neurons of a trained network do, and what their work costs.

`record` keeps spikes and potentials, `costs` counts operations and bytes, `report` prints
both; `early_stopping` says what fewer steps save and cost. None of them changes the model.
NumPy and Keras are all that is needed.
"""

from ._activity import LayerRecord, LayerStatistics, record
from ._costs import Costs, LayerCosts, costs
from ._energy import HOROWITZ_45NM, Constant, EnergyTable, Estimate, Memory
from ._report import Report, report
from ._stopping import Stopping, early_stopping

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
    "Report",
    "Stopping",
    "costs",
    "early_stopping",
    "record",
    "report",
]
