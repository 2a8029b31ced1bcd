"""The ANN run as a spiking network as it is: what conversions are measured against."""

from typing import Any

from ..presets import Preset
from ._conversion import CONVERTED, PLAIN
from ._training import Trained, Training
from .ann import preset_model, train_ann

__all__ = ["fit"]


def fit(preset: Preset, x: Any, y: Any, training: Training) -> Trained:
    """Train the plain ANN, and put IF neurons with the preset's thresholds in place of its ReLUs.

    Nothing is normalised, so activations above one spike a step are lost. Reset by subtraction;
    the readout's currents are summed over T.

    Returns:
        `Trained`; `network` is a `ProxyModel` whose `ann` is the trained one.
    """
    ann, history = train_ann(preset, x, y, training)
    thresholds = {
        "v_threshold": preset.v_threshold,
        "readout_v_threshold": preset.readout_v_threshold,
    }
    model = preset_model(preset, **{**PLAIN, **thresholds}, **CONVERTED, v_0=0.0)
    model.ann.set_weights(ann.get_weights())
    return Trained(model, {"ann": history})
