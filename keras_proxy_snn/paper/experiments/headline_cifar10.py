"""Headline on CIFAR-10: half of the maps of the paper's network, with this package's best training.

Source: not in the paper; the network is the paper's (Table 1) with half as many maps in every
    layer, a quarter of the work, and with folded batch normalisation. Images are shifted and
    mirrored, the usual augmentation. Dropout and erasing, which `headline` has, are left out: 22
    epochs of the ANN are few.
Command: keras-proxy-snn paper headline_cifar10
Expected: the paper has 93.11 % for the whole network at T = 60. The aim is 92.0 % at T = 8, within
    0.3 points of the ANN with the same weights. Not trained yet.
Time: full: not measured to its end; of one core (PyTorch, a Xeon with AMX) a step of 100 images
    takes 1.4 s in the first part, 10.5 s in the second, so the 24 epochs take about 9 hours.
    compact: not measured. tiny: not measured.
"""

from .._experiment import Experiment, Run, Size
from ._shared import CLIPPED, ON_GPU, TINY_HEADLINE

__all__ = ["EXPERIMENT"]

_METHOD = "proxy_quantised_long"
_CURVE = (1, 2, 4, 16)
_HALF = Run(_METHOD, 8, {**ON_GPU, **CLIPPED}, evaluate_at=_CURVE)
_COMPACT = Run(_METHOD, 8, CLIPPED, evaluate_at=_CURVE)

EXPERIMENT = Experiment(
    "headline_cifar10",
    "Half of the paper's network for CIFAR-10 at few time steps",
    {
        "full": Size("cifar10_half", 24, (_HALF,), (0, 1, 2), augment=True, hold_out=False),
        "compact": Size("cifar10_compact", 12, (_COMPACT,), augment=True),
        "tiny": TINY_HEADLINE,
    },
    ("table", "matrix", "time_steps"),
)
