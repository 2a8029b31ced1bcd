"""`draw`: a small random network and images, from a seed alone.

With dyadic weights no float32 sum is ever rounded. Pixels are multiples of 1/16, weights and
biases multiples of 1/256, and sums stay below 2^24 of their units. So the order of additions
cannot matter, and every runtime must give the very same counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..export.layers import Conv, Dense, Flatten, Layer, Pool, Shortcut
from ..export.program import Program
from .report import WEIGHTS

__all__ = ["Network", "draw"]

_IMAGES = 6


@dataclass(frozen=True, eq=False)
class Network:
    """A random network.

    Attributes:
        seed: Number that it was drawn from.
        program: The network as data. Average pooling is a sum of spikes, and the next weights hold
            its factor.
        v_0: Potential before the first step, as a fraction of the threshold.
        learned: Whether the hidden layers' thresholds are weights, see `layers.LearnedThreshold`.
        images: `(6, height, width, channels)`, float32, in [0, 1].
        bits: Number of bits of the weights of its integer form.
    """

    seed: int
    program: Program
    v_0: float
    learned: bool
    images: np.ndarray
    bits: int


def draw(seed: int, weights: str = "dyadic") -> Network:
    """A random network; the same seed always gives the same network.

    The networks are specs and residual CNNs, with both resets, both readouts, maximum and average
    pooling, learned thresholds, biases, one to five layers, and 3 to 8 time steps.

    Args:
        seed: Any number from 0 on.
        weights: `"dyadic"`: every sum is exact. `"float"`: normally distributed; the readout is
            by counts.

    Returns:
        A `Network`.

    Example:

    >>> from keras_proxy_snn.verification.networks import draw
    >>> draw(3).program.metadata["spec"] == draw(3).program.metadata["spec"]
    True
    """
    rng = np.random.default_rng([seed, WEIGHTS.index(weights)])
    pick = rng.choice
    exact = weights == "dyadic"
    residual, learned = bool(rng.random() < 0.25), bool(rng.random() < 0.25)
    reset = (
        "zero" if learned and not residual and exact else str(pick(["zero", "zero", "subtract"]))
    )
    kernels = _dyadic(rng) if exact else _normal(rng)
    v_0 = float(pick([0.0, 0.5]))
    shape = (int(rng.integers(6, 10)), int(rng.integers(6, 10)), int(rng.integers(1, 4)))
    pooling = str(pick(["or", "sum"]))
    design = _Design(rng, kernels, reset, v_0, learned and not residual, pooling)
    layers = design.residual(shape) if residual else design.chain(shape)
    potential = exact and rng.random() < 0.3
    program = Program(
        layers,
        shape,
        int(rng.integers(3, 9)),
        metadata={"spec": design.spec},
        readout="potential" if potential else "counts",
    )
    pixels = rng.integers(0, 17, (_IMAGES, *shape)) / 16 if exact else rng.random((_IMAGES, *shape))
    images = pixels.astype("float32")
    return Network(seed, program, v_0, design.learned, images, int(pick([8, 8, 8, 4, 3])))


class _Design:
    """Adds random layers; `spec` describes the layers so far."""

    def __init__(
        self,
        rng: np.random.Generator,
        kernels: Callable[..., np.ndarray],
        reset: str,
        v_0: float,
        learned: bool,
        pooling: str,
    ):
        self.rng, self.kernels, self.reset, self.v_0 = rng, kernels, reset, v_0
        self.learned, self.pooling = learned, pooling
        self.bias = bool(rng.random() < 0.5)
        self.layers: list[Layer] = []
        self.tokens: list[str] = []

    @property
    def spec(self) -> str:
        return "-".join(self.tokens)

    def chain(self, shape: tuple[int, int, int]) -> tuple[Layer, ...]:
        """Layers that a spec names."""
        for _ in range(self.rng.integers(0, 4)):
            shape = self.convolve(shape, int(self.rng.choice([4, 6, 16])))
            if min(shape[:2]) >= 4 and self.rng.random() < 0.6:
                shape = self.pool(shape, self.pooling)
        return self.head(shape)

    def residual(self, shape: tuple[int, int, int]) -> tuple[Layer, ...]:
        """One or two blocks whose input is added to the currents of their last layer."""
        maps = int(self.rng.choice([4, 16]))
        shape = self.convolve(shape, maps)
        # Averages are not spikes, so a block cannot begin with them.
        for pooling in ("or", self.pooling)[-self.rng.integers(1, 3) :]:
            source = self.layers[-1].name
            shape = self.convolve(self.convolve(shape, maps), maps, source)
            if self.rng.random() < 0.5:
                shape = self.pool(shape, pooling)
        return self.head(shape)

    def convolve(
        self, shape: tuple[int, int, int], maps: int, source: str | None = None
    ) -> tuple[int, int, int]:
        size = int(self.rng.choice([1, 2, 3, 3, 5]))
        eye = np.eye(maps, dtype="float32")[None, None]
        shortcuts = () if source is None else (Shortcut(source, eye),)
        name = f"conv{sum(isinstance(layer, Conv) for layer in self.layers) + 1}"
        neurons = self.neurons((size, size, shape[2], maps))
        self.layers.append(Conv(name, **neurons, shortcuts=shortcuts))
        self.tokens.append(f"{maps}C{size}" + "+" * len(shortcuts))
        return (*shape[:2], maps)

    def pool(self, shape: tuple[int, int, int], kind: str) -> tuple[int, int, int]:
        name = f"pool{sum(isinstance(layer, Pool) for layer in self.layers) + 1}"
        self.layers.append(Pool(name, (2, 2), (2, 2), "valid", kind))
        self.tokens.append("P2")
        return (shape[0] // 2, shape[1] // 2, shape[2])

    def head(self, shape: tuple[int, int, int]) -> tuple[Layer, ...]:
        """Fully connected layers."""
        features = shape[0] * shape[1] * shape[2]
        self.layers.append(Flatten("flatten"))
        if self.rng.random() < 0.5:
            units = int(self.rng.choice([10, 16, 32]))
            self.layers.append(Dense("dense1", **self.neurons((features, units))))
            self.tokens.append(f"{units}F")
            features = units
        classes = int(self.rng.integers(3, 9))
        self.layers.append(Dense("readout", **self.neurons((features, classes), readout=True)))
        self.tokens.append(f"{classes}F")
        return tuple(self.layers)

    def neurons(self, shape: tuple[int, ...], readout: bool = False) -> dict[str, Any]:
        kernel = self.kernels(shape)
        before = [layer for layer in self.layers if not isinstance(layer, Flatten)][-1:]
        if before and isinstance(before[0], Pool) and before[0].kind == "sum":
            kernel = kernel / np.float32(4)
        # A readout by potential divides by its threshold. Division by a power of two is exact.
        theta = float(self.rng.choice([0.5, 1.0] if readout else [0.5, 0.75, 1.0, 1.5]))
        if self.learned and not readout:
            # A learned threshold is an exponential, and each backend rounds it in its own way. So
            # it lies between multiples of 1/4096, the unit of all potentials of dyadic networks,
            # where no rounding decides a spike.
            theta = float(np.exp(np.float32(np.log(theta + 0.5 / 4096))))
        bias = self.kernels((64, shape[-1]))[0] if self.bias else None
        return {
            "kernel": kernel,
            "bias": bias,
            "v_threshold": theta,
            "reset": self.reset,
            "v_0": self.v_0 * theta,
        }


def _dyadic(rng: np.random.Generator) -> Callable[..., np.ndarray]:
    """Multiples of 1/256 in [-3/8, 1/2); most are zero in large kernels, where sums are long."""

    def kernel(shape: tuple[int, ...]) -> np.ndarray:
        values = rng.integers(-96, 128, shape).astype("float32") / 256
        fan_in = int(np.prod(shape[:-1]))
        return values * (rng.random(shape) < min(1.0, 64 / fan_in)).astype("float32")

    return kernel


def _normal(rng: np.random.Generator) -> Callable[..., np.ndarray]:
    """He's normal initializer, with a mean a little above zero."""

    def kernel(shape: tuple[int, ...]) -> np.ndarray:
        fan_in = int(np.prod(shape[:-1]))
        values = rng.normal(0.2 / fan_in**0.5, (2 / fan_in) ** 0.5, shape)
        return values.astype("float32")

    return kernel
