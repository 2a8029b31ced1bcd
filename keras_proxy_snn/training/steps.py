"""The proxy train step: each backend adds a simulation of the SNN to Keras's own step.

Keras's trainers compute the loss of `model(x)` and differentiate it. A proxy train step first runs
the SNN, outside the differentiated part. It passes the result on, together with the images, as a
`Simulated` batch. Everything else (gradients, accumulation, loss scaling, metrics, distribution)
is Keras's own step, unchanged.
"""

import importlib
import math
from typing import Any, NamedTuple

import keras
from keras import ops

from ..basics.startup import BACKENDS
from ..basics.types import Images, Tensor
from ..simulation.loop import Simulation
from ..simulation.network import SpikingNetwork
from .images import is_finite

__all__ = ["NO_SCORES", "Simulated", "marked", "proxy_steps", "simulated"]

NO_SCORES = -math.inf
"""All scores of an image with a pixel that is not a finite number, in a step of `predict`."""


class Simulated(NamedTuple):
    """A batch of images and the SNN's result for them.

    Attributes:
        images: `(batch, height, width, channels)`; in a train step, after the ANN's layers that
            prepare images. This field must be the first, because Keras reads the batch size from
            axis 0 of the first array in `x`.
        simulation: Result of the spiking network on these images. In a test step its firing rates
            are empty, because the logs do not show them.
    """

    images: Images
    simulation: Simulation


def simulated(snn: SpikingNetwork, data: tuple[Tensor, ...], training: bool) -> Any:
    """The batch `(x, y, sample_weight)` with a `Simulated` in place of `x`."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if training:
        # Preprocess once, so that both networks see the same augmented images.
        x = snn.preprocess(x, training=True)
    simulation = snn.simulate(x, preprocessed=training)
    if not training:
        simulation = simulation._replace(firing_rates=())
    return Simulated(x, simulation), y, sample_weight


def marked(scores: Tensor, data: Any) -> Tensor:
    """Scores of a step of `predict`.

    They are `NO_SCORES` for images with a pixel that is not a finite number. A compiled step cannot
    raise an error, and no spikes would look like an answer.
    """
    images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
    return ops.where(ops.expand_dims(is_finite(images), -1), scores, NO_SCORES)


def proxy_steps() -> type:
    """The `keras.Model` that overrides `train_step` and `test_step` for the current backend.

    Raises:
        RuntimeError: If Keras runs on a backend that cannot train.
    """
    backend = keras.config.backend()
    if backend not in BACKENDS:
        raise RuntimeError(
            f"The Keras backend must be one of {BACKENDS}; set the environment variable "
            f"KERAS_BACKEND. Received: {backend!r}."
        )
    steps: type = importlib.import_module(f"{__package__}.{backend}").ProxySteps
    return steps
