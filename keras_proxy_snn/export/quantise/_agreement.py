"""`agreement`: compare the spikes of two programs."""

from typing import NamedTuple

import numpy as np

from ...basics.progress import Progress
from ...basics.types import Images
from ..interpreter import prepare_images
from ..program import Program
from ._simulation import spikes_and_potentials

__all__ = ["Agreement", "agreement"]


class Agreement(NamedTuple):
    """Result of a comparison of two programs.

    Attributes:
        equal_counts: Share of the readout's spike counts that are equal, from 0 to 1.
        equal_classes: Share of images to which both programs give the same class. The class is the
            first one with the highest score (`Program.scores`).
        rate_differences: For each layer of neurons, the mean firing rate in the second program
            minus the mean rate in the first, in spikes per neuron and step. Keys are the layer
            names of the first program.
    """

    equal_counts: float
    equal_classes: float
    rate_differences: dict[str, float]


def agreement(a: Program, b: Program, images: Images) -> Agreement:
    """Compare the spikes of two programs, such as a float program and its integer program.

    Args:
        a: The first program.
        b: The second program, with the same number of neurons in each layer.
        images: `(batch, height, width, channels)`, pixels in the input range of the programs.

    Returns:
        An `Agreement`.

    Raises:
        ValueError: If the layers differ in number or shape, the images do not fit, or there are no
            images.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.export.program import Dense, Flatten, Program
    >>> def net(weight):
    ...     dense = Dense("readout", np.float32([[weight]]), None, 1.0, "zero")
    ...     return Program((Flatten("flatten"), dense), (1, 1, 1), time_steps=4)
    >>> agreement(net(0.5), net(1.0), np.ones((3, 1, 1, 1)))
    Agreement(equal_counts=0.0, equal_classes=1.0, rate_differences={'readout': 0.5})
    """
    shapes = a.state_shapes(), b.state_shapes()
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"Only programs with the same neurons can be compared. Received: layers of {shapes[0]} "
            f"and of {shapes[1]}."
        )
    images = np.asarray(images)
    prepare_images(a, images)
    if not len(images):
        raise ValueError(
            "A comparison of programs needs at least one image. Received: an empty array."
        )
    (counts, classes), (other_counts, other_classes) = (_spike(p, images) for p in (a, b))
    rates = [
        float(theirs.mean() / b.time_steps - ours.mean() / a.time_steps)
        for ours, theirs in zip(counts, other_counts, strict=True)
    ]
    return Agreement(
        float((counts[-1] == other_counts[-1]).mean()),
        float((classes == other_classes).mean()),
        {layer.name: rate for layer, rate in zip(a.neurons, rates, strict=True)},
    )


def _spike(program: Program, images: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Spike counts of all layers, and the classes of the images."""
    counts, potentials = spikes_and_potentials(
        program, images, Progress("counting spikes", len(images), 0)
    )
    return counts, program.scores(counts[-1], potentials).argmax(axis=1)
