"""Few time steps: every method against T on Fashion-MNIST.

Source: not in the paper. It asks where proxy learning stands beside what came before and after,
    in the range that has since become usual (Bu et al. 2022, arXiv:2303.04347).
Command: keras-proxy-snn paper low_t
Expected: no figure in the paper below T = 10. Its form cannot be good there: counts are rounded
    down, and its threshold of 2 keeps most neurons silent.
Time: full and compact: not measured. tiny: not measured.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .._experiment import Experiment, Run, Size
from ._shared import NONE, PUBLISHED, package

__all__ = ["EXPERIMENT"]

_CONVERTED = ("ann_as_snn", "conversion_percentile", "conversion_rnl", "conversion_qcfs")
_OTHERS = ("surrogate", "tandem", "progressive_tandem")


def _runs(
    trained: tuple[int, ...],
    converted: tuple[int, ...],
    published: Mapping[str, Any] = NONE,
    ours: Callable[[int], Mapping[str, Any]] | None = None,
) -> tuple[Run, ...]:
    return (
        Run("ann"),
        *(Run(method, t) for method in _CONVERTED for t in converted),
        *(Run("proxy_low_t", t, ours(t) if ours else NONE) for t in trained),
        # The softmax over counts is T / threshold times as steep as in the readout's current.
        *(Run("proxy", t, ours(t) if ours else {"readout_v_threshold": float(t)}) for t in trained),
        *(Run("proxy_paper", t, published) for t in trained),
        *(Run(method, t) for method in _OTHERS for t in trained),
    )


_FULL = (1, 2, 4, 8, 16, 32, 60)
_COMPACT = (1, 2, 4, 8, 16)

EXPERIMENT = Experiment(
    "low_t",
    "Few time steps on Fashion-MNIST",
    {
        "full": Size("fashion_mnist", 100, _runs(_FULL, _FULL, ours=package), (0, 1, 2)),
        "compact": Size("fashion_mnist_compact", 8, _runs(_COMPACT, _FULL, PUBLISHED)),
        "tiny": Size("digits", 2, _runs((2, 4), (2, 4)), batch_size=32),
    },
    ("matrix", "time_steps"),
)
