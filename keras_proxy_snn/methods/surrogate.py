"""Surrogate gradient: backpropagation through all time steps of the spiking network."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

import keras
from keras import ops

from ..basics.types import Images, Tensor
from ..layers.time_axis import over_time
from ..model import ProxyModel
from ..neurons.equations import heaviside, simulate
from ..presets import Preset
from ..simulation.loop import Simulation
from ..training.metrics import SpikeAccuracy
from ._currents import first_input, first_stages, layer_current
from ._training import Trained, Training, fit_phase
from .ann import preset_model

__all__ = ["ALPHA", "SurrogateModel", "arctangent_spike", "fit"]

ALPHA = 2.0
"""Steepness alpha of the arctangent."""


def arctangent_spike(v: Tensor, v_threshold: float) -> Any:
    """Spikes with the derivative of an arctangent in the backward pass.

    (Fang et al. 2021, "Incorporating learnable membrane time constant to enhance learning of
    spiking neural networks", arXiv:2007.05785; their code has alpha = 2.) Their threshold is 1;
    here x measures the distance to the threshold in units of the threshold:

        x = (v - v_threshold) / v_threshold
        spike = 1 if v >= v_threshold else 0
        d spike / dx := alpha / (2 (1 + (pi / 2 * alpha * x)^2))

    Args:
        v: Membrane potentials, any shape.
        v_threshold: Positive number.

    Returns:
        Zeros and ones in the shape and dtype of `v`, equal to the results of
        `keras_proxy_snn.neurons.equations.heaviside`.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.methods.surrogate import arctangent_spike
    >>> np.array(arctangent_spike(np.float32([0.5, 1.0, 2.0]), 1.0)).tolist()
    [0.0, 1.0, 1.0]
    """

    @ops.custom_gradient
    def spike(v: Tensor) -> tuple[Any, Any]:
        def grad(*args: object, upstream: Tensor = None) -> Any:
            # PyTorch passes the upstream gradient by keyword, after the arguments.
            if upstream is None:
                (upstream,) = args
            slope = math.pi / 2 * ALPHA / v_threshold
            height = ALPHA / 2 / v_threshold
            return upstream * (height / (1.0 + ops.square(slope * (v - v_threshold))))

        return heaviside(v, v_threshold), grad

    return spike(ops.convert_to_tensor(v))


class SurrogateModel(keras.Model):
    """A spiking network that is differentiated through all its time steps.

    In training the steps are unrolled. Each step keeps its potentials for the backward pass, so
    memory grows with T. The spikes equal the network's (bit for bit without batch norm).
    Evaluation and prediction use the network itself.

    The derivative includes the reset, as with `detach_reset=False`, the default of the authors'
    library SpikingJelly. Their published runs leave the reset out; in trials this was never better.
    Batch norm uses the statistics of a layer's currents over batch and time.

    Args:
        network: Owner of the weights; its ANN is not used.
        **kwargs: Arguments of `keras.Model`, such as `name`.

    Call arguments:
        inputs: Images `(batch, height, width, channels)`.
        training: With `True`, the output can be differentiated.

    Output shape:
        `(batch, classes)`, float32, as the network's readout gives it.

    Example:

    >>> import numpy as np, keras_proxy_snn
    >>> from keras_proxy_snn.methods.surrogate import SurrogateModel
    >>> model = SurrogateModel(keras_proxy_snn.build("digits", time_steps=4))
    >>> model.compile("adam", keras_proxy_snn.SpikeCountCrossentropy())
    >>> history = model.fit(np.random.rand(4, 8, 8, 1), np.array([0, 1, 2, 3]), verbose=0)
    >>> model.network.predict(np.random.rand(2, 8, 8, 1), verbose=0).shape
    (2, 10)
    """

    def __init__(self, network: ProxyModel, **kwargs: object):
        super().__init__(autocast=False, **kwargs)
        self.network = network
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Any:
        """Output of the readout; see the class."""
        return self._unrolled(inputs) if training else self.network(inputs)

    def _unrolled(self, images: Images) -> Any:
        snn = self.network.snn
        run = partial(simulate, spike=arctangent_spike)
        first, *stages = first_stages(snn)
        # The current of the image is constant in time, so it is computed once.
        current = layer_current(first, first_input(snn, images), training=True)
        spikes, v = first.fire(current, time_steps=snn.time_steps, simulate=run)
        for stage in stages:
            if stage.has_neurons:
                current = over_time(partial(layer_current, stage, training=True), spikes)
                spikes, v = stage.fire(current, simulate=run)
            else:
                spikes = stage.call(spikes)
        return self.network.answer(Simulation(ops.sum(spikes, axis=1), v, ()))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(batch, classes)`."""
        return self.network.compute_output_shape(input_shape)


def fit(preset: Preset, x: Images, y: Tensor, training: Training) -> Trained:
    """Train the preset's spiking network by surrogate gradient, see `SurrogateModel`.

    Neurons, readout, loss and optimizer are the preset's. The ANN's activations are not used.
    Thresholds are not trained, even with `learn_threshold`.

    Returns:
        `Trained`; `network` is a `ProxyModel`.
    """
    network = preset_model(replace(preset, learn_threshold=False))
    model = SurrogateModel(network)
    model.compile(network.optimizer, network.loss, metrics=[SpikeAccuracy()])
    return Trained(network, {"surrogate": fit_phase(model, x, y, training, "surrogate")})
