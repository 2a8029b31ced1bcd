"""Proxy train step on JAX."""

from typing import Any

import keras

from ..basics.types import Tensor
from ..simulation.network import SpikingNetwork
from .steps import simulated

__all__ = ["ProxySteps"]


class ProxySteps(keras.Model):
    """Run the SNN with the step's variables, before Keras's step calls `jax.value_and_grad`."""

    snn: SpikingNetwork

    def train_step(self, state: Tensor, data: tuple[Tensor, ...]) -> Any:
        """One proxy learning step."""
        data, state = self._simulated(state, data, training=True)
        return super().train_step(state, data)

    def test_step(self, state: Tensor, data: tuple[Tensor, ...]) -> Any:
        """One evaluation step."""
        data, state = self._simulated(state, data, training=False)
        return super().test_step(state, data)

    def _simulated(
        self, state: Tensor, data: tuple[Tensor, ...], training: bool
    ) -> tuple[Any, Any]:
        """The batch, and the state after augmentation layers have advanced their seeds."""
        variables = [*self.trainable_variables, *self.non_trainable_variables]
        values = [*state[0], *state[1]]
        with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
            data = simulated(self.snn, data, training)
        # A variable that was not assigned keeps its value.
        drawn = [scope.get_current_value(variable) for variable in self.non_trainable_variables]
        return data, (state[0], drawn, *state[2:])
