"""Headline on CIFAR-10: half of the maps of the paper's network, with this package's best training.

Source: not in the paper; the network is the paper's (Table 1) with half as many maps in every
    layer, a quarter of the work, and with folded batch normalisation. Images are shifted and
    mirrored, the usual augmentation. Dropout and erasing, which `headline` has, are left out: 7
    epochs of the ANN are few. `headline_cifar10_long` trains for longer.
Command: keras-proxy-snn paper headline_cifar10
Expected: the paper has 93.11 % for the whole network at T = 60. The aim was 92.0 % at T = 8, within
    0.3 points of the ANN with the same weights; eight epochs reach 82.10 % (seed 0),
    and their ANN has 82.04 %.
Time: full: two and a half hours on a core that other jobs shared (PyTorch, a Xeon with AMX): an
    epoch of the ANN 9 to 15 minutes, one via proxy 39, and 25 for the test images. compact: not
    measured. tiny: not measured.
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
        "full": Size("cifar10_half", 8, (_HALF,), (0, 1, 2), augment=True, hold_out=False),
        "compact": Size("cifar10_compact", 12, (_COMPACT,), augment=True),
        "tiny": TINY_HEADLINE,
    },
    ("table", "matrix", "time_steps"),
)
