"""Proxy train step on JAX.

In `fit`, `evaluate` and `predict`, Keras takes the values out of a model's variables. An error in
the first step would lose them, and with them all that the model has learned. So they are put back.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, TypeAlias

import keras

from ..basics.types import Tensor
from ..simulation.network import SpikingNetwork
from .steps import marked, simulated

__all__ = ["ProxySteps"]

# Values of the trainable variables, of all others, of the optimizer and of the metrics.
_State: TypeAlias = tuple[list[Tensor], ...]


class ProxySteps(keras.Model):
    """Run the SNN with the step's variables, before Keras's step calls `jax.value_and_grad`."""

    snn: SpikingNetwork
    _put_back: Callable[[], None] | None = None

    @wraps(keras.Model.evaluate)
    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.evaluate`; after an error the variables have their values."""
        with self._put_back_after_an_error():
            return super().evaluate(*args, **kwargs)

    @wraps(keras.Model.predict)
    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.predict`; after an error the variables have their values."""
        with self._put_back_after_an_error():
            return super().predict(*args, **kwargs)

    @contextmanager
    def _put_back_after_an_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.jax_state_sync()
            raise

    def jax_state_sync(self) -> None:
        """Give the variables their values; Keras calls it after an epoch, also after an error."""
        super().jax_state_sync()
        if self._put_back is not None:
            self._put_back()
            self._put_back = None

    def _purge_model_variables(self, **parts: bool) -> None:
        """Take the values away; Keras calls it before the first step of an epoch."""
        optimizer = getattr(self, "optimizer", None)
        variables = [*self.variables, *self.metrics_variables]
        variables += [] if optimizer is None else optimizer.variables
        # Keras would track an attribute that is a list of variables, but not a function.
        self._put_back = partial(_fill, [(variable, variable.value) for variable in variables])
        self._jax_state = None  # from the previous epoch
        super()._purge_model_variables(**parts)

    def train_step(self, state: _State, data: tuple[Tensor, ...]) -> Any:
        """One proxy learning step."""
        data, state = self._simulated(state, data, training=True)
        return super().train_step(state, data)

    def test_step(self, state: _State, data: tuple[Tensor, ...]) -> Any:
        """One evaluation step."""
        data, state = self._simulated(state, data, training=False)
        return super().test_step(state, data)

    def predict_step(self, state: _State, data: Any) -> Any:
        """One step of `predict`; images without scores are marked."""
        scores, *rest = super().predict_step(state, data)
        return marked(scores, data), *rest

    def _simulated(
        self, state: _State, data: tuple[Tensor, ...], training: bool
    ) -> tuple[Any, Any]:
        """The batch, and the state after augmentation layers have advanced their seeds."""
        variables = [*self.trainable_variables, *self.non_trainable_variables]
        values = [*state[0], *state[1]]
        with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
            data = simulated(self.snn, data, training)
        # A variable that was not assigned keeps its value.
        drawn = [scope.get_current_value(variable) for variable in self.non_trainable_variables]
        return data, (state[0], drawn, *state[2:])


def _fill(values: list[tuple[Any, Any]]) -> None:
    """Give each variable without a value its former value."""
    for variable, value in values:
        # Keras has no public way to remove a value, or to ask whether a variable has a value.
        if variable._value is None:  # noqa: SLF001
            variable._value = value  # noqa: SLF001
