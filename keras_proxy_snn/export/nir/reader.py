"""`read`: read a NIR file as a `Program`."""

import json
import math
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...basics.archives import UNREADABLE
from ..program import Conv, Dense, Flatten, Layer, Program, weights_after_sums
from ..validity import check_program
from .graph_file import chain, open_graph
from .nodes import LAYERS, POOLS, Neuron, refused, text, window

if TYPE_CHECKING:
    import nir

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
        ValueError: If `dt` is no positive number, the file is not a NIR file, T is neither in the
            file nor given, or a program cannot express a node. The error names the node and its
            type.

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
    if not isinstance(dt, Real) or isinstance(dt, bool) or not 0 < dt < math.inf:
        raise ValueError(f"`dt` must be a positive finite number. Received: {dt!r}.")
    try:
        with np.errstate(over="ignore", divide="ignore"):  # infinite numbers are refused
            return check_program(_program(path, open_graph(path), time_steps, dt))
    except (AssertionError, *UNREADABLE) as error:
        if isinstance(error, ValueError):
            raise
        raise ValueError(
            f"A NIR file of a spiking CNN is expected. Received: {path} ({error!r})."
        ) from error


def _program(path: str | Path, graph: "nir.NIRGraph", time_steps: int | None, dt: float) -> Program:
    nodes = chain(graph)
    rest = nodes[1:-1]
    number_format = text(graph.metadata, "number_format") or "float32"
    integer = number_format == "int8"
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
        elif kind in LAYERS:
            if kind in POOLS and not _has_neurons(layers):
                raise refused(name, node, "pooling of spikes", "it pools the image")
            if kind in POOLS and rest and type(rest[0][1]).__name__ != "IF":
                layers.append(window(name, node, "sum"))
                if kind == "AvgPool2d":
                    averages.add(name)
                continue
            neuron = rest.pop(0) if rest else nodes[-1]
            if type(neuron[1]).__name__ != "IF":
                found = f"{neuron[0]!r} ({type(neuron[1]).__name__})"
                raise refused(name, node, "IF to follow", found)
            layers.append(LAYERS[kind](name, node, Neuron(*neuron, dt), maps))
            maps = ()
        else:
            raise refused(name, node, f"a node of {(*LAYERS, 'Flatten')}", "another")
    if not layers or not isinstance(layers[-1], Dense):
        raise refused(*nodes[-1], "Linear or Affine and IF before the output", "none")
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
        number_format=number_format,
        input_scale=input_scale,
        metadata=json.loads(text(graph.metadata, "facts") or "{}"),
    )
    return program.with_time_steps(_whole(steps) if time_steps is None else time_steps)


def _whole(steps: Any) -> Any:
    """T from a file, where it has any of HDF5's integer types; other values are not changed."""
    value = np.asarray(steps)
    return int(value) if value.ndim == 0 and value.dtype.kind in "iu" else steps


def _image_shape(name: str, node: "nir.NIRNode") -> tuple[int, int, int]:
    shape = [int(n) for n in node.input_type["input"]]
    if len(shape) != 3:
        raise refused(name, node, "an image (channels, height, width)", f"shape {shape}")
    return (shape[1], shape[2], shape[0])


def _scale(rest: list[tuple[str, Any]]) -> float:
    """Remove a `Scale` of the whole image from the start of the chain; return its factor."""
    if not rest or type(rest[0][1]).__name__ != "Scale":
        return 1.0
    name, node = rest.pop(0)
    if np.unique(node.scale).size != 1:
        raise refused(name, node, "one factor for all pixels", "several")
    return float(node.scale.flat[0])


def _flattened(name: str, node: "nir.NIRNode") -> tuple[int, ...]:
    """Shape `(height, width, channels)` of the maps that are flattened."""
    channels, *size = (int(n) for n in node.input_type["input"])
    if len(node.output_type["output"]) != 1 or len(size) != 2:
        raise refused(name, node, "maps made one vector", f"{node.output_type['output']}")
    return (*size, channels)


def _has_neurons(layers: list[Layer]) -> bool:
    return any(isinstance(layer, Conv | Dense) for layer in layers)


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
