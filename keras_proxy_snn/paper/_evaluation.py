"""Accuracy, activity and early stopping of a trained network on the test images."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from .. import statistics
from ..model import ProxyModel
from ..statistics.over_time import accuracies as accuracies_over_time
from .data import Data, Split

__all__ = ["RULES", "accuracies", "activity", "ann_accuracy", "early_stopping"]

RULES: Mapping[str, str] = {"strict": "first", "tie_inclusive": "any", "potential": "potential"}
"""Names in the results to rules of `keras_proxy_snn.SpikeAccuracy`."""

# Number of images for rates and operations; these are means over many neurons, so few suffice.
_IMAGES = 200

# Margins to try, in spikes; T is tried too, but hardly any network reaches it before the end.
_MARGINS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
_MAY_LOSE = 0.001


def accuracies(
    network: keras.Model, split: Split, all_t: Sequence[int], batch_size: int = 100
) -> list[dict[str, Any]]:
    """Accuracy by each rule for ties at every T, from one simulation at the largest.

    An ANN has no ties, and gets the strict rule only.
    """
    if not isinstance(network, ProxyModel):
        return [{"time_steps": None, "strict": ann_accuracy(network, split, batch_size)}]
    if not all_t:
        return []
    with network.at_time_steps(max(all_t)):
        found = accuracies_over_time(network, *split, list(RULES.values()), batch_size, 0)
    return [
        {
            "time_steps": t,
            **{name: float(of_rule[t - 1]) for name, of_rule in zip(RULES, found, strict=True)},
        }
        for t in all_t
    ]


def ann_accuracy(ann: keras.Model, split: Split, batch_size: int = 100) -> float:
    """Accuracy of an ANN; its answer is the class with the largest output."""
    outputs = ann.predict(split[0], batch_size=batch_size, verbose=0)
    return float(np.mean(np.argmax(outputs, axis=-1) == split[1]))


def activity(network: ProxyModel, x: np.ndarray, time_steps: int) -> dict[str, Any]:
    """Firing rate of each layer, in spikes per neuron and step, and operations per image."""
    report = statistics.report(network, x[:_IMAGES], time_steps=time_steps)
    return {
        "time_steps": time_steps,
        "images": report.images,
        "firing_rates": {layer.name: layer.firing_rate for layer in report.layers},
        "synops": report.costs.synops,
        "snn_multiply_adds": report.costs.snn_multiply_adds,
        "ann_multiply_adds": report.costs.ann_multiply_adds,
    }


def early_stopping(network: ProxyModel, data: Data, time_steps: int) -> dict[str, Any]:
    """Mean steps and accuracy on the test images with early stopping.

    The margin is the smallest that loses at most 0.1 points of accuracy on the held-out images,
    compared with all steps.
    """
    margins = [*(m for m in _MARGINS if m < time_steps), float(time_steps)]
    with network.at_time_steps(time_steps):
        *tried, full = statistics.early_stopping(network, *data.held_out, [*margins, math.inf])
        enough = full.accuracy - _MAY_LOSE
        margin = next((s.margin for s in tried if s.accuracy >= enough), margins[-1])
        (stopping,) = statistics.early_stopping(network, *data.test, [margin])
    return {
        "time_steps": time_steps,
        "margin": margin,
        "mean_steps": stopping.mean_steps,
        "strict": stopping.accuracy,
    }
