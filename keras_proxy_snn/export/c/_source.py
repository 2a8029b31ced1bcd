"""`source`: the whole text of a C file, with reset, steps and classes."""

import numpy as np

from ...basics.pixel_range import in_range
from ..interpreter import scaled
from ..program import Program
from ._firing import LANES, firing_text
from ._image import current_text, image_pooling_text
from ._parts import block, constant, fill
from ._plan import Plan
from ._synapses import pooling_text, synapses_text
from ._tables import Tables, rows

__all__ = ["source"]

_START = """
#include "$header"

#include <string.h>

/* A connection of a spike or a window: `to` a position, with the weights `at`. */
typedef struct {
    uint32_t to, at;
} $p_tap;

/* Channel of a spike. */
typedef $channel $p_channel;

const uint8_t $p_input[256] = {
    $inputs
};

$tables
$functions
void $p_reset($p_state *s, const uint8_t *image)
{
    memset(s, 0, sizeof *s);
    $image
}

int $p_step($p_state *s)
{
    if (s->steps == $P_TIME_STEPS) return 0;
    ++s->steps;
    $step
    return 1;
}

void $p_run($p_state *s, const uint8_t *image)
{
    $p_reset(s, image);
    while ($p_step(s)) {
    }
}
"""

_BY_COUNTS = """
int $p_class(const $p_state *s)
{
    int best = 0, k;
    for (k = 1; k < $P_CLASSES; ++k)
        if (s->counts[k] > s->counts[best]) best = k;
    return best;
}
"""

_POTENTIAL = """
int32_t $p_potential(const $p_state *s, int k)
{
    return s->$v[k];
}
"""

_POTENTIAL_PACKED = """
int32_t $p_potential(const $p_state *s, int k)
{
    const uint32_t *four = s->$v + 1 + ((k >> 2) << 1);
    const uint32_t pair = k & 2 ? four[1] - ((uint32_t)$p_high(four[0]) << 8) : four[0];
    return k & 1 ? $p_high(pair) : $p_low(pair);
}
"""

_BY_SCORES = """
/* Score of a class, in the unit of its threshold: spikes times threshold, plus the potential. */
static int32_t $p_score(const $p_state *s, int k)
{
    return s->spent[k] + $p_potential(s, k) + $start;
}

int $p_class(const $p_state *s)
{
    int best = 0, k;
    for (k = 1; k < $P_CLASSES; ++k)
        if ($better) best = k;
    return best;
}
"""

_TIMES = """
/* A score times a threshold, by additions. */
static int64_t $p_times(int32_t score, int32_t threshold)
{
    int64_t product = 0, more = score;
    for (; threshold != 0; threshold >>= 1) {
        if (threshold & 1) product += more;
        more += more;
    }
    return product;
}
"""


def source(plan: Plan, header: str) -> tuple[str, int]:
    """Text of the file, and the size of its tables in bytes.

    Args:
        plan: The network.
        header: Name of the header.
    """
    tables = Tables(plan.prefix)
    functions = [*_functions(plan, tables), *_class_text(plan, tables)]
    text = block(
        _START,
        p=plan.prefix,
        P=plan.prefix.upper(),
        header=header,
        channel="uint16_t" if _most_channels(plan) <= 2**16 else "uint32_t",
        tables=tables.lines,
        functions=functions,
        image=_image_calls(plan),
        step=_step_calls(plan),
        inputs=_inputs(plan.program),
    )
    return "\n".join([*text, ""]), tables.size + 256


def _most_channels(plan: Plan) -> int:
    return max(neurons.shape[2] for neurons in plan.neurons)


def _inputs(program: Program) -> list[str]:
    """The network's input for each pixel from 0 to 255."""
    pixels = in_range(np.arange(256, dtype="float32") / np.float32(255), program.input_range)
    return rows([str(n) for n in scaled(program, pixels)])


def _functions(plan: Plan, tables: Tables) -> list[str]:
    """All functions that a step calls; each follows the functions that it calls."""
    lines: list[str] = []
    if any(neurons.packed for neurons in plan.neurons):
        lines += block(LANES, p=plan.prefix)
    for synapses in plan.synapses:
        lines += ["", *synapses_text(plan, tables, synapses)]
    for pooling in reversed(plan.poolings):
        lines += ["", *pooling_text(plan, tables, pooling)]
    for neurons in plan.neurons:
        lines += ["", *firing_text(plan, tables, neurons)]
    for index in range(len(plan.image)):
        lines += ["", *image_pooling_text(plan, tables, index)]
    return [*lines, "", *current_text(plan, tables), ""]


def _class_text(plan: Plan, tables: Tables) -> list[str]:
    names = {"p": plan.prefix, "P": plan.prefix.upper()}
    readout = plan.neurons[-1]
    if not readout.scored:
        return block(_BY_COUNTS, **names)
    potential = _POTENTIAL_PACKED if readout.packed else _POTENTIAL
    start = constant(
        tables, f"{readout.name}_start", np.asarray(readout.layer.v_0), readout.shape[2], 0
    )
    better, times = "$p_score(s, k) > $p_score(s, best)", []
    if np.unique(readout.layer.v_threshold).size > 1:
        theta, times = f"$p_{readout.name}_theta", block(_TIMES, **names)
        better = (
            f"$p_times($p_score(s, k), {theta}[best]) > $p_times($p_score(s, best), {theta}[k])"
        )
    lines = [*block(potential, v=f"v_{readout.name}", **names), "", *times]
    return lines + block(_BY_SCORES, start=start("k"), better=fill(better, names), **names)


def _image_calls(plan: Plan) -> list[str]:
    calls, image = [], "image"
    for pooling in plan.image:
        calls.append(f"{plan.prefix}_{pooling.name}_pool(s, {image});")
        image = f"s->image_{pooling.name}"
    return [*calls, f"{plan.prefix}_{plan.first.name}_current(s, {image});"]


def _step_calls(plan: Plan) -> list[str]:
    fired = [f"fired_{pooling.name}" for pooling in plan.poolings if pooling.layer.kind == "or"]
    clear = [f"memset(s->{name}, 0, sizeof s->{name});" for name in fired]
    return clear + [f"{plan.prefix}_{neurons.name}_fire(s);" for neurons in plan.neurons]
