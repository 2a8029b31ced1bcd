"""Export: compile a trained model into files that give the same spike counts.

`ProxyModel -> Program -> (quantise) -> writer -> check in the real runtime`.
"""

from .exported import Exported
from .exporter import ExportError, export
from .formats import FORMATS
from .frontend.from_model import from_model
from .program import Program, load

__all__ = ["FORMATS", "ExportError", "Exported", "Program", "export", "from_model", "load"]
