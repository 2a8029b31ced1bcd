"""`Program`: the deployable network, frozen and free of Keras.

`ProxyModel -> Program -> (transforms: Program -> Program) -> writer -> check in a real runtime`.
Only `from_model` knows Keras; everything after needs NumPy alone.
"""

import json
import math
import zipfile
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Conv", "Dense", "Flatten", "Pool", "Program", "from_model", "load", "same_padding"]


@dataclass(frozen=True, eq=False)
class Conv:
    """Convolution into IF neurons.

    Attributes:
        name: Unique name.
        kernel: Weights `(kernel height, kernel width, input channels, filters)`.
        bias: Current added at every step, `(filters,)`, or `None`.
        v_threshold: Threshold, a number, or one for each filter `(filters,)`.
        reset: `"zero"` or `"subtract"`.
        strides: `(vertical, horizontal)`, in pixels.
        padding: `"same"` or `"valid"`.
        dilation: `(vertical, horizontal)`.
    """

    name: str
    kernel: np.ndarray
    bias: np.ndarray | None
    v_threshold: Any
    reset: str
    strides: tuple[int, int] = (1, 1)
    padding: str = "same"
    dilation: tuple[int, int] = (1, 1)


@dataclass(frozen=True, eq=False)
class Dense:
    """Fully connected IF neurons; attributes as in `Conv`, kernel `(features, units)`."""

    name: str
    kernel: np.ndarray
    bias: np.ndarray | None
    v_threshold: Any
    reset: str


@dataclass(frozen=True)
class Pool:
    """Spike pooling: the OR of each window."""

    name: str
    size: tuple[int, int]
    strides: tuple[int, int]
    padding: str = "valid"


@dataclass(frozen=True)
class Flatten:
    """Maps to a vector, in row-major order of (height, width, channels)."""

    name: str


Layer = Conv | Dense | Pool | Flatten


@dataclass(frozen=True, eq=False)
class Program:
    """A spiking network as data.

    An image is multiplied by `input_scale` (and rounded in an integer program), flows as a
    constant current into the first layer for `time_steps` steps, and the spikes of the last
    layer are counted.

    Attributes:
        layers: In order; the last is the readout, a `Dense`.
        input_shape: `(height, width, channels)` of an image.
        time_steps: Number T of time steps.
        number_format: `"float32"`; or `"int8"`: kernels are int8, biases, thresholds and
            potentials are integers.
        input_scale: Factor from pixels in [0, 1] to the network's input.
        metadata: Facts about the net, strings to JSON values: spec, accuracy, version ...
    """

    layers: tuple[Layer, ...]
    input_shape: tuple[int, int, int]
    time_steps: int
    number_format: str = "float32"
    input_scale: float = 1.0
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def neurons(self) -> tuple[Conv | Dense, ...]:
        """Layers with IF neurons, in order: those that have a membrane potential."""
        return tuple(layer for layer in self.layers if isinstance(layer, Conv | Dense))

    @property
    def is_integer(self) -> bool:
        """Whether all arithmetic is on integers."""
        return self.number_format != "float32"

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each layer's output, without batch."""
        shape: tuple[int, ...] = self.input_shape
        shapes = []
        for layer in self.layers:
            shape = _output_shape(layer, shape)
            shapes.append(shape)
        return tuple(shapes)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of the potentials of each layer of `neurons`, without batch."""
        pairs = zip(self.layers, self.shapes(), strict=True)
        return tuple(shape for layer, shape in pairs if isinstance(layer, Conv | Dense))

    def with_time_steps(self, time_steps: int) -> "Program":
        """The same network run for another number of steps.

        Raises:
            ValueError: If it is not a positive integer.
        """
        if not isinstance(time_steps, int) or isinstance(time_steps, bool) or time_steps < 1:
            raise ValueError(f"`time_steps` must be a positive integer. Received: {time_steps!r}.")
        return replace(self, time_steps=time_steps)

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the program to one file, a zip of a JSON description and NumPy arrays.

        Raises:
            FileExistsError: If the file exists and `overwrite` is false.
        """
        path = Path(path)
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} exists; pass overwrite=True to replace it.")
        arrays: dict[str, np.ndarray] = {}
        layers = []
        for index, layer in enumerate(self.layers):
            entry: dict[str, Any] = {"type": type(layer).__name__}
            for key, value in vars(layer).items():
                if isinstance(value, np.ndarray):
                    arrays[f"{index}.{key}"] = value
                    value = {"array": f"{index}.{key}"}
                entry[key] = value
            layers.append(entry)
        head = {
            "format": "keras_proxy_snn program",
            "version": 1,
            **{k: v for k, v in vars(self).items() if k != "layers"},
            "layers": layers,
        }
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("program.json", json.dumps(head, indent=1))
            for name, array in arrays.items():
                buffer = BytesIO()
                np.save(buffer, array, allow_pickle=False)
                file.writestr(f"{name}.npy", buffer.getvalue())


def load(path: str | Path) -> Program:
    """Read a program that `Program.save` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a program.
    """
    kinds = {kind.__name__: kind for kind in (Conv, Dense, Pool, Flatten)}
    try:
        with zipfile.ZipFile(path) as file:
            head = json.loads(file.read("program.json"))
            layers = []
            for entry in head.pop("layers"):
                kind = kinds[entry.pop("type")]
                for key, value in entry.items():
                    if isinstance(value, dict):
                        data = BytesIO(file.read(f"{value['array']}.npy"))
                        entry[key] = np.load(data, allow_pickle=False)
                    elif isinstance(value, list):
                        entry[key] = tuple(value)
                layers.append(kind(**entry))
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"A program file is expected. Received: {path} ({error}).") from error
    if head.pop("format", None) != "keras_proxy_snn program" or head.pop("version", None) != 1:
        raise ValueError(f"A program file of version 1 is expected. Received: {path}.")
    head["input_shape"] = tuple(head["input_shape"])
    return Program(layers=tuple(layers), **head)


def from_model(model: Any, **metadata: Any) -> Program:
    """Make the program of a `ProxyModel`, batch normalisation folded.

    Args:
        model: A `keras_proxy_snn.ProxyModel` from any backend.
        **metadata: Facts to keep with the program, such as `accuracy`.

    Returns:
        A float32 `Program`.

    Raises:
        ValueError: If it is not a `ProxyModel`.
    """
    from .. import layers as kps_layers
    from .._version import __version__
    from ..model import ProxyModel

    if not isinstance(model, ProxyModel):
        raise ValueError(f"A ProxyModel can be exported. Received: {model!r}.")
    layers: list[Layer] = []
    for stage in model.snn.stages:
        if isinstance(stage, kps_layers.SpikePool2D):
            window = stage.get_config()
            layers.append(
                Pool(
                    stage.name,
                    tuple(window["pool_size"]),
                    tuple(window["strides"]),
                    window["padding"],
                )
            )
        elif isinstance(stage, kps_layers.SpikeFlatten):
            layers.append(Flatten(stage.name))
        else:
            layers.append(_neurons(stage))
    if isinstance(layers[0], Dense):
        layers.insert(0, Flatten("flatten_image"))
    facts = {"spec": _spec(layers), "keras_proxy_snn": __version__, **metadata}
    height, width, channels = model.snn.image_shape
    shape = (height, width, channels)
    return Program(tuple(layers), shape, model.time_steps, metadata=facts)


def _neurons(stage: Any) -> Conv | Dense:
    from keras import ops

    from ..layers import IFConv2D

    kernel, bias = (
        None if w is None else np.asarray(ops.convert_to_numpy(w), "float32")
        for w in stage.synaptic_weights()
    )
    assert kernel is not None  # only a bias can be missing
    if not isinstance(stage, IFConv2D):
        return Dense(stage.twin.name, kernel, bias, stage.v_threshold, stage.reset)
    twin = stage.twin
    return Conv(
        twin.name,
        kernel,
        bias,
        stage.v_threshold,
        stage.reset,
        tuple(twin.strides),
        twin.padding,
        tuple(twin.dilation_rate),
    )


def _spec(layers: list[Layer]) -> str:
    tokens = []
    for layer in layers:
        if isinstance(layer, Conv):
            tokens.append(f"{layer.kernel.shape[-1]}C{layer.kernel.shape[0]}")
        elif isinstance(layer, Pool):
            tokens.append(f"P{layer.size[0]}")
        elif isinstance(layer, Dense):
            tokens.append(f"{layer.kernel.shape[-1]}F")
    return "-".join(tokens)


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Pixels added before and after one axis by padding `"same"`, as TensorFlow defines it."""
    span = (kernel - 1) * dilation + 1
    total = max(0, (math.ceil(size / stride) - 1) * stride + span - size)
    return total // 2, total - total // 2


def _output_shape(layer: Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(layer, Flatten):
        return (math.prod(shape),)
    if isinstance(layer, Dense):
        return (layer.kernel.shape[-1],)
    if isinstance(layer, Conv):
        spans = [
            (k - 1) * d + 1 for k, d in zip(layer.kernel.shape[:2], layer.dilation, strict=True)
        ]
        channels = layer.kernel.shape[-1]
    else:
        spans, channels = list(layer.size), shape[-1]
    sizes = [
        math.ceil(size / stride) if layer.padding == "same" else (size - span) // stride + 1
        for size, span, stride in zip(shape[:2], spans, layer.strides, strict=True)
    ]
    return (*sizes, channels)
