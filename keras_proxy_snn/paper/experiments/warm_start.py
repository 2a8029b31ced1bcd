"""Warm start: the paper's form on Fashion-MNIST, started from a trained ANN.

Source: not in the paper; network, neurons and proxy are the paper's (Table 1).
Command: keras-proxy-snn paper warm_start
Expected: the paper has 94.56 % at T = 50, from random weights. At T = 15 this collapses: after 16
    epochs of the ANN (95 % of the augmented training images), the first epoch via proxy classified
    70 % of them and the second 18 % (`benchmarks/NOTES.md`). T = 50 was not tried at full size.
Time: full: 75 minutes at T = 15 on two cores that other jobs shared (TensorFlow, a Xeon with AMX),
    13 of them per epoch via proxy. compact: not measured. tiny: not measured.
"""

from .._experiment import Experiment, Run, Size
from ._shared import HALF, TABLE_1

__all__ = ["EXPERIMENT"]

_METHOD = "proxy_paper_warm"
_FULL = tuple(Run(_METHOD, t, HALF, paper=94.56, paper_time_steps=50) for t in (15, 50))
_COMPACT = Run(_METHOD, 20, TABLE_1)

EXPERIMENT = Experiment(
    "warm_start",
    "The paper's form on Fashion-MNIST, started from a trained ANN",
    {
        "full": Size("fashion_mnist", 18, _FULL, (0, 1, 2), augment=True, hold_out=False),
        "compact": Size("fashion_mnist_compact", 9, (_COMPACT,), augment=True),
        "tiny": Size("digits", 2, (Run(_METHOD, 8),), batch_size=32),
    },
    ("table",),
)
