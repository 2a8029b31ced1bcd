"""Frames of event cameras, from data sets such as the `tonic` package has."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._info import DatasetError

__all__ = ["event_frames", "load_events"]


def event_frames(
    events: Any, sensor_size: Sequence[int], time_steps: int, *, binary: bool = True
) -> np.ndarray:
    """Sort one recording's events into frames, one for each time step.

    The time from the first to the last event is divided into equal parts.

    Args:
        events: Structured array with the fields x, y, t (any unit) and, of a sensor with more
            than one polarity, p, such as tonic's data sets give it.
        sensor_size: `(width, height, polarities)`, in tonic's order.
        time_steps: Number T of frames.
        binary: Whether a frame says only if there was an event, as spikes do; else it
            counts them.

    Returns:
        `(time, height, width, polarities)`, float32.

    Raises:
        keras_proxy_snn.datasets.DatasetError: If a field is missing or an event is outside of the
            sensor.
        ValueError: If `time_steps` is not a positive integer.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.datasets import event_frames
    >>> fields = [("x", int), ("y", int), ("t", int), ("p", int)]
    >>> events = np.array([(0, 0, 10, 1), (1, 0, 19, 0), (1, 0, 19, 0)], fields)
    >>> frames = event_frames(events, (2, 1, 2), 2)
    >>> frames.shape, frames.sum(axis=(1, 2, 3)).tolist()
    ((2, 1, 2, 2), [1.0, 1.0])
    """
    if not isinstance(time_steps, int) or isinstance(time_steps, bool) or time_steps < 1:
        raise ValueError(f"`time_steps` must be a positive integer. Received: {time_steps!r}.")
    width, height, polarities = sensor_size
    names = events.dtype.names or ()
    if not {"x", "y", "t"} <= set(names) or ("p" not in names and polarities > 1):
        raise DatasetError(f"Events must have the fields x, y, t and p. Received: {names}.")
    frames = np.zeros((time_steps, height, width, polarities), "float32")
    if not len(events):
        return frames
    x, y = (events[name].astype("int64") for name in "xy")
    p = events["p"].astype("int64") if polarities > 1 else np.zeros_like(x)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (p >= 0) & (p < polarities)
    if not inside.all():
        raise DatasetError(
            f"Events must lie on the sensor of (width, height, polarities) {tuple(sensor_size)}. "
            f"Received: {events[~inside][0]}."
        )
    t = events["t"].astype("float64")
    span = t.max() - t.min()
    step = (t - t.min()) * (time_steps / span) if span else np.zeros(len(t))
    # The last event belongs to the last frame.
    np.add.at(frames, (np.minimum(step.astype("int64"), time_steps - 1), y, x, p), 1.0)
    return np.minimum(frames, 1.0) if binary else frames


def load_events(
    dataset: Any, time_steps: int, *, limit: int | None = None, binary: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Recordings of a data set as frames, for a model with `events=True`.

        dataset = tonic.datasets.NMNIST(save_to="data", train=True)
        x, y = keras_proxy_snn.datasets.load_events(dataset, time_steps=16)

    Nothing of `tonic` is imported: whatever has a length, items `(events, label)` and the
    attribute `sensor_size` will do.

    Args:
        dataset: The data set. If its items are frames already `(time, polarities, height,
            width)`, as `tonic.transforms.ToFrame` makes them, those are taken.
        time_steps: Number T of frames of a recording.
        limit: Number of recordings; all if `None`.
        binary: See `event_frames`.

    Returns:
        `(x, y)`: frames `(recordings, time, height, width, polarities)`, float32, and labels.

    Raises:
        keras_proxy_snn.datasets.DatasetError: If there is no recording, or one does not fit.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.datasets import load_events
    >>> frames = [(np.ones((4, 2, 8, 8)), 3)]  # what ToFrame gives
    >>> x, y = load_events(frames, time_steps=4)
    >>> x.shape, y.tolist()
    ((1, 4, 8, 8, 2), [3])
    """
    number = len(dataset) if limit is None else min(limit, len(dataset))
    if not number:
        raise DatasetError("A data set of events must have recordings. Received: none.")
    frames, labels = [], []
    for index in range(number):
        recording, label = dataset[index]
        frames.append(_frames(recording, dataset, time_steps, binary))
        labels.append(label)
    return np.stack(frames), np.asarray(labels)


def _frames(recording: Any, dataset: Any, time_steps: int, binary: bool) -> np.ndarray:
    recording = np.asarray(recording)
    if recording.dtype.names is not None:
        return event_frames(recording, dataset.sensor_size, time_steps, binary=binary)
    if recording.ndim != 4 or len(recording) != time_steps:
        raise DatasetError(
            f"Frames must have shape ({time_steps}, polarities, height, width). "
            f"Received: {recording.shape}."
        )
    frames = recording.transpose(0, 2, 3, 1).astype("float32")
    return np.minimum(frames, 1.0) if binary else frames
