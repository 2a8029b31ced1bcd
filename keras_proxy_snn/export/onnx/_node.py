"""Run an ONNX file in Node, with the package `onnxruntime-node` of the current directory."""

import contextlib
import json
import shutil
import subprocess
import weakref
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from ...basics.checks import require
from ._session import Feeds, Session

__all__ = ["has_onnxruntime_node", "session_in_node"]

# Reads one object of inputs a line, and writes one of outputs: [type, shape, values] by name.
_SCRIPT = """
const ort = require("onnxruntime-node");
const lines = require("readline").createInterface({ input: process.stdin });
const say = (value) => console.log(JSON.stringify(value));
(async () => {
  const [, path, threads] = process.argv;
  const options = { intraOpNumThreads: Number(threads), interOpNumThreads: 1 };
  const session = await ort.InferenceSession.create(path, options);
  say([...session.inputNames, ...session.outputNames]);
  for await (const line of lines) {
    const feeds = {};
    for (const [name, [type, shape, values]] of Object.entries(JSON.parse(line)))
      feeds[name] = new ort.Tensor(type, values, shape);
    const outputs = await session.run(feeds);
    say(Object.fromEntries(Object.entries(outputs).map(
      ([name, { type, dims, data }]) => [name, [type, dims, Array.from(data, Number)]])));
  }
})();
"""


def has_onnxruntime_node() -> bool:
    """Whether Node finds `onnxruntime-node` from the current directory."""
    node = shutil.which("node")
    if node is None:
        return False
    resolve = [node, "-e", "require.resolve('onnxruntime-node')"]
    return subprocess.run(resolve, capture_output=True).returncode == 0


class _Process:
    """A process of Node with an opened file; it ends when nobody refers to it any more."""

    def __init__(self, path: str | Path, threads: int):
        command = ["node", "-e", _SCRIPT, str(Path(path).resolve()), str(threads)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        self._input, self._output, self._errors = (
            cast(IO[str], stream) for stream in (process.stdin, process.stdout, process.stderr)
        )
        weakref.finalize(self, process.communicate)
        self.names = set(self._answer())

    def _answer(self) -> Any:
        line = self._output.readline()
        if not line:
            raise RuntimeError(f"Node ended. Received: {self._errors.read().strip()}")
        return json.loads(line)

    def infer(self, feeds: Feeds) -> Feeds:
        arrays = {name: np.asarray(value) for name, value in feeds.items()}
        line = {name: [str(a.dtype), a.shape, a.ravel().tolist()] for name, a in arrays.items()}
        with contextlib.suppress(BrokenPipeError):  # what Node said at its end is read below
            self._input.write(json.dumps(line) + "\n")
            self._input.flush()
        return {
            name: np.asarray(values, dtype).reshape(shape)
            for name, (dtype, shape, values) in self._answer().items()
        }


def session_in_node(path: str | Path, threads: int) -> Session:
    """Open a file in Node.

    Raises:
        ImportError: If Node does not find `onnxruntime-node` from the current directory.
        RuntimeError: If Node ends with an error.
    """
    try:
        process = _Process(path, threads)
    except (FileNotFoundError, RuntimeError) as error:
        if has_onnxruntime_node():
            raise
        raise ImportError(
            "onnxruntime-node is needed: in this directory, run `npm install onnxruntime-node`."
        ) from error
    facts = {fact.key: fact.value for fact in require("onnx").load(str(path)).metadata_props}
    return Session(process.names, int(facts["time_steps"]), process.infer)
