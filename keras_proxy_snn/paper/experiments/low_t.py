"""Few time steps: every method against T on Fashion-MNIST.

Source: not in the paper. It asks where proxy learning stands beside what came before and after,
    in the range that has since become usual (Bu et al. 2022, arXiv:2303.04347).
Command: keras-proxy-snn paper low_t
Expected: no figure in the paper below T = 10. Its form cannot be good there: counts are rounded
    down, and its threshold of 2 keeps most neurons silent.
Time: full and compact: not measured. tiny: not measured.
"""

from collections.abc import Mapping
from typing import Any

from .._experiment import Experiment, Run, Size
from ._shared import NONE, PUBLISHED

__all__ = ["EXPERIMENT"]

_CONVERTED = ("ann_as_snn", "conversion_percentile", "conversion_rnl", "conversion_qcfs")
_OTHERS = ("surrogate", "tandem", "progressive_tandem")


def _runs(
    ours: tuple[int, ...],
    others: tuple[int, ...],
    curve: tuple[int, ...],
    published: Mapping[str, Any] = NONE,
) -> tuple[Run, ...]:
    """Methods trained at some T; the networks of the longest, and converted ones, run for all."""

    def trained(method: str, steps: tuple[int, ...], fields: Mapping[str, Any] = NONE) -> list[Run]:
        return [Run(method, t, fields, evaluate_at=curve if t == max(steps) else ()) for t in steps]

    return (
        Run("ann"),
        *trained("proxy_low_t", ours),
        *(Run(method, t) for method in _CONVERTED for t in curve),
        *trained("proxy_paper", others, published),
        *(run for method in _OTHERS for run in trained(method, others)),
    )


_CURVE = (1, 2, 4, 8, 16, 32, 60)
_TINY = (2, 4)

EXPERIMENT = Experiment(
    "low_t",
    "Few time steps on Fashion-MNIST",
    {
        "full": Size("fashion_mnist", 100, _runs((2, 4, 8), (4, 8), _CURVE), (0, 1, 2)),
        "compact": Size("fashion_mnist_compact", 4, _runs((2, 4, 8), (8,), _CURVE, PUBLISHED)),
        "tiny": Size("digits", 2, _runs(_TINY, _TINY, _TINY), batch_size=32),
    },
    ("matrix", "time_steps"),
)
