"""Tandem learning: each ANN layer reads the spike counts of the SNN layer below it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from ..basics.types import Images, Tensor
from ..layers import Stage
from ..model import ProxyModel
from ..presets import Preset
from ..simulation.network import SpikingNetwork
from ..training.gradient import proxy_gradient
from ..training.metrics import SpikeAccuracy
from ._currents import first_input, first_stages, layer_current
from ._training import Trained, Training, fit_phase
from .ann import preset_model

__all__ = ["TANDEM", "TandemModel", "fit", "fit_paper"]

TANDEM: dict[str, Any] = {
    "reset": "subtract",
    "v_0": 0.0,
    "readout": "potential",
    "learn_threshold": False,
}
"""Fields of a preset that give it the neurons and the readout of the publication.

The readout gives counts plus remaining potentials over threshold. With reset by subtraction, this
sum equals the currents summed over time, over the threshold: a linear readout of spike counts.
"""


class TandemModel(keras.Model):
    """An ANN whose layers read the spike counts of the SNN layers below them.

    (Wu et al. 2021, "A tandem learning rule for effective training and rapid inference of deep
    spiking neural networks", arXiv:1907.01167.) With firing rates r = counts / T, currents z of an
    ANN layer l and its threshold theta; the publication writes counts, T times these rates:

        forward:   z_l = f_l(r_{l-1}),   a_l = max(0, z_l) / theta,   output r_l
        backward:  dL/da_l := dL/dr_l,   nothing through the spikes

    r_0 is the image, whose current is constant in time. The readout is linear, T z / theta.

    An IF neuron fires at most once per step, but a_l can be larger than 1. In trials with a low
    threshold and without batch norm (all networks of the publication have batch norm), this drove
    all rates to 1. `clip` prevents it:

        a_l = min(max(0, z_l) / theta, 1)

    The publication leaves two more points open, or differs in them:

    * Pooling (the publication uses strides instead): the SNN takes the OR of spikes. The ANN takes
      the maximum of the rates below, which passes the gradient on. Its output is replaced by the
      SNN's rates too.
    * Batch norm normalises z. In training it uses the statistics of the batch. Its running
      statistics are folded into the SNN's weights, as in the publication. z is a mean over T, so a
      bias is the bias of one step.

    Args:
        network: Owner of the weights, with the fields of `TANDEM`.
        spiking: Number of layers, from the image on, that have an SNN layer; `None` for all hidden
            layers. The other hidden layers and the readout are only layers of an ANN; the
            activation of such a hidden layer is max(0, z), without theta.
        clip: Whether a is bounded at the rate that an IF neuron can reach.
        **kwargs: Arguments of `keras.Model`, such as `name`.

    Attributes:
        pairs: Names of the stages that have an SNN layer. A stage that is not trainable has the
            SNN layer only.

    Call arguments:
        inputs: Images `(batch, height, width, channels)`.
        training: Whether batch norm takes the statistics of the batch.

    Output shape:
        `(batch, classes)`, float32. Without batch norm and with all hidden layers spiking, the
        output equals the network's output up to rounding.

    Raises:
        ValueError: If the network has another reset, or `spiking` exceeds its hidden layers.

    Example:

    >>> import numpy as np, keras_proxy_snn
    >>> from keras_proxy_snn.methods.tandem import TANDEM, TandemModel
    >>> network = keras_proxy_snn.build("digits", time_steps=4, **TANDEM)
    >>> model = TandemModel(network)
    >>> x = np.random.rand(2, 8, 8, 1)
    >>> [name for name, output in model.activations(x)]
    ['if_conv1', 'if_conv2', 'spike_pool1', 'spike_flatten', 'if_dense1', 'if_readout']
    """

    def __init__(
        self, network: ProxyModel, spiking: int | None = None, clip: bool = False, **kwargs: object
    ):
        super().__init__(autocast=False, **kwargs)
        snn = network.snn
        hidden = len(snn.if_layers) - 1
        spiking = hidden if spiking is None else spiking
        if not 0 <= spiking <= hidden:
            raise ValueError(f"`spiking` must be from 0 to {hidden}. Received: {spiking!r}.")
        if network.reset != "subtract":
            raise ValueError(
                f"The network must have reset='subtract'. Received: {network.reset!r}."
            )
        self.network = network
        self.clip = clip
        # These include the pooling after the last layer that spikes.
        stages = snn.stages[: snn.stages.index(snn.if_layers[spiking])]
        self.pairs = {stage.name for stage in stages}
        if stages:
            shape = network.ann.input_shape[1:]
            self.spiking = SpikingNetwork(
                stages, shape, snn.time_steps, snn.chunk_steps, event_driven=snn.event_driven
            )
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Any:
        """Output of the readout; see the class."""
        *_, (_, answer) = self.activations(inputs, bool(training))
        return answer

    def activations(self, images: Images, training: bool = False) -> Iterator[tuple[str, Any]]:
        """Name and output `(batch, ...)` of each ANN layer, before rates replace the output."""
        snn = self.network.snn
        rates = self._firing_rates(images)
        signal = first_input(snn, images)
        for stage in first_stages(snn):
            if not stage.trainable:
                signal = rates[stage.name]
                continue
            signal = self._layer(stage, signal, training)
            yield stage.name, signal
            if stage.name in rates:
                signal = proxy_gradient(signal, rates[stage.name])

    def _layer(self, stage: Stage, signal: Tensor, training: bool) -> Any:
        if not stage.has_neurons:
            return ops.squeeze(stage.call(ops.expand_dims(signal, 1)), axis=1)
        current = layer_current(stage, signal, training)
        snn = self.network.snn
        if stage is snn.stages[-1]:
            return current * (snn.time_steps / stage.v_threshold)
        activation = ops.relu(current)
        if stage.name in self.pairs:
            activation = activation / stage.v_threshold
            return ops.minimum(activation, 1.0) if self.clip else activation
        return activation

    def _firing_rates(self, images: Images) -> dict[str, Any]:
        """Spikes per step `(batch, ...)` of each layer that spikes, by name."""
        rates: dict[str, Any] = {}
        if self.pairs:
            for chunk in self.spiking.walk(images):
                for name, (spikes, _) in chunk.items():
                    rates[name] = rates.get(name, 0.0) + ops.sum(spikes, axis=1)
        return {name: counts / self.network.time_steps for name, counts in rates.items()}

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(batch, classes)`."""
        return self.network.compute_output_shape(input_shape)


def fit(preset: Preset, x: Images, y: Tensor, training: Training) -> Trained:
    """Train by tandem learning, see `TandemModel`.

    `clip` is on unless `preset.proxy_activation` is `"relu"`. Thresholds, loss and optimizer are
    the preset's.

    Returns:
        `Trained`; `network` is a `ProxyModel` with the fields of `TANDEM`.
    """
    network = preset_model(replace(preset, **TANDEM))
    model = TandemModel(network, clip=preset.proxy_activation != "relu")
    model.compile(network.optimizer, network.loss, metrics=[SpikeAccuracy()])
    return Trained(network, {"tandem": fit_phase(model, x, y, training, "tandem")})


def fit_paper(preset: Preset, x: Images, y: Tensor, training: Training) -> Trained:
    """Train by tandem learning with ReLU, as published; low thresholds need `batch_norm`."""
    return fit(replace(preset, proxy_activation="relu"), x, y, training)
