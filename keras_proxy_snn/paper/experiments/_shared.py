"""Fields of presets and lists of runs that several experiments share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._experiment import Run, Size

__all__ = [
    "AVERAGING",
    "CLIPPED",
    "HALF",
    "NONE",
    "NORMALISED",
    "NOTEBOOK_SPEC",
    "ON_GPU",
    "PACKAGE",
    "PUBLISHED",
    "TABLE_1",
    "TINY_HEADLINE",
    "Figures",
    "against_time_steps",
    "averaging",
    "learning_rules",
    "rival",
    "steep",
]

NONE: Mapping[Any, Any] = {}

TABLE_1: Mapping[str, Any] = {"v_threshold": 2.0}
"""Table 1's threshold, for the compact networks; their presets have thresholds of 1."""

PUBLISHED: Mapping[str, Any] = {**TABLE_1, "learning_rate": 1e-4}
"""The published form for the compact networks, with the learning rate of the authors' notebook.

At T = 8 the compact network for Fashion-MNIST collapses: accuracy on held-out images is 63 % after
the first epoch and 18 % after two. With Table 1's rate of 1e-3 it collapses earlier (12 and 9 %).
The reason: an activation can exceed the one spike per step that a neuron can fire, so weights
grow. At T = 20 it collapses with neither rate, and 1e-3 is better (87 against 75 % after four
epochs).
"""

NOTEBOOK_SPEC = "128C3-128C3-P2-128C3-P2-2560F-1152F-256F-10F"
"""Network of the authors' notebook for Fashion-MNIST: larger dense layers than Table 1's."""

PACKAGE: Mapping[str, Any] = {
    "v_threshold": 1.0,
    "proxy_activation": "clip",
    "readout_activation": "linear",
    "kernel_initializer": "glorot_uniform",
    "reset": "subtract",
    "batch_norm": True,
}
"""This package's form, as the compact presets have it, for the networks of Table 1."""

AVERAGING: Mapping[str, Any] = {"pooling": "average"}
"""Average pooling in place of the paper's max pooling, which is the OR of spikes in the SNN."""

CLIPPED: Mapping[str, Any] = {"v_threshold": 2.0}
"""Thresholds for `QuantisedANN`: activations up to two standard deviations of the currents.

This holds if all layers but the readout are batch-normalised. `methods.quantised_proxy.fit` states
the gain.
"""

NORMALISED: Mapping[str, Any] = {"kernel_initializer": "glorot_uniform", "batch_norm": True}
"""Batch normalisation, as the compact presets have it, for the networks of Table 1."""

HALF: Mapping[str, Any] = {"current_dtype": "bfloat16"}
"""Currents in bfloat16; a GPU then needs three fifths of the time."""

ON_GPU: Mapping[str, Any] = {**PACKAGE, **HALF}
"""This package's form with bfloat16 currents, for Table 1's networks on a GPU."""

TINY_HEADLINE = Size(
    "digits",
    2,
    (Run("headline", 4, evaluate_at=(2,)),),
    batch_size=32,
    augment=True,
    hold_out=False,
)
"""A first try of the method `headline`, the same for both data sets."""


def steep(t: int) -> dict[str, Any]:
    """A readout's threshold of T, so that the softmax over counts is equally steep at every T."""
    return {"readout_v_threshold": float(t)}


def rival(method: str, t: int) -> dict[str, Any]:
    """Neurons and readout of this package's form, so that only the learning rule differs."""
    levers = {"readout": "potential", "reset": "subtract", "v_0": 0.5}
    return {**levers, **steep(t)} if method == "surrogate" else steep(t)


def averaging(t: int, fields: Mapping[str, Any] = NONE) -> tuple[Run, Run]:
    """The form for few time steps and its nearest rival, with average pooling and these fields."""
    fields = {**fields, **AVERAGING}
    return (
        Run("proxy_low_t", t, fields, "proxy learning, few time steps, average pooling"),
        Run(
            "surrogate",
            t,
            {**fields, **rival("surrogate", t)},
            "surrogate gradient, arctangent, average pooling",
        ),
    )


@dataclass(frozen=True)
class Figures:
    """Accuracies of Table 2 or 3 in percent, rows "This work".

    Attributes:
        time_steps: T of the paper's own method and of the surrogate gradient.
        ann: The ANN.
        proxy: Proxy learning.
        converted: Conversion at T, 2T and 4T.
        surrogate: Surrogate gradient.
    """

    time_steps: int
    ann: float
    proxy: float
    converted: tuple[float, float, float]
    surrogate: float


def learning_rules(
    t: int,
    figures: Figures,
    published: Mapping[str, Any] = NONE,
    ours: Mapping[str, Any] = NONE,
    quantised: Mapping[str, Any] = NONE,
    rivals: Callable[[str, int], Mapping[str, Any]] = lambda method, t: NONE,
) -> tuple[Run, ...]:
    """Rows of Table 2 or 3 at a T, with methods that the paper does not have.

    Args:
        t: Number T of time steps; converted networks are run at 2T and 4T too.
        figures: Accuracies in the paper.
        published: Fields that the paper's form replaces.
        ours: Fields that this package's form replaces.
        quantised: Further fields that the two methods with `QuantisedANN` replace.
        rivals: Function from method and T to the fields that surrogate gradient and tandem
            learning replace.
    """
    paper_t = figures.time_steps
    converted = zip((1, 2, 4), figures.converted, strict=True)
    plain = ("conversion_percentile", "conversion_qcfs")
    average = ("conversion_rnl_average", "conversion_percentile_average", "conversion_qcfs_average")
    return (
        Run("ann", paper=figures.ann),
        Run("proxy_paper", t, published, paper=figures.proxy, paper_time_steps=paper_t),
        Run("proxy", t, {**ours, **steep(t)}),
        Run("proxy_low_t", t, ours),
        Run("proxy_quantised", t, {**ours, **quantised}),
        Run("quantised_as_snn", t, {**ours, **quantised}),
        Run("proxy_notebook", t, published),
        Run("ann_as_snn", t),
        *(
            Run("conversion_rnl", n * t, paper=accuracy, paper_time_steps=n * paper_t)
            for n, accuracy in converted
        ),
        *(Run(method, n * t) for method in (*plain, *average) for n in (1, 2, 4)),
        Run(
            "surrogate",
            t,
            rivals("surrogate", t),
            paper=figures.surrogate,
            paper_time_steps=paper_t,
        ),
        *(Run(name, t, rivals(name, t)) for name in ("tandem", "progressive_tandem")),
    )


def against_time_steps(
    all_t: Sequence[int],
    one: int,
    method: str = "proxy_paper",
    fields: Callable[[int], Mapping[str, Any]] = lambda t: NONE,
    paper: Mapping[int, float] = NONE,
) -> tuple[Run, ...]:
    """Runs of a form of proxy learning trained at each T; one network is also run at every T.

    Args:
        all_t: Every T.
        one: T of the network that is run at every T.
        method: Name of the form.
        fields: Function from T to the fields that the form replaces.
        paper: T to accuracy in the paper.
    """
    return tuple(
        Run(
            method,
            t,
            fields(t),
            paper=paper.get(t),
            evaluate_at=tuple(all_t) if t == one else (),
        )
        for t in all_t
    )
