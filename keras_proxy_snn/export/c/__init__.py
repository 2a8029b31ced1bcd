"""C files of integer networks, for any microcontroller, and the compiler that checks them.

`net.c` and `net.h` do in C99 what the interpreter does, event by event: each spike adds a row of
weights to the potentials of the neurons that it reaches.
"""

from ._activity import Activity, activity
from ._runtime import compiler, run
from ._write import FORMS, node_count, refuse, write

__all__ = ["FORMS", "Activity", "activity", "compiler", "node_count", "refuse", "run", "write"]
