"""This package's proxy step and simulation, and the ANN alone, on `KERAS_BACKEND`."""

import keras
import numpy as np
from _devices import place
from _nets import batch, kernels
from _workers import IN_A_ROW, Prepared

import keras_proxy_snn as kps


def build(settings):
    """The model with the weights of the benchmark."""
    net = settings["net"]
    fields = {**net["overrides"], "time_steps": settings["time_steps"], **settings["fields"]}
    model = kps.build(net["name"], **fields)
    for layer, kernel in zip(model.snn.if_layers, kernels(net), strict=True):
        layer.twin.kernel.assign(kernel)
    return model


def train_step(settings):
    """A training step: both networks, loss, gradient, Adam and all logs."""
    return _trained(build(settings), settings)


def ann_step(settings):
    """A training step of the ANN alone."""
    model = build(settings)
    model.ann.compile(model.optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return _trained(model.ann, settings)


def _trained(model, settings):
    """`train_on_batch`; for several steps in a row `fit`, which reads logs once per epoch."""
    x, y = batch(settings["net"], settings["batch"])
    facts, peak = place(keras.config.backend())
    in_a_row = settings["in_a_row"]
    if in_a_row == 1:
        return Prepared(lambda: float(np.ravel(model.train_on_batch(x, y))[0]), facts, peak)
    x, y = (np.concatenate([part] * in_a_row) for part in (x, y))

    def step():
        history = model.fit(x, y, batch_size=settings["batch"], shuffle=False, verbose=0)
        return history.history["loss"][-1]

    return Prepared(step, {**facts, IN_A_ROW: in_a_row}, peak)


def simulate(settings):
    """The spiking network alone, T steps; the result is the spike counts."""
    model = build(settings)
    x, _ = batch(settings["net"], settings["batch"])
    return Prepared(
        lambda: np.rint(model.predict_on_batch(x)).astype(int).tolist(),
        *place(keras.config.backend()),
    )
