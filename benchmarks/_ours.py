"""This package's proxy step and simulation, and the ANN alone, on `KERAS_BACKEND`."""

import keras
import numpy as np
from _devices import place
from _nets import batch, kernels
from _workers import Prepared

import keras_proxy_snn as kps


def build(settings):
    """The model with the weights that everyone has."""
    net = settings["net"]
    fields = {**net["overrides"], "time_steps": settings["time_steps"], **settings["fields"]}
    model = kps.build(net["name"], **fields)
    for layer, kernel in zip(model.snn.if_layers, kernels(net), strict=True):
        layer.twin.kernel.assign(kernel)
    return model


def train_step(settings):
    """One `train_on_batch`, as `fit` does: both networks, loss, gradient, Adam and all logs."""
    model = build(settings)
    x, y = batch(settings["net"], settings["batch"])
    return Prepared(lambda: float(model.train_on_batch(x, y)[0]), *place(keras.config.backend()))


def ann_step(settings):
    """One `train_on_batch` of the ANN alone."""
    model = build(settings)
    model.ann.compile(model.optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = batch(settings["net"], settings["batch"])
    return Prepared(lambda: float(model.ann.train_on_batch(x, y)), *place(keras.config.backend()))


def simulate(settings):
    """The spiking network alone, T steps; the result is the spike counts."""
    model = build(settings)
    x, _ = batch(settings["net"], settings["batch"])
    return Prepared(
        lambda: np.rint(model.predict_on_batch(x)).astype(int).tolist(),
        *place(keras.config.backend()),
    )
