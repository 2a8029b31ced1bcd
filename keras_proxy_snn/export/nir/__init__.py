"""NIR, the Neuromorphic Intermediate Representation: write and read programs as NIR files.

NIR puts channels first and resets to a fixed potential. In NIR a neuron fires if its potential is
*above* the threshold; in this package it fires if the potential is *at or above* the threshold. For
float32 potentials, `v >= level` is the same as `v > level'`, where level' is the next float32 below
level. So the conversion is exact.

Source: Pedersen et al., "Neuromorphic intermediate representation: A unified instruction set
for interoperable brain-inspired computing", Nature Communications 15, 8122 (2024).
"""

from .executor import run
from .graph_file import node_count
from .limits import FORMS, refuse
from .reader import read
from .writer import POOLINGS, add_facts, write

__all__ = ["FORMS", "POOLINGS", "add_facts", "node_count", "read", "refuse", "run", "write"]
