"""Frames from recordings of event cameras, such as the data sets of the `tonic` package."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..basics.checks import check_flag, positive_integer, positive_integers
from ._info import DatasetError

__all__ = ["event_frames", "load_events"]


def event_frames(
    events: np.ndarray, sensor_size: Sequence[int] | None, time_steps: int, *, binary: bool = True
) -> np.ndarray:
    """Sort the events of one recording into frames, one frame per time step.

    The time from the first to the last event is divided into T equal parts. An event on a border
    belongs to the later frame; the last event belongs to the last frame. Integer time stamps are
    divided exactly. If all events have the same time stamp, they belong to the first frame.

    Args:
        events: Structured array with the fields x, y, t (any unit) and p (polarity), as in the
            data sets of `tonic`. A sensor with one polarity needs no p; if it has p, all values
            must be the same.
        sensor_size: `(width, height, polarities)`, in tonic's order.
        time_steps: Number T of frames.
        binary: If true, a value is 1 if there was any event, else 0, as for spikes. If false, it
            is the number of events.

    Returns:
        `(time, height, width, polarities)`, float32.

    Raises:
        keras_proxy_snn.datasets.DatasetError: If a field is missing or holds a value that is not a
            number, an event is outside the sensor, or two polarities would be merged.
        ValueError: If `time_steps` or a part of `sensor_size` is not a positive integer.
        TypeError: If `binary` is not `True` or `False`.

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
    check_flag("binary", binary)
    width, height, polarities = _checked_sensor(sensor_size)
    events = _unmasked("Events", events)
    names = events.dtype.names or ()
    if not {"x", "y", "t"} <= set(names) or ("p" not in names and polarities > 1):
        raise DatasetError(f"Events must have the fields x, y, t and p. Received: {names}.")
    if events.ndim != 1:
        raise DatasetError(f"Events must have one axis. Received: shape {events.shape}.")
    frames = np.zeros((time_steps, height, width, polarities), "float32")
    if not len(events):
        return frames
    x, y = (_whole(events, name) for name in "xy")
    p = _whole(events, "p") if polarities > 1 else np.zeros_like(x)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (p >= 0) & (p < polarities)
    if not inside.all():
        raise DatasetError(
            "Events must lie on the sensor of (width, height, polarities) "
            f"{(width, height, polarities)}. Received: {events[~inside][0]}."
        )
    _check_one_polarity(_polarities(events, polarities))
    np.add.at(frames, (_frame_numbers(events["t"], time_steps), y, x, p), 1.0)
    return np.minimum(frames, 1.0) if binary else frames


def _unmasked(what: str, values: Any) -> np.ndarray:
    """The values as an array; a mask would be lost."""
    if np.ma.isMaskedArray(values):
        raise DatasetError(
            f"{what} must have no mask; `compressed` gives what is not masked. "
            f"Received: a {type(values).__name__}."
        )
    return np.asarray(values)


def _checked_sensor(sensor_size: Sequence[int] | None) -> tuple[int, int, int]:
    names = ("width", "height", "polarities")
    width, height, polarities = positive_integers("sensor_size", sensor_size, names)
    return width, height, polarities


def _whole(events: np.ndarray, name: str) -> np.ndarray:
    """A field of positions or polarities; its values must be whole numbers."""
    values = events[name]
    # int64 turns NaN and too large numbers into other numbers, which the comparison finds.
    with np.errstate(invalid="ignore"):
        whole: np.ndarray = values.astype("int64")
    if not np.array_equal(whole, values):
        raise DatasetError(
            f"The field {name} of events must hold integers. "
            f"Received: {values[whole != values][0]!r}."
        )
    return whole


def _polarities(events: np.ndarray, polarities: int) -> set[int]:
    """Polarities that a sensor with one plane would merge; empty for any other sensor."""
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
    """Number k of each event's frame: k / T <= (t - first) / (last - first) < (k + 1) / T.

    Integers are compared with integers, because a float cannot distinguish neighbouring time
    stamps in ns since 1970.
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
    # The last event lies at the end of the last frame and belongs to that frame.
    return np.searchsorted(borders, since, side="right")


def load_events(
    dataset: Any, time_steps: int, *, limit: int | None = None, binary: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Load the recordings of a data set as frames, for a model with `events=True`.

        dataset = tonic.datasets.NMNIST(save_to="data", train=True)
        x, y = keras_proxy_snn.datasets.load_events(dataset, time_steps=16)

    The function does not import `tonic`. It accepts any object that has a length, items
    `(events, label)` and, unless its items are frames, the attribute `sensor_size`.

    Args:
        dataset: The data set. Its items may also be `(frames, label)` with frames of shape
            `(time, polarities, height, width)`, the result of `tonic.transforms.ToFrame`.
        time_steps: Number T of frames per recording.
        limit: Number of recordings to load; all if `None`.
        binary: See `event_frames`.

    Returns:
        `(x, y)`: frames `(recordings, time, height, width, polarities)`, float32, and labels.

    Raises:
        keras_proxy_snn.datasets.DatasetError: If there are no recordings, if the shape or the
            events of a recording do not fit, or if the sensor has one polarity and the
            recordings have different p.
        ValueError: If `time_steps`, `limit` or a part of `sensor_size` is not a positive integer.
        TypeError: If `binary` is not `True` or `False`.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.datasets import load_events
    >>> frames = [(np.ones((4, 2, 8, 8)), 3)]  # what ToFrame gives
    >>> x, y = load_events(frames, time_steps=4)
    >>> x.shape, y.tolist()
    ((1, 4, 8, 8, 2), [3])
    """
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise DatasetError(
            "A data set of events must have a length and items. "
            f"Received: a {type(dataset).__name__}."
        )
    number = len(dataset)
    if limit is not None:
        number = min(positive_integer("limit", limit), number)
    check_flag("binary", binary)
    if not number:
        raise DatasetError(
            "A data set of events must have recordings. Received: an empty data set."
        )
    frames, labels = [], []
    found: set[int] = set()
    for index in range(number):
        recording, label = _item(dataset, index)
        frames.append(_frames(recording, dataset, time_steps, binary))
        if frames[-1].shape != frames[0].shape:
            raise DatasetError(
                "All recordings of a data set must have frames of one shape. "
                f"Received: {frames[0].shape}, and {frames[-1].shape} of recording {index}."
            )
        if recording.dtype.names is not None:
            found |= _polarities(recording, dataset.sensor_size[2])
            _check_one_polarity(found)
        labels.append(label)
    return np.stack(frames), np.asarray(labels)


def _item(dataset: Any, index: int) -> tuple[np.ndarray, Any]:
    item = dataset[index]
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise DatasetError(
            "Items of a data set of events must be (events, label). "
            f"Received: a {type(item).__name__} as item {index}."
        )
    return _unmasked("Recordings", item[0]), item[1]


def _frames(recording: np.ndarray, dataset: Any, time_steps: int, binary: bool) -> np.ndarray:
    if recording.dtype.names is not None:
        sensor_size = getattr(dataset, "sensor_size", None)
        return event_frames(recording, sensor_size, time_steps, binary=binary)
    if recording.ndim != 4 or len(recording) != time_steps:
        raise DatasetError(
            f"Frames must have shape ({time_steps}, polarities, height, width). "
            f"Received: {recording.shape}."
        )
    numbers = recording.dtype.kind in "biuf"
    if not numbers or not (np.isfinite(recording) & (recording >= 0)).all():
        raise DatasetError(
            "Frames must hold numbers of events, which are finite and not negative. Received: an "
            f"array of {recording.dtype}{', with other values' if numbers else ''}."
        )
    frames = recording.transpose(0, 2, 3, 1)
    return (frames > 0 if binary else frames).astype("float32")
