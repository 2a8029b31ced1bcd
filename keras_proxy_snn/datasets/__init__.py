"""Fashion-MNIST, CIFAR-10 and digits as NumPy arrays; pictures of your own as a stream.

`from_folder` reads pictures of your own from class folders, batch by batch; `open_folder` reads
them without a split. `from_hub` reads sets of Hugging Face and of tensorflow-datasets. `load`
returns a data set. `locate` finds the place from which `load` would read it. `class_names` gives
the names of its classes. `name_by_shape` finds the set that has images of a given shape.
`load_events` turns the recordings of an event camera into frames.
"""

from ._events import event_frames, load_events
from ._folder import from_folder, open_folder
from ._info import NAMES, DatasetError, class_names, name_by_shape
from ._load import load
from ._locate import locate
from ._source import Source
from ._stream import ImageStream
from .hub import from_hub

__all__ = [
    "NAMES",
    "DatasetError",
    "ImageStream",
    "Source",
    "class_names",
    "event_frames",
    "from_folder",
    "from_hub",
    "load",
    "load_events",
    "locate",
    "name_by_shape",
    "open_folder",
]
