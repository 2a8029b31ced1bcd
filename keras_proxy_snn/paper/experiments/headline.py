"""Headline: the paper's network for Fashion-MNIST, with this package's best training.

Source: not in the paper; the network is the paper's (Table 1), with folded batch normalisation.
Command: keras-proxy-snn paper headline
Expected: the paper has 94.56 % at T = 50, and 94.26 at T = 15. The aim is at least the paper's
    accuracy at T = 50 and 94.3 % at T = 8, with one network trained at T = 8. Two trainings of
    `proxy_joint` have 94.6 and 94.4 % at T = 8, 94.9 and 94.7 at 16, 94.5 and 94.7 at 50; one of
    `headline` 93.9 % at T = 8 and less at other T, because it is tuned at its own T alone. The
    other two methods convert the ANN of `proxy_joint`, which is trained slower instead at the end.
    By QCFS it has 93.4 % at T = 8, and 94.4 to 94.5 from 50 steps on; by RNL 86.5 and 94.2 to 94.3.
Time: full, `proxy_joint`: 101 minutes on two cores with AMX (PyTorch), of which an epoch of the ANN
    takes 2 and one via proxy 8, and 20 minutes for the test images at seven T. compact: not
    measured. tiny: not measured.
"""

from collections.abc import Mapping
from typing import Any

from .._experiment import Experiment, Run, Size
from ._shared import CLIPPED, ON_GPU, TINY_HEADLINE

__all__ = ["EXPERIMENT"]

_CURVE = (1, 2, 4, 16, 32, 50)
_FIELDS: Mapping[str, Any] = {**ON_GPU, **CLIPPED}


# The paper's conversion at the same T, which is RNL.
_CONVERTED: Mapping[int, float] = {50: 84.63, 100: 93.12, 200: 94.50}


def _runs(fields: Mapping[str, Any]) -> tuple[Run, ...]:
    trained = (
        Run(method, 8, fields, paper=94.56, paper_time_steps=50, evaluate_at=_CURVE)
        for method in ("headline", "proxy_joint")
    )
    converted = (
        Run(method, t, fields, paper=paper.get(t))
        for method, paper in (("quantised_as_snn_long", {}), ("quantised_rnl_long", _CONVERTED))
        for t in (8, *_CONVERTED)
    )
    return (*trained, *converted)


EXPERIMENT = Experiment(
    "headline",
    "The paper's network for Fashion-MNIST at few time steps",
    {
        "full": Size("fashion_mnist", 32, _runs(_FIELDS), (0, 1, 2), augment=True, hold_out=False),
        "compact": Size("fashion_mnist_compact", 12, _runs(CLIPPED), augment=True),
        "tiny": TINY_HEADLINE,
    },
    ("table", "matrix", "time_steps"),
)
