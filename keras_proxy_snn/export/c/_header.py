"""The header: what a program that uses the network sees."""

import json
from typing import Any

from ._names import comment, string
from ._parts import block
from ._plan import Plan
from ._state import members, state_bytes

__all__ = ["header"]

_HEADER = """
/* A spiking network, written by keras_proxy_snn.
 *
$facts
 *
 *     static $p_state state;
 *     $p_run(&state, image);
 *     best = $p_class(&state);
 *
 * An image is $P_IMAGE_SIZE bytes: rows, columns, channels. Of a pixel from 0 to 255 it has
 * $p_input[pixel], which is from 0 to $P_INPUT_MAX. All memory is in the state, so several images
 * can be under way at once. */
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

/* The input of each byte that a pixel can be. */
extern const uint8_t $p_input[256];

/* Start anew with an image. It is read here and not kept. */
void $p_reset($p_state *s, const uint8_t *image);

/* Make one time step; 0 if all $P_TIME_STEPS have been made, and there is none left, else 1. */
int $p_step($p_state *s);

/* All time steps of an image, from the reset on. */
void $p_run($p_state *s, const uint8_t *image);

/* The class that $what, after any number of steps; the first of those tied. */
int $p_class(const $p_state *s);
$potential

#ifdef __cplusplus
}
#endif

#endif
"""

_POTENTIAL = """

/* What is left in the readout's neuron of a class, counted from where neurons start. */
int32_t $p_potential(const $p_state *s, int k);
"""


def header(plan: Plan, class_names: list[str], tables: int) -> str:
    """Text of the header.

    Args:
        plan: The network.
        class_names: A name for each class.
        tables: Bytes of constant tables.
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
        members=[member.declaration for member in members(plan)],
        potential=block(_POTENTIAL, **names) if scored else [],
        facts=_facts(plan),
    )
    return "\n".join([*lines, ""])


def _facts(plan: Plan) -> list[str]:
    facts = {"time_steps": plan.program.time_steps, **plan.program.metadata}
    texts = (
        comment(f"{key}: {value if isinstance(value, str) else json.dumps(value)}")
        for key, value in facts.items()
    )
    return [f" * {text}" for text in texts]
