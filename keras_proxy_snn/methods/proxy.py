"""Proxy learning in three forms: this package's, the paper's and the authors' notebook's."""

from dataclasses import replace
from typing import Any

import keras

from ..basics.types import Images, Tensor
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

Two fields differ from the paper. First, the paper puts ReLU on the last layer too; the authors'
notebook does not. With this ReLU, a class whose output is not above 0 for any image never has a
gradient. Second, the paper does not tell the initial weights. With Keras's default
("glorot_uniform") and the thresholds of Table 1, rates fall to zero in a deep network. The paper's
network for Fashion-MNIST (bfloat16 currents, T = 20) classifies 83 % of 500 held-out images
correctly after 100 steps with the fields here, and 49 % with a last ReLU and Keras's default. A
small network at T = 8 collapses with either choice; `ProxyMonitor` warns of this collapse.
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
"""Fields of a preset that make it the notebook's method; network and T stay the preset's.

The notebook itself uses another network and T = 15.
"""

LOW_T: dict[str, Any] = {
    "proxy_activation": "clip",
    "readout_activation": "linear",
    "readout": "potential",
    "reset": "subtract",
    "v_0": 0.5,
}
"""Fields that raise accuracy at few time steps; the neurons are still plain integrate-and-fire."""


def fit(preset: Preset, x: Images, y: Tensor, training: Training) -> Trained:
    """Train via proxy with the preset as it is.

    Returns:
        `Trained`; `network` is a `ProxyModel`.
    """
    model = preset_model(preset)
    return Trained(model, {"proxy": fit_phase(model, x, y, training, "proxy")})


def fit_paper(preset: Preset, x: Images, y: Tensor, training: Training) -> Trained:
    """Train as section 4 of Kheradpisheh et al. says, see `PAPER`."""
    return fit(replace(preset, **PAPER), x, y, training)


def fit_low_t(preset: Preset, x: Images, y: Tensor, training: Training) -> Trained:
    """Train with the levers for few time steps, see `LOW_T`.

    The threshold of the readout is T. The model's output is counts plus potential over threshold,
    which is then the mean current of the readout (plus `v_0`). So the softmax is equally steep at
    every T.
    """
    return fit(low_t(preset), x, y, training)


def low_t(preset: Preset) -> Preset:
    """The preset with the fields `LOW_T` and the readout's threshold T, see `fit_low_t`."""
    return replace(preset, **LOW_T, readout_v_threshold=float(preset.time_steps))


def fit_notebook(preset: Preset, x: Images, y: Tensor, training: Training) -> Trained:
    """Train as the authors' notebook does, see `NOTEBOOK`.

    Batch normalisation is frozen from the second epoch on, and Adam restarts there. Two things
    differ from the notebook. It keeps separate running statistics for the currents of the SNN;
    here the SNN uses the ANN's statistics, because they are folded into the shared weights. It
    crops images at random; here `training.augment` decides how images are augmented.
    """
    model = preset_model(replace(preset, **NOTEBOOK))
    history = {"first_epoch": fit_phase(model, x, y, training, "first_epoch", epochs=1)}
    for layer in model.ann.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    # Keras's steps and optimizer keep the variables that were trainable when they were made.
    adam = type(model.optimizer).from_config(model.optimizer.get_config())
    model.compile(adam, model.loss, metrics=[SpikeAccuracy()])
    if training.epochs > 1:
        rest = fit_phase(model, x, y, training, "frozen", epochs=training.epochs - 1)
        history["frozen"] = rest
    return Trained(model, history)
