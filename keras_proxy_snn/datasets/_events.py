"""Frames of event cameras, from data sets such as the `tonic` package has."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._checks import positive_integer
from ._info import DatasetError

__all__ = ["event_frames", "load_events"]


def event_frames(
    events: Any, sensor_size: Sequence[int], time_steps: int, *, binary: bool = True
) -> np.ndarray:
    """Sort one recording's events into frames, one for each time step.

    The time from the first to the last event is divided into equal parts; an event on a border
    belongs to the later frame, the last event to the last frame. Integer time stamps are divided
    exactly. Events that all have one time stamp are in the first frame.

    Args:
        events: Structured array with the fields x, y, t (any unit) and, of a sensor with more
            than one polarity, p, such as tonic's data sets give it. On a sensor with one polarity
            all p must be the same.
        sensor_size: `(width, height, polarities)`, in tonic's order.
        time_steps: Number T of frames.
        binary: Whether a frame says only if there was an event, as spikes do; else it
            counts them.

    Returns:
        `(time, height, width, polarities)`, float32.

    Raises:
        keras_proxy_snn.datasets.DatasetError: If a field is missing or holds what is no number, an
            event is outside of the sensor, or two polarities would be merged.
        ValueError: If `time_steps` or a part of `sensor_size` is not a positive integer.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.datasets import event_frames
    >>> fields = [("x", int), ("y", int), ("t", int), ("p", int)]
    >>> events = np.array([(0, 0, 10, 1), (1, 0, 19, 0), (1, 0, 19, 0)], fields)
    >>> frames = event_frames(events, (2, 1, 2), 2)
    >>> frames.shape, frames.sum(axis=(1, 2, 3)).tolist()
    ((2, 1, 2, 2), [1.0, 1.0])
    """
    time_steps = positive_integer("time_steps", time_steps)
    width, height, polarities = _checked_sensor(sensor_size)
    names = events.dtype.names or ()
    if not {"x", "y", "t"} <= set(names) or ("p" not in names and polarities > 1):
        raise DatasetError(f"Events must have the fields x, y, t and p. Received: {names}.")
    frames = np.zeros((time_steps, height, width, polarities), "float32")
    if not len(events):
        return frames
    x, y = (_whole(events, name) for name in "xy")
    p = _whole(events, "p") if polarities > 1 else np.zeros_like(x)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (p >= 0) & (p < polarities)
    if not inside.all():
        raise DatasetError(
            f"Events must lie on the sensor of (width, height, polarities) {tuple(sensor_size)}. "
            f"Received: {events[~inside][0]}."
        )
    _check_one_polarity(_polarities(events, polarities))
    np.add.at(frames, (_frame_numbers(events["t"], time_steps), y, x, p), 1.0)
    return np.minimum(frames, 1.0) if binary else frames


def _checked_sensor(sensor_size: Sequence[int]) -> tuple[int, int, int]:
    try:
        width, height, polarities = (operator.index(size) for size in sensor_size)
    except (TypeError, ValueError):
        width = height = polarities = 0
    if min(width, height, polarities) < 1:
        raise ValueError(
            "`sensor_size` must be (width, height, polarities), positive integers. "
            f"Received: {sensor_size!r}."
        )
    return width, height, polarities


def _whole(events: Any, name: str) -> np.ndarray:
    """A field of places or polarities, whose numbers must be whole."""
    values = events[name]
    with np.errstate(invalid="ignore"):  # NaN and what no int64 holds differ from what they become
        whole: np.ndarray = values.astype("int64")
    if not np.array_equal(whole, values):
        raise DatasetError(
            f"The field {name} of events must hold integers. "
            f"Received: {values[whole != values][0]!r}."
        )
    return whole


def _polarities(events: Any, polarities: int) -> set[int]:
    """The polarities that would share the one plane of a sensor; of any other sensor, none."""
    if polarities > 1 or "p" not in (events.dtype.names or ()):
        return set()
    return set(np.unique(_whole(events, "p")).tolist())


def _check_one_polarity(found: set[int]) -> None:
    if len(found) > 1:
        raise DatasetError(
            "Events of a sensor with one polarity must all have the same p. To merge polarities, "
            f"set p to 0; to keep them, give `sensor_size` their number. Received: {sorted(found)}."
        )


def _frame_numbers(t: np.ndarray, time_steps: int) -> np.ndarray:
    """Number of each event's frame: frame k holds k / T <= (t - first) / (last - first).

    Integers are compared with integers: stamps in ns since 1970 are past what a float tells apart.
    """
    if t.dtype.kind not in "iuf" or not np.isfinite(t).all():
        raise DatasetError(
            "The field t of events must hold finite numbers. "
            f"Received: {t.dtype}{'' if t.dtype.kind not in 'iuf' else ', not all finite'}."
        )
    if t.dtype.kind == "f":
        since = t.astype("float64") - float(t.min())
        borders = since.max() * (np.arange(1, time_steps) / time_steps)
    else:
        first = int(t.min())
        span = int(t.max()) - first
        since = t.astype("uint64") - np.uint64(first % 2**64)  # modulo 2^64, so exact for any sign
        borders = np.array([-(-k * span // time_steps) for k in range(1, time_steps)], "uint64")
    if not since.any():
        return np.zeros(len(t), "int64")
    # The last event, at the end of the last frame, belongs to it.
    return np.searchsorted(borders, since, side="right")


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
        keras_proxy_snn.datasets.DatasetError: If there is no recording, one does not fit, or
            recordings of a sensor with one polarity differ in it.

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
    found: set[int] = set()
    for index in range(number):
        recording, label = dataset[index]
        recording = np.asarray(recording)
        frames.append(_frames(recording, dataset, time_steps, binary))
        if recording.dtype.names is not None:
            found |= _polarities(recording, dataset.sensor_size[2])
            _check_one_polarity(found)
        labels.append(label)
    return np.stack(frames), np.asarray(labels)


def _frames(recording: np.ndarray, dataset: Any, time_steps: int, binary: bool) -> np.ndarray:
    if recording.dtype.names is not None:
        return event_frames(recording, dataset.sensor_size, time_steps, binary=binary)
    if recording.ndim != 4 or len(recording) != time_steps:
        raise DatasetError(
            f"Frames must have shape ({time_steps}, polarities, height, width). "
            f"Received: {recording.shape}."
        )
    frames = recording.transpose(0, 2, 3, 1).astype("float32")
    return np.minimum(frames, 1.0) if binary else frames
