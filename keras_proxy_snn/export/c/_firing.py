"""C code of neurons: they fire and are reset."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._parts import block, constant, deliver, pair_words
from ._plan import Neurons, Plan
from ._tables import Tables, packed_currents

__all__ = ["LANES", "firing_text"]

LANES = """
/* A word holds two potentials of 16 bits, low + 65536 * high, so that one addition changes both.
 * The low half may borrow from the high half; reading a half corrects this. Four potentials are two
 * words. The second word also holds the first word's high potential, times 256, so that a word of
 * four weights is added to both words with a mask and a shift. Weights are stored plus 128, as
 * bytes from 0 to 255. The first word of a pixel counts the added rows of weights, in both halves;
 * firing subtracts 128 per row. The two halves of a word are macros, because a
 * compiler that optimises for size would call functions; they evaluate the word once. */
#define $p_low(pair) ((int32_t)(((pair) & 0xffffu) ^ 0x8000u) - 0x8000)
#define $p_high(pair) ((int32_t)((((pair) + 0x8000u) >> 16) ^ 0x8000u) - 0x8000)
"""

_PACKED = """
static void $p_$name_fire($p_state *s)
{
    uint32_t *v = s->v_$name;
    $current
    $list
    uint32_t y, x, c;
    for (y = 0; y < $height; ++y)
        for (x = 0; x < $width; ++x) {
            $empty
            $rows
            for (c = 0; c < $filters; c += 4, v += 2) {
                $charge
                {
                    const int32_t u0 = $p_low(a), u1 = $p_high(a);
                    const uint32_t rest = b - ((uint32_t)u1 << 8);
                    const int32_t u2 = $p_low(rest), u3 = $p_high(rest);
                    $neurons
                }
                v[0] = a;
                v[1] = b;
            }
            $calls
        }
}
"""

_WIDE = """
static void $p_$name_fire($p_state *s)
{
    int32_t *v = s->v_$name;
    $current
    $list
    uint32_t y, x, c;
    for (y = 0; y < $height; ++y)
        for (x = 0; x < $width; ++x) {
            $empty
            for (c = 0; c < $filters; ++c, ++v) {
                $charge
                if (*v >= $level) {
                    $reset
                    $spike
                }
            }
            $calls
        }
}
"""

_NEURON = """
if (u$k >= $level) {
    const uint32_t spent = $spent;
    $take
    $spike
}
"""

# Amount by which a spike lowers the potential, and its copy in the second word.
_TAKE = (
    ["a -= spent;"],
    ["a -= spent << 16;", "b -= spent << 8;"],
    ["b -= spent;"],
    ["b -= spent << 16;"],
)

_CALLS = """
if (count != 0) {
    $calls
}
"""

_ROWS = """
/* Stored weights are 128 too large: the correction for all rows that were added. */
const uint32_t excess = *v << 7, excess1 = excess + ((*v & 0xffffu) << 15);
*v++ = 0;
"""

_QUIET = """
if (*v == 0) { /* no row was added, and there is no bias: potentials stay */
    v += $words;
    continue;
}
"""

_STILL = """
if ((current[0] | current[1]) == 0) { /* these neurons never fire */
    current += 2;
    continue;
}
"""

Expression = Callable[[str], str]


def firing_text(plan: Plan, tables: Tables, neurons: Neurons) -> list[str]:
    """A C function that lets neurons fire and delivers their spikes."""
    height, width, filters = neurons.shape
    layer = neurons.layer

    def number(what: str, values: ArrayLike, fill: int = 0) -> Expression:
        # A table stands in the C file only if a line of code reads it.
        made = cache(
            lambda: constant(tables, f"{neurons.name}_{what}", np.asarray(values), filters, fill)
        )
        return lambda index: made()(index)

    # Padding filters, which fill a group of four, stay at 0, below every firing level.
    level = number("level", layer.firing_level, 1)
    theta = number("theta", layer.v_threshold)
    rest = number("rest", layer.v_reset)
    values: dict[str, Any] = {
        **{"p": plan.prefix, "name": neurons.name},
        **{"height": height, "width": width, "filters": filters},
        **{"list": [], "empty": [], "calls": []},
    }
    if neurons.receivers:
        calls = deliver(plan.prefix, neurons.receivers, "y", "x", "spikes", "count")
        values |= {
            "list": [f"{plan.prefix}_channel spikes[{filters}];", "uint32_t count;"],
            "empty": ["count = 0;"],
            "calls": block(_CALLS, calls=calls),
        }
    if neurons.packed:
        fours = [
            block(
                _NEURON,
                k=str(k),
                level=level(index),
                spent=_spent(layer.reset, theta, rest, f"u{k}", index),
                take=_TAKE[k],
                spike=_spike(plan, neurons, theta, index),
            )
            for k, index in enumerate(("c", "c + 1", "c + 2", "c + 3"))
        ]
        return block(
            _PACKED,
            **values,
            **_packed(neurons, tables),
            neurons=[line for lines in fours for line in lines],
        )
    spike = _spike(plan, neurons, theta, "c")
    return block(
        _WIDE, **values, **_wide(neurons, tables, theta, rest), level=level("c"), spike=spike
    )


def _spent(reset: str, theta: Expression, rest: Expression, potential: str, index: str) -> str:
    if reset == "subtract":
        return f"(uint32_t){theta(index)}"
    return f"(uint32_t){potential}" + ("" if rest(index) == "0" else f" - (uint32_t){rest(index)}")


def _packed(neurons: Neurons, tables: Tables) -> dict[str, Any]:
    if neurons.constant:
        charge = [
            *block(_STILL),
            "uint32_t a = v[0] + *current++;",
            "uint32_t b = v[1] + *current++;",
        ]
        return {"current": ["const uint32_t *current = s->current;"], "rows": [], "charge": charge}
    bias = neurons.layer.bias
    rows = block(_ROWS)
    charge = ["uint32_t a = v[0] - excess;", "uint32_t b = v[1] - excess1;"]
    if bias is not None:
        table = tables.array(f"{neurons.name}_bias", packed_currents(bias), "uint32_t")
        charge += [f"a += {table}[c >> 1];", f"b += {table}[(c >> 1) + 1];"]
    elif neurons.layer.reset == "zero":
        rows = [*block(_QUIET, words=pair_words(neurons)), *rows]
    return {"current": [], "rows": rows, "charge": charge}


def _wide(neurons: Neurons, tables: Tables, theta: Expression, rest: Expression) -> dict[str, Any]:
    current, charge = [], []
    if neurons.constant:
        current, charge = ["const int32_t *current = s->current;"], ["*v += *current++;"]
    elif neurons.layer.bias is not None:
        charge = [f"*v += {tables.array(f'{neurons.name}_bias', neurons.layer.bias)}[c];"]
    subtract = neurons.layer.reset == "subtract"
    reset = f"*v -= {theta('c')};" if subtract else f"*v = {rest('c')};"
    return {"current": current, "charge": charge, "reset": [reset]}


def _spike(plan: Plan, neurons: Neurons, theta: Expression, index: str) -> list[str]:
    calls = []
    if neurons.receivers:
        calls.append(f"spikes[count++] = ({plan.prefix}_channel)({index});")
    if neurons.readout:
        calls.append(f"++s->counts[{index}];")
    if neurons.scored:
        calls.append(f"s->spent[{index}] += {theta(index)};")
    return calls
