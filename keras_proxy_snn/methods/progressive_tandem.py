"""Progressive tandem learning: replace the layers of an ANN by spiking layers, one at a time."""

from dataclasses import replace

import keras
import numpy as np
from keras import ops

from ..basics.types import Images, Tensor
from ..cnn.build import neuron_names
from ..cnn.spec import parse_spec
from ..model import ProxyModel
from ..presets import Preset
from ._training import Trained, Training, fit_phase
from .ann import compile_ann, preset_model, train_ann
from .tandem import TANDEM, TandemModel

__all__ = ["PATIENCE", "PERCENTILE", "fit"]

PERCENTILE = 99.9
"""Percentile of a layer's activations that becomes its threshold."""

PATIENCE = 6
"""The next layer is replaced after this number of epochs without a better validation accuracy."""

_IMAGES = 512  # the batch size of the authors


def fit(preset: Preset, x: Images, y: Tensor, training: Training) -> Trained:
    """Train by progressive tandem learning.

    Wu et al. 2020, "Progressive tandem learning for pattern recognition with deep spiking neural
    networks", arXiv:2007.01204:

    1. The ANN is trained alone, with ReLU and a linear readout, for half of the epochs.
    2. Its hidden layers are replaced one after another, from the image on. The threshold of a
       layer is the 99.9th percentile (zeros included) of its activations max(0, z). z is the mean
       of its currents over time. (The publication takes the percentile of the sum over time,
       divided by T, which is the same number.)
    3. The new layer and all later layers are trained in tandem (see `TandemModel`); earlier layers
       are frozen. The training of a layer ends when validation accuracy has not risen for
       `PATIENCE` epochs, or when the layer's share of the remaining epochs is used up. Each layer
       has at least one epoch, so a small budget may be exceeded. The weights of the best epoch are
       kept. Without validation data each layer uses its whole share.

    Four things differ from the publication. The image is a constant current; there it is a pulse
    at the first step. The weights of the layer after a new layer are multiplied by its threshold,
    because a neuron that fires at each step stands for an activation of this size; there batch
    norm does this. The learning rate restarts with each layer and falls to zero; there it is
    constant. The training ends with the last hidden layer; there the readout is trained alone at
    the end.

    Returns:
        `Trained`; `network` is a `ProxyModel` with the fields of `TANDEM`. Its readout has the
        threshold T, so it gives its mean current, as the ANN did. `facts` has thresholds by layer.
    """
    first = replace(training, epochs=(training.epochs + 1) // 2)
    ann, logs = train_ann(preset, x, y, first)
    history = {"ann": logs}
    names = neuron_names(parse_spec(preset.spec))
    thresholds = {names[-1]: float(preset.time_steps)}
    left = training.epochs // 2
    for number, name in enumerate(names[:-1]):
        images = x[:_IMAGES], training.batch_size
        thresholds[name] = _threshold(_hybrid(preset, ann, thresholds, number), name, *images)
        following = ann.get_layer(names[number + 1])
        following.kernel.assign(following.kernel * thresholds[name])
        model = _hybrid(preset, ann, thresholds, number + 1)
        epochs = max(1, left // (len(names) - 1 - number))
        history[name] = _train_layer(model, preset, x, y, training, f"spiking_{name}", epochs)
        left -= len(history[name]["loss"])
    return Trained(_finished(preset, ann, thresholds), history, {"v_threshold": thresholds})


def _hybrid(
    preset: Preset, ann: keras.Sequential, thresholds: dict[str, float], spiking: int
) -> TandemModel:
    """The ANN with its first layers spiking; all spiking layers but the last are frozen."""
    network = ProxyModel(
        ann,
        preset.time_steps,
        thresholds,
        TANDEM["reset"],
        preset.chunk_steps,
        readout=TANDEM["readout"],
        event_driven=preset.event_driven,
    )
    for layer in network.snn.if_layers[: max(0, spiking - 1)]:
        layer.trainable = False
    return TandemModel(network, spiking)


def _threshold(model: TandemModel, name: str, images: Images, batch_size: int) -> float:
    """Percentile of the activations of an ANN layer that does not spike yet."""
    batches = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    outputs = [
        next(output for stage, output in model.activations(batch) if stage == f"if_{name}")
        for batch in batches
    ]
    return float(np.percentile(np.concatenate([*map(ops.convert_to_numpy, outputs)]), PERCENTILE))


def _train_layer(
    model: TandemModel,
    preset: Preset,
    x: Images,
    y: Tensor,
    training: Training,
    phase: str,
    epochs: int,
) -> dict[str, list[float]]:
    compile_ann(model, preset)
    stop = []
    if training.validation_data is not None:
        stop.append(
            keras.callbacks.EarlyStopping(
                "val_accuracy", patience=PATIENCE, mode="max", restore_best_weights=True
            )
        )
    return fit_phase(model, x, y, training, phase, epochs=epochs, callbacks=stop)


def _finished(preset: Preset, ann: keras.Sequential, thresholds: dict[str, float]) -> ProxyModel:
    """The complete spiking network; its ANN gives firing rates."""
    rates = {"proxy_activation": "clip", "readout_activation": "linear"}
    own = {"v_threshold": thresholds, "readout_v_threshold": None}
    network = preset_model(preset, **{**TANDEM, **rates, **own})
    network.ann.set_weights(ann.get_weights())
    return network
