"""Headline: the paper's network for Fashion-MNIST, with this package's best training.

Source: not in the paper; the network is the paper's (Table 1), with folded batch normalisation.
Command: keras-proxy-snn paper headline
Expected: the paper has 94.56 % at T = 50, and 94.26 at T = 15. The aim is at least the paper's
    accuracy at T = 50 and 94.3 % at T = 8, with one network trained at T = 8. One training missed
    it: 93.9 % at T = 8, and less at other T, because the network is tuned at its own T alone.
    `proxy_low_t` with average pooling has 94.1 % after 20 epochs on 55,000 images.
Time: full: 8 hours on a core that other jobs shared (PyTorch, a Xeon with AMX), and half an hour
    for the test images at seven T. compact: not measured. tiny: not measured.
"""

from collections.abc import Mapping
from typing import Any

from .._experiment import Experiment, Run, Size
from ._shared import CLIPPED, ON_GPU, TINY_HEADLINE

__all__ = ["EXPERIMENT"]

_CURVE = (1, 2, 4, 16, 32, 50)
_FIELDS: Mapping[str, Any] = {**ON_GPU, **CLIPPED}


def _runs(fields: Mapping[str, Any]) -> tuple[Run, ...]:
    return tuple(
        Run(method, 8, fields, paper=94.56, paper_time_steps=50, evaluate_at=_CURVE)
        for method in ("headline", "proxy_joint")
    )


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
