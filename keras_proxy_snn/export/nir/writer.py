"""`write`: write a `Program` as a NIR file."""

import json
import shutil
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...basics.checks import check_choice, require
from ...basics.files import replacing
from ...basics.window import Padding
from ..program import Conv, Dense, Flatten, Pool, Program, weights_after_sums
from .graph_file import library
from .limits import check_names, refuse

__all__ = ["POOLINGS", "add_facts", "write"]

POOLINGS = ("sum", "average")


def write(program: Program, path: str | Path, *, form: str = "graph", pooling: str = "sum") -> None:
    """Write a program as a NIR graph of one time step.

    Each layer of neurons becomes two nodes: a `Conv2d`, `Linear` or `Affine` with the name of the
    layer, and an `IF` with `r = 1` (time steps of 1) and the name `<layer>_if`. The potential is
    counted from `v_0` and starts at 0. So the `IF` fires at `v_threshold - v_0`, and its `v_reset`
    is `-v_0`. Importers that start at `v_reset` (SpikingJelly) give other counts unless `v_0 = 0`.
    Spike pooling becomes a `SumPool2d` and an `IF` with the threshold 0.5. The `IF` fires if the
    window has at least one spike; otherwise its input is 0, so its potential stays 0. Sums of
    spikes have no `IF`.

    The image is a constant current, `(channels, height, width)`. The `input_scale` of a float
    program becomes a `Scale` node. An integer program is written as floats with integer values.
    NIR cannot round, so the input of its file is the rounded image `round(x * input_scale)`; the
    graph's metadata say so. The metadata also hold T (`time_steps`) and the program's facts.

    Args:
        program: The network.
        path: The file to write; an existing file is replaced.
        form: `"graph"`, the only form, because NIR has no time steps.
        pooling: `"sum"`, or `"average"` for importers without `SumPool2d` (SpikingJelly). Spike
            pooling then becomes an `AvgPool2d` and an `IF` at half the average of one spike. A sum
            of n spikes becomes their mean, and the next weights are multiplied by n; this is exact
            if n is a power of two.

    Raises:
        ImportError: If the `nir` package is missing.
        ValueError: If NIR cannot express the program; see `refuse`.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, nir
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> readout = Dense("readout", np.ones((4, 3), "float32"), None, 1.0, "zero")
    >>> net = Program((Flatten("flatten"), readout), (2, 2, 1), time_steps=5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nir.write(net, f"{folder}/net.nir")
    ...     nir.run(f"{folder}/net.nir", net, np.full((1, 2, 2, 1), 0.25))
    array([[5, 5, 5]])
    """
    nir = library()
    refuse(program, form)
    check_choice("pooling", pooling, POOLINGS)
    nodes = [("input", nir.Input({"input": np.array(_channels_first(program.input_shape))}))]
    if not program.is_integer and program.input_scale != 1.0:
        scale = np.full(_channels_first(program.input_shape), program.input_scale, "float32")
        nodes.append(("input_scale", nir.Scale(scale)))
    inputs = (program.input_shape, *program.shapes()[:-1])
    maps: tuple[int, ...] = ()
    layers = program.layers
    if pooling == "average":
        layers = weights_after_sums(layers, lambda pool: pool.largest)
    for layer, before, after in zip(layers, inputs, program.shapes(), strict=True):
        if isinstance(layer, Flatten):
            maps = before
            nodes.append((layer.name, _flatten(nir, before)))
        elif isinstance(layer, Pool) and layer.kind == "sum":
            nodes.append((layer.name, _pool(nir, layer, before, pooling)[0]))
        else:
            nodes += _spiking(nir, layer, before, after, maps, pooling)
            maps = ()
    nodes.append(("output", nir.Output({"output": np.array(program.shapes()[-1])})))
    names = [name for name, _ in nodes]
    check_names(names)
    edges = list(pairwise(names))
    graph = nir.NIRGraph(dict(nodes), edges, metadata=_metadata(program))
    with replacing(path) as draft:
        nir.write(draft, graph)


def add_facts(path: str | Path, facts: Mapping[str, Any]) -> None:
    """Add facts to the metadata of a NIR file, or replace them; its graph stays as it is.

    Args:
        path: A file that `write` wrote.
        facts: Values for JSON, by name.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, nir
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> readout = Dense("readout", np.ones((4, 3), "float32"), None, 1.0, "zero")
    >>> net = Program((Flatten("flatten"), readout), (2, 2, 1), time_steps=5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nir.write(net, f"{folder}/net.nir")
    ...     nir.add_facts(f"{folder}/net.nir", {"accuracy": 0.75})
    ...     nir.read(f"{folder}/net.nir").metadata["accuracy"]
    0.75
    """
    with replacing(path) as draft:
        shutil.copyfile(path, draft)
        with require("h5py").File(draft, "r+") as file:
            entry = file["node/metadata/facts"]
            entry[()] = json.dumps({**json.loads(entry.asstr()[()]), **facts})


def _spiking(
    nir: ModuleType,
    layer: Conv | Dense | Pool,
    before: tuple[int, ...],
    after: tuple[int, ...],
    maps: tuple[int, ...],
    pooling: str,
) -> list[tuple[str, Any]]:
    if isinstance(layer, Pool):
        node, threshold = _pool(nir, layer, before, pooling)
        v_reset = np.zeros((), "float32")
    else:
        node = _conv(nir, layer, before) if isinstance(layer, Conv) else _dense(nir, layer, maps)
        # For float32 v, `v > threshold` is the same as the program's `v >= firing_level`.
        level = layer.firing_level.astype("float32")
        threshold = np.nextafter(level, np.float32(-np.inf))
        v_reset = layer.v_reset.astype("float32")
    thresholds, resets = (_each_neuron(value, after) for value in (threshold, v_reset))
    neuron = nir.IF(r=np.ones_like(thresholds), v_threshold=thresholds, v_reset=resets)
    return [(layer.name, node), (f"{layer.name}_if", neuron)]


def _each_neuron(value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Expand a number, or a number per filter, to a number per neuron, channels first."""
    values = np.broadcast_to(value, shape)
    return np.ascontiguousarray(values.transpose(2, 0, 1) if len(shape) == 3 else values)


def _conv(nir: ModuleType, layer: Conv, shape: tuple[int, ...]) -> Any:
    padding, taps = _padding(layer, shape)
    kernel = np.asarray(layer.kernel, "float32").transpose(3, 2, 0, 1)
    kernel = np.pad(kernel, ((0, 0), (0, 0), (taps[0], 0), (taps[1], 0)))
    if kernel.shape[2] != kernel.shape[3]:
        raise ValueError(
            "NIR needs square kernels and pads both sides of an axis equally. Received: layer "
            f"{layer.name!r} with a kernel of {layer.kernel.shape[:2]}, strides {layer.strides} "
            f"and padding {layer.padding!r} on maps of {shape[:2]}."
        )
    filters = kernel.shape[0]
    bias = np.zeros(filters) if layer.bias is None else layer.bias
    return nir.Conv2d(
        input_shape=tuple(shape[:2]),
        weight=np.ascontiguousarray(kernel),
        stride=tuple(layer.strides),
        padding=padding,
        dilation=tuple(layer.dilation),
        groups=1,
        bias=np.asarray(bias, "float32"),
        metadata={"padding": _note(layer.padding), "zero_taps": np.array(taps)},
    )


def _padding(layer: Conv, shape: tuple[int, ...]) -> tuple[Any, tuple[int, int]]:
    """NIR's padding, and numbers of rows and columns of zeros to add before the kernel.

    `"same"` padding may add one pixel more after the map than before. Without strides, NIR's own
    `"same"` does this too. With strides, zeros before the kernel make the padding even.
    """
    if layer.padding == "valid":
        return (0, 0), (0, 0)
    (top, bottom), (left, right) = layer.window.pads(shape)
    taps = (bottom - top, right - left)
    if any(taps) and layer.padding == "same" and layer.strides == (1, 1):
        return "same", (0, 0)
    if any(taps) and (layer.padding != "same" or layer.dilation != (1, 1)):
        why = "strides and dilation" if layer.padding == "same" else "zeros of its own"
        raise ValueError(
            f"NIR pads both sides of an axis equally. Received: layer {layer.name!r} with {why}, "
            f"which needs padding of {(top, left)} before and {(bottom, right)} after."
        )
    return (bottom, right), taps


def _note(padding: Padding) -> str:
    return padding if isinstance(padding, str) else "zeros"


def _dense(nir: ModuleType, layer: Dense, maps: tuple[int, ...]) -> Any:
    kernel = np.asarray(layer.kernel, "float32")
    if maps:
        rows = kernel.reshape(*maps, -1)
        kernel = rows.transpose(2, 0, 1, 3).reshape(kernel.shape)
    weight = np.ascontiguousarray(kernel.T)
    if layer.bias is None:
        return nir.Linear(weight=weight)
    return nir.Affine(weight=weight, bias=np.asarray(layer.bias, "float32"))


def _pool(nir: ModuleType, layer: Pool, shape: tuple[int, ...], pooling: str) -> tuple[Any, Any]:
    (top, bottom), (left, right) = layer.window.pads(shape)
    if (top, left) != (bottom, right):
        raise ValueError(
            f"NIR pads both sides of an axis equally. Received: pooling {layer.name!r}, which "
            f"needs padding of {(top, left)} before and {(bottom, right)} after."
        )
    kind = nir.SumPool2d if pooling == "sum" else nir.AvgPool2d
    window = [np.array(pair) for pair in (layer.size, layer.strides, (top, left))]
    one_spike = 1.0 if pooling == "sum" else 1.0 / float(np.prod(layer.size))
    return kind(*window, metadata={"padding": layer.padding}), np.float32(0.5 * one_spike)


def _flatten(nir: ModuleType, shape: tuple[int, ...]) -> Any:
    # Counted from the end, so that a library which adds a batch axis flattens the maps alone.
    channels_first = np.array(_channels_first(shape))
    return nir.Flatten({"input": channels_first}, start_dim=-len(shape), end_dim=-1)


def _channels_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[-1], *shape[:-1])


def _metadata(program: Program) -> dict[str, Any]:
    metadata = {
        "time_steps": program.time_steps,
        "dt": 1.0,
        "number_format": program.number_format,
        "input": "constant current: the image, pixels in [{:g}, {:g}], "
        "(channels, height, width)".format(*program.input_range),
        "facts": json.dumps(program.metadata),
    }
    if program.is_integer:
        metadata["input"] = "constant current: round(image * input_scale), half to even"
        metadata["input_scale"] = float(program.input_scale)
    return metadata
