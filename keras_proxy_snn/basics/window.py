"""`Window`: the window that a convolution or a pooling moves over maps, and its padding."""

from typing import NamedTuple

import numpy as np

__all__ = ["Padding", "Window"]

#: `"same"`, `"valid"`, or zeros before and after the maps: `((top, bottom), (left, right))`.
Padding = str | tuple[tuple[int, int], tuple[int, int]]


class Window(NamedTuple):
    """A window that moves over maps `(height, width, ...)`. Each pair is `(vertical, horizontal)`.

    Padding `"same"` gives ceil(size / stride) windows along an axis, as TensorFlow defines it. The
    zeros are split evenly before and after the map; if their number is odd, one more stands after.

    Attributes:
        size: Taps of the window, in pixels.
        strides: Pixels between a window and the next one.
        padding: `"same"`, `"valid"`, or numbers of zeros: `((top, bottom), (left, right))`.
        dilation: Pixels between a tap and the next one.

    Example:

    >>> from keras_proxy_snn.basics.window import Window
    >>> window = Window((3, 3), strides=(2, 2), padding="same")
    >>> window.pads((4, 5)), window.counts((4, 5))
    (((0, 1), (1, 1)), (2, 3))
    >>> window.coverage((4, 5)).tolist()[0]
    [1, 2, 1, 2, 1]
    """

    size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: Padding = "valid"
    dilation: tuple[int, int] = (1, 1)

    @property
    def spans(self) -> tuple[int, int]:
        """Pixels from the first to the last tap, both included."""
        rows, columns = zip(self.size, self.dilation, strict=True)
        return _span(*rows), _span(*columns)

    def counts(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Numbers of windows, which are height and width of the output, for a shape of maps."""
        rows, columns = zip(shape[:2], self.spans, self.strides, self.pads(shape), strict=True)
        return _count(*rows), _count(*columns)

    def pads(self, shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Pixels that padding adds: before and after the rows, before and after the columns."""
        if isinstance(self.padding, tuple):
            return self.padding
        if self.padding == "valid":
            return (0, 0), (0, 0)
        rows, columns = zip(shape[:2], self.spans, self.strides, strict=True)
        return _same(*rows), _same(*columns)

    def coverage(self, shape: tuple[int, ...]) -> np.ndarray:
        """Number of windows that contain each pixel, `(height, width)`; padding has no pixels."""
        along = [
            self._places(length, taps, stride, dilation, count, before)
            for length, taps, stride, dilation, count, (before, _) in zip(
                *(shape[:2], self.size, self.strides, self.dilation),
                *(self.counts(shape), self.pads(shape)),
                strict=True,
            )
        ]
        return np.multiply.outer(*along)

    @staticmethod
    def _places(
        length: int, taps: int, stride: int, dilation: int, count: int, before: int
    ) -> np.ndarray:
        """Number of windows that contain each place along an axis."""
        places = stride * np.arange(count)[:, None] + dilation * np.arange(taps) - before
        return np.bincount(places[(places >= 0) & (places < length)], minlength=length)


def _span(taps: int, dilation: int) -> int:
    return (taps - 1) * dilation + 1


def _count(length: int, span: int, stride: int, pads: tuple[int, int]) -> int:
    return (length + sum(pads) - span) // stride + 1


def _same(length: int, span: int, stride: int) -> tuple[int, int]:
    windows = -(-length // stride)
    total = max(0, (windows - 1) * stride + span - length)
    return total // 2, total - total // 2
