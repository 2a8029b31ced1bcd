"""`header`: the C header, with the network's functions and constants."""

import json
from collections.abc import Mapping
from typing import Any

from ._names import comment, string
from ._parts import block
from ._plan import Plan
from ._state import members, state_bytes

__all__ = ["header", "with_facts"]

_HEADER = """
/* A spiking network, written by keras_proxy_snn.
 *
$facts
 *
 *     static $p_state state;
 *     $p_run(&state, image);
 *     best = $p_class(&state);
 *
 * An image is $P_IMAGE_SIZE bytes: rows, columns, channels. Each byte is $p_input[pixel] for a
 * pixel from 0 to 255; it is from 0 to $P_INPUT_MAX. All memory is in the state, so several states
 * can run several images at the same time. */
#ifndef $P_H
#define $P_H

#include <stdint.h>

#define $P_HEIGHT $height
#define $P_WIDTH $width
#define $P_CHANNELS $channels
#define $P_IMAGE_SIZE $size
#define $P_INPUT_SCALE $scale /* input = round(pixel / 255 * scale) */
#define $P_INPUT_MAX $most
#define $P_CLASSES $classes
#define $P_CLASS_NAMES {$names}
#define $P_TIME_STEPS $steps
#define $P_STATE_BYTES $state /* RAM: sizeof($p_state) */
#define $P_TABLE_BYTES $tables /* flash, besides the code */

typedef struct {
    $members
} $p_state;

#ifdef __cplusplus
extern "C" {
#endif

/* The network's input for each pixel from 0 to 255. */
extern const uint8_t $p_input[256];

/* Start a new image. The image is read by this call only. */
void $p_reset($p_state *s, const uint8_t *image);

/* Make one time step and return 1; if all $P_TIME_STEPS steps were made before, return 0. */
int $p_step($p_state *s);

/* Reset, and make all time steps of an image. */
void $p_run($p_state *s, const uint8_t *image);

/* The class that $what, after any number of steps; in a tie the first one.$silent */
int $p_class(const $p_state *s);
$potential

#ifdef __cplusplus
}
#endif

#endif
"""

_SILENT = """
   If all counts are 0, no output neuron has fired: there is no answer, and the result is 0."""

_POTENTIAL = """

/* The potential of the readout's neuron of class k, counted from its start value. */
int32_t $p_potential(const $p_state *s, int k);
"""


def header(plan: Plan, class_names: list[str], tables: int) -> str:
    """Text of the header.

    Args:
        plan: The network.
        class_names: A name per class.
        tables: Size of the constant tables, in bytes.
    """
    program = plan.program
    height, width, channels = program.input_shape
    scored = plan.neurons[-1].scored
    names = {"p": plan.prefix, "P": plan.prefix.upper()}
    values: dict[str, Any] = {
        **{"height": height, "width": width, "channels": channels},
        "size": height * width * channels,
        "scale": f"{program.largest_input:g}",
        "most": round(program.largest_input),
        "classes": plan.neurons[-1].shape[2],
        "names": ", ".join(map(string, class_names)),
        "steps": program.time_steps,
        "state": state_bytes(plan),
        "tables": tables,
    }
    lines = block(
        _HEADER,
        **names,
        **values,
        what="has the highest score" if scored else "has the most spikes",
        silent="" if scored else _SILENT,
        members=[member.declaration for member in members(plan)],
        potential=block(_POTENTIAL, **names) if scored else [],
        facts=_facts({"time_steps": program.time_steps, **program.metadata}),
    )
    return "\n".join([*lines, ""])


def with_facts(text: str, facts: Mapping[str, Any]) -> str:
    """The text of a header with further facts in its first comment; they replace equal names."""
    head, known, rest = text.split("\n *\n", 2)
    lines = {line.partition(": ")[0]: line for line in [*known.splitlines(), *_facts(facts)]}
    return "\n *\n".join([head, "\n".join(lines.values()), rest])


def _facts(facts: Mapping[str, Any]) -> list[str]:
    texts = (
        comment(f"{key}: {value if isinstance(value, str) else json.dumps(value)}")
        for key, value in facts.items()
    )
    return [f" * {text}" for text in texts]
