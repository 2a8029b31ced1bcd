"""Run a loaded file of any form in any runtime, and count its spikes."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from ...basics.types import Images
from ..interpreter import prepare_images
from ..program import Program

__all__ = ["Network", "prepare", "scores", "simulate"]


class Network(Protocol):
    """A loaded file.

    Attributes:
        inputs: Shape and NumPy type of each input, by name.
    """

    inputs: dict[str, tuple[tuple[int, ...], Any]]

    def __call__(self, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the file once, from inputs by name to outputs by name."""


def prepare(program: Program, images: Images) -> np.ndarray:
    """Check images; for an integer program also scale and round them, as the file needs.

    Raises:
        ValueError: If images have the wrong shape, are not finite, or do not fit int16.
    """
    prepared = prepare_images(program, images)
    if not program.is_integer:
        # A float file scales its image itself.
        return np.asarray(images, "float32")
    if np.abs(prepared).max(initial=0) > 32767:
        raise ValueError(
            f"Scaled by {program.input_scale}, pixels must fit int16. "
            f"Received: images from {np.min(images)} to {np.max(images)}."
        )
    return prepared.astype("int16")


def scores(network: Network, images: np.ndarray, program: Program) -> np.ndarray:
    """`Program.scores` `(batch, classes)` of any number of images, in the file's own batch size."""
    size = network.inputs["image"][0][0]
    # Copies of the first image fill the last batch.
    filled = np.concatenate([images, np.repeat(images[:1], -len(images) % size, axis=0)])
    result = [np.zeros((0, *program.shapes()[-1]), "int64")]
    for start in range(0, len(filled), size):
        counts, out = np.zeros((), "int64"), {}
        for out in simulate(network, filled[start : start + size], program.time_steps):
            spikes = out["spikes" if "spikes" in out else "spike_counts"]
            counts = counts + np.rint(spikes).astype("int64")
        result.append(program.scores(counts, out.get(f"{program.readout_state}_out")))
    return np.concatenate(result)[: len(images)]


def simulate(
    network: Network, images: np.ndarray, time_steps: int
) -> Iterator[dict[str, np.ndarray]]:
    """Outputs of each step, from zero potentials; for an unrolled file, outputs of all steps."""
    names = [name for name in network.inputs if name.startswith("v_")]
    if not names and "keep" not in network.inputs:
        yield network({"image": images})
        return
    state = {name: np.zeros(*network.inputs[name]) for name in names}
    for t in range(time_steps):
        if "keep" in network.inputs:
            shape, dtype = network.inputs["keep"]
            state["keep"] = np.full(shape, t > 0, dtype)
        out = network({"image": images, **state})
        state = {name: out[f"{name}_out"] for name in names}
        yield out
