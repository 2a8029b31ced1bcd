"""NIR, the Neuromorphic Intermediate Representation: programs to graphs and back.

NIR describes physical neurons: channels first, hard reset, a spike when the potential is
*above* the threshold, where the package's neurons fire *at* it. For float32 potentials,
`v >= level` is `v > level'` with level' the next float32 below, so nothing is lost.

Source: Pedersen et al., "Neuromorphic intermediate representation: A unified instruction set
for interoperable brain-inspired computing", Nature Communications 15, 8122 (2024).
"""

from .executor import run
from .graph_file import node_count
from .limits import FORMS, refuse
from .reader import read
from .writer import POOLINGS, write

__all__ = ["FORMS", "POOLINGS", "node_count", "read", "refuse", "run", "write"]
