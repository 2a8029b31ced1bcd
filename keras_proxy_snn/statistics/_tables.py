"""Work and energy of a network as tables."""

from collections.abc import Sequence

from ..basics.tables import Table
from ._energy import Estimate
from ._layer_costs import LayerCosts

__all__ = ["energy_table", "work_table"]


def work_table(layers: Sequence[LayerCosts], of: str = "") -> Table:
    """Work of each layer per image; `of` follows the title."""
    rows: list[Sequence[str]] = [
        ("layer", "parameters", "multiply-adds", "of non-zeros", "spikes in", "SynOps")
    ]
    columns = [
        (
            layer.parameters,
            layer.multiply_adds,
            layer.nonzero_multiply_adds,
            layer.input_spikes,
            layer.synops,
        )
        for layer in layers
    ]
    names = [layer.name for layer in layers]
    totals = tuple(sum(column) for column in zip(*columns, strict=True))
    for name, numbers in zip([*names, "total"], [*columns, totals], strict=True):
        rows.append((name, *(f"{number:,.0f}" for number in numbers)))
    notes = (
        "A row has the weights that its neurons read; after a sum, those of all its convolutions.",
        "parameters: with batch normalisation folded in; `summary` and `inspect` do not fold it.",
        "of non-zeros: multiply-adds of inputs that are not 0.",
        "The SNN does the multiply-adds of its first layer too, once.",
        "spikes in: those that weights, sums and averages read, not those that fire; see Activity.",
        "SynOps: additions of a weight to a potential, caused by spikes.",
    )
    return Table(f"Work per image{of}", rows, 1, notes)


def energy_table(
    estimates: Sequence[Estimate], activation_bits: int, time_steps: int, technology: str
) -> Table:
    """Bytes moved and energy of both networks per image; `technology` names the constants."""
    rows: list[Sequence[str]] = [
        (
            *("format", "dataflow", "network"),
            *("weights moved", "states moved", "signals moved"),
            *("compute µJ", "memory µJ", "total µJ"),
        )
    ]
    for e in estimates:
        bits = f", {e.activation_bits} bits" if e.network == "ANN" else ""
        moved = (f"{b / 1000:,.1f}" for b in (e.weight_bytes, e.state_bytes, e.signal_bytes))
        energies = (f"{nj / 1000:,.3f}" for nj in (e.compute_nj, e.memory_nj, e.total_nj))
        rows.append((e.number_format, e.dataflow, e.network + bits, *moved, *energies))
    notes = (
        "moved: kB read from memory or written to it, in each step anew; not the size of a memory.",
        "event: nothing reused, zeros skipped. layer: each value moved once per pass.",
        f"The ANN of {activation_bits}-bit activations has as many levels as "
        f"counts of 0 to {time_steps}: a fair comparison with the int8 SNN.",
    )
    title = f"Energy per image, {technology}: an estimate, not a measurement"
    return Table(title, rows, 3, notes)
