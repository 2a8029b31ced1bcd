"""Running files in LiteRT, whichever form they have and whoever wrote them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..interpreter import prepare_images
from ..program import Program
from ._file import read_metadata
from ._flatbuffer import require

__all__ = ["Network", "latency", "run", "spike_counts"]

_BATCH = 32


class Network(Protocol):
    """A loaded file: called with named arrays, it returns named arrays.

    Attributes:
        inputs: Shape and NumPy type of each input, by name.
    """

    inputs: dict[str, tuple[tuple[int, ...], Any]]

    def __call__(self, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run once."""


class LiteRT:
    """A file loaded in LiteRT.

    Args:
        path: A `.tflite` file with one signature.
        num_threads: Number of threads.
    """

    def __init__(self, path: str | Path, num_threads: int = 1):
        module = require("ai_edge_litert.interpreter")
        self._interpreter = module.Interpreter(model_path=str(path), num_threads=num_threads)
        inputs, outputs = _signature(self._interpreter)
        self.inputs = {
            name: (tuple(int(n) for n in entry["shape"]), entry["dtype"])
            for name, entry in inputs.items()
        }
        self._in = {name: entry["index"] for name, entry in inputs.items()}
        self._out = {name: entry["index"] for name, entry in outputs.items()}
        self._interpreter.allocate_tensors()

    def resize(self, batch: int) -> None:
        """Change the batch size of all inputs."""
        for name, (shape, dtype) in self.inputs.items():
            self.inputs[name] = (batch, *shape[1:]), dtype
            self._interpreter.resize_tensor_input(self._in[name], [batch, *shape[1:]])
        self._interpreter.allocate_tensors()

    def __call__(self, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        for name, value in feed.items():
            self._interpreter.set_tensor(self._in[name], value)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._out.items()}


def _signature(interpreter: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Details of inputs and outputs; the runner that tells them must not outlive this."""
    (key,) = interpreter.get_signature_list()
    runner = interpreter.get_signature_runner(key)
    return runner.get_input_details(), runner.get_output_details()


def run(
    path: str | Path, program: Program, images: Any, *, num_threads: int = 1
) -> np.ndarray:
    """Run a file in LiteRT.

    Args:
        path: A file of `program` in any form.
        program: The network, which says T and how images are scaled.
        images: `(batch, height, width, channels)`, pixels in [0, 1].
        num_threads: Number of threads.

    Returns:
        Spike counts `(batch, classes)`, integers.

    Raises:
        ValueError: If images have the wrong shape or are not finite.
    """
    network = LiteRT(path, num_threads)
    images = file_images(program, images)
    # Files of other writers may have the batch size baked in.
    if read_metadata(path).get("form") in ("unrolled", "step") and len(images) > 1:
        network.resize(min(_BATCH, len(images)))
    return spike_counts(network, images, program)


def file_images(program: Program, images: Any) -> np.ndarray:
    """Images as files take them: checked; in an integer program scaled and rounded."""
    prepared = prepare_images(program, images)
    if program.is_integer:
        return prepared.astype("int16")
    # Float files scale the image themselves.
    return np.asarray(images, "float32")


def spike_counts(network: Network, images: np.ndarray, program: Program) -> np.ndarray:
    """Run a file on any number of images, in its own batch size."""
    size = network.inputs["image"][0][0]
    counts = []
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        # The last batch is filled up with copies of an image.
        padded = np.concatenate([batch, np.repeat(batch[:1], size - len(batch), axis=0)])
        steps = simulate(network, padded, program.time_steps)
        counts.append(sum(np.rint(s).astype("int64") for s in steps)[: len(batch)])
    if not counts:
        return np.zeros((0, program.shapes()[-1][0]), "int64")
    return np.concatenate(counts)


def simulate(network: Network, image: np.ndarray, time_steps: int) -> Iterator[np.ndarray]:
    """Spikes of each step; of an unrolled file all of them at once."""
    potentials = {
        name: np.zeros(shape, dtype)
        for name, (shape, dtype) in network.inputs.items()
        if name.startswith("v_")
    }
    if "keep" not in network.inputs and not potentials:
        yield network({"image": image})["spike_counts"]
        return
    keep = {}
    for t in range(time_steps):
        if "keep" in network.inputs:
            keep["keep"] = np.array([t > 0], network.inputs["keep"][1])
        out = network({"image": image, **potentials, **keep})
        potentials = {name: out[f"{name}_out"] for name in potentials}
        yield out["spikes"]


def latency(
    path: str | Path, program: Program, *, num_threads: int = 1, repeats: int = 50
) -> float:
    """Time that a file takes for one batch of its own size, all T steps.

    Args:
        path: A file of `program` in any form.
        program: The network.
        num_threads: Number of threads.
        repeats: Number of measurements.

    Returns:
        The median, in milliseconds.
    """
    network = LiteRT(path, num_threads)
    return median_milliseconds(lambda: once(network, program), repeats)


def once(network: Network, program: Program) -> None:
    """Run a file on a black image."""
    image = np.zeros(*network.inputs["image"])
    for _ in simulate(network, image, program.time_steps):
        pass


def median_milliseconds(call: Callable[[], None], repeats: int) -> float:
    """Median time of a call."""
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times[2:])) * 1e3
