"""`Program`: a spiking network as frozen data, without Keras.

`ProxyModel -> Program -> (transforms: Program -> Program) -> writer -> check in a real runtime`.
Only the folders `frontend` and `converters` import Keras; writers and interpreter do not.
"""

import math
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from ..basics.archives import UNREADABLE
from ..basics.checks import check_choice, check_flag, positive_integer
from ..basics.files import check_target
from ..basics.labels import checked_names
from ..neurons.neuron import READOUTS
from .layers import (
    Conv,
    Dense,
    Flatten,
    Layer,
    Pool,
    Shortcut,
    output_shape,
    weights_after_sums,
    with_shortcuts,
)
from .program_file import read_archive, write_archive
from .validity import check_program

__all__ = [
    "Conv",
    "Dense",
    "Flatten",
    "Layer",
    "Pool",
    "Program",
    "Shortcut",
    "load",
    "weights_after_sums",
    "with_shortcuts",
]

# Networks answer within some hundred steps; a file that states more than these would not end.
MOST_STEPS = 2**20


@dataclass(frozen=True, eq=False)
class Program:
    """A spiking network as data.

    An image is multiplied by `input_scale`, and rounded in an integer program. It is a constant
    input of the first layer for `time_steps` steps. The spikes of the last layer are counted. Each
    layer reads the layer before it; shortcuts of a `Conv` read spikes of earlier layers.

    Attributes:
        layers: Layers in order. The last layer is the readout, a `Dense`.
        input_shape: `(height, width, channels)` of an image.
        time_steps: Number T of time steps, at most 2**20.
        number_format: `"float32"`, or `"int8"`: kernels are int8; biases, thresholds and
            potentials are integers.
        input_scale: Factor from pixels, which are in `input_range`, to the network's input.
        metadata: Facts about the network, strings to JSON values: spec, accuracy, version ...
        readout: `"counts"` or `"potential"`: the quantity that decides the class, see `scores`.

    Raises:
        ValueError: If `readout` or `time_steps` is out of range, a shortcut does not fit, or an OR
            reads sums.
    """

    layers: tuple[Layer, ...]
    input_shape: tuple[int, int, int]
    time_steps: int
    number_format: str = "float32"
    input_scale: float = 1.0
    metadata: dict[str, Any] = field(default_factory=dict)
    readout: str = "counts"

    def __post_init__(self) -> None:
        check_choice("readout", self.readout, READOUTS)
        steps = positive_integer("time_steps", self.time_steps, MOST_STEPS)
        object.__setattr__(self, "time_steps", steps)  # an `int`, as JSON needs
        self._check_sums()
        if self.sources:
            self._check_shortcuts()

    def _check_sums(self) -> None:
        summed = None
        for layer in self.layers:
            if isinstance(layer, Conv | Dense):
                summed = None
            elif isinstance(layer, Pool) and layer.kind == "sum":
                summed = layer.name
            elif isinstance(layer, Pool) and summed:
                raise ValueError(
                    "A sum of spikes must be followed by weights, not by an OR of spikes. "
                    f"Received: pooling {layer.name!r} after {summed!r}."
                )

    def _check_shortcuts(self) -> None:
        spikes: dict[str, tuple[int, ...]] = {}
        for layer, shape in zip(self.layers, self.shapes(), strict=True):
            for shortcut in layer.shortcuts if isinstance(layer, Conv) else ():
                source = spikes.get(shortcut.source)
                if source is None or output_shape(shortcut, source) != shape:
                    raise ValueError(
                        "A shortcut must read spikes of a layer before its own and give currents "
                        f"of its layer's shape. Received: in layer {layer.name!r}, of shape "
                        f"{shape}, a shortcut from {shortcut.source!r}, of shape {source}."
                    )
            if isinstance(layer, Pool) and layer.kind == "sum":
                continue
            if spikes or isinstance(layer, Conv | Dense):
                spikes[layer.name] = shape

    @property
    def sources(self) -> frozenset[str]:
        """Names of the layers whose spikes are read by shortcuts."""
        return frozenset(shortcut.source for layer in self.neurons for shortcut in layer.shortcuts)

    def check_is_chain(self, what: str) -> None:
        """Raise an error if the program has shortcuts.

        Raises:
            ValueError: If a layer has shortcuts; the error names the first one.
        """
        for layer in self.neurons:
            if layer.shortcuts:
                raise ValueError(
                    f"{what} needs a network that is a chain, without residual sums. Files for "
                    "ONNX, LiteRT and C can have residual sums. Received: layer "
                    f"{layer.name!r}, which reads spikes of {layer.shortcuts[0].source!r} and of "
                    "the layer before it."
                )

    @property
    def neurons(self) -> tuple[Conv | Dense, ...]:
        """Layers with IF neurons, and so with membrane potentials, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, Conv | Dense))

    @property
    def input_range(self) -> tuple[float, float]:
        """Pixel values of black and white, from the metadata; `(0, 1)` if they hold no such fact.

        Raises:
            ValueError: If the fact is not a pair of finite numbers in rising order.
        """
        value = self.metadata.get("input_range", (0.0, 1.0))
        try:
            black, white = value
            fits = all(isinstance(end, Real) and not isinstance(end, bool) for end in value)
            black, white = float(black), float(white)
            fits = fits and -math.inf < black < white < math.inf
        except (TypeError, ValueError, OverflowError):
            fits = False
        if not fits:
            raise ValueError(
                "`input_range` of a program must be two finite numbers, the lower one first. "
                f"Received: {value!r}."
            )
        return black, white

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes, from the metadata; `None` if they hold none.

        Raises:
            ValueError: If the fact is not a different text per class.
        """
        names = self.metadata.get("class_names")
        return None if names is None else checked_names(names, self.shapes()[-1][0])

    @property
    def largest_input(self) -> float:
        """The network's input for a white pixel: white times `input_scale`."""
        return self.input_range[1] * self.input_scale

    @property
    def is_integer(self) -> bool:
        """Whether all arithmetic is on integers."""
        return self.number_format != "float32"

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each layer's output, without batch."""
        shape: tuple[int, ...] = self.input_shape
        shapes = []
        for layer in self.layers:
            shape = output_shape(layer, shape)
            shapes.append(shape)
        return tuple(shapes)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of the potentials of each layer of `neurons`, without batch."""
        pairs = zip(self.layers, self.shapes(), strict=True)
        return tuple(shape for layer, shape in pairs if isinstance(layer, Conv | Dense))

    @property
    def weight_bits(self) -> int | None:
        """Number of bits, 2 to 8, of the largest weight of an integer network, with its sign.

        `None` for a float network.
        """
        if not self.is_integer:
            return None
        sizes = (np.abs(layer.weights.astype("int64")) for layer in self.neurons)
        return min(int(max(size.max(initial=1) for size in sizes)).bit_length() + 1, 8)

    @property
    def readout_state(self) -> str:
        """Name of the file's input for the readout's potentials; the output adds `_out`."""
        return f"v_{self.neurons[-1].name}"

    def scores(self, spike_counts: np.ndarray, potentials: np.ndarray | None) -> np.ndarray:
        """Scores of the classes; the highest score decides. `ProxyModel` gives the same scores.

        Args:
            spike_counts: Spike counts of the readout, `(batch, classes)`.
            potentials: Potentials of the readout after the last step, counted from `v_0`,
                `(batch, classes)`. Not needed if `readout="counts"`.

        Returns:
            The spike counts. With `readout="potential"`: counts + v / v_threshold with
            v = potentials + v_0, in spikes, float64.

        Raises:
            ValueError: If potentials are needed and not given.

        Example:

        >>> import numpy as np
        >>> from keras_proxy_snn.export.program import Dense, Flatten, Program
        >>> layer = Dense("readout", np.ones((1, 1), "float32"), None, 4.0, "subtract", v_0=2.0)
        >>> program = Program((Flatten("flatten"), layer), (1, 1, 1), 3, readout="potential")
        >>> program.scores(np.array([[2]]), np.array([[-1.0]])).tolist()
        [[2.25]]
        """
        if self.readout == "counts":
            return spike_counts
        if potentials is None:
            raise ValueError(
                "With readout='potential', scores need `potentials`. Received: potentials=None."
            )
        layer = self.neurons[-1]
        return spike_counts + (np.asarray(potentials, "float64") + layer.v_0) / layer.v_threshold

    def with_time_steps(self, time_steps: int) -> "Program":
        """The same network with another number of time steps.

        Raises:
            ValueError: If `time_steps` is not a positive integer, at most 2**20.
        """
        return replace(self, time_steps=time_steps)

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the program to one file: a zip archive of a JSON description and NumPy arrays.

        Raises:
            FileExistsError: If the file exists and `overwrite` is false.
            OSError: If `path` is a folder, or its folder does not exist.
            TypeError: If `overwrite` is not True or False.
        """
        check_target(path, check_flag("overwrite", overwrite))
        facts = {name: value for name, value in vars(self).items() if name != "layers"}
        write_archive(path, facts, self.layers)


def load(path: str | Path) -> Program:
    """Read a program that `Program.save` wrote.

    Raises:
        OSError: If there is no such file, or the file cannot be opened.
        ValueError: If the file is not a program that can run, see
            `keras_proxy_snn.export.validity.check_program`.

    Example:

    >>> import pathlib, tempfile
    >>> import keras_proxy_snn
    >>> from keras_proxy_snn.export import from_model, load
    >>> model = keras_proxy_snn.build("2C3-P2-3F", input_shape=(4, 4, 1), time_steps=2)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "net.kps"
    >>> from_model(model).save(path)
    >>> load(path).time_steps
    2
    """
    if not Path(path).is_file():  # a pipe would never end
        raise FileNotFoundError(f"There is no file {path}.")
    with open(path, "rb") as stream:
        try:
            facts, layers = read_archive(stream)
            facts["input_shape"] = tuple(facts["input_shape"])
            return check_program(Program(layers=layers, **facts))
        except (OSError, *UNREADABLE) as error:  # an OSError: a place that no file can have
            raise ValueError(
                f"A program file of version 1 is expected. Received: {path} ({error})."
            ) from error
