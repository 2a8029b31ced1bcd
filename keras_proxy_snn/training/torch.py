"""Proxy train step on PyTorch."""

from typing import Any

import keras
import torch

from ..basics.types import Tensor
from ..simulation.network import SpikingNetwork
from .steps import marked, simulated

__all__ = ["ProxySteps"]


class ProxySteps(keras.Model):
    """Run the SNN without recording operations for autograd."""

    snn: SpikingNetwork

    def train_step(self, data: tuple[Tensor, ...]) -> Any:
        """One proxy learning step."""
        with torch.no_grad():
            data = simulated(self.snn, data, training=True)
        return super().train_step(data)

    def test_step(self, data: tuple[Tensor, ...]) -> Any:
        """One evaluation step; Keras runs it without autograd."""
        return super().test_step(simulated(self.snn, data, training=False))

    def predict_step(self, data: Any) -> Any:
        """One step of `predict`; images without scores are marked."""
        return marked(super().predict_step(data), data)
