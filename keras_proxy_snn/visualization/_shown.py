"""A figure that a notebook shows. This file alone imports matplotlib when it is imported."""

import io

from matplotlib.figure import Figure

__all__ = ["ShownFigure"]


class ShownFigure(Figure):
    """A figure outside of pyplot, which nobody has to close, and which notebooks show.

    Jupyter knows how to show matplotlib's own figures only after pyplot was imported.
    """

    def show(self, warn: bool = True) -> None:
        """Refuse: there is no window. matplotlib's own error would speak of pyplot."""
        raise RuntimeError(
            "These figures open no window. Write one with `savefig`, or let it be the last line of "
            "a notebook's cell. Received: a call of `show`."
        )

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()
