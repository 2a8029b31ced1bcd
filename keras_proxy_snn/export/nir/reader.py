"""`read`: read a NIR file as a `Program`."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..._archives import UNREADABLE
from ..._window import Padding, Window
from ..program import Conv, Dense, Flatten, Layer, Pool, Program, weights_after_sums
from ..validity import check_program
from .graph_file import chain, open_graph

__all__ = ["read"]


def read(path: str | Path, *, time_steps: int | None = None, dt: float = 1.0) -> Program:
    """Read a NIR file as a program.

    Files of `write` are restored exactly. Files of other tools can be read if their graph is a
    chain of these nodes:

    - `Conv2d` with any padding, `Linear` or `Affine`, each followed by an `IF` with a positive `r`
      and a reset to 0 or below;
    - `SumPool2d` or `AvgPool2d`, alone, or followed by an `IF` that fires at one spike in the
      window;
    - `Flatten`, and one `Scale` at the start.

    A neuron in NIR fires if `v > v_threshold`. This is the same as `v >= level`, where level is the
    next float32 above `v_threshold`. Potentials in NIR start at 0, which is the program's `v_0`.
    After a spike they are `v_reset = -v_0`, which is the program's 0. So the program's threshold is
    `level + v_0`. If all biases of a convolution are zero, its `bias` is `None`.

    Args:
        path: The file.
        time_steps: Number T of time steps; the T in the file's metadata if `None`.
        dt: Length of a time step. A step adds `r dt` times the current to the potential.
            SpikingJelly writes files for `dt=1e-4`, with `r = 1 / dt`. Another factor is divided
            out of threshold and reset, which then are rounded to float32 once.

    Returns:
        A `Program`.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If the `nir` package is missing.
        ValueError: If the file is not a NIR file, T is neither in the file nor given, or a program
            cannot express a node. The error names the node and its type.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, nir
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> readout = Dense("readout", np.ones((4, 3), "float32"), None, 0.5, "zero")
    >>> net = Program((Flatten("flatten"), readout), (2, 2, 1), time_steps=5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nir.write(net, f"{folder}/net.nir")
    ...     same = nir.read(f"{folder}/net.nir", time_steps=8)
    >>> same.time_steps, same.layers[-1].name, same.layers[-1].v_threshold
    (8, 'readout', 0.5)
    """
    try:
        return check_program(_program(path, open_graph(path), time_steps, dt))
    except (AssertionError, *UNREADABLE) as error:
        if isinstance(error, ValueError):
            raise
        raise ValueError(
            f"A NIR file of a spiking CNN is expected. Received: {path} ({error!r})."
        ) from error


def _program(path: str | Path, graph: Any, time_steps: int | None, dt: float) -> Program:
    nodes = chain(graph)
    rest = nodes[1:-1]
    integer = _text(graph.metadata, "number_format") == "int8"
    input_scale = float(graph.metadata.get("input_scale", 1.0)) if integer else _scale(rest)
    layers: list[Layer] = []
    maps: tuple[int, ...] = ()
    averages = set()
    while rest:
        name, node = rest.pop(0)
        kind = type(node).__name__
        if kind == "Flatten":
            maps = _flattened(name, node)
            layers.append(Flatten(name))
        elif kind in _LAYERS:
            if kind in _POOLS and not _has_neurons(layers):
                raise _refused(name, node, "pooling of spikes", "it pools the image")
            if kind in _POOLS and rest and type(rest[0][1]).__name__ != "IF":
                layers.append(_window(name, node, "sum"))
                if kind == "AvgPool2d":
                    averages.add(name)
                continue
            neuron = rest.pop(0) if rest else nodes[-1]
            if type(neuron[1]).__name__ != "IF":
                found = f"{neuron[0]!r} ({type(neuron[1]).__name__})"
                raise _refused(name, node, "IF to follow", found)
            layers.append(_LAYERS[kind](name, node, _Neuron(*neuron, dt), maps))
            maps = ()
        else:
            raise _refused(name, node, f"a node of {(*_LAYERS, 'Flatten')}", "another")
    if not layers or not isinstance(layers[-1], Dense):
        raise _refused(*nodes[-1], "Linear or Affine and IF before the output", "none")
    scaled = weights_after_sums(
        layers, lambda pool: 1.0 / pool.largest if pool.name in averages else 1.0
    )
    steps = graph.metadata.get("time_steps") if time_steps is None else time_steps
    if steps is None:
        raise ValueError(f"{path} does not say the number of time steps: pass `time_steps`.")
    program = Program(
        tuple(_as_integers(layer) for layer in scaled) if integer else scaled,
        _image_shape(*nodes[0]),
        time_steps=1,
        number_format="int8" if integer else "float32",
        input_scale=input_scale,
        metadata=json.loads(_text(graph.metadata, "facts") or "{}"),
    )
    return program.with_time_steps(_whole(steps) if time_steps is None else time_steps)


def _whole(steps: Any) -> Any:
    """T from a file, where it has any of HDF5's integer types; other values are not changed."""
    value = np.asarray(steps)
    return int(value) if value.ndim == 0 and value.dtype.kind in "iu" else steps


def _refused(name: str, node: Any, expected: str, received: str) -> ValueError:
    return ValueError(
        f"A spiking CNN can be read. At node {name!r} ({type(node).__name__}), expected: "
        f"{expected}. Received: {received}."
    )


def _text(metadata: dict[str, Any], key: str) -> str:
    value = metadata.get(key, "")
    return value.decode() if isinstance(value, bytes) else str(value)


def _image_shape(name: str, node: Any) -> tuple[int, int, int]:
    shape = [int(n) for n in node.input_type["input"]]
    if len(shape) != 3:
        raise _refused(name, node, "an image (channels, height, width)", f"shape {shape}")
    return (shape[1], shape[2], shape[0])


def _scale(rest: list[tuple[str, Any]]) -> float:
    """Remove a `Scale` of the whole image from the start of the chain; return its factor."""
    if not rest or type(rest[0][1]).__name__ != "Scale":
        return 1.0
    name, node = rest.pop(0)
    if np.unique(node.scale).size != 1:
        raise _refused(name, node, "one factor for all pixels", "several")
    return float(node.scale.flat[0])


def _flattened(name: str, node: Any) -> tuple[int, ...]:
    """Shape `(height, width, channels)` of the maps that are flattened."""
    channels, *size = (int(n) for n in node.input_type["input"])
    if len(node.output_type["output"]) != 1 or len(size) != 2:
        raise _refused(name, node, "maps made one vector", f"{node.output_type['output']}")
    return (*size, channels)


def _has_neurons(layers: list[Layer]) -> bool:
    return any(isinstance(layer, Conv | Dense) for layer in layers)


class _Neuron:
    """An `IF` node; its threshold and reset are divided by `r dt`, to be sums of currents."""

    def __init__(self, name: str, node: Any, dt: float):
        self.name, self.node = name, node
        factor = np.asarray(node.r, "float64") * dt
        if not (np.isfinite(factor).all() and (factor > 0).all()):
            raise _refused(name, node, "positive finite r", f"{node.r.min():g}")
        if np.allclose(factor, 1.0, rtol=1e-6, atol=0.0):
            factor = np.ones_like(factor)  # `1 / dt` is rounded in the file
        if not (np.isfinite(node.v_reset) & (node.v_reset <= 0)).all():
            raise _refused(name, node, "v_reset of 0 or below", f"{node.v_reset.max():g}")
        self.strict = np.asarray(node.v_threshold, "float64") / factor
        self.v_0 = (0.0 - np.asarray(node.v_reset, "float64")) / factor

    def settings(self) -> dict[str, Any]:
        """`v_threshold` and `v_0`, each a number or a number per filter, and the reset."""
        near = self.strict.astype("float32")
        level = np.where(near > self.strict, near, np.nextafter(near, np.float32(np.inf)))
        if not np.isfinite(level).all() or not (level > 0).all():
            found = f"{self.strict.min():g}"
            raise _refused(self.name, self.node, "positive finite thresholds", found)
        theta = level = _each_filter(self.name, self.node, "threshold", level)
        v_0 = _each_filter(self.name, self.node, "v_reset", self.v_0)
        if np.any(v_0):
            # The sum is in float64, so that no bit of the level is lost.
            theta = np.add(level, v_0, dtype="float64")
            theta = theta if theta.ndim else float(theta)
        return {"v_threshold": theta, "v_0": v_0, "reset": "zero"}


def _each_filter(name: str, node: Any, what: str, values: np.ndarray) -> Any:
    rows = values.reshape(len(values), -1)
    if not (rows == rows[:, :1]).all():
        raise _refused(name, node, f"one {what} for each filter", "several in one map")
    each = rows[:, 0].astype("float32")
    return float(each[0]) if (each == each[0]).all() else each


def _conv(name: str, node: Any, neuron: _Neuron, maps: tuple[int, ...]) -> Conv:
    if int(node.groups) != 1:
        raise _refused(name, node, "groups = 1", f"{node.groups}")
    strides, dilation = _pair(node.stride), _pair(node.dilation)
    kernel = np.asarray(node.weight, "float32").transpose(2, 3, 1, 0)
    padding = _padding(node, kernel.shape[:2], strides, dilation)
    top, left = _pair(node.metadata.get("zero_taps", 0))
    if not kernel[:top].any() and not kernel[:, :left].any():
        kernel = kernel[top:, left:]
    bias = np.asarray(node.bias, "float32")
    return Conv(
        name,
        np.ascontiguousarray(kernel),
        bias if bias.any() else None,
        strides=strides,
        padding=padding,
        dilation=dilation,
        **neuron.settings(),
    )


def _dense(name: str, node: Any, neuron: _Neuron, maps: tuple[int, ...]) -> Dense:
    if node.weight.ndim != 2:
        raise _refused(name, node, "a matrix", f"weights of shape {node.weight.shape}")
    kernel = np.asarray(node.weight, "float32").T
    if maps:
        height, width, channels = maps
        rows = kernel.reshape(channels, height, width, -1)
        kernel = rows.transpose(1, 2, 0, 3).reshape(kernel.shape)
    bias = getattr(node, "bias", None)
    bias = None if bias is None else np.asarray(bias, "float32")
    return Dense(name, np.ascontiguousarray(kernel), bias, **neuron.settings())


def _pool(name: str, node: Any, neuron: _Neuron, maps: tuple[int, ...]) -> Pool:
    pool = _window(name, node, "or")
    one_spike = 1.0 if type(node).__name__ == "SumPool2d" else 1.0 / float(np.prod(pool.size))
    if not ((neuron.strict >= 0) & (neuron.strict < one_spike)).all():
        found = f"{neuron.strict.min():g} to {neuron.strict.max():g}"
        expected = f"thresholds from 0 to below {one_spike:g}"
        raise _refused(neuron.name, neuron.node, expected, found)
    if neuron.v_0.any():
        found = f"{neuron.node.v_reset.min():g}"
        raise _refused(neuron.name, neuron.node, "v_reset = 0", found)
    return pool


def _window(name: str, node: Any, kind: str) -> Pool:
    size, strides = _pair(node.kernel_size), _pair(node.stride)
    padding = _padding(node, size, strides, (1, 1))
    if not isinstance(padding, str):
        maps = tuple(int(n) for n in node.input_type["input"])[1:]
        both = f'0 or {Window(size, strides, "same").pads(maps)} before and after ("same")'
        raise _refused(name, node, f"padding of {both}", f"{_pair(node.padding)}")
    return Pool(name, size, strides, padding, kind)


_POOLS = ("SumPool2d", "AvgPool2d")
_LAYERS: dict[str, Any] = {
    "Conv2d": _conv,
    "Linear": _dense,
    "Affine": _dense,
    **dict.fromkeys(_POOLS, _pool),
}


def _padding(
    node: Any, size: tuple[int, int], strides: tuple[int, int], dilation: tuple[int, int]
) -> Padding:
    """`"same"` or `"valid"`, or else numbers of zeros; if several fit, the one in the metadata."""
    if isinstance(node.padding, str):
        return str(node.padding)
    maps = tuple(int(n) for n in node.input_type["input"])[1:]
    rows, columns = ((n, n) for n in _pair(node.padding))
    choices: dict[str, Padding] = {"valid": "valid", "same": "same", "zeros": (rows, columns)}
    fitting = {
        name: padding
        for name, padding in choices.items()
        if Window(size, strides, padding, dilation).pads(maps) == (rows, columns)
    }
    noted = _text(node.metadata, "padding")
    return fitting.get(noted, next(iter(fitting.values())))


def _pair(value: Any) -> tuple[int, int]:
    vertical, horizontal = (int(n) for n in np.broadcast_to(value, 2))
    return vertical, horizontal


def _as_integers(layer: Layer) -> Layer:
    if not isinstance(layer, Conv | Dense):
        return layer
    values = dict(vars(layer))
    types = {"kernel": "int8", "bias": "int32", "v_threshold": "int32", "v_0": "int32"}
    for key, dtype in types.items():
        if values[key] is not None:
            whole = np.asarray(values[key]).astype(dtype)
            if not np.array_equal(whole, values[key]):
                raise ValueError(
                    f"An integer network must have whole numbers. Received: other numbers in {key} "
                    f"of {layer.name!r}."
                )
            values[key] = whole if whole.ndim else int(whole)
    return type(layer)(**values)
