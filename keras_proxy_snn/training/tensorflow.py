"""Proxy train step on TensorFlow."""

from typing import Any

import keras

from ..basics.types import Tensor
from ..simulation.network import SpikingNetwork
from .steps import marked, simulated

__all__ = ["ProxySteps"]


class ProxySteps(keras.Model):
    """Run the SNN before Keras's step opens its `GradientTape`."""

    snn: SpikingNetwork

    def train_step(self, data: tuple[Tensor, ...]) -> Any:
        """One proxy learning step."""
        return super().train_step(simulated(self.snn, data, training=True))

    def test_step(self, data: tuple[Tensor, ...]) -> Any:
        """One evaluation step."""
        return super().test_step(simulated(self.snn, data, training=False))

    def predict_step(self, data: Any) -> Any:
        """One step of `predict`; images without scores are marked."""
        return marked(super().predict_step(data), data)
