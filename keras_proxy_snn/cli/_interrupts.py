"""`Interrupts`: make sure that no Ctrl-C during training is lost."""

import signal
import threading
from types import FrameType

import keras

__all__ = ["Interrupts"]


class Interrupts(keras.callbacks.Callback):
    """Raise `KeyboardInterrupt` after the batch in which Ctrl-C was pressed.

    Python raises the exception in whatever code it runs at that moment. In a finaliser or a
    callback of the garbage collector, it only prints the exception and continues. JAX has such
    callbacks: in a trial, one of six Ctrl-C had no effect. As a context manager, this object
    notes the first Ctrl-C. As a Keras callback, it raises the exception after the batch. A second
    Ctrl-C is raised at once.

    Example:

    >>> import signal
    >>> from keras_proxy_snn.cli._interrupts import Interrupts
    >>> with Interrupts() as interrupts:
    ...     interrupts.on_train_batch_end(0)  # nothing: there was no Ctrl-C
    """

    def __init__(self) -> None:
        super().__init__()
        self._heard = False
        self._replaced = False

    def __enter__(self) -> "Interrupts":
        # A background job of a shell ignores Ctrl-C; an embedding program may have a handler.
        usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if usual and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._note)
            self._replaced = True
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self._replaced:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._replaced = False
        if error is None:
            self._raise_what_was_heard()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._heard:
            signal.default_int_handler(number, frame)
        self._heard = True

    def _raise_what_was_heard(self) -> None:
        if self._heard:
            raise KeyboardInterrupt

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Raise `KeyboardInterrupt` if Ctrl-C was noted."""
        self._raise_what_was_heard()

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Raise `KeyboardInterrupt` if Ctrl-C was noted."""
        self._raise_what_was_heard()
