"""`Source`: the place and the format of a data set on this machine."""

from dataclasses import dataclass
from pathlib import Path

from ._info import info_of

__all__ = ["Source"]


@dataclass(frozen=True)
class Source:
    """A place on this machine from which `load` would read a data set.

    Attributes:
        name: Name of the data set, one of `keras_proxy_snn.datasets.NAMES`.
        format: Format of the files: `"idx"` (MNIST's format), `"python"` or `"binary"` (CIFAR-10's
            batches), `"jpeg"` or `"png"` (folders of images by class), `"tfds"` (prepared by
            tensorflow-datasets) or `"embedded"` (part of this package).
        path: The directory or the archive.

    Example:

    >>> from keras_proxy_snn import datasets
    >>> datasets.locate("digits").title
    'digits'
    """

    name: str
    format: str
    path: Path

    @property
    def title(self) -> str:
        """Name of the set for tables of results; the name of JPEG files ends in "(JPEG)".

        JPEG files hold other pixels than the published set, so a result measured on them is
        reported for "CIFAR-10 (JPEG)".
        """
        title = info_of(self.name).title
        return f"{title} (JPEG)" if self.format == "jpeg" else title

    def __str__(self) -> str:
        return f"{self.title} from {self.path} ({self.format})"
