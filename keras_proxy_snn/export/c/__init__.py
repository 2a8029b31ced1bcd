"""C files of integer networks, for any microcontroller; the machine's compiler checks them.

`net.c` and `net.h` compute in C99 the same spikes as the interpreter. They work event by event:
each spike adds a row of weights to the potentials of the neurons that read it.
"""

from ._activity import Activity, activity
from ._runtime import compiler, run
from ._write import FORMS, add_facts, memory, node_count, refuse, write

__all__ = [
    "FORMS",
    "Activity",
    "activity",
    "add_facts",
    "compiler",
    "memory",
    "node_count",
    "refuse",
    "run",
    "write",
]
