"""Every method by name, on the same presets: proxy learning and what it is compared with."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..presets import PRESETS, Preset
from . import ann, growing, progressive_tandem, proxy, surrogate, tandem
from ._training import Trained, Training

__all__ = ["METHODS", "Method", "Trained", "Training", "fit"]


@dataclass(frozen=True)
class Method:
    """A way to a network.

    Attributes:
        title: A few words for tables.
        source: Where it is published.
        fit: Function of preset, images, labels and `Training` that gives `Trained`.
        at_time_steps: Whether training depends on T. If not (the ANN and what is converted from
            one), one trained network serves for every T.
    """

    title: str
    source: str
    fit: Callable[[Preset, Any, Any, Training], Trained]
    at_time_steps: bool = True


_PROXY = "Kheradpisheh et al. 2021, arXiv:2109.13208"
_TANDEM = "Wu et al. 2021, arXiv:1907.01167"

METHODS: dict[str, Method] = {
    "ann": Method("ANN", "-", ann.fit, at_time_steps=False),
    "proxy": Method("proxy learning, as the preset says", _PROXY, proxy.fit),
    "proxy_paper": Method("proxy learning, paper", _PROXY, proxy.fit_paper),
    "proxy_notebook": Method("proxy learning, notebook", _PROXY, proxy.fit_notebook),
    "proxy_low_t": Method("proxy learning, few time steps", _PROXY, proxy.fit_low_t),
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
"""Methods by name."""


def fit(
    method: str, preset: str | Preset, x: Any, y: Any, *, training: Training, **fields: Any
) -> Trained:
    """Train a network by a method.

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
        ValueError: If there is no such method or preset.

    Example:

    >>> import keras_proxy_snn as kps
    >>> from keras_proxy_snn import baselines
    >>> (x, y), _ = kps.datasets.load("digits")
    >>> budget = baselines.Training(epochs=1)
    >>> trained = baselines.fit("proxy", "digits", x, y, training=budget, time_steps=4)
    >>> trained.network.time_steps
    4
    """
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {tuple(METHODS)}. Received: {method!r}.")
    if isinstance(preset, str):
        if preset not in PRESETS:
            raise ValueError(f"`preset` must be one of {tuple(PRESETS)}. Received: {preset!r}.")
        preset = PRESETS[preset]
    return METHODS[method].fit(replace(preset, **fields), x, y, training)
