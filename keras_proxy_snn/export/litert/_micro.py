"""Running files in TensorFlow Lite Micro, the runtime of microcontrollers, on this machine."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from ..._checks import require
from ..._types import Images
from ..program import Program
from ._flatbuffer import parse
from ._simulation import prepare, scores

__all__ = ["arena_bytes", "run_micro"]

_ARENA = 1 << 25
# A program of its own, because the interpreter prints what it used to the process's stderr.
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

    It runs all forms of float32 and of integer programs, but not float16 weights. Why it refuses
    a file it writes to stderr.

    Args:
        path: A file of the program in any form.
        program: The network, which says T and how images are scaled.
        images: `(batch, height, width, channels)`, pixels in `program.input_range`.
        arena_size: Memory for tensors, in bytes.

    Returns:
        Spike counts `(batch, classes)`, integers; of a readout by potential `Program.scores`.

    Raises:
        ValueError: If images have the wrong shape or are not finite.
        RuntimeError: If it cannot run the file, or not in an arena of this size.
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
    """Memory for tensors that TensorFlow Lite Micro uses for a file.

    Its own structures, which are part of it, are larger on this machine's 64 bits than on a
    microcontroller's 32.

    Args:
        path: A `.tflite` file.

    Returns:
        Bytes, beside the file itself.

    Raises:
        RuntimeError: If it cannot run the file.
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
        # It knows inputs and outputs by their place only.
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
