"""The custom train step: what each backend adds to Keras's own.

Keras's trainers differentiate `model(x)` and take the loss. A proxy train step first runs
the SNN, outside the differentiated part, and hands its result on with the images as a
`Simulated` batch. Everything else (gradients, accumulation, loss scaling, metrics,
distribution) is Keras's own step, unchanged.
"""

import importlib
from typing import Any, NamedTuple

import keras

from .._types import Images
from ..simulation.network import Simulation, SpikingNetwork

__all__ = ["Simulated", "proxy_steps", "simulated"]


class Simulated(NamedTuple):
    """A batch of images and what the SNN made of them.

    Attributes:
        images: `(batch, height, width, channels)`; in a train step as the ANN's layers that
            prepare images left them.
        simulation: Result of the spiking network on these images. Its firing rates are
            empty in a test step, whose logs have none.
    """

    images: Images
    simulation: Simulation


def simulated(snn: SpikingNetwork, data: Any, training: bool) -> Any:
    """The batch `(x, y, sample_weight)` with `Simulated` images in place of `x`."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if training:
        # Once, so that both networks see the same augmented images.
        x = snn.preprocess(x, training=True)
    simulation = snn.simulate(x, preprocessed=training)
    if not training:
        simulation = simulation._replace(firing_rates=())
    return Simulated(x, simulation), y, sample_weight


def proxy_steps() -> type:
    """The `keras.Model` that overrides `train_step` and `test_step` for the current backend.

    Raises:
        RuntimeError: If Keras runs on a backend that cannot train.
    """
    backend = keras.config.backend()
    if backend not in ("tensorflow", "jax", "torch"):
        raise RuntimeError(
            "keras_proxy_snn runs on the Keras backends 'tensorflow', 'jax' and 'torch'; set the "
            f"environment variable KERAS_BACKEND. Received: {backend!r}."
        )
    steps: type = importlib.import_module(f"{__package__}.{backend}").ProxySteps
    return steps
