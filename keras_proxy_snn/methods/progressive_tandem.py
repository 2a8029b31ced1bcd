"""Progressive tandem learning: an ANN whose layers are replaced by spiking ones, one by one."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

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
"""Epochs without a better validation accuracy after which the next layer is replaced."""

_IMAGES = 512  # one batch of the authors'


def fit(preset: Preset, x: Any, y: Any, training: Training) -> Trained:
    """Train by progressive tandem learning.

    Wu et al. 2020, "Progressive tandem learning for pattern recognition with deep spiking neural
    networks", arXiv:2007.01204:

    1. The ANN is trained alone, with ReLU and a linear readout, for half of the epochs.
    2. Its hidden layers are replaced from the image on. The threshold of a layer is the 99.9th
       percentile (zeros included) of its activations max(0, z), z being its currents' mean over
       time; of the sum over time, as they write it, it is the percentile over T.
    3. The new layer is trained in tandem (see `TandemModel`) with all that follow it, those before
       it frozen, until validation accuracy has not risen for `PATIENCE` epochs or the layer's share
       of the epochs that are left is used up: at least one, so that few epochs may be exceeded.
       The best epoch's weights stay. Without validation data each layer has its whole share.

    What differs: the image is a constant current here, and a pulse at the first step there. Weights
    of the layer that follows a new one are multiplied by its threshold, because one spike a step
    stands for an activation of this size; theirs leave it to batch norm. The learning rate starts
    anew and falls to zero with each layer; theirs is constant. They train the readout alone at the
    end; here that ends with the last hidden layer.

    Returns:
        `Trained`; `network` is a `ProxyModel` with the fields of `TANDEM` whose readout has the
        threshold T, so that it gives its mean current, as the ANN did. Facts: thresholds by layer.
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
    """The ANN with its first layers spiking, all of them frozen but the last."""
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


def _threshold(model: TandemModel, name: str, images: Any, batch_size: int) -> float:
    """Percentile of the activations of a layer of the ANN that does not spike yet."""
    batches = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    outputs = [
        next(output for stage, output in model.activations(batch) if stage == f"if_{name}")
        for batch in batches
    ]
    return float(np.percentile(np.concatenate([*map(ops.convert_to_numpy, outputs)]), PERCENTILE))


def _train_layer(
    model: TandemModel,
    preset: Preset,
    x: Any,
    y: Any,
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
    """The spiking network, its ANN giving firing rates."""
    rates = {"proxy_activation": "clip", "readout_activation": "linear"}
    own = {"v_threshold": thresholds, "readout_v_threshold": None}
    network = preset_model(preset, **{**TANDEM, **rates, **own})
    network.ann.set_weights(ann.get_weights())
    return network
