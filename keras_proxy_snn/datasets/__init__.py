"""Fashion-MNIST, CIFAR-10 and digits as NumPy arrays; pictures of your own as a stream.

`from_folder` reads pictures of your own from class folders, batch by batch; `open_folder` reads
them without a split. `from_files` reads new pictures, to classify them. `from_hub` reads sets of
Hugging Face and of tensorflow-datasets. `load` returns a data set. `locate` finds the place from
which `load` would read it. `class_names` gives the names of its classes, `image_shape` the shape of
its images. `name_by_shape` finds the set that has images of a given shape. `load_events` turns the
recordings of an event camera into frames.
"""

from typing import TYPE_CHECKING, Any

from ._events import event_frames, load_events
from ._info import NAMES, DatasetError, class_names, image_shape, name_by_shape
from ._load import load
from ._locate import locate
from ._source import Source

if TYPE_CHECKING:
    from ._folder import from_folder, open_folder
    from ._stream import ImageStream
    from .hub import from_hub
    from .new_pictures import from_files

__all__ = [
    "NAMES",
    "DatasetError",
    "ImageStream",
    "Source",
    "class_names",
    "event_frames",
    "from_files",
    "from_folder",
    "from_hub",
    "image_shape",
    "load",
    "load_events",
    "locate",
    "name_by_shape",
    "open_folder",
]


def __getattr__(name: str) -> Any:
    """Import the readers of pictures when they are first used, because streams need Keras."""
    if name not in ("ImageStream", "from_files", "from_folder", "from_hub", "open_folder"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ._folder import from_folder, open_folder
    from ._stream import ImageStream
    from .hub import from_hub
    from .new_pictures import from_files

    readers = (ImageStream, from_files, from_folder, from_hub, open_folder)
    globals().update({reader.__name__: reader for reader in readers})
    return globals()[name]


def __dir__() -> list[str]:
    """The public names, those of the readers of pictures too, and what every module has."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
