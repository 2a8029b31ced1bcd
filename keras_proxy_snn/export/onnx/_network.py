"""`Network`: the layers of a program as ONNX operators."""

from typing import Any

import numpy as np

from ...basics.window import Window
from ..program import Conv, Dense, Flatten, Pool, Program, Shortcut
from ._graph import Graph, split

__all__ = ["Network"]

# `onnx.TensorProto` numbers of the element types.
FLOAT, UINT8, INT32 = 1, 2, 6

# Zero point of the first kernel in an integer network, see `Network._kernel`.
_ZERO_POINT = 128


class Network:
    """Adds a program's operators to graphs.

    Maps are in ONNX's order (batch, channels, height, width). The image is transposed once. After
    a `Flatten`, the rows of the next kernel are permuted to this order.

    Args:
        program: The network.

    Attributes:
        dtype: NumPy type of currents, potentials and thresholds.
        state_shapes: Shape of each layer's potentials in ONNX's order, without batch.
    """

    def __init__(self, program: Program):
        self.program = program
        self.dtype = "int32" if program.is_integer else "float32"
        self.state_shapes = [_channels_first(shape) for shape in program.state_shapes()]
        self.potential_type = INT32 if program.is_integer else FLOAT
        self._spike_type = UINT8 if program.is_integer else FLOAT
        self._first = program.layers.index(program.neurons[0])
        self._shapes = program.shapes()
        self._input_shapes = (program.input_shape, *self._shapes[:-1])
        self._has_maps = any(isinstance(layer, Conv | Pool) for layer in program.layers)
        self._weighted = {
            index: layer
            for index, layer in enumerate(program.layers)
            if isinstance(layer, Conv | Dense)
        }

    def first_current(self, graph: Graph) -> str:
        """Append the first layer's current, which is the same at every step; return its name."""
        x = "image"
        if self.program.input_scale != 1.0:
            scale = graph.constant("image/scale", self.program.input_scale, "float32")
            x = graph.add("Mul", x, scale, name="image/scaled")
        if self.program.is_integer:
            whole = graph.add("Round", x, name="image/rounded")
            x = graph.add("Cast", whole, to=UINT8, name="image/bytes")
        if self._has_maps:
            x = graph.add("Transpose", x, perm=[0, 3, 1, 2], name="image/channels_first")
        for index in range(self._first):
            x = self._apply(graph, index, x, "values")
        return self._linear(graph, self._first, x, "current")

    def advance(
        self, graph: Graph, current: str, potentials: list[str], steps: int
    ) -> tuple[str, list[str]]:
        """Append `steps` time steps, layer by layer, with the steps folded into the batch.

        Args:
            graph: The graph.
            current: Name of the first layer's current, constant in time.
            potentials: Names of the potentials of each layer of neurons; `""` for zero.
            steps: Number of steps.

        Returns:
            Names of the readout's spikes `(steps * batch, classes)` and of the new potentials.
        """
        signal, after, before = "", [], iter(potentials)
        spikes: dict[str, tuple[str, tuple[int, ...]]] = {}
        for index, layer in enumerate(self.program.layers[self._first :], self._first):
            if isinstance(layer, Conv | Dense):
                if index == self._first:
                    currents: tuple[str, ...] = (current,) * steps
                else:
                    charge = self._currents(graph, index, signal, spikes, steps)
                    currents = split(graph, charge, steps, f"{layer.name}/current")
                silent, v = self._fire(graph, layer, next(before), currents)
                after.append(v)
                signal = self._spikes(graph, layer.name, silent)
            else:
                signal = self._apply(graph, index, signal, "spikes")
            spikes[layer.name] = signal, self._shapes[index]
        return signal, after

    def _currents(
        self, graph: Graph, index: int, x: str, spikes: dict[str, Any], steps: int
    ) -> str:
        """Append the currents of all steps, with the shortcuts'."""
        layer = self._weighted[index]
        whole = "current" if steps == 1 else "currents"
        charge = self._linear(graph, index, x, "partial" if layer.shortcuts else whole)
        for place, shortcut in enumerate(layer.shortcuts):
            own = f"{layer.name}/shortcut{place}"
            further = self._shortcut(graph, own, shortcut, *spikes[shortcut.source])
            role = "partial" if shortcut is not layer.shortcuts[-1] else whole
            charge = graph.add("Add", charge, further, name=f"{layer.name}/{role}")
        return charge

    def _shortcut(
        self, graph: Graph, own: str, shortcut: Shortcut, x: str, shape: tuple[int, ...]
    ) -> str:
        kernel = graph.constant(f"{own}/kernel", shortcut.kernel.transpose(3, 2, 0, 1))
        op = "ConvInteger" if self.program.is_integer else "Conv"
        return graph.add(op, x, kernel, **_window(shortcut.window, shape), name=f"{own}/current")

    def _spikes(self, graph: Graph, layer: str, silent: list[str]) -> str:
        quiet = silent[0]
        if len(silent) > 1:
            quiet = graph.add("Concat", *silent, axis=0, name=f"{layer}/all_silent")
        fired = graph.add("Not", quiet, name=f"{layer}/fired")
        return graph.add("Cast", fired, to=self._spike_type, name=f"{layer}/spikes")

    def _fire(
        self, graph: Graph, layer: Conv | Dense, v: str, currents: tuple[str, ...]
    ) -> tuple[list[str], str]:
        """Append one step per current.

        Returns the masks of neurons that do not fire, and the new potentials.
        """

        def number(role: str, value: Any) -> str:
            array = self._per_channel(layer, value)
            return graph.constant(f"{layer.name}/{role}", array, self.dtype)

        def add(op: str, *inputs: str, role: str, **attributes: object) -> str:
            return graph.add(op, *inputs, name=f"{layer.name}/{role}", **attributes)

        silent = []
        for current in currents:
            u = add("Add", v, current, role="charged") if v else current
            silent.append(add("Less", u, number("firing_level", layer.firing_level), role="silent"))
            if layer.reset == "subtract":
                theta = number("v_threshold", layer.v_threshold)
                spent = add("Where", silent[-1], number("zero", 0), theta, role="spent")
                v = add("Sub", u, spent, role="v")
            elif np.any(layer.v_reset):
                v = add("Where", silent[-1], u, number("v_reset", layer.v_reset), role="v")
            else:
                # In ONNX Runtime a `Where` of v and zero takes twice as long.
                kept = add("Cast", silent[-1], to=self.potential_type, role="kept")
                v = add("Mul", u, kept, role="v")
        return silent, v

    def _apply(self, graph: Graph, index: int, x: str, role: str) -> str:
        layer, shape = self.program.layers[index], self._input_shapes[index]
        name = f"{layer.name}/{role}"
        if not isinstance(layer, Pool):
            return graph.add("Flatten", x, name=name) if len(shape) > 1 else x
        options = _window(layer.window, shape)
        if layer.kind == "or":
            return graph.add("MaxPool", x, kernel_shape=layer.size, **options, name=name)
        # A convolution of each map by itself gives exact sums; averages of runtimes are not exact.
        integer, maps = self.program.is_integer, shape[-1]
        name = f"{layer.name}/sums"
        kernel = np.ones((maps, 1, *layer.size), "int8" if integer else "float32")
        inputs = x, graph.constant(f"{layer.name}/kernel", kernel)
        if not integer:
            return graph.add("Conv", *inputs, group=maps, **options, name=name)
        wide = graph.add("ConvInteger", *inputs, group=maps, **options, name=f"{name}_int32")
        return graph.add("Cast", wide, to=UINT8, name=name)

    def _linear(self, graph: Graph, index: int, x: str, role: str) -> str:
        layer = self._weighted[index]
        inputs = [x, *self._kernel(graph, index)]
        options: dict[str, Any] = {}
        if isinstance(layer, Conv):
            options = _window(layer.window, self._input_shapes[index])
        name, bias = f"{layer.name}/{role}", self._bias(graph, layer)
        if self.program.is_integer:
            op = "ConvInteger" if isinstance(layer, Conv) else "MatMulInteger"
            if not bias:
                return graph.add(op, *inputs, **options, name=name)
            products = graph.add(op, *inputs, **options, name=f"{layer.name}/without_bias")
            return graph.add("Add", products, *bias, name=name)
        op = "Conv" if isinstance(layer, Conv) else "Gemm"
        return graph.add(op, *inputs, *bias, **options, name=name)

    def _kernel(self, graph: Graph, index: int) -> list[str]:
        """Name of the kernel, and names of its zero points, if it has any.

        On x86 processors without VNNI, ONNX Runtime saturates sums of two products uint8 x int8
        at 16 bits. Spikes of 1 cannot reach 16 bits, but pixels of 255 can. So the first kernel is
        stored as uint8 with a zero point.
        """
        layer = self._weighted[index]
        name, kernel = f"{layer.name}/kernel", self._channels_first_kernel(index)
        if not (self.program.is_integer and index == self._first):
            return [graph.constant(name, kernel)]
        return [
            graph.constant(name, (kernel.astype("int16") + _ZERO_POINT).astype("uint8")),
            graph.constant("image/zero_point", 0, "uint8"),
            graph.constant(f"{name}/zero_point", _ZERO_POINT, "uint8"),
        ]

    def _channels_first_kernel(self, index: int) -> np.ndarray:
        layer = self._weighted[index]
        if isinstance(layer, Conv):
            return layer.kernel.transpose(3, 2, 0, 1)
        while index and isinstance(self.program.layers[index - 1], Flatten):
            index -= 1
        shape = self._input_shapes[index]
        if not self._has_maps or len(shape) != 3:
            return layer.kernel
        rows = layer.kernel.reshape(*shape, -1)
        return rows.transpose(2, 0, 1, 3).reshape(layer.kernel.shape)

    def _bias(self, graph: Graph, layer: Conv | Dense) -> list[str]:
        if layer.bias is None:
            return []
        bias = self._per_channel(layer, layer.bias) if self.program.is_integer else layer.bias
        return [graph.constant(f"{layer.name}/bias", bias, self.dtype)]

    def _per_channel(self, layer: Conv | Dense, value: Any) -> np.ndarray:
        """A number, or a number per filter in a shape that broadcasts over maps."""
        value = np.asarray(value)
        return value.reshape(-1, 1, 1) if value.ndim and isinstance(layer, Conv) else value


def _channels_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[2], shape[0], shape[1]) if len(shape) == 3 else shape


def _window(window: Window, shape: tuple[int, ...]) -> dict[str, Any]:
    """Attributes of a window over maps of a shape; those with their default value are left out."""
    options: dict[str, Any] = {}
    pads = window.pads(shape)
    if any(map(sum, pads)):
        options["pads"] = [before for before, _ in pads] + [after for _, after in pads]
    if window.strides != (1, 1):
        options["strides"] = window.strides
    if window.dilation != (1, 1):
        options["dilations"] = window.dilation
    return options
