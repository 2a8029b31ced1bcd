"""Where a set is, as `locate` says and the readers take it."""

from dataclasses import dataclass
from pathlib import Path

from ._info import info_of

__all__ = ["Source"]


@dataclass(frozen=True)
class Source:
    """A place on this machine that a dataset would be loaded from.

    Attributes:
        name: The dataset's name, one of `keras_proxy_snn.datasets.NAMES`.
        format: What the files are: `"idx"` (MNIST's format), `"python"` or `"binary"` (CIFAR-10's
            batches), `"jpeg"` or `"png"` (folders of images by class), `"tfds"` (prepared by
            tensorflow-datasets) or `"scikit-learn"` (part of that package).
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
        """What to call results on it: a set that was compressed with loss says so.

        JPEG files hold other pixels than the published set, so a figure measured on them is
        one of "CIFAR-10 (JPEG)".
        """
        title = info_of(self.name).title
        return f"{title} (JPEG)" if self.format == "jpeg" else title

    def __str__(self) -> str:
        return f"{self.title} from {self.path} ({self.format})"
