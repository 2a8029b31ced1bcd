"""Figure 5 of the paper: accuracy against T on CIFAR-10.

Source: Kheradpisheh et al. 2021, arXiv:2109.13208, Fig. 5, T = 10 to 70.
Command: keras-proxy-snn paper figure5
Expected: 88.35 at T = 10, rising to 93.11 at T = 60. As in figure3, two curves are drawn: networks
    trained at each T, and the network trained at the T of Table 3 and run at each T.
    The compact network is trained in this package's form: the published one collapses there at
    T = 8, see `PUBLISHED` and table2.
Time: full: not measured. compact: at T = 20 about 13 minutes per epoch on one shared core; table3
    shares the other training. tiny: not measured.
"""

from .._experiment import Experiment, Size
from ._shared import against_time_steps, steep

__all__ = ["EXPERIMENT"]

_FULL = (10, 20, 30, 40, 50, 60, 70)
_PAPER = {10: 88.35, 60: 93.11}

EXPERIMENT = Experiment(
    "figure5",
    "Figure 5: proxy learning on CIFAR-10 against T",
    {
        "full": Size("cifar10", 100, against_time_steps(_FULL, 60, paper=_PAPER), (0, 1, 2)),
        "compact": Size("cifar10_compact", 4, against_time_steps((8, 20), 20, "proxy", steep)),
        "tiny": Size("digits", 2, against_time_steps((4, 8), 8), batch_size=32),
    },
    ("table", "time_steps"),
)
