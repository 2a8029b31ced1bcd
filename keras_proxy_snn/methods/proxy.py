"""Proxy learning, in this package's form, the paper's and the authors' notebook's."""

from dataclasses import replace
from typing import Any

import keras

from ..presets import Preset
from ..training.metrics import SpikeAccuracy
from ._training import Trained, Training, fit_phase
from .ann import preset_model

__all__ = [
    "LOW_T",
    "NOTEBOOK",
    "PAPER",
    "fit",
    "fit_low_t",
    "fit_notebook",
    "fit_paper",
    "low_t",
]

PAPER: dict[str, Any] = {
    "proxy_activation": "relu",
    "readout_activation": "linear",
    "kernel_initializer": "rate_preserving",
    "readout_v_threshold": None,
    "readout": "counts",
    "reset": "zero",
    "v_0": 0.0,
    "learn_threshold": False,
    "batch_norm": False,
    "use_bias": False,
    "loss": "crossentropy",
}
"""Fields of a preset that make it the paper's method; threshold and T stay the preset's.

Two things the paper says otherwise, or not at all. It has ReLU on the last layer too, where the
authors' notebook has none: a class whose output is not above 0 for any image then has no gradient,
ever. And it says nothing of the first weights: from Keras's own ("glorot_uniform") rates fall to
nothing in a deep network with the thresholds of Table 1. Its network for Fashion-MNIST (bfloat16
currents, T = 20) has 49 % of 500 held-out images right after 100 steps with both, and 83 % as
here. Neither keeps a small network at T = 8 from the collapse of which `ProxyMonitor`
warns.
"""

NOTEBOOK: dict[str, Any] = {
    **PAPER,
    "kernel_initializer": "glorot_uniform",
    "batch_norm": True,
    "loss": "mse",
    "learning_rate": 1e-4,
    "epsilon": 1e-8,
    "l2": 1e-6,
}
"""Fields that make it the authors' notebook's; its network and its T of 15 are another preset's."""

LOW_T: dict[str, Any] = {
    "proxy_activation": "clip",
    "readout_activation": "linear",
    "readout": "potential",
    "reset": "subtract",
    "v_0": 0.5,
}
"""Fields that make it good at few time steps, with plain integrate-and-fire neurons still."""


def fit(preset: Preset, x: Any, y: Any, training: Training) -> Trained:
    """Train via proxy with the preset as it is.

    Returns:
        `Trained`; `network` is a `ProxyModel`.
    """
    model = preset_model(preset)
    return Trained(model, {"proxy": fit_phase(model, x, y, training, "proxy")})


def fit_paper(preset: Preset, x: Any, y: Any, training: Training) -> Trained:
    """Train as section 4 of Kheradpisheh et al. says, see `PAPER`."""
    return fit(replace(preset, **PAPER), x, y, training)


def fit_low_t(preset: Preset, x: Any, y: Any, training: Training) -> Trained:
    """Train with the levers for few time steps, see `LOW_T`.

    The readout's threshold is T, so that the model's answer, counts plus potential over threshold,
    is the readout's mean current (plus `v_0`), and the softmax equally steep at every T.
    """
    return fit(low_t(preset), x, y, training)


def low_t(preset: Preset) -> Preset:
    """The preset with `LOW_T` and the readout's threshold that `fit_low_t` explains."""
    return replace(preset, **LOW_T, readout_v_threshold=float(preset.time_steps))


def fit_notebook(preset: Preset, x: Any, y: Any, training: Training) -> Trained:
    """Train as the authors' notebook does, see `NOTEBOOK`.

    Batch normalisation is frozen from the second epoch on, with which Adam starts anew. Two things
    differ: the notebook keeps running statistics of the SNN's currents beside the ANN's; here
    the SNN has the ANN's, because they are folded into the weights that both share. And it crops
    images at random; here every method sees them as they are.
    """
    model = preset_model(replace(preset, **NOTEBOOK))
    history = {"first_epoch": fit_phase(model, x, y, training, "first_epoch", epochs=1)}
    for layer in model.ann.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    # Keras's steps and optimizer hold what was trainable when they were made.
    adam = type(model.optimizer).from_config(model.optimizer.get_config())
    model.compile(adam, model.loss, metrics=[SpikeAccuracy()])
    if training.epochs > 1:
        rest = fit_phase(model, x, y, training, "frozen", epochs=training.epochs - 1)
        history["frozen"] = rest
    return Trained(model, history)
