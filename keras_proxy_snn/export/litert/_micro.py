"""Run files on this machine in TensorFlow Lite Micro, the runtime of microcontrollers."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from ...basics.checks import require
from ...basics.types import Images
from ..program import Program
from ._flatbuffer import parse
from ._simulation import prepare, scores

__all__ = ["arena_bytes", "run_micro"]

_ARENA = 1 << 25
# A separate process, because the interpreter prints its memory use to the process's stderr.
_PRINT_ALLOCATIONS = """
import sys
from pathlib import Path
from tflite_micro.python.tflite_micro import runtime
content, arena = Path(sys.argv[1]).read_bytes(), int(sys.argv[2])
interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena)
interpreter.invoke()
interpreter.print_allocations()
"""


def run_micro(
    path: str | Path, program: Program, images: Images, *, arena_size: int = _ARENA
) -> np.ndarray:
    """Run a file in TensorFlow Lite Micro.

    It can run all forms of float32 and integer programs, but no float16 weights. If it refuses a
    file, it prints the reason to stderr.

    Args:
        path: A file of the program in any form.
        program: The network in the file; it gives T and the scale of images.
        images: `(batch, height, width, channels)`, pixels in `program.input_range`.
        arena_size: Memory for tensors, in bytes.

    Returns:
        Spike counts `(batch, classes)`, integers; with a readout by potential `Program.scores`.

    Raises:
        ValueError: If images have the wrong shape or are not finite.
        RuntimeError: If it cannot run the file, or the arena is too small.
        ImportError: If `tflite-micro` is not installed.

    Example:

    >>> import importlib.util
    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, litert
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.float32([[0.5], [0.5]]), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), time_steps=4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     litert.write(program, f"{folder}/net.tflite")
    ...     if importlib.util.find_spec("tflite_micro"):
    ...         images = np.ones((2, 1, 2, 1))
    ...         counts = litert.run_micro(f"{folder}/net.tflite", program, images)
    ...         assert counts.tolist() == [[4], [4]]
    """
    network = _Micro(Path(path).read_bytes(), arena_size)
    return scores(network, prepare(program, images), program)


def arena_bytes(path: str | Path) -> int:
    """Measure the memory for tensors (arena) that TensorFlow Lite Micro needs for a file.

    The arena also holds the interpreter's structures. They are larger on this machine with 64 bits
    than on a microcontroller with 32 bits.

    Args:
        path: A `.tflite` file.

    Returns:
        Bytes, without the file itself.

    Raises:
        RuntimeError: If TensorFlow Lite Micro cannot run the file.
        ImportError: If `tflite-micro` is not installed.

    Example:

    >>> import importlib.util
    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, litert
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.float32([[0.5], [0.5]]), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), time_steps=4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     litert.write(program, f"{folder}/net.tflite")
    ...     if importlib.util.find_spec("tflite_micro"):
    ...         assert litert.arena_bytes(f"{folder}/net.tflite") > 1000
    """
    require("tflite_micro", "tflite-micro")
    command = [sys.executable, "-c", _PRINT_ALLOCATIONS, str(path), str(_ARENA)]
    result = subprocess.run(command, capture_output=True, text=True)
    total = re.search(r"Arena allocation total (\d+) bytes", result.stderr)
    if result.returncode or total is None:
        raise RuntimeError(f"TensorFlow Lite Micro cannot run {path}: {result.stderr.strip()}")
    return int(total[1])


class _Micro:
    """A file loaded in TensorFlow Lite Micro; see `Network`."""

    def __init__(self, content: bytes, arena_size: int):
        module = require("tflite_micro.python.tflite_micro.runtime", "tflite-micro")
        self._interpreter = module.Interpreter.from_bytes(content, arena_size=arena_size)
        # TensorFlow Lite Micro identifies inputs and outputs by position only.
        graph = parse(content).subgraphs[0]
        self._in, self._out = (
            [graph.tensors[index].name.decode() for index in places]
            for places in (graph.inputs, graph.outputs)
        )
        self.inputs = {}
        for place, name in enumerate(self._in):
            entry = self._interpreter.get_input_details(place)
            self.inputs[name] = tuple(int(n) for n in entry["shape"]), entry["dtype"]

    def __call__(self, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        for place, name in enumerate(self._in):
            self._interpreter.set_input(feed[name], place)
        self._interpreter.invoke()
        return {name: self._interpreter.get_output(i) for i, name in enumerate(self._out)}
