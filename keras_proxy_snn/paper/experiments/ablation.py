"""Ablation: gain from each lever for few time steps on Fashion-MNIST at T = 8 (compact: 4).

Source: not in the paper. The levers are those of `keras_proxy_snn.methods.proxy.LOW_T`, learned
    thresholds, batch normalisation, a T that grows in training, average pooling, and a proxy whose
    activations have the T steps of the rate (`"qcfs"`).
Command: keras-proxy-snn paper ablation
Expected: no figure in the paper. The first row has all levers. Each other row lacks one lever or
    has one more; the last row is the paper's form. Two levers need no training of their own. The
    first breaks ties of counts by the potential. The second stops simulations once a class leads
    by a margin: the smallest that loses at most 0.1 points on the held-out images.
Time: full: not measured. compact: 47 minutes on one core. tiny: 3 minutes on two shared cores.
"""

from collections.abc import Mapping
from typing import Any

from .._experiment import Experiment, Run, Size
from ._shared import AVERAGING, NONE, PUBLISHED

__all__ = ["EXPERIMENT"]

_ALL: Mapping[str, Any] = {
    "proxy_activation": "clip",
    "readout_activation": "linear",
    "readout": "potential",
    "reset": "subtract",
    "v_0": 0.5,
    "learn_threshold": True,
    "batch_norm": True,
}
_WITHOUT: Mapping[str, Mapping[str, Any]] = {
    # Only the clip gives thresholds a gradient, so ReLU has fixed thresholds.
    "ReLU proxy, fixed thresholds": {"proxy_activation": "relu", "learn_threshold": False},
    "fixed thresholds": {"learn_threshold": False},
    "reset to zero": {"reset": "zero"},
    "v_0 = 0": {"v_0": 0.0},
    "no batch normalisation": {"batch_norm": False},
    "readout by counts": {"readout": "counts"},
    "ReLU readout": {"readout_activation": "relu"},
}


def _runs(t: int, published: Mapping[str, Any] = NONE) -> tuple[Run, ...]:
    every = {**_ALL, "readout_v_threshold": float(t)}
    counts = {**every, **_WITHOUT["readout by counts"]}
    return (
        Run("proxy", t, every, "all levers"),
        Run("proxy", t, every, "all levers, and stopping early", stops_early=True),
        Run("proxy", t, {**every, "proxy_activation": "qcfs"}, "all levers, and a QCFS proxy"),
        Run("proxy_growing_t", t, every, "all levers, and T grows in training"),
        Run("proxy", t, {**every, **AVERAGING}, "all levers, and average pooling"),
        *(Run("proxy", t, {**every, **fields}, name) for name, fields in _WITHOUT.items()),
        Run("proxy", t, counts, "readout by counts, ties by potential", rule="potential"),
        Run("proxy_paper", t, published, "the paper's form"),
    )


EXPERIMENT = Experiment(
    "ablation",
    "Ablation of the levers for few time steps on Fashion-MNIST",
    {
        "full": Size("fashion_mnist", 100, _runs(8), (0, 1, 2)),
        "compact": Size("fashion_mnist_compact", 2, _runs(4, PUBLISHED)),
        "tiny": Size("digits", 2, _runs(4), batch_size=32),
    },
    ("levers",),
)
