"""Few time steps: every method against T on Fashion-MNIST.

Source: not in the paper. It compares proxy learning with earlier and later methods in the range
    of T that is usual today (Bu et al. 2022, arXiv:2303.04347).
Command: keras-proxy-snn paper low_t
Expected: no figure in the paper below T = 10. The paper's form cannot be good there: counts are
    rounded down, and the threshold of 2 keeps most neurons silent.
Time: full: on a GPU (NVIDIA H200, shared with two other trainings) 3 s per epoch of the ANN, 11
    via proxy at T = 8; a process compiles for half a minute. compact: on two shared cores 2 to 6
    minutes per training, 21 for the surrogate gradient, and up to 4 to evaluate a network at every
    T. tiny: not measured.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .._experiment import Experiment, Run, Size
from ._shared import CLIPPED, NONE, NORMALISED, ON_GPU, PUBLISHED, TABLE_1, averaging, rival

__all__ = ["EXPERIMENT"]

_CONVERTED = (
    "ann_as_snn",
    "conversion_percentile",
    "conversion_percentile_average",
    "conversion_rnl",
    "conversion_rnl_average",
    "conversion_qcfs",
    "conversion_qcfs_average",
)
_OTHERS = ("surrogate", "tandem", "progressive_tandem")


def _runs(
    ours: tuple[int, ...],
    others: tuple[int, ...],
    curve: tuple[int, ...],
    published: Mapping[str, Any] = NONE,
    fields: Mapping[str, Any] = NONE,
    quantised: Mapping[str, Any] = NONE,
    norm: Mapping[str, Any] = NONE,
) -> tuple[Run, ...]:
    """Rows of networks trained at some T, and of converted networks.

    Args:
        ours: Each T at which this package's form is trained.
        others: Each T at which the other methods are trained.
        curve: Each T at which converted networks are run; of every other method, the network of
            the longest T is run at these T too.
        published: Fields that the paper's form replaces.
        fields: Fields that this package's form replaces.
        quantised: Further fields that the two methods with `QuantisedANN` replace.
        norm: Fields that the ANN and converted networks replace.
    """

    def further(t: int, trained: tuple[int, ...]) -> tuple[int, ...]:
        return curve if t == max(trained) else ()

    return (
        Run("ann", fields=norm),
        *(Run("proxy_low_t", t, fields, evaluate_at=further(t, ours)) for t in ours),
        *(
            Run("proxy_quantised", t, {**fields, **quantised}, evaluate_at=further(t, ours))
            for t in ours
        ),
        *(Run("quantised_as_snn", t, {**fields, **quantised}) for t in curve),
        *(Run("proxy_paper", t, published, evaluate_at=further(t, others)) for t in others),
        *(Run(method, t, norm) for method in _CONVERTED for t in curve),
        *(
            Run(name, t, {**fields, **rival(name, t)}, evaluate_at=further(t, others))
            for name in _OTHERS
            for t in others
        ),
    )


_CURVE = (1, 2, 4, 8, 16, 32, 60)
_TINY = (2, 4)

# T of a training of table2: the smallest at which the compact network with the paper's form does
# not collapse.
_PAPER = Run(
    "proxy_paper",
    20,
    TABLE_1,
    "proxy learning, paper, with Table 1's learning rate",
    evaluate_at=_CURVE,
)

EXPERIMENT = Experiment(
    "low_t",
    "Few time steps on Fashion-MNIST",
    {
        "full": Size(
            "fashion_mnist",
            100,
            (
                *_runs((2, 4, 8), (4, 8), _CURVE, NONE, ON_GPU, CLIPPED, NORMALISED),
                *(replace(run, evaluate_at=_CURVE) for run in averaging(8, ON_GPU)),
            ),
            (0, 1, 2),
            augment=True,
        ),
        "compact": Size(
            "fashion_mnist_compact",
            4,
            (
                *_runs((2, 4, 8), (8,), _CURVE, PUBLISHED, quantised=CLIPPED),
                _PAPER,
                *(replace(run, evaluate_at=_CURVE) for run in averaging(8)),
            ),
        ),
        "tiny": Size("digits", 2, _runs(_TINY, _TINY, _TINY), batch_size=32),
    },
    ("matrix", "time_steps"),
)
