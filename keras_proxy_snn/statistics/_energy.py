"""Bytes moved and energy per image: an estimate from counts, with its constants as data."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from ..basics.checks import positive_integer
from ._layer_costs import LayerCosts
from ._traffic import Bits, Work, ann_work, snn_work

__all__ = ["HOROWITZ_45NM", "Constant", "EnergyTable", "Estimate", "Memory", "estimates"]


@dataclass(frozen=True)
class Constant:
    """Energy of an operation.

    Attributes:
        picojoules: Energy of one operation, in pJ.
        source: The publication that gives the number.

    Raises:
        ValueError: If the energy is not a finite number from 0.
    """

    picojoules: float
    source: str

    def __post_init__(self) -> None:
        _check_energy(self.picojoules)


@dataclass(frozen=True)
class Memory:
    """A memory and the energy of moving data to or from it.

    Attributes:
        name: Its name.
        capacity: Bytes that it holds; `None` for no limit.
        picojoules: Energy of one access to 64 bits, in pJ.
        source: The publication that gives the number.

    Raises:
        ValueError: If the energy is not a finite number from 0, or the capacity is not a positive
            integer.
    """

    name: str
    capacity: int | None
    picojoules: float
    source: str

    def __post_init__(self) -> None:
        _check_energy(self.picojoules)
        if self.capacity is not None:
            positive_integer("capacity", self.capacity)


def _check_energy(value: Any) -> None:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 <= value < math.inf:
        raise ValueError(f"`picojoules` must be a finite number from 0. Received: {value!r}.")


@dataclass(frozen=True)
class EnergyTable:
    """Constants of an energy estimate.

    Attributes:
        name: The technology.
        int32_add: Addition or comparison of integers.
        int8_multiply: Product of two 8-bit integers. A product of b and 8 bits is taken as b/8 of
            it.
        float32_add: Addition or comparison of floats.
        float32_multiply: Product of floats.
        memories: From the smallest to the largest; the last has no limit.
    """

    name: str
    int32_add: Constant
    int8_multiply: Constant
    float32_add: Constant
    float32_multiply: Constant
    memories: tuple[Memory, ...]


_HOROWITZ = (
    "M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014, "
    "doi:10.1109/ISSCC.2014.6757323, rough energy costs in 45 nm at 0.9 V"
)

HOROWITZ_45NM = EnergyTable(
    name="45 nm, 0.9 V",
    int32_add=Constant(0.1, _HOROWITZ),
    int8_multiply=Constant(0.2, _HOROWITZ),
    float32_add=Constant(0.9, _HOROWITZ),
    float32_multiply=Constant(3.7, _HOROWITZ),
    memories=(
        Memory("SRAM 8 KB", 8 * 1024, 10.0, _HOROWITZ),
        Memory("SRAM 32 KB", 32 * 1024, 20.0, _HOROWITZ),
        Memory("SRAM 1 MB", 1024 * 1024, 100.0, _HOROWITZ),
        Memory("DRAM", None, 1300.0, f"{_HOROWITZ}; the lower end of 1.3 to 2.6 nJ"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Bytes moved and energy per image, of one network in one form; not a measurement.

    The same rules hold for both networks. There are two number formats and two dataflows:

    * `"float32"`: all numbers have 32 bits. `"int8"`: weights and pixels have 8 bits, potentials
      and sums 32, activations of the ANN ceil(log2(T + 1)).
    * `"event"`: only spikes and non-zero pixels and activations cause work, and nothing is
      reused. Each operation reads its weight, and reads and writes its potential or sum. A spike
      is an address; an activation is a value with its address. Without a spike the SNN's
      potentials change only by a bias. Activations are the float ANN's; quantised activations
      have more zeros, which would favour the ANN.
    * `"layer"`: reuse within one pass over a layer is perfect, and only additions without a
      spike are skipped. At each of T steps the SNN reads each weight once, reads and writes each
      potential once, and moves one bit per neuron. The ANN reads each weight once per image and
      keeps sums in registers.

    In both dataflows the SNN's first layer makes its multiply-adds once per image and writes the
    current; each step reads this current, and reads and writes the potentials. Pixels are read
    once. Spikes and activations are written once, and read once where they enter a layer. A
    neuron makes one comparison per step (the ANN: per image), and one addition more for a
    constant current or a bias. Weights, states and signals each lie in the smallest memory that
    holds all weights, all states, or the largest layer's inputs. Pooling, control and leakage
    are left out.

    Attributes:
        network: `"SNN"` or `"ANN"`.
        number_format: `"float32"` or `"int8"`.
        activation_bits: Bits of the ANN's activations; 1 for spikes.
        dataflow: `"event"` or `"layer"`.
        weight_bytes: Weights and biases moved.
        state_bytes: Potentials, constant currents and sums moved.
        signal_bytes: Pixels, spikes and activations moved.
        weight_memory: Name of the memory that holds the weights; `None` if none are moved.
        state_memory: The same of the states.
        signal_memory: The same of the signals.
        compute_nj: Energy of the operations, in nJ.
        memory_nj: Energy of the bytes moved, in nJ.
        total_nj: Sum of `compute_nj` and `memory_nj`.
    """

    network: str
    number_format: str
    activation_bits: int
    dataflow: str
    weight_bytes: float
    state_bytes: float
    signal_bytes: float
    weight_memory: str | None
    state_memory: str | None
    signal_memory: str | None
    compute_nj: float
    memory_nj: float
    total_nj: float


def estimates(
    layers: Sequence[LayerCosts], time_steps: int, activation_bits: int, table: EnergyTable
) -> tuple[Estimate, ...]:
    """Estimates of both networks in both formats and dataflows.

    Args:
        layers: Work of each layer, in order.
        time_steps: Number T of time steps.
        activation_bits: Bits of the quantised ANN's activations.
        table: Constants.

    Returns:
        Eight estimates: two formats, two dataflows, two networks; networks alternate.
    """
    multiply, product = table.float32_multiply.picojoules, table.int8_multiply.picojoules
    formats = (
        (Bits("float32", 32, 32, 32, 32), table.float32_add.picojoules, multiply, multiply),
        (
            Bits("int8", 8, 32, 8, activation_bits),
            table.int32_add.picojoules,
            product,
            product * activation_bits / 8,
        ),
    )
    result = []
    for bits, add, multiply_pixel, multiply in formats:
        for dataflow in ("event", "layer"):
            event = dataflow == "event"
            for work in (snn_work(layers, time_steps, event, bits), ann_work(layers, event, bits)):
                compute = (
                    add * work.additions
                    + multiply_pixel * work.pixel_multiplications
                    + multiply * work.multiplications
                )
                result.append(_estimate(work, bits, dataflow, compute, table))
    return tuple(result)


def _estimate(
    work: Work, bits: Bits, dataflow: str, compute: float, table: EnergyTable
) -> Estimate:
    moves = (work.weights, work.states, work.signals)
    memories = [_smallest(table, move.stored) if move.moved else None for move in moves]
    energy = sum(
        move.moved / 64 * memory.picojoules
        for move, memory in zip(moves, memories, strict=True)
        if memory is not None
    )
    names = [None if memory is None else memory.name for memory in memories]
    return Estimate(
        network=work.network,
        number_format=bits.name,
        activation_bits=1 if work.network == "SNN" else bits.activation,
        dataflow=dataflow,
        weight_bytes=work.weights.moved / 8,
        state_bytes=work.states.moved / 8,
        signal_bytes=work.signals.moved / 8,
        weight_memory=names[0],
        state_memory=names[1],
        signal_memory=names[2],
        compute_nj=compute / 1000,
        memory_nj=energy / 1000,
        total_nj=(compute + energy) / 1000,
    )


def _smallest(table: EnergyTable, stored: float) -> Memory:
    """The first memory that holds this number of bits."""
    fitting = (m for m in table.memories if m.capacity is None or stored <= 8 * m.capacity)
    memory = next(fitting, None)
    if memory is None:
        raise ValueError(
            "The last memory of an energy table must have capacity None, which means no limit. "
            f"Received: {table.memories}."
        )
    return memory
