"""A figure that a notebook shows. This file alone imports matplotlib when it is imported."""

import io

from matplotlib.figure import Figure

__all__ = ["ShownFigure"]


class ShownFigure(Figure):
    """A figure outside of pyplot, which nobody has to close, and which notebooks show.

    Jupyter knows how to show matplotlib's own figures only after pyplot was imported.
    """

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()
