"""`rounding`: what the integers or the half precision of a file change, beside the float network.

The check of such a file compares it with the network of rounded weights, and says nothing of this.
"""

from dataclasses import dataclass

from ..basics.types import Images
from .program import Program
from .quantise import agreement

__all__ = ["Rounding", "rounding"]


@dataclass(frozen=True)
class Rounding:
    """How the scores of a rounded network differ from the float network's.

    Attributes:
        images: Number of images compared.
        kind: What images they are, one word, such as "test".
        classes: Number of images to which the rounded network gives another class.
        counts: Number of the readout's spike counts that differ; `None` with
            `readout="potential"`, because there every score differs in its last bits.
        compared: Number of spike counts compared, or `None`.
    """

    images: int
    kind: str
    classes: int
    counts: int | None
    compared: int | None

    def __str__(self) -> str:
        counts = "" if self.counts is None else f"{self.counts} of {self.compared} counts differ, "
        them = f"{self.classes} of {self.images} compared {self.kind} images get another class"
        return f"{counts}{them} than from the float network"


def rounding(network: Program, rounded: Program, images: Images, kind: str) -> Rounding:
    """Compare a rounded network with the float network that it was made of.

    Args:
        network: The float network.
        rounded: The network after `quantise`, or with weights in half precision.
        images: `(batch, height, width, channels)`, pixels in the networks' input range. Of images
            of the training, fewer change their class than of others.
        kind: What images they are, one word.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, half
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> from keras_proxy_snn.export.rounding import rounding
    >>> dense = Dense("readout", np.float32([[0.1, 0.5]]), None, 0.1, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 1, 1), time_steps=4)
    >>> print(rounding(program, half.rounded(program), np.ones((3, 1, 1, 1)), "test"))
    3 of 6 counts differ, 3 of 3 compared test images get another class than from the float network
    """
    found, number = agreement(network, rounded, images), len(images)
    classes = number - round(found.equal_classes * number)
    if network.readout != "counts":
        return Rounding(number, kind, classes, None, None)
    compared = number * network.shapes()[-1][0]
    differ = compared - round(found.equal_counts * compared)
    return Rounding(number, kind, classes, differ, compared)
