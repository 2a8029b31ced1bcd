"""Stages of a network: currents, neurons and pooling, with the potentials between steps."""

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ..program import Conv, Dense, Pool, Program, Shortcut
from . import _ops as ops
from ._flatbuffer import GraphBuilder, Tensor
from ._neurons import Neurons

__all__ = ["Stage", "prepare_image", "stages_of", "whole_weights"]


@dataclass
class Stage:
    """A layer of neurons, with the sums of spikes before it and the spike pooling after it.

    Potentials are pooled in place of spikes: `max(v) >= level` is the OR of `v >= level`, and needs
    fewer comparisons.

    Attributes:
        graph: Graph to which operators are added.
        layer: The `Conv` or `Dense`.
        shape: Shape of its potentials, without batch.
        neurons: Its neurons.
        kernel: Weights, in the unit of the potentials unless there is a `gain`.
        bias: Bias, in the unit of the kernel.
        gain: Factor from currents to the unit of the potentials; `None` if the weights include it.
        pools: Poolings after the neurons, each with the shape of its result.
        sums: Sums of spikes that the weights read, each with the shape of its result.
        shortcuts: Shortcuts of the layer, each with its weights and a bias of zeros.
        unpooled: Whether a shortcut reads the spikes before they are pooled.
        v: Potentials, times the scale of `neurons`; `None` before the first step.
    """

    graph: GraphBuilder
    layer: Conv | Dense
    shape: tuple[int, ...]
    neurons: Neurons
    kernel: Tensor
    bias: Tensor
    gain: Tensor | None
    pools: list[tuple[Pool, tuple[int, ...]]] = field(default_factory=list)
    sums: list[tuple[Pool, tuple[int, ...]]] = field(default_factory=list)
    shortcuts: list[tuple[Shortcut, Tensor, Tensor]] = field(default_factory=list)
    unpooled: bool = False
    v: Tensor | None = None

    @property
    def potentials(self) -> Tensor:
        """Potentials after a step.

        Raises:
            ValueError: Before the first step.
        """
        if self.v is None:
            raise ValueError(
                f"Potentials exist only after a step. Received: layer {self.layer.name!r} before "
                "its first step."
            )
        return self.v

    def currents(self, signal: Tensor, spikes: dict[str, Tensor]) -> Tensor:
        """Weighted input, in the unit of the potentials.

        Args:
            signal: Output of the stage before.
            spikes: Spikes of earlier layers by name, from `advance`, for shortcuts.
        """
        for layer, shape in self.sums:
            signal = ops.sum_pool(self.graph, signal, layer, shape)
        if isinstance(self.layer, Conv):
            out = ops.conv(self.graph, signal, self.kernel, self.bias, self.layer, self.shape)
        else:
            out = ops.dense(self.graph, signal, self.kernel, self.bias)
        for shortcut, kernel, bias in self.shortcuts:
            source = spikes[shortcut.source]
            further = ops.conv(self.graph, source, kernel, bias, shortcut, self.shape)
            out = ops.add(self.graph, out, further)
        return out if self.gain is None else ops.multiply(self.graph, out, self.gain)

    def advance(
        self, currents: list[Tensor], spikes: dict[str, Tensor], last: bool = False
    ) -> Tensor:
        """Run one step per current.

        Args:
            currents: Currents in order of time.
            spikes: Spikes by layer; the method adds this stage's, with time folded into the batch.
            last: Whether the potentials after the last step are not needed.

        Returns:
            Pooled spikes, with time folded into the batch.
        """
        pooled, unpooled = [], []
        for index, current in enumerate(currents):
            # Vela visits the last input first. With the potentials as last input, it compiles step
            # by step; otherwise it runs all steps of a layer first and stores T maps.
            self.v = current if self.v is None else ops.add(self.graph, current, self.v)
            unpooled.append(self.v)
            pooled.append(self._pool(self.v))
            if not last or index < len(currents) - 1:
                self.v = self.neurons.after_reset(self.v)
        signal = self.neurons.spikes(ops.concatenate(self.graph, pooled))
        if self.unpooled:
            whole = ops.concatenate(self.graph, unpooled)
            spikes[self.layer.name] = self.neurons.spikes(whole)
        spikes[self.pools[-1][0].name if self.pools else self.layer.name] = signal
        return signal

    def _pool(self, x: Tensor) -> Tensor:
        for layer, shape in self.pools:
            x = ops.max_pool(self.graph, x, layer, shape)
        return x


def stages_of(program: Program, graph: GraphBuilder, float16: bool) -> list[Stage]:
    """Stages of all layers of neurons, in order.

    Args:
        program: The network.
        graph: Graph to which constants are added.
        float16: Whether to store kernels in half precision.
    """
    stages: list[Stage] = []
    sums: list[tuple[Pool, tuple[int, ...]]] = []
    for layer, shape in zip(program.layers, program.shapes(), strict=True):
        if isinstance(layer, Conv | Dense):
            neurons = Neurons(graph, layer, program.is_integer)
            gain = None
            if float16:
                # Scaled weights would exceed half precision, so the currents are scaled.
                weigh = partial(_half_weights, graph)
                gain = graph.constant(neurons.scale, f"{layer.name}/gain")
            else:
                weigh = partial(whole_weights, graph, scale=neurons.scale)
            stage = Stage(graph, layer, shape, neurons, *weigh(layer), gain)
            for place, shortcut in enumerate(layer.shortcuts):
                by_itself = replace(
                    layer, name=f"{layer.name}/shortcut{place}", kernel=shortcut.kernel, bias=None
                )
                stage.shortcuts.append((shortcut, *weigh(by_itself)))
            stage.sums, sums = sums, []
            stages.append(stage)
        elif isinstance(layer, Pool) and stages:
            (sums if layer.kind == "sum" else stages[-1].pools).append((layer, shape))
    for stage in stages:
        stage.unpooled = bool(stage.pools) and stage.layer.name in program.sources
    return stages


def whole_weights(
    graph: GraphBuilder, layer: Conv | Dense, scale: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Kernel and bias times a factor; the factor's type decides between floats and integers.

    Args:
        graph: Graph to which constants are added.
        layer: Layer with the weights.
        scale: `(1,)` or `(filters,)`: float32, or int16 for an int8 kernel and an int64 bias.
    """
    kernel_type, bias_type = ("int8", "int64") if scale.dtype == "int16" else ("float32", "float32")
    kernel = (layer.kernel * scale).astype(kernel_type)
    bias = (_bias(layer) * scale).astype(bias_type)
    return _kernel(graph, layer, kernel), graph.constant(bias, f"{layer.name}/bias")


def _half_weights(graph: GraphBuilder, layer: Conv | Dense) -> tuple[Tensor, Tensor]:
    kernel = ops.dequantize(graph, _kernel(graph, layer, layer.kernel.astype("float16")))
    return kernel, graph.constant(_bias(layer).astype("float32"), f"{layer.name}/bias")


def _kernel(graph: GraphBuilder, layer: Conv | Dense, kernel: np.ndarray) -> Tensor:
    """Add a kernel; in this format the first axis is the filters."""
    axes = (3, 0, 1, 2) if isinstance(layer, Conv) else (1, 0)
    return graph.constant(kernel.transpose(axes), f"{layer.name}/kernel")


def _bias(layer: Conv | Dense) -> np.ndarray:
    return np.zeros(layer.kernel.shape[-1]) if layer.bias is None else layer.bias


def prepare_image(program: Program, graph: GraphBuilder, image: Tensor) -> Tensor:
    """Scale an image by the program's `input_scale`; pool it if the program starts with pooling."""
    if not program.is_integer and program.input_scale != 1.0:
        scale = np.array([program.input_scale], "float32")
        image = ops.multiply(graph, image, graph.constant(scale))
    for layer, shape in zip(program.layers, program.shapes(), strict=True):
        if isinstance(layer, Conv | Dense):
            break
        if isinstance(layer, Pool):
            image = ops.max_pool(graph, image, layer, shape)
    return image
