"""Fashion-MNIST, CIFAR-10 and handwritten digits as NumPy arrays.

`load` returns a data set. `locate` finds the place from which `load` would read it. `class_names`
gives the names of its classes. `name_by_shape` finds the set that has images of a given shape.
`load_events` turns the recordings of an event camera into frames.
"""

from ._events import event_frames, load_events
from ._info import NAMES, DatasetError, class_names, name_by_shape
from ._load import load
from ._locate import locate
from ._source import Source

__all__ = [
    "NAMES",
    "DatasetError",
    "Source",
    "class_names",
    "event_frames",
    "load",
    "load_events",
    "locate",
    "name_by_shape",
]
