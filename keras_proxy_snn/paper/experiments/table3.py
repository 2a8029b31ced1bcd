"""Table 3 of the paper: learning rules on CIFAR-10.

Source: Kheradpisheh et al. 2021, arXiv:2109.13208, Table 3, rows "This work". Methods without a
    figure are not in the paper.
Command: keras-proxy-snn paper table3
Expected: ANN 93.20; conversion 89.14, 92.91, 93.16 at T = 60, 120, 240; surrogate gradient 92.85;
    proxy learning 93.11, both at T = 60. The paper does not tell the number of epochs, whether
    ties count as right, or how images were augmented. Here training has 100 epochs, and ties go to
    argmax. Images are shifted and mirrored at random at full size, and not augmented otherwise.
Time: full: on a GPU (NVIDIA H200, shared with two other trainings) 15 s per epoch of the ANN, 26
    via proxy at T = 8. compact: on one shared core 5 to 9 minutes for the ANN and conversions,
    57 for the surrogate gradient, 19 to 35 for the others. tiny: not measured.
"""

from .._experiment import Experiment, Run, Size
from . import headline_cifar10, headline_cifar10_long
from ._shared import (
    CLIPPED,
    HALF,
    NORMALISED,
    ON_GPU,
    PUBLISHED,
    Figures,
    averaging,
    learning_rules,
    rival,
)

__all__ = ["EXPERIMENT"]

_PAPER = Figures(60, ann=93.20, proxy=93.11, converted=(89.14, 92.91, 93.16), surrogate=92.85)

_QUANTISED = ("proxy_quantised", "quantised_as_snn")

_FULL = (
    *learning_rules(60, _PAPER, HALF, ON_GPU, quantised=CLIPPED),
    Run("ann", fields=NORMALISED, label="ANN with batch normalisation"),
    Run("proxy_low_t", 8, ON_GPU, evaluate_at=(2, 4, 16, 32, 60)),
    Run("proxy_quantised", 8, {**ON_GPU, **CLIPPED}, evaluate_at=(4, 16)),
)
_COMPACT = (
    *learning_rules(8, _PAPER, PUBLISHED, quantised=CLIPPED, rivals=rival),
    *(Run(method, t, CLIPPED) for method in _QUANTISED for t in (2, 4, 20)),
    *averaging(8),
)

EXPERIMENT = Experiment(
    "table3",
    "Table 3: learning rules on CIFAR-10",
    {
        "full": Size("cifar10", 100, _FULL, (0, 1, 2), augment=True),
        "compact": Size("cifar10_compact", 4, _COMPACT),
        "tiny": Size("digits", 2, learning_rules(8, _PAPER), batch_size=32),
    },
    also=(headline_cifar10.EXPERIMENT, headline_cifar10_long.EXPERIMENT),
)
