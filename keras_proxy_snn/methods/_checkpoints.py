"""Checkpoints: files with the last whole epoch of a phase, from which a killed training resumes."""

import json
import re
from pathlib import Path
from typing import Any

import keras

from ..basics.files import check_target, replacing

__all__ = ["PhaseCallback", "Record", "State"]


class PhaseCallback(keras.callbacks.Callback):
    """A callback with a hook for each phase of a method."""

    def on_phase_begin(self, phase: str) -> None:
        """Called when a phase begins, resumes, or is skipped because it was complete.

        Args:
            phase: Name of the phase.
        """


class State:
    """Files of a phase. They hold its last whole epoch, even if the process is killed."""

    def __init__(self, folder: Path, phase: str):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._epoch_weights = re.compile(rf"{re.escape(phase)}_epoch\d+\.weights\.h5")
        self._phase = phase
        self._end, self._record = folder / f"{phase}.json", folder / f"{phase}_epochs.json"
        self._weights = folder / f"{phase}.weights.h5"
        check_target(self._record, overwrite=True)

    def completed(self, model: keras.Model) -> dict[str, list[float]] | None:
        """Load a complete phase and return its logs; `None` if the phase is not complete."""
        if not self._end.exists():
            return None
        _load(model, self._weights)
        logs: dict[str, list[float]] = json.loads(self._end.read_text())
        self._clean()
        return logs

    def complete(self, model: keras.Model, logs: dict[str, list[float]]) -> None:
        """Save the end of a phase; the logs are written last and mark the phase as complete."""
        _save(model, self._weights)
        _write(self._end, logs)
        self._clean()

    def save(self, model: keras.Model, epochs: int, logs: dict[str, list[float]]) -> None:
        """Save an epoch, numbered from 1; the record is written last and names the weights file."""
        weights = f"{self._phase}_epoch{epochs}.weights.h5"
        _save(model, self._folder / weights)
        _write(self._record, {"epochs": epochs, "weights": weights, "logs": logs})
        self._remove_weights(but=weights)

    def restore(self, model: keras.Model) -> tuple[int, dict[str, list[float]]]:
        """Load the last whole epoch; return its number and the logs; or 0 and `{}`."""
        if not self._record.exists():
            return 0, {}
        record = json.loads(self._record.read_text())
        if "weights" not in record:  # of an earlier version, which kept them elsewhere
            return 0, {}
        _load(model, self._folder / record["weights"])
        return record["epochs"], record["logs"]

    def _clean(self) -> None:
        self._record.unlink(missing_ok=True)
        self._remove_weights()

    def _remove_weights(self, but: str = "") -> None:
        for file in self._folder.iterdir():
            if self._epoch_weights.fullmatch(file.name) and file.name != but:
                file.unlink()


class Record(keras.callbacks.Callback):
    """Collects the logs of all epochs, also from before a kill; writes the files of a `State`."""

    def __init__(self, state: State | None):
        super().__init__()
        self._state = state
        self.logs: dict[str, list[float]] = {}

    def restore(self, model: keras.Model) -> int:
        """Load the saved epochs and return their number."""
        if self._state is None:
            return 0
        done, self.logs = self._state.restore(model)
        return done

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        for name, value in (logs or {}).items():
            self.logs.setdefault(name, []).append(float(value))
        if self._state is not None:
            self._state.save(self.model, epoch + 1, self.logs)


def _save(model: keras.Model, path: Path) -> None:
    with replacing(path) as draft:
        model.save_weights(draft)


def _load(model: keras.Model, path: Path) -> None:
    # The file holds the optimizer's state too, so the optimizer must have its variables first.
    model.optimizer.build(model.trainable_variables)
    model.load_weights(path)


def _write(path: Path, value: object) -> None:
    with replacing(path) as draft:
        draft.write_text(json.dumps(value))
