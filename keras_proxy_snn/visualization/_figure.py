"""What the pictures share: the figure, the colours, and the check of the image."""

from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "OKABE_ITO",
    "VERMILLION",
    "WIDTH",
    "check_positive",
    "draw_image",
    "new_figure",
    "one_image",
]

WIDTH = 7.5
"""Width of a figure in inches: 900 pixels."""
_DPI = 120

# Okabe and Ito, "Color Universal Design": told apart with any kind of colour blindness. Its
# yellow is left out, too pale for a line on white.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
BLUE, VERMILLION = OKABE_ITO[:2]


def new_figure(height: float, width: float = WIDTH, layout: str | None = "constrained") -> "Figure":
    """An empty figure that pyplot does not know of, so nothing has to be closed.

    Args:
        height: In inches.
        width: In inches.
        layout: Layout engine of matplotlib.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("Pictures need matplotlib: pip install keras-proxy-snn[viz]") from error
    return Figure(figsize=(width, height), dpi=_DPI, layout=layout)  # type: ignore[arg-type]


def one_image(image: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A batch with one image, float32, from an image or from a batch with one image.

    Raises:
        ValueError: If it is neither.
    """
    pixels = np.asarray(ops.convert_to_numpy(image))
    if pixels.shape not in (shape, (1, *shape)):
        raise ValueError(
            f"`image` must be one image of shape {shape} or a batch of exactly one, "
            f"{(1, *shape)}. Received: shape {pixels.shape}."
        )
    return pixels.astype("float32").reshape(1, *shape)


def check_positive(argument: str, value: Any) -> None:
    """Raise a `ValueError` unless the value is a positive integer."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{argument}` must be a positive integer. Received: {value!r}.")


def draw_image(axes: "Axes", image: np.ndarray) -> None:
    """Show `(height, width, channels)`, stretched from black to white.

    Three channels are taken as RGB; of any other number the mean is shown.
    """
    colour = image.shape[-1] == 3
    pixels = image if colour else image.mean(axis=-1)
    span = float(np.ptp(pixels)) or 1.0
    axes.imshow(
        (pixels - pixels.min()) / span, cmap="gray", vmin=0, vmax=1, interpolation="nearest"
    )
    axes.set_xticks([])
    axes.set_yticks([])
