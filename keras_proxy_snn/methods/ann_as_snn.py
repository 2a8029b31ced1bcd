"""The ANN run as a spiking network without normalisation, the reference for conversions."""

from ..basics.types import Images, Tensor
from ..presets import Preset
from ._conversion import CONVERTED, PLAIN
from ._training import Trained, Training
from .ann import preset_model, train_ann

__all__ = ["fit"]


def fit(preset: Preset, x: Images, y: Tensor, training: Training) -> Trained:
    """Train the plain ANN, then replace its ReLUs by IF neurons with the preset's thresholds.

    Nothing is normalised, so activations above one spike per step are lost. Neurons are reset by
    subtraction. The readout sums its currents over T.

    Returns:
        `Trained`; `network` is a `ProxyModel` whose `ann` is the trained ANN.
    """
    ann, history = train_ann(preset, x, y, training)
    thresholds = {
        "v_threshold": preset.v_threshold,
        "readout_v_threshold": preset.readout_v_threshold,
    }
    model = preset_model(preset, **{**PLAIN, **thresholds}, **CONVERTED, v_0=0.0)
    model.ann.set_weights(ann.get_weights())
    return Trained(model, {"ann": history})
