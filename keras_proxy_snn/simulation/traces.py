"""Traced functions of a model, kept for each of its settings."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from ..basics.fixed import Fixed

__all__ = ["Retraced"]

# Settings whose functions are kept; a trace holds a compiled program.
_KEPT = 8
_FUNCTIONS = ("train_function", "test_function", "predict_function")


class Retraced(Fixed, keras.Model):
    """A model whose settings are constants of its traced functions.

    Keras traces `train_function`, `test_function` and `predict_function` once. Here each of the
    last few values of `traced_settings` has its own functions, so a setting obeys at once, and a
    model that goes back and forth between two settings is traced once for each.
    """

    # Made by Keras's `make_*_function`.
    train_function: Callable[..., Any] | None
    test_function: Callable[..., Any] | None
    predict_function: Callable[..., Any] | None

    def __init__(self, *args: object, **kwargs: object):
        super().__init__(*args, **kwargs)
        self._traces = _Traces()

    def traced_settings(self) -> tuple[Any, ...]:
        """Everything that a traced function holds as a constant and that can be set."""
        raise NotImplementedError

    def make_train_function(self, force: bool = False) -> Any:
        """As in Keras, for the present settings."""
        return self._make(super().make_train_function, force)

    def make_test_function(self, force: bool = False) -> Any:
        """As in Keras, for the present settings."""
        return self._make(super().make_test_function, force)

    def make_predict_function(self, force: bool = False) -> Any:
        """As in Keras, for the present settings."""
        return self._make(super().make_predict_function, force)

    def _make(self, make: Callable[[bool], Callable[..., Any]], force: bool) -> Any:
        now = self.traced_settings()
        traces = self._traces
        if any(getattr(self, name) is not made for name, made in traces.current.items()):
            # `compile` and `quantize` forget functions. Those of other settings are then stale too.
            traces.others.clear()
        if now != traces.settings:
            if traces.settings is not None:
                traces.others[traces.settings] = {name: getattr(self, name) for name in _FUNCTIONS}
            for name, function in traces.others.pop(now, dict.fromkeys(_FUNCTIONS)).items():
                setattr(self, name, function)
            self._renew_steps()
            while len(traces.others) >= _KEPT:
                traces.others.pop(next(iter(traces.others)))
        made = make(force)
        traces.settings = now
        traces.current = {name: getattr(self, name) for name in _FUNCTIONS}
        return made

    def _renew_steps(self) -> None:
        """Let the steps be traced again.

        `jax.jit` finds earlier traces by the function, and bound methods of one object are all
        equal, so a trace for other settings would be found. A new partial equals no other function.
        """
        if keras.config.backend() == "jax":
            for step in ("train_step", "test_step"):
                setattr(self, step, partial(getattr(type(self), step), self))


class _Traces:
    """The functions of the present settings and of others; no container that Keras tracks."""

    def __init__(self) -> None:
        self.settings: tuple[Any, ...] | None = None
        self.current: dict[str, Any] = {}
        self.others: dict[tuple[Any, ...], dict[str, Any]] = {}
