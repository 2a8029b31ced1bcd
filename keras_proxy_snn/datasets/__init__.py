"""Fashion-MNIST, CIFAR-10 and scikit-learn's digits as NumPy arrays, wherever they lie.

`load` returns a set, `locate` says where it would come from, `class_names` what its labels mean,
`name_by_shape` which set has images of a shape. `load_events` makes frames of recordings of an
event camera.
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
