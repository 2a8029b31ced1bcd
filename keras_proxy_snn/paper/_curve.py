"""The learning curve: logs of each epoch, with the paper's MSSE."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..basics.files import replacing
from ..methods import PhaseCallback

__all__ = ["Curve", "mean_sum_of_squared_errors"]


def mean_sum_of_squared_errors(outputs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """MSSE, the mean over images of squared errors summed over classes (the paper's Fig. 2).

    The paper gives no formula, so there are two. `msse` is the error of the paper's "final
    output", the softmax over spike counts (Eq. 12). `msse_counts` is the loss of the authors'
    notebook: the error of the counts, with a target of one spike for the true class.

    Args:
        outputs: Spike counts, or the ANN's outputs before softmax, `(images, classes)`.
        labels: Integer labels `(images,)`.

    Returns:
        `msse`, from 0 to 2, and `msse_counts`, in spikes squared.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.paper._curve import mean_sum_of_squared_errors
    >>> mean_sum_of_squared_errors(np.zeros((4, 2)), np.array([0, 0, 1, 1]))
    {'msse': 0.5, 'msse_counts': 1.0}
    """
    target = np.eye(outputs.shape[-1])[labels]
    scores = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
    softmax = scores / scores.sum(axis=-1, keepdims=True)
    errors = {"msse": softmax - target, "msse_counts": outputs - target}
    return {name: float(np.mean(np.sum(e**2, axis=-1))) for name, e in errors.items()}


class Curve(PhaseCallback):
    """Write the logs of every epoch to a file and report them; a resumed training adds to the file.

    Args:
        path: JSON file; a resumed training reads it first.
        x: Held-out images for MSSE. Without any, entries have no `msse` and `msse_counts`.
        y: Their labels.
        say: Function that receives one line per epoch.

    Attributes:
        epochs: One entry per epoch: phase and epoch (both from 0), seconds, Keras's logs (with
            `val_` for the held-out images), `msse` and `msse_counts`.
    """

    def __init__(self, path: Path, x: np.ndarray, y: np.ndarray, say: Callable[[str], None]):
        super().__init__()
        self._path, self._x, self._y, self._say = path, x, y, say
        self.epochs: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
        self._phase = -1

    def on_phase_begin(self, phase: str) -> None:
        """Called when a phase of the method begins, resumes or is skipped."""
        self._phase += 1

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock; drop the old entry of an epoch that is run again after a kill."""
        now = (self._phase, epoch)
        self.epochs = [e for e in self.epochs if (e["phase"], e["epoch"]) < now]
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the epoch to the file."""
        errors = {}
        if len(self._x):
            outputs = self.model.predict(self._x, batch_size=100, verbose=0)
            errors = mean_sum_of_squared_errors(np.asarray(outputs, "float64"), self._y)
        entry: dict[str, Any] = {"phase": self._phase, "epoch": epoch}
        entry["seconds"] = time.perf_counter() - self._start
        entry |= {name: float(value) for name, value in (logs or {}).items()} | errors
        self.epochs.append(entry)
        with replacing(self._path) as draft:
            draft.write_text(json.dumps(self.epochs))
        self._say(self._line(entry))

    def _line(self, entry: dict[str, Any]) -> str:
        shown = {"loss": "loss", "accuracy": "accuracy", "val_accuracy": "held-out"}
        parts = [f"{title} {entry[name]:.4f}" for name, title in shown.items() if name in entry]
        phase = f"phase {entry['phase'] + 1}, " if entry["phase"] else ""
        number = f"epoch {entry['epoch'] + 1}/{self.params.get('epochs', '?')}"
        return f"  {phase}{number}: {', '.join(parts)}, {entry['seconds']:.0f} s"
