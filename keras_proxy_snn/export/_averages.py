"""Average pooling as a part of the weights that follow it."""

from dataclasses import dataclass, replace

import keras
import numpy as np

from .layers import Shortcut, same_padding

__all__ = ["AverageWindows"]


@dataclass(frozen=True)
class AverageWindows:
    """Averages over windows side by side, of maps that a layer with weights reads next.

    That layer is linear, so it can average too: each of its weights is repeated for the n pixels of
    a window and divided by n,

        sum_i w_i (1/n sum_p x_ip) = sum_i sum_p (w_i / n) x_ip

    A convolution then has a larger kernel, and the windows' size as a stride.

    Attributes:
        size: `(vertical, horizontal)` of a window, in pixels.
        maps_shape: `(height, width, channels)` of what is averaged.
    """

    size: tuple[int, int]
    maps_shape: tuple[int, int, int]

    @classmethod
    def of(
        cls, layer: keras.layers.AveragePooling2D, maps_shape: tuple[int, int, int]
    ) -> "AverageWindows | None":
        """Those of a layer; `None` if its windows overlap, leave gaps or are cut off at an edge."""
        size = (layer.pool_size[0], layer.pool_size[1])
        cut = any(n % s for n, s in zip(maps_shape[:2], size, strict=True))
        if tuple(layer.strides) != size or (layer.padding == "same" and cut):
            return None
        return cls(size, maps_shape)

    def then(self, other: "AverageWindows") -> "AverageWindows":
        """Both, one after the other: averages of averages."""
        vertical, horizontal = (a * b for a, b in zip(self.size, other.size, strict=True))
        return AverageWindows((vertical, horizontal), self.maps_shape)

    def fit_into(self, convolution: keras.layers.Layer) -> bool:
        """Whether a convolution of the averages can be one of the maps."""
        if any(d > 1 for d in convolution.dilation_rate):
            return False
        if convolution.padding == "valid":
            return True
        # Pixels added before the averages, times the size, must be those before the maps.
        for n, size, k, stride in zip(
            self.maps_shape[:2],
            self.size,
            convolution.kernel_size,
            convolution.strides,
            strict=True,
        ):
            before, after = same_padding(n // size, k, stride, 1)
            if n % size or before != after:
                return False
        return True

    def into_convolution(self, term: Shortcut) -> Shortcut:
        """A convolution of the averages that `fit_into` says yes to, as one of the maps."""
        vertical, horizontal = (s * n for s, n in zip(term.strides, self.size, strict=True))
        return replace(term, kernel=self._spread(term.kernel), strides=(vertical, horizontal))

    def into_dense(self, kernel: np.ndarray) -> np.ndarray:
        """Kernel `(features, units)` of the flattened averages as one of the flattened maps."""
        (rows, columns, maps), units = self.maps_shape, kernel.shape[-1]
        vertical, horizontal = self.size
        shape = (rows // vertical, columns // horizontal, maps, units)
        large = self._spread(kernel.reshape(shape))
        # Rows and columns that fill no window are not pooled.
        rest = [(0, rows - large.shape[0]), (0, columns - large.shape[1]), (0, 0), (0, 0)]
        return np.pad(large, rest).reshape(-1, units)

    def _spread(self, kernel: np.ndarray) -> np.ndarray:
        vertical, horizontal = self.size
        large = kernel.repeat(vertical, axis=0).repeat(horizontal, axis=1)
        return large / np.float32(vertical * horizontal)
