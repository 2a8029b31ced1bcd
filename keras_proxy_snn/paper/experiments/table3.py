"""Table 3 of the paper: learning rules on CIFAR-10.

Source: Kheradpisheh et al. 2021, arXiv:2109.13208, Table 3, rows "This work". Methods without a
    figure are not in the paper.
Command: keras-proxy-snn paper table3
Expected: ANN 93.20; conversion 89.14, 92.91, 93.16 at T = 60, 120, 240; surrogate gradient 92.85;
    proxy learning 93.11, both at T = 60. The paper says neither how many epochs nor whether ties
    count as right, nor how images were augmented; here 100 epochs, ties by argmax, images as
    they are.
Time: full: not measured. compact: on one shared core 7 minutes for the ANN, 35 to train via proxy.
    tiny: not measured.
"""

from .._experiment import Experiment, Size
from ._shared import PACKAGE, PUBLISHED, Figures, learning_rules, rival

__all__ = ["EXPERIMENT"]

_PAPER = Figures(60, ann=93.20, proxy=93.11, converted=(89.14, 92.91, 93.16), surrogate=92.85)

_COMPACT = learning_rules(8, _PAPER, PUBLISHED, rivals=rival)

EXPERIMENT = Experiment(
    "table3",
    "Table 3: learning rules on CIFAR-10",
    {
        "full": Size("cifar10", 100, learning_rules(60, _PAPER, ours=PACKAGE), (0, 1, 2)),
        "compact": Size("cifar10_compact", 4, _COMPACT),
        "tiny": Size("digits", 2, learning_rules(8, _PAPER), batch_size=32),
    },
)
