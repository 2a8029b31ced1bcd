"""The three forms of a graph: all steps, one step, or one step with stored potentials."""

from collections.abc import Iterator

import numpy as np

from ..program import Program
from . import _ops as ops
from ._flatbuffer import GraphBuilder, ModelBuilder, Tensor
from ._stages import Stage, prepare_image, stages_of

__all__ = ["stateful", "step", "unrolled"]

#: Number of steps of the unrolled float network that are folded into the batch, so that a layer has
#: one convolution for all of them. XNNPACK can split a tensor into at most four parts; a split into
#: more parts would run outside XNNPACK.
_CHUNK_STEPS = 4


def unrolled(program: Program, model: ModelBuilder, batch: int, float16: bool) -> None:
    """Graph of all T steps, from `image` to `spike_counts`.

    The first layer's current is computed once. With a readout by potential, the readout's
    potentials after the last step are an output too.
    """
    graph, image, stages = _begin(program, model, batch, float16)
    current = stages[0].currents(image, {})
    # The NPU has no batches, so an integer network runs step by step.
    longest = 1 if program.is_integer else _CHUNK_STEPS
    asked_for = stages[-1] if program.readout == "potential" else None
    totals: dict[int, Tensor] = {}
    for steps, last in _chunks(program.time_steps, longest):
        spikes: dict[str, Tensor] = {}
        signal = stages[0].advance([current] * steps, spikes, last and stages[0] is not asked_for)
        for stage in stages[1:]:
            currents = ops.split(graph, stage.currents(signal, spikes), steps)
            signal = stage.advance(currents, spikes, last and stage is not asked_for)
        totals[steps] = ops.add(graph, totals[steps], signal) if steps in totals else signal
    counts, *rest = (ops.sum_over_leading(graph, total, n) for n, total in totals.items())
    for other in rest:
        counts = ops.add(graph, counts, other)
    graph.output("spike_counts", counts)
    _output_readout(program, graph, stages[-1])
    graph.sign("serving_default")


def step(program: Program, model: ModelBuilder, batch: int, float16: bool) -> None:
    """Graph of one step: `image` and potentials `v_<layer>` to `spikes` and `v_<layer>_out`."""
    graph, image, stages = _begin(program, model, batch, float16)
    given = [
        graph.input(f"v_{stage.layer.name}", (batch, *stage.shape), image.dtype) for stage in stages
    ]
    for stage, v in zip(stages, given, strict=True):
        stage.v = _rescale(graph, v, stage.neurons.scale)
    graph.output("spikes", _advance(image, stages))
    for stage in stages:
        _output_potentials(graph, stage)
    graph.sign("serving_default")


def stateful(program: Program, model: ModelBuilder, batch: int, float16: bool) -> None:
    """Graph of one step, from `image` and `keep` to `spikes`; resource variables hold potentials.

    With a readout by potential, the readout's potentials are an output too.

    `keep` is 0 in the first step of an image and 1 in all others. It is an input, because a second
    signature for the reset would not work in TensorFlow Lite Micro, which has only one signature.
    """
    # Variables have a fixed size; with a larger batch the runtime would write past their end.
    graph, image, stages = _begin(program, model, batch, float16, fixed=True)
    keep = ops.of_fixed_shape(graph, graph.input("keep", (1,), image.dtype))
    start = model.graph("start")
    graph.operator("CALL_ONCE", [], [], "CallOnceOptions", initSubgraphIndex=start.index)
    handles = []
    for stage in stages:
        name, shape = f"v_{stage.layer.name}", (batch, *stage.shape)
        ops.assign(start, ops.variable(start, name), ops.zeros(start, shape, image.dtype))
        handles.append(ops.variable(graph, name))
        stage.v = ops.multiply(graph, ops.read(graph, handles[-1], shape, image.dtype), keep)
    spikes = _advance(image, stages)
    for handle, stage in zip(handles, stages, strict=True):
        ops.assign(graph, handle, stage.potentials)
    graph.output("spikes", spikes)
    _output_readout(program, graph, stages[-1])
    graph.sign("serving_default")


def _begin(
    program: Program, model: ModelBuilder, batch: int, float16: bool, fixed: bool = False
) -> tuple[GraphBuilder, Tensor, list[Stage]]:
    graph = model.graph("main")
    dtype = "int16" if program.is_integer else "float32"
    image = graph.input("image", (batch, *program.input_shape), dtype)
    image = ops.of_fixed_shape(graph, image) if fixed else image
    return graph, prepare_image(program, graph, image), stages_of(program, graph, float16)


def _advance(signal: Tensor, stages: list[Stage]) -> Tensor:
    """Run one step; return the readout's spikes. The stages hold the new potentials."""
    spikes: dict[str, Tensor] = {}
    for stage in stages:
        signal = stage.advance([stage.currents(signal, spikes)], spikes)
    return signal


def _chunks(time_steps: int, longest: int) -> Iterator[tuple[int, bool]]:
    """Lengths of the chunks of steps, each with whether it is the last chunk."""
    for start in range(0, time_steps, longest):
        yield min(longest, time_steps - start), start + longest >= time_steps


def _output_readout(program: Program, graph: GraphBuilder, stage: Stage) -> None:
    if program.readout == "potential":
        _output_potentials(graph, stage)


def _output_potentials(graph: GraphBuilder, stage: Stage) -> None:
    v = _rescale(graph, stage.potentials, 1 / stage.neurons.scale)
    graph.output(f"v_{stage.layer.name}_out", v)


def _rescale(graph: GraphBuilder, x: Tensor, factor: np.ndarray) -> Tensor:
    """Multiply potentials by a factor; inputs and outputs have the program's unit."""
    if x.dtype == "int16":
        return x
    return ops.multiply(graph, x, graph.constant(factor.astype("float32")))
