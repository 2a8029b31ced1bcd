"""`check`: compare a written file, run in its real runtime, with the interpreter."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..basics.progress import Progress
from ..basics.types import Images, Verbose
from .interpreter import run as interpret
from .program import Conv, Dense, Layer, Program

__all__ = ["Check", "check", "is_borderline"]

# Relative changes of the thresholds. Float sums in another order differ in their last bits, by
# about 1e-7 of the largest term, and a term can be tens of times a threshold.
ROUNDINGS = (3e-6, 1e-6, 3e-7)
# The effects of two moved filters can cancel, so filters are moved in several patterns.
_PATTERNS = 8
# Tolerance of scores by potential: in spikes, or as a share of an image's largest score if that is
# more. Potentials are sums over all steps, and float sums depend on their order.
_SCORE_ROUNDING = 1e-4
_BATCH = 16  # images interpreted at once


@dataclass(frozen=True)
class Check:
    """Result of a comparison.

    Attributes:
        images: Number of images compared.
        differing: Number of spike counts (or scores) that differ but must be equal.
        worst: Largest difference of a spike count (or score), on any image.
        borderline: Number of images on which rounding alone decides a spike (float programs).
    """

    images: int
    differing: int
    worst: float
    borderline: int

    @property
    def passed(self) -> bool:
        """Whether all counts that must be equal are equal."""
        return self.differing == 0

    def __str__(self) -> str:
        text = f"{self.images} images, {self.differing} counts differ, worst difference "
        text += f"{self.worst:g}"
        if self.borderline:
            text += f" ({self.borderline} images are within rounding of a threshold)"
        return text


def check(
    program: Program,
    images: Images,
    run: Callable[[Program, np.ndarray], np.ndarray],
    verbose: Verbose = "auto",
) -> Check:
    """Compare the spike counts of a file with the interpreter's.

    Integer arithmetic is exact, so every count of an integer program must be equal. The last bits
    of a float sum depend on the order of its terms. They decide a spike if a potential is equal to
    its threshold to within rounding. To find such images, the interpreter runs with thresholds
    moved by factors from 1 +- 3e-6 to 1 +- 3e-7: all thresholds together, or each filter up or
    down. If the interpreter's own counts change, the image is borderline: it is reported, and its
    counts may differ. On all other images every count must be equal.

    With a readout by potential, scores are compared in place of counts. Float scores count as
    equal if they differ by at most 1e-4 spikes, or by 1e-4 of the image's largest score if that is
    more.

    Args:
        program: The network.
        images: `(batch, height, width, channels)`, pixels in `program.input_range`.
        run: Function of program and images that runs the file and returns `Program.scores`.
        verbose: Whether a line shows the progress: 0, 1, or `"auto"` for a terminal or a notebook.

    Returns:
        A `Check`.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program
    >>> from keras_proxy_snn.export.check import check
    >>> from keras_proxy_snn.export.interpreter import run
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> layer = Dense("readout", np.ones((1, 2), "float32"), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), layer), (1, 1, 1), time_steps=3)
    >>> images = np.full((1, 1, 1, 1), 0.4, "float32")
    >>> str(check(program, images, lambda program, x: run(program, x).spike_counts))
    '1 images, 0 counts differ, worst difference 0'
    """
    images = np.asarray(images)
    received = np.asarray(run(program, images))
    with Progress("checking", len(images), verbose) as progress:
        parts = [_scores(program, batch) for batch in progress.batches(images, _BATCH)]
    expected = np.concatenate(parts)
    if received.shape != expected.shape:
        raise ValueError(
            f"Spike counts must have shape {expected.shape}. Received: {received.shape}."
        )
    unequal = _unequal(program, received, expected)
    suspects = unequal.any(axis=1)
    borderline = np.zeros(len(images), bool)
    if suspects.any() and not program.is_integer:
        borderline[suspects] = is_borderline(program, images[suspects])
    return Check(
        len(images),
        int(unequal[~borderline].sum()),
        np.abs(received - expected).max(initial=0).item(),
        int(borderline.sum()),
    )


def _scores(program: Program, images: np.ndarray) -> np.ndarray:
    trace = interpret(program, images)
    return program.scores(trace.spike_counts, trace.potentials[-1])


def _unequal(program: Program, received: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Mask of the scores that differ by more than rounding can explain."""
    if program.readout == "counts" or program.is_integer:
        return received != expected
    largest = np.abs(expected).max(axis=1, initial=1, keepdims=True)
    return np.abs(received - expected) > _SCORE_ROUNDING * largest


def is_borderline(program: Program, images: np.ndarray) -> np.ndarray:
    """Tell for each image whether a change of thresholds by a rounding changes its scores.

    Args:
        program: A float network.
        images: `(batch, height, width, channels)`, pixels in `program.input_range`.

    Returns:
        `(batch,)`, booleans: true if the interpreter's scores change.
    """
    expected = _scores(program, images)
    changed = np.zeros(len(images), bool)
    rng = np.random.default_rng(0)
    for size, pattern in itertools.product(ROUNDINGS, range(_PATTERNS)):
        layers = tuple(_moved(layer, size, pattern, rng) for layer in program.layers)
        left = ~changed
        scores = _scores(replace(program, layers=layers), images[left])
        changed[left] = _unequal(program, scores, expected[left]).any(axis=1)
        if changed.all():
            break
    return changed


def _moved(layer: Layer, size: float, pattern: int, rng: np.random.Generator) -> Layer:
    """The layer with changed thresholds: all lower (pattern 0), all higher (1), or mixed.

    The firing level moves by the same amount as the threshold, because `v_0` does not change. This
    amount is right, because roundings scale with the threshold, also if the level is far below it.
    """
    if not isinstance(layer, Conv | Dense):
        return layer
    signs = rng.choice((-1, 1), layer.kernel.shape[-1]) if pattern > 1 else (-1, 1)[pattern]
    return replace(layer, v_threshold=np.multiply(layer.v_threshold, 1 + size * signs))
