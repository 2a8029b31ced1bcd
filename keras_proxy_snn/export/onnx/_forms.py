"""The three forms of a graph: all steps, one step, or a loop over steps."""

import math
from typing import Any

from ...basics.checks import require
from ..program import Program
from ._graph import Graph
from ._network import FLOAT, Network

__all__ = ["loop", "step", "unrolled"]

# `onnx.TensorProto` numbers of the element types of counters and conditions.
_INT64, _BOOL = 7, 9

# The output of all steps, and the first part of the names of what leads to it.
_COUNTS = "spike_counts"

# Largest number of elements in a layer's potentials, over all steps of one chunk.
_CHUNK_ELEMENTS = 2**20


def unrolled(program: Program, chunk_steps: int | None) -> Any:
    """Graph from an image to `_results`, with all T steps as plain nodes.

    The steps are cut into chunks of equal length. Inside a chunk, time is folded into the batch:
    each layer is one convolution or product over `steps * batch`, and only the neurons' update is
    repeated. In ONNX Runtime this is up to 20 % faster than step by step, with half the nodes
    (`benchmarks/onnx_order.py`).
    """
    graph, network = Graph(), Network(program)
    current = network.first_current(graph)
    potentials = [""] * len(program.neurons)
    counts = ""
    for steps in _chunks(program, chunk_steps):
        spikes, potentials = network.advance(graph, current, potentials, steps)
        added = _sum_over_time(graph, network, spikes, steps)
        counts = graph.add("Add", counts, added, name=f"{_COUNTS}/so_far") if counts else added
    graph.add("Identity", counts, name=_COUNTS)
    results = _results(network)
    if len(results) > 1:
        graph.add("Identity", potentials[-1], name=results[1].name)
    graph.prune(*(result.name for result in results))
    return _close(graph, program, [_image(program)], results)


def step(program: Program) -> Any:
    """Graph from an image and potentials to the spikes of one step and the new potentials."""
    graph, network = Graph(), Network(program)
    names = [f"v_{layer.name}" for layer in program.neurons]
    spikes, after = network.advance(graph, network.first_current(graph), names, steps=1)
    # Some converters to half precision skip `Cast`. They never end if a `Cast` reads a float.
    if program.is_integer:
        graph.add("Cast", spikes, name="spikes", to=FLOAT)
    else:
        graph.add("Identity", spikes, name="spikes")
    for v, name in zip(after, names, strict=True):
        graph.add("Identity", v, name=f"{name}_out")
    before = _potentials(network, names)
    after = _potentials(network, [f"{name}_out" for name in names])
    return _close(graph, program, [_image(program), *before], [_readout(program, "spikes"), *after])


def loop(program: Program) -> Any:
    """Graph from an image and T to `_results`; the body of a `Loop` is one step."""
    graph, network = Graph(), Network(program)
    current = network.first_current(graph)
    graph.add("Shape", "image", start=0, end=1, name="batch")
    classes, pairs = program.shapes()[-1], zip(program.neurons, network.state_shapes, strict=True)
    initial = [_zeros(graph, "loop/counts", classes, FLOAT)]
    initial += [
        _zeros(graph, f"{layer.name}/start", shape, network.potential_type)
        for layer, shape in pairs
    ]
    body = _loop_body(graph.body(), network, current)
    # In ONNX the inputs of a `Loop` and default values are optional. Some runtimes ignore optional
    # inputs or take a missing condition for false, so T and the condition are given.
    goes_on = graph.constant("loop/true", True, "bool")
    results = _results(network)
    final = [graph.fresh(f"{layer.name}/end") for layer in program.neurons]
    if len(results) > 1:
        final[-1] = results[1].name
    inputs = ("time_steps", goes_on, *initial)
    graph.add_many("Loop", inputs, (_COUNTS, *final), body=body)
    time_steps = _info("time_steps", _INT64, ())
    return _close(graph, program, [_image(program), time_steps], results)


def _loop_body(body: Graph, network: Network, current: str) -> Any:
    iteration, condition = body.fresh("loop/step"), body.fresh("loop/condition")
    counts = body.fresh(f"{_COUNTS}/before")
    before = [body.fresh(f"{layer.name}/before") for layer in network.program.neurons]
    spikes, after = network.advance(body, current, before, steps=1)
    added = _sum_over_time(body, network, spikes, steps=1)
    total = body.add("Add", counts, added, name=f"{_COUNTS}/so_far")
    goes_on = body.add("Identity", condition, name="loop/goes_on")
    inputs = [
        _info(iteration, _INT64, ()),
        _info(condition, _BOOL, ()),
        _readout(network.program, counts),
        *_potentials(network, before),
    ]
    outputs = [
        _info(goes_on, _BOOL, ()),
        _readout(network.program, total),
        *_potentials(network, after),
    ]
    return require("onnx.helper").make_graph(body.nodes, "step", inputs, outputs)


def _chunks(program: Program, chunk_steps: int | None) -> list[int]:
    """Lengths of the chunks; they differ by at most one step."""
    if chunk_steps is None:
        largest = max(map(math.prod, program.state_shapes()))
        chunk_steps = max(1, _CHUNK_ELEMENTS // largest)
    count = math.ceil(program.time_steps / chunk_steps)
    length, longer = divmod(program.time_steps, count)
    return [length + 1] * longer + [length] * (count - longer)


def _sum_over_time(graph: Graph, network: Network, spikes: str, steps: int) -> str:
    if network.program.is_integer:
        spikes = graph.add("Cast", spikes, to=FLOAT, name=f"{_COUNTS}/spikes")
    if steps == 1:
        return spikes
    sizes = [steps, -1, *network.program.shapes()[-1]]
    shape = graph.constant(f"{_COUNTS}/shape_{steps}_steps", sizes, "int64")
    axes = graph.constant(f"{_COUNTS}/time_axis", [0], "int64")
    folded = graph.add("Reshape", spikes, shape, name=f"{_COUNTS}/by_step")
    return graph.add("ReduceSum", folded, axes, keepdims=0, name=f"{_COUNTS}/added")


def _zeros(graph: Graph, name: str, shape: tuple[int, ...], element_type: int) -> str:
    value = require("onnx.helper").make_tensor("", element_type, [1], [0])
    inner = graph.constant(f"{name}/shape", shape, "int64")
    full = graph.add("Concat", "batch", inner, axis=0, name=f"{name}/batch_shape")
    return graph.add("ConstantOfShape", full, value=value, name=name)


def _info(name: str, element_type: int, shape: tuple[Any, ...]) -> Any:
    return require("onnx.helper").make_tensor_value_info(name, element_type, shape)


def _image(program: Program) -> Any:
    return _info("image", FLOAT, ("batch", *program.input_shape))


def _readout(program: Program, name: str) -> Any:
    return _info(name, FLOAT, ("batch", *program.shapes()[-1]))


def _results(network: Network) -> list[Any]:
    """Outputs after all steps: spike counts; with a readout by potential also its potentials."""
    program = network.program
    results = [_readout(program, _COUNTS)]
    if program.readout == "potential":
        shape = ("batch", *network.state_shapes[-1])
        results.append(_info(f"{program.readout_state}_out", network.potential_type, shape))
    return results


def _potentials(network: Network, names: list[str]) -> list[Any]:
    pairs = zip(names, network.state_shapes, strict=True)
    return [_info(name, network.potential_type, ("batch", *shape)) for name, shape in pairs]


def _close(graph: Graph, program: Program, inputs: list[Any], outputs: list[Any]) -> Any:
    weights = list(graph.initializers.values())
    name = str(program.metadata.get("spec", "spiking_network"))
    return require("onnx.helper").make_graph(graph.nodes, name, inputs, outputs, weights)
