"""C code from the image to the current of the first neurons."""

import numpy as np

from ._parts import block, constant, window_taps
from ._plan import Map, Plan, Pooling, Window
from ._tables import Tables, padded, smallest_type

__all__ = ["current_text", "image_pooling_text", "image_type"]

_TAPS = """
const $p_tap *const row_end = $p_$name_rows + $p_$name_rows_from[y + 1];
const $p_tap *const first = $p_$name_columns + $p_$name_columns_from[x];
const $p_tap *const column_end = $p_$name_columns + $p_$name_columns_from[x + 1];
const $p_tap *row = $p_$name_rows + $p_$name_rows_from[y], *column;
"""

_CURRENT = """
/* The current of an image. Only this function multiplies. */
static void $p_$name_current($p_state *s, const $image *image)
{
    $type *current = s->current;
    uint32_t y, x, c, f;
    for (y = 0; y < $height; ++y)
        for (x = 0; x < $width; ++x) {
            $taps
            int32_t sum[$space];
            $start
            for (; row < row_end; ++row)
                for (column = first; column < column_end; ++column) {
                    const $image *pixel = image + row->to + column->to;
                    const int8_t *weights = $p_$name_weights + row->at + column->at;
                    for (c = 0; c < $channels; ++c, weights += $filters) {
                        const int32_t value = (int32_t)pixel[c];
                        if (value == 0) continue;
                        for (f = 0; f < $filters; ++f) sum[f] += value * weights[f];
                    }
                }
            $clamp
            $store
        }
}
"""

_CLAMP = """
/* A neuron never fires if its current is at most 0, and always if it reaches the threshold. */
for (f = 0; f < $filters; ++f) {
    if (sum[f] < 0) sum[f] = 0;
    if (sum[f] > $theta) sum[f] = $theta;
}
"""

_PACK = """
for (f = 0; f < $filters; f += 4) {
    const uint32_t second = (uint32_t)sum[f + 1];
    *current++ = (uint32_t)sum[f] + (second << 16);
    *current++ = (uint32_t)sum[f + 2] + (second << 8) + ((uint32_t)sum[f + 3] << 16);
}
"""

_POOL = """
/* $rows x $columns windows of the image: $what */
static void $p_$name_pool($p_state *s, const $from *image)
{
    $to *out = s->image_$name;
    uint32_t y, x, c;
    for (y = 0; y < $height; ++y)
        for (x = 0; x < $width; ++x)
            for (c = 0; c < $channels; ++c) {
                $taps
                $to value = 0;
                for (; row < row_end; ++row)
                    for (column = first; column < column_end; ++column) {
                        const $from pixel = image[row->to + column->to + c];
                        $gather
                    }
                *out++ = value;
            }
}
"""


def image_type(plan: Plan, pooling: Pooling | None) -> str:
    """C type of the image, or of the result of its pooling."""
    return smallest_type(0, round(plan.program.largest_input) if pooling is None else pooling.top)


def _taps(
    plan: Plan, tables: Tables, name: str, window: Window, inputs: Map, outputs: Map, row: tuple
) -> list[str]:
    to = (inputs[1] * inputs[2], inputs[2])
    axes = window_taps(window, inputs, outputs, by_input=False, to=to, at=row)
    for axis, lists in zip(("rows", "columns"), axes, strict=True):
        tables.taps(f"{name}_{axis}", lists)
    return block(_TAPS, p=plan.prefix, name=name)


def current_text(plan: Plan, tables: Tables) -> list[str]:
    """A C function that sums the first neurons' current."""
    synapses, neurons = plan.first, plan.first.target
    height, width, filters = neurons.shape
    columns, channels = synapses.kernel.shape[1:3]
    tables.array(f"{synapses.name}_weights", synapses.kernel.ravel(), "int8_t")
    row = (columns * channels * filters, channels * filters)
    bias = neurons.layer.bias
    start = [f"for (f = 0; f < {padded(filters)}; ++f) sum[f] = 0;"]
    if bias is not None:
        table = tables.array(f"{neurons.name}_bias", [*bias, *[0] * (padded(filters) - filters)])
        start = [f"for (f = 0; f < {padded(filters)}; ++f) sum[f] = {table}[f];"]
    store = [f"for (f = 0; f < {filters}; ++f) *current++ = sum[f];"]
    if neurons.packed:
        store = block(_PACK, filters=padded(filters))
    clamp: list[str] = []
    if neurons.clamped:
        thetas = np.asarray(neurons.layer.v_threshold)
        theta = constant(tables, f"{neurons.name}_most", thetas, filters, 0)
        clamp = block(_CLAMP, filters=filters, theta=theta("f"))
    last = plan.image[-1] if plan.image else None
    return block(
        _CURRENT,
        **{"p": plan.prefix, "name": synapses.name, "image": image_type(plan, last)},
        **{"height": height, "width": width, "channels": channels, "filters": filters},
        type="uint32_t" if neurons.packed else "int32_t",
        space=padded(filters),
        taps=_taps(
            plan, tables, synapses.name, synapses.window, synapses.inputs, neurons.shape, row
        ),
        start=start,
        clamp=clamp,
        store=store,
    )


def image_pooling_text(plan: Plan, tables: Tables, index: int) -> list[str]:
    """A C function that pools an image before the first neurons."""
    pooling = plan.image[index]
    before = plan.image[index - 1] if index else None
    height, width, channels = pooling.shape
    to = image_type(plan, pooling)
    sums = pooling.layer.kind == "sum"
    gather = f"value = ({to})(value + pixel);" if sums else "if (pixel > value) value = pixel;"
    return block(
        _POOL,
        **{"p": plan.prefix, "name": pooling.name, "from": image_type(plan, before), "to": to},
        **{"height": height, "width": width, "channels": channels},
        **{"rows": pooling.window.size[0], "columns": pooling.window.size[1]},
        what="their sums" if sums else "their largest values",
        taps=_taps(
            plan, tables, pooling.name, pooling.window, pooling.inputs, pooling.shape, (0, 0)
        ),
        gather=[gather],
    )
