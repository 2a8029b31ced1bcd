"""Headline on CIFAR-10, trained for long: `headline_cifar10` by gradient descent, for 38 epochs.

Source: not in the paper; the network is that of `headline_cifar10`. 36 epochs of the ANN by
    gradient descent with momentum, 2 via proxy together with the ANN (`proxy_joint_descent`).
Command: keras-proxy-snn paper headline_cifar10_long
Expected: not measured. The aim is 92.0 % at T = 8, within 0.3 points of the ANN with the same
    weights. On few images, gradient descent is ahead of the Adam of `headline_cifar10`.
Time: full: some five and a half hours of two cores with AMX (PyTorch), reckoned from a step of 0.8
    s of the ANN and of 4.5 s via proxy. compact: not measured. tiny: not measured.
"""

from .._experiment import Experiment, Run, Size
from ._shared import CLIPPED, ON_GPU

__all__ = ["EXPERIMENT"]

_METHOD = "proxy_joint_descent"
_DECAY = {"l2": 2.5e-4}
_CURVE = (1, 2, 4, 16, 32)
_HALF = Run(_METHOD, 8, {**ON_GPU, **CLIPPED, **_DECAY}, evaluate_at=(*_CURVE, 60))
_COMPACT = Run(_METHOD, 8, {**CLIPPED, **_DECAY}, evaluate_at=_CURVE)
_TINY = Run(_METHOD, 4, {**CLIPPED, **_DECAY, "batch_norm": True}, evaluate_at=(2,))

EXPERIMENT = Experiment(
    "headline_cifar10_long",
    "Half of the paper's network for CIFAR-10 at few time steps, trained for long",
    {
        "full": Size("cifar10_half", 38, (_HALF,), (0, 1, 2), augment=True, hold_out=False),
        "compact": Size("cifar10_compact", 38, (_COMPACT,), augment=True),
        "tiny": Size("digits", 2, (_TINY,), batch_size=32, augment=True, hold_out=False),
    },
    ("table", "matrix", "time_steps"),
)
