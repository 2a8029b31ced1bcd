"""Proxy learning and its rivals: every training method by name, on the same presets."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..basics.checks import check_choice
from ..basics.types import Images, Tensor
from ..presets import PRESETS, Preset
from . import (
    ann,
    ann_as_snn,
    growing,
    percentile,
    progressive_tandem,
    proxy,
    qcfs,
    quantised_proxy,
    quantised_rnl,
    rnl,
    surrogate,
    tandem,
    warm_start,
)
from ._checkpoints import PhaseCallback
from ._training import Trained, Training, fit_phase

__all__ = ["METHODS", "Method", "PhaseCallback", "Trained", "Training", "fit", "fit_phase"]


@dataclass(frozen=True)
class Method:
    """A training method.

    Attributes:
        title: Short title for tables.
        source: Publication.
        fit: Function of preset, images, labels and `Training` that returns `Trained`.
        at_time_steps: Whether training depends on T. If not (the ANN and converted networks), one
            trained network serves for every T.
    """

    title: str
    source: str
    fit: Callable[[Preset, Any, Any, Training], Trained]
    at_time_steps: bool = True


_PERCENTILE = "Rueckauer et al. 2017, doi:10.3389/fnins.2017.00682"
_RNL = "Ding et al. 2021, arXiv:2105.11654"
_QCFS = "Bu et al. 2022, arXiv:2303.04347"
_PROXY = "Kheradpisheh et al. 2021, arXiv:2109.13208"
_TANDEM = "Wu et al. 2021, arXiv:1907.01167"


def _averaging(
    fit: Callable[[Preset, Any, Any, Training], Trained],
    preset: Preset,
    x: Images,
    y: Tensor,
    training: Training,
) -> Trained:
    """Run a method on the preset with average pooling."""
    return fit(replace(preset, pooling="average"), x, y, training)


METHODS: dict[str, Method] = {
    "ann": Method("ANN", "-", ann.fit, at_time_steps=False),
    "ann_as_snn": Method("ANN as an SNN, as it is", "-", ann_as_snn.fit, at_time_steps=False),
    "conversion_percentile": Method(
        "conversion, robust normalisation", _PERCENTILE, percentile.fit, at_time_steps=False
    ),
    "conversion_percentile_average": Method(
        "conversion, robust normalisation, average pooling",
        _PERCENTILE,
        partial(_averaging, percentile.fit),
        at_time_steps=False,
    ),
    "conversion_rnl": Method("conversion, RNL", _RNL, rnl.fit, at_time_steps=False),
    "conversion_rnl_average": Method(
        "conversion, RNL, average pooling",
        _RNL,
        partial(_averaging, rnl.fit),
        at_time_steps=False,
    ),
    "conversion_qcfs": Method("conversion, QCFS", _QCFS, qcfs.fit, at_time_steps=False),
    "conversion_qcfs_average": Method(
        "conversion, QCFS, average pooling",
        _QCFS,
        partial(_averaging, qcfs.fit),
        at_time_steps=False,
    ),
    "proxy": Method("proxy learning, as the preset says", _PROXY, proxy.fit),
    "proxy_paper": Method("proxy learning, paper", _PROXY, proxy.fit_paper),
    "proxy_paper_warm": Method("proxy learning, paper, from a trained ANN", _PROXY, warm_start.fit),
    "proxy_notebook": Method("proxy learning, notebook", _PROXY, proxy.fit_notebook),
    "proxy_low_t": Method("proxy learning, few time steps", _PROXY, proxy.fit_low_t),
    "proxy_quantised": Method(
        "quantised ANN, then proxy, average pooling", _PROXY, quantised_proxy.fit
    ),
    "proxy_quantised_long": Method(
        "quantised ANN for most epochs, then proxy, average pooling",
        _PROXY,
        partial(quantised_proxy.fit, recipe=quantised_proxy.LONG),
    ),
    "quantised_as_snn": Method(
        "quantised ANN as an SNN, average pooling",
        _QCFS,
        partial(quantised_proxy.fit, by_proxy=False),
        at_time_steps=False,
    ),
    "quantised_as_snn_long": Method(
        "quantised ANN with a cosine rate as an SNN, average pooling",
        _QCFS,
        partial(quantised_proxy.fit, by_proxy=False, recipe=quantised_proxy.LONG),
        at_time_steps=False,
    ),
    "quantised_rnl_long": Method(
        "quantised ANN with a cosine rate, RNL conversion, average pooling",
        _RNL,
        partial(quantised_rnl.fit, recipe=quantised_proxy.LONG),
        at_time_steps=False,
    ),
    "headline": Method(
        "quantised ANN with dropout and erasing, then proxy, average pooling",
        _PROXY,
        partial(quantised_proxy.fit, recipe=quantised_proxy.HEADLINE),
    ),
    "proxy_joint": Method(
        "quantised ANN, then proxy and ANN together, average pooling",
        _PROXY,
        partial(quantised_proxy.fit, recipe=quantised_proxy.JOINT),
    ),
    "proxy_joint_descent": Method(
        "quantised ANN by gradient descent, then proxy and ANN together, average pooling",
        _PROXY,
        partial(quantised_proxy.fit, recipe=quantised_proxy.DESCENT),
    ),
    "proxy_growing_t": Method("proxy learning, T growing", _PROXY, growing.fit),
    "surrogate": Method(
        "surrogate gradient, arctangent", "Fang et al. 2021, arXiv:2007.05785", surrogate.fit
    ),
    "tandem": Method("tandem learning, as the preset says", _TANDEM, tandem.fit),
    "tandem_paper": Method("tandem learning, paper", _TANDEM, tandem.fit_paper),
    "progressive_tandem": Method(
        "progressive tandem learning",
        "Wu et al. 2020, arXiv:2007.01204",
        progressive_tandem.fit,
    ),
}
"""Methods by name.

In a converted network, max pooling becomes spike pooling, the OR of spikes. Spikes at different
steps add up there: the OR fires more often than the most active neuron, and the difference grows
with T. So the network does not approach its ANN. The methods whose names end in `_average` use
average pooling, as the publications of RNL and QCFS do; their networks approach the ANN.
"""


def fit(
    method: str, preset: str | Preset, x: Images, y: Tensor, *, training: Training, **fields: Any
) -> Trained:
    """Train a network by the named method.

    Args:
        method: One of `METHODS`.
        preset: A preset or its name: architecture, T, threshold and optimizer.
        x: Images `(batch, height, width, channels)`, pixels in [0, 1].
        y: Integer labels `(batch,)`.
        training: Budget, held-out data and checkpoints.
        **fields: Fields of the preset to replace, such as `time_steps`.

    Returns:
        `Trained`.

    Raises:
        ValueError: If there is no such method or preset. An architecture of your own is the field
            `spec`.

    Example:

    >>> import keras_proxy_snn as kps
    >>> from keras_proxy_snn import methods
    >>> (x, y), _ = kps.datasets.load("digits")
    >>> budget = methods.Training(epochs=1)
    >>> trained = methods.fit("proxy", "digits", x, y, training=budget, time_steps=4)
    >>> trained.network.time_steps
    4
    """
    check_choice("method", method, METHODS)
    if isinstance(preset, str):
        if preset not in PRESETS:
            raise ValueError(
                f"`preset` must be one of {tuple(PRESETS)}; an architecture of your own is "
                f"the field `spec`, which replaces that of a preset. Received: {preset!r}."
            )
        preset = PRESETS[preset]
    return METHODS[method].fit(replace(preset, **fields), x, y, training)
