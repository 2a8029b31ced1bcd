"""C code of synapses, which add rows of weights to potentials, and of spike pooling."""

import numpy as np

from ._parts import block, deliver, pair_words, window_taps
from ._plan import Plan, Pooling, Synapses
from ._tables import Tables, packed_rows, padded

__all__ = ["pooling_text", "synapses_text"]

# Number of words that a loop adds per round, before it tests for the end of the row.
_UNROLLED = 16
# Numbers of rows that are added at a time. Potentials are loaded and stored once for all of them.
_TOGETHER = (1, 2, 4)

_ARGUMENTS = "$p_state *s, uint32_t y, uint32_t x, const $p_channel *spikes, uint32_t count"

_WINDOWS = """
    const $p_tap *row = $p_$name_rows + $p_$name_rows_from[y];
    const $p_tap *const row_end = $p_$name_rows + $p_$name_rows_from[y + 1];
    const $p_tap *const first = $p_$name_columns + $p_$name_columns_from[x];
    const $p_tap *const column_end = $p_$name_columns + $p_$name_columns_from[x + 1];
    const $p_tap *column;
    for (; row < row_end; ++row)
        for (column = first; column < column_end; ++column) {"""

_PACKED = f"""
/* $rows x $columns kernel, $inputs -> $outputs */
static void $p_$name_receive({_ARGUMENTS})
{{
    const uint32_t rows = count + (count << 16);{_WINDOWS}
            const uint32_t *const from = $p_$name_weights + row->at + column->at;
            uint32_t *const pixel = s->v_$target + row->to + column->to;
            uint32_t i = 0, n;
            *pixel += rows;
            $additions
        }}
}}
"""

_ADDITIONS = """
$condition {
    $weights
    uint32_t *v = pixel + 1;
    for (n = $rounds; n != 0; --n, $onward, v += $neurons) {
        $sums
    }
    $done
}
"""

_WIDE = f"""
/* $rows x $columns kernel, $inputs -> $outputs */
static void $p_$name_receive({_ARGUMENTS})
{{{_WINDOWS}
            const int8_t *const from = $p_$name_weights + row->at + column->at;
            int32_t *const pixel = s->v_$target + row->to + column->to;
            uint32_t i, f;
            for (i = 0; i < count; ++i) {{
                const int8_t *w = from + $p_$name_channels[spikes[i]];
                for (f = 0; f < $filters; ++f) pixel[f] += w[f];
            }}
        }}
}}
"""

_POOL = f"""
/* $rows x $columns windows, $inputs -> $outputs */
static void $p_$name_receive({_ARGUMENTS})
{{{_WINDOWS}
            $inner
        }}
}}
"""

_OR = """
$p_channel passed[$channels]; /* the first spikes of their windows */
uint32_t many = 0, i;
for (i = 0; i < count; ++i) {
    const uint32_t bit = row->to + column->to + spikes[i];
    const uint8_t mask = (uint8_t)(1u << (bit & 7u));
    uint8_t *const byte = &s->fired_$name[bit >> 3];
    if ((*byte & mask) == 0) {
        *byte = (uint8_t)(*byte | mask);
        passed[many++] = spikes[i];
    }
}
if (many != 0) {
    $calls
}
"""


def synapses_text(plan: Plan, tables: Tables, synapses: Synapses) -> list[str]:
    """A C function that adds the rows of weights of a spike, and its tables."""
    target, name = synapses.target, synapses.name
    height, width, channels, filters = synapses.kernel.shape
    pixel = row = filters
    if target.packed:
        pixel, row = pair_words(target), padded(filters) // 4
        tables.array(f"{name}_weights", packed_rows(synapses.kernel), "uint32_t")
    else:
        tables.array(f"{name}_weights", synapses.kernel.ravel(), "int8_t")
    tables.array(f"{name}_channels", row * np.arange(channels))
    rows, columns = window_taps(
        synapses.window,
        synapses.inputs,
        target.shape,
        by_input=True,
        to=(target.shape[1] * pixel, pixel),
        at=(width * channels * row, channels * row),
    )
    tables.taps(f"{name}_rows", rows)
    tables.taps(f"{name}_columns", columns)
    # A list of spikes is no longer than the channels, and compilers warn of reads behind its end.
    together = [many for many in _TOGETHER if many <= channels]
    return block(
        _PACKED if target.packed else _WIDE,
        **{"p": plan.prefix, "name": name, "target": target.name},
        **{"rows": height, "columns": width, "filters": filters},
        inputs=_size(synapses.inputs),
        outputs=_size(target.shape),
        additions=[
            line
            for many in together
            for line in _additions(f"{plan.prefix}_{name}", row, many, last=many == together[-1])
        ],
    )


def _additions(name: str, row: int, many: int, *, last: bool) -> list[str]:
    """C code that adds `many` packed rows of `row` words at a time, several words per round.

    The last such code is a loop; the rest of the division by its `many` comes before.
    """
    step = max(n for n in range(1, _UNROLLED + 1) if row % n == 0)
    weights = [f"w{j}" for j in range(many)]
    sums = []
    for k in range(step):
        low = " + ".join(f"({w}[{k}] & 0x00ff00ffu)" for w in weights)
        high = " + ".join(f"({w}[{k}] >> 8)" for w in weights)
        sums += [f"v[{2 * k}] += {low};", f"v[{2 * k + 1}] += {high};"]
    return block(
        _ADDITIONS,
        condition=f"for (; i < count; i += {many})" if last else f"if ((count & {many}u) != 0)",
        done=[] if last else [f"i += {many};"],
        rounds=row // step,
        neurons=2 * step,
        onward=", ".join(f"{w} += {step}" for w in weights),
        weights=[
            f"const uint32_t *{w} = from + {name}_channels[spikes[i + {j}]];"
            for j, w in enumerate(weights)
        ],
        sums=sums,
    )


def pooling_text(plan: Plan, tables: Tables, pooling: Pooling) -> list[str]:
    """A C function that delivers spikes to windows: every spike, or the first in each window."""
    width, channels = pooling.shape[1:]
    rows, columns = window_taps(
        pooling.window,
        pooling.inputs,
        pooling.shape,
        by_input=True,
        to=(width * channels, channels),
        at=None,
    )
    tables.taps(f"{pooling.name}_rows", rows)
    tables.taps(f"{pooling.name}_columns", columns)
    place = "row->at", "column->at"
    inner = deliver(plan.prefix, pooling.receivers, *place, "spikes", "count")
    if pooling.layer.kind == "or":
        calls = deliver(plan.prefix, pooling.receivers, *place, "passed", "many")
        inner = block(_OR, p=plan.prefix, name=pooling.name, channels=channels, calls=calls)
    return block(
        _POOL,
        p=plan.prefix,
        name=pooling.name,
        inner=inner,
        rows=pooling.window.size[0],
        columns=pooling.window.size[1],
        inputs=_size(pooling.inputs),
        outputs=_size(pooling.shape),
    )


def _size(shape: tuple[int, int, int]) -> str:
    return " x ".join(map(str, shape))
