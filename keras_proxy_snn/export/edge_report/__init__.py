"""The edge report: one network in every file format, form and runtime, side by side.

`measure` writes all files and runs them; `render` makes Markdown of the result.
"""

from ._measure import RUNTIMES, Report, measure
from ._table import circumstances, render
from ._twin import twin_scores, write_twin

__all__ = [
    "RUNTIMES",
    "Report",
    "circumstances",
    "measure",
    "render",
    "twin_scores",
    "write_twin",
]
