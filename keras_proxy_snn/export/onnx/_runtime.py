"""Run an ONNX file of `write` in ONNX Runtime, in OpenVINO, or in Node."""

import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from ...basics.checks import check_choice, require
from ...basics.stopwatch import seconds_of
from ...basics.types import Images
from ..interpreter import prepare_images
from ..program import Program
from ._network import Network
from ._node import session_in_node
from ._session import Feeds, Session

if TYPE_CHECKING:
    import onnx

__all__ = ["RUNTIMES", "latency", "node_count", "run"]

# An unrolled graph holds all steps of a chunk at once, so memory grows with the batch.
_BATCH = 16


def run(
    path: str | Path,
    program: Program,
    images: Images,
    *,
    runtime: str = "onnxruntime",
    threads: int = 1,
) -> np.ndarray:
    """Run a file of any form; return spike counts, or scores with a readout by potential.

    The form "step" is called T times, from potentials of zero. The form "loop" has T as an input.

    OpenVINO 2026.4 has a fault on processors with AVX-512: it adds wrongly after a convolution of
    one channel to one or two filters on maps of 3 or 4 pixels, in batches of several images. No
    fault was found for larger layers.

    Args:
        path: A file of `write`.
        program: The network that was written.
        images: `(batch, height, width, channels)`, pixels in `program.input_range`.
        runtime: `"onnxruntime"`, `"onnxruntime-node"` (in Node, from the current directory's
            `node_modules`) or `"openvino"`. OpenVINO runs in float32; its default on some
            processors, bfloat16, would change counts; its telemetry is switched off.
        threads: Number of threads.

    Returns:
        `(batch, classes)`: spike counts, int64; or `Program.scores` of a readout by potential,
        float64.

    Raises:
        ValueError: If the images do not fit, the runtime is unknown, or the file runs another
            number of steps than the program.
        ImportError: If the runtime is not installed.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, onnx
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> readout = Dense("readout", np.eye(4, dtype="float32"), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), readout), (2, 2, 1), time_steps=8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     onnx.write(program, f"{folder}/net.onnx", form="step")
    ...     image = np.float32([1.0, 0.5, 0.25, 0.0]).reshape(1, 2, 2, 1)
    ...     counts = onnx.run(f"{folder}/net.onnx", program, image)
    >>> counts.tolist()
    [[8, 4, 2, 0]]
    """
    prepare_images(program, images)
    infer = _network_in(runtime, path, program, threads)
    images = np.asarray(images, "float32")
    batches = [images[at : at + _BATCH] for at in range(0, len(images), _BATCH)]
    return np.concatenate([infer(batch) for batch in batches])


def latency(
    path: str | Path,
    program: Program,
    *,
    threads: int = 1,
    repeats: int = 50,
    runtime: str = "onnxruntime",
) -> float:
    """Measure the median time for one image and all T steps.

    Args:
        path: A file of `write`.
        program: The network that was written.
        threads: Number of threads.
        repeats: Number of timed inferences; two more run before them without timing.
        runtime: As in `run`.

    Returns:
        Seconds.

    Raises:
        ValueError: As in `run`; or if `repeats` is not a positive integer.
        ImportError: If the runtime is not installed.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, onnx
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> readout = Dense("readout", np.eye(4, dtype="float32"), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), readout), (2, 2, 1), time_steps=8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     onnx.write(program, f"{folder}/net.onnx")
    ...     0 < onnx.latency(f"{folder}/net.onnx", program, repeats=3) < 1
    True
    """
    infer = _network_in(runtime, path, program, threads)
    image = np.full((1, *program.input_shape), 0.5, "float32")
    return statistics.median(seconds_of(lambda: infer(image), repeats))


def node_count(path: str | Path) -> int:
    """Number of nodes in a file; nodes inside a loop count once.

    Raises:
        ImportError: If ONNX is not installed.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, onnx
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> readout = Dense("readout", np.eye(4, dtype="float32"), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), readout), (2, 2, 1), time_steps=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     onnx.write(program, f"{folder}/net.onnx")
    ...     onnx.node_count(f"{folder}/net.onnx")
    6
    """

    def count(graph: "onnx.GraphProto") -> int:
        inner = [a.g for node in graph.node for a in node.attribute if a.HasField("g")]
        return len(graph.node) + sum(map(count, inner))

    return count(require("onnx").load(str(path)).graph)


def _network_in(
    runtime: str, path: str | Path, program: Program, threads: int
) -> Callable[[np.ndarray], np.ndarray]:
    """A function that runs the file: from images to scores."""
    check_choice("runtime", runtime, RUNTIMES)
    session = RUNTIMES[runtime](path, threads)
    if "spikes" in session.names:
        return lambda images: _stepwise(session, program, images)
    fixed = {}
    if "time_steps" in session.names:
        fixed["time_steps"] = np.asarray(program.time_steps, "int64")
    elif session.time_steps != program.time_steps:
        raise ValueError(
            f"In {runtime} this file always runs {session.time_steps} steps. "
            f"Received: a program of {program.time_steps} steps."
        )

    def infer(images: np.ndarray) -> np.ndarray:
        outputs = session.infer({"image": images, **fixed})
        counts = outputs["spike_counts"].astype("int64")
        return program.scores(counts, outputs.get(f"{program.readout_state}_out"))

    return infer


def _stepwise(session: Session, program: Program, images: np.ndarray) -> np.ndarray:
    network = Network(program)
    pairs = zip(program.neurons, network.state_shapes, strict=True)
    state = {
        f"v_{layer.name}": np.zeros((len(images), *shape), network.dtype) for layer, shape in pairs
    }
    counts = np.zeros((len(images), *program.shapes()[-1]), "int64")
    for _ in range(program.time_steps):
        outputs = session.infer({"image": images, **state})
        counts += outputs["spikes"].astype("int64")
        state = {name: outputs[f"{name}_out"] for name in state}
    return program.scores(counts, state[program.readout_state])


def _onnxruntime(path: str | Path, threads: int) -> Session:
    ort = require("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]
    inputs = session.get_inputs()
    return Session(
        {*outputs, *(item.name for item in inputs)},
        int(session.get_modelmeta().custom_metadata_map["time_steps"]),
        lambda feeds: dict(zip(outputs, session.run(outputs, feeds), strict=True)),
    )


def _openvino(path: str | Path, threads: int) -> Session:
    # When it is imported, OpenVINO sends an event to a statistics server, from a forked process. It
    # sends nothing if this module of its is empty or missing.
    sys.modules.setdefault("openvino_telemetry", ModuleType("openvino_telemetry"))
    core = require("openvino", "openvino").Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    model = core.read_model(str(path))
    compiled = core.compile_model(model, "CPU", settings)

    def infer(feeds: Feeds) -> Feeds:
        results = compiled(feeds).items()
        return {name: array for port, array in results for name in port.names}

    return Session(
        {name for port in [*compiled.inputs, *compiled.outputs] for name in port.names},
        int(model.get_rt_info(["framework", "time_steps"]).value),
        infer,
    )


RUNTIMES: dict[str, Callable[[str | Path, int], Session]] = {
    "onnxruntime": _onnxruntime,
    "onnxruntime-node": session_in_node,
    "openvino": _openvino,
}
