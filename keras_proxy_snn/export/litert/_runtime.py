"""Run files in LiteRT."""

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...basics.checks import require
from ...basics.quiet import without_standard_error
from ...basics.stopwatch import seconds_of
from ...basics.types import Images
from ..program import Program
from ._file import read_metadata
from ._simulation import prepare, scores, simulate

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

__all__ = ["latency", "run"]

_BATCH = 32


def run(path: str | Path, program: Program, images: Images, *, threads: int = 1) -> np.ndarray:
    """Run a file in LiteRT.

    Args:
        path: A file of the program in any form, from `write` or a converter.
        program: The network in the file; it gives T and the scale of images.
        images: `(batch, height, width, channels)`, pixels in `program.input_range`.
        threads: Number of threads.

    Returns:
        Spike counts `(batch, classes)`, integers; with a readout by potential `Program.scores`.

    Raises:
        ValueError: If images have the wrong shape or are not finite.
        ImportError: If `ai-edge-litert` is not installed.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, litert
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.float32([[0.5], [0.5]]), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), time_steps=4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     litert.write(program, f"{folder}/net.tflite", form="stateful")
    ...     litert.run(f"{folder}/net.tflite", program, np.ones((3, 1, 2, 1))).tolist()
    [[4], [4], [4]]
    """
    images = prepare(program, images)
    network = _LiteRT(path, threads)
    # Files of converters have a fixed batch size, and variables have a fixed shape.
    facts = read_metadata(path)
    if facts.get("form") in ("unrolled", "step") and "converter" not in facts:
        network.resize(max(1, min(_BATCH, len(images))))
    return scores(network, images, program)


def latency(path: str | Path, program: Program, *, threads: int = 1, repeats: int = 50) -> float:
    """Measure the median time of LiteRT for one batch of the file's size and all T steps.

    Args:
        path: A file of the program in any form, from `write` or a converter.
        program: The network in the file; it gives T.
        threads: Number of threads.
        repeats: Number of timed runs; two more run before them without timing.

    Returns:
        Seconds.

    Raises:
        ValueError: If `repeats` is not a positive integer.
        ImportError: If `ai-edge-litert` is not installed.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, litert
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.float32([[0.5], [0.5]]), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), time_steps=4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     litert.write(program, f"{folder}/net.tflite")
    ...     litert.latency(f"{folder}/net.tflite", program, repeats=3) > 0
    True
    """
    network = _LiteRT(path, threads)
    images = np.zeros(*network.inputs["image"])
    seconds = seconds_of(lambda: list(simulate(network, images, program.time_steps)), repeats)
    return statistics.median(seconds)


class _LiteRT:
    """A file loaded in LiteRT; see `Network`."""

    def __init__(self, path: str | Path, num_threads: int):
        module = require("ai_edge_litert.interpreter")
        self._interpreter = module.Interpreter(model_path=str(path), num_threads=num_threads)
        inputs, outputs = _signature(self._interpreter)
        self.inputs = {
            name: (tuple(int(n) for n in entry["shape"]), entry["dtype"])
            for name, entry in inputs.items()
        }
        self._in = {name: entry["index"] for name, entry in inputs.items()}
        self._out = {name: entry["index"] for name, entry in outputs.items()}
        with without_standard_error():  # LiteRT tells of its delegate, once per process
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


def _signature(interpreter: "Interpreter") -> tuple[dict[str, Any], dict[str, Any]]:
    """Details of inputs and outputs; the signature runner must be deleted before a file can run."""
    (key,) = interpreter.get_signature_list()
    runner = interpreter.get_signature_runner(key)
    return runner.get_input_details(), runner.get_output_details()
