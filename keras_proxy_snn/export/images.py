"""Images for the check of an exported file: images of noise, and checks of given images."""

from typing import Any

import numpy as np

from ..basics.checks import check_plain
from ..basics.labels import check_labels
from ..basics.pixel_range import in_range
from ..basics.types import Images
from .interpreter import prepare_images
from .program import Program

__all__ = ["check_images", "noise_images"]


def noise_images(program: Program, images: int = 8) -> np.ndarray:
    """Smoothed noise in the program's image shape and input range."""
    rng = np.random.default_rng(0)
    x = rng.random((images, *program.input_shape))
    x = (x + np.roll(x, 1, axis=1) + np.roll(x, 1, axis=2) + np.roll(x, (1, 1), axis=(1, 2))) / 4
    return in_range(x, program.input_range)


def check_images(program: Program, images: Images, test: tuple[Any, Any] | None) -> None:
    """Raise an error unless images, and a test set `(x, y)` or `None`, fit a program.

    Raises:
        ValueError: If they do not fit.
        TypeError: If the test set is no pair.
    """
    prepare_images(program, images)
    if not len(images):
        raise ValueError("The check needs at least one image. Received: an empty array.")
    if test is None:
        return
    if not isinstance(test, tuple | list) or len(test) != 2:
        found = f"{len(test)} values" if isinstance(test, tuple | list) else type(test).__name__
        raise TypeError(f"`test` must be a pair (images, labels). Received: {found}.")
    check_plain("Labels", test[1])
    x, y = prepare_images(program, test[0]), np.asarray(test[1])
    if y.shape != (len(x),) or not len(x):
        raise ValueError(
            "The check needs at least one image, and one integer label for each image. Received: "
            f"{len(x)} images and labels of shape {y.shape}."
        )
    check_labels(y, program.shapes()[-1][0])
