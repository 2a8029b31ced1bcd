"""`write`: write a `.tflite` file with its metadata."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...basics.archives import UNREADABLE
from ...basics.files import replacing
from ..input_fact import input_fact
from ..program import Program
from ..seal import UNSEALED, sealed
from . import _forms
from ._flatbuffer import ModelBuilder, parse, root
from ._limits import refuse

__all__ = ["add_facts", "node_count", "read_metadata", "with_facts", "write"]

_METADATA = "keras_proxy_snn"


def write(
    program: Program,
    path: str | Path,
    *,
    form: str = "unrolled",
    weights: str = "float32",
    batch_size: int = 1,
) -> None:
    """Write a `.tflite` file of builtin operators, without TensorFlow.

    The signature `"serving_default"` names inputs and outputs:

    - `"unrolled"`: from `image` to `spike_counts`; the file runs all T steps.
    - `"step"`: one step, from `image` and the potentials `v_<layer>` of every layer of neurons to
      `spikes` and `v_<layer>_out`.
    - `"stateful"`: one step, from `image` and `keep` to `spikes`. The interpreter holds the
      potentials. `keep`, of shape `(1,)`, is 0 to reset them before the step and 1 to keep them.

    Potentials are counted from `v_0`, see `keras_proxy_snn.export.program.Conv`. For a program with
    `readout="potential"` all forms have the output `v_<readout>_out`, for `Program.scores`: the
    readout's potentials after the last step, or after each step in the other two forms.

    The file of a float program has a float32 `image` with pixels in `program.input_range`. It gives
    the same spikes as the program, up to the order of float32 sums. It needs float32 arithmetic:
    delegates that compute in half precision give wrong counts.

    The file of an integer program has int16 activations and int8 weights; all scales are 1. Its
    `image` is int16, `round(pixel * input_scale)`. `keep`, potentials, spikes and counts are int16
    too. Potentials and currents beyond int16 saturate. `keras_proxy_snn.export.quantise` keeps them
    within int16; the author of any other integer program must ensure this.

    Args:
        program: The network.
        path: The file to write; an existing file is replaced.
        form: One of `FORMS`.
        weights: `"float32"`, or `"float16"`, which rounds the kernels of a float program and stores
            them in half the bytes. The graph stays as large as it was: an unrolled file of a small
            network shrinks by a third.
        batch_size: Batch size of the file. LiteRT can change it when it loads an unrolled or a step
            file. It cannot change it for a stateful file, because the variables have a fixed size
            (`allocate_tensors` fails).

    Raises:
        ValueError: If an argument is out of range, or the format cannot express the program.
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
    ...     litert.run(f"{folder}/net.tflite", program, np.ones((1, 1, 2, 1))).tolist()
    [[4]]
    """
    refuse(program, form, weights, batch_size)
    model = ModelBuilder(_description(program, form))
    build = {"unrolled": _forms.unrolled, "step": _forms.step, "stateful": _forms.stateful}[form]
    build(program, model, batch_size, weights == "float16")
    with replacing(path) as draft:
        draft.write_bytes(_with_facts(model, _facts(program, form, weights)))


def _description(program: Program, form: str) -> str:
    spec = program.metadata.get("spec", "spiking network")
    black, white = program.input_range
    pixels = (
        f"int16 image = round(pixel * {program.input_scale}), pixels in [{black:g}, {white:g}], "
        "int8 weights"
        if program.is_integer
        else f"float32 image in [{black:g}, {white:g}]"
    )
    return f"{spec}, {program.time_steps} time steps, {form}; {pixels}. keras_proxy_snn"


def _facts(program: Program, form: str, weights: str) -> dict[str, Any]:
    return {
        **program.metadata,
        "form": form,
        "batch": "fixed" if form == "stateful" else "can be resized",
        "time_steps": program.time_steps,
        "number_format": program.number_format,
        "weights": "int8" if program.is_integer else weights,
        **input_fact(program, scaled_outside=program.is_integer),
        "v_threshold": {
            layer.name: np.asarray(layer.v_threshold).tolist() for layer in program.neurons
        },
        "v_0": {layer.name: np.asarray(layer.v_0).tolist() for layer in program.neurons},
        "reset": {layer.name: layer.reset for layer in program.neurons},
        "readout": program.readout,
    }


def with_facts(content: bytes, program: Program, form: str) -> bytes:
    """Add the metadata of `write` to a file from TensorFlow's converter."""
    facts = {**_facts(program, form, "float32"), "converter": "tflite"}
    return _with_facts(ModelBuilder.of(content), facts)


def add_facts(path: str | Path, facts: Mapping[str, Any]) -> None:
    """Add facts to the metadata of a `.tflite` file, or replace them; its graph stays as it is.

    Args:
        path: A file that `write` wrote.
        facts: Values for JSON, by name.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, litert
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.float32([[0.5], [0.5]]), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), time_steps=4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     litert.write(program, f"{folder}/net.tflite")
    ...     litert.add_facts(f"{folder}/net.tflite", {"accuracy": 0.75})
    ...     litert.read_metadata(f"{folder}/net.tflite")["accuracy"]
    0.75
    """
    known, model = read_metadata(path), ModelBuilder.of(Path(path).read_bytes())
    with replacing(path) as draft:
        draft.write_bytes(_with_facts(model, {**known, **facts}))


def _with_facts(model: ModelBuilder, facts: dict[str, Any]) -> bytes:
    """The content of the file, with facts and their seal."""
    model.add_metadata(_METADATA, json.dumps({**facts, "seal": UNSEALED}).encode())
    return sealed(model.to_bytes())


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Read the facts that `write` adds to a file: form, T, thresholds and program metadata.

    Args:
        path: A `.tflite` file.

    Returns:
        The facts; empty if the file is not from `write`.

    Raises:
        OSError: If there is no such file.
        ValueError: If the file is not a `.tflite` file, or its facts cannot be read.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, litert
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.float32([[0.5], [0.5]]), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), time_steps=4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     litert.write(program, f"{folder}/net.tflite", form="step")
    ...     litert.read_metadata(f"{folder}/net.tflite")["form"]
    'step'
    """
    model = root(Path(path).read_bytes())
    try:
        for entry in map(model.Metadata, range(model.MetadataLength())):
            if entry.Name() == _METADATA.encode():
                facts = json.loads(model.Buffers(entry.Buffer()).DataAsNumpy().tobytes())
                return dict(facts)
    except UNREADABLE as error:
        raise ValueError(
            f"Facts in a .tflite file are expected. Received: {path} ({error})."
        ) from error
    return {}


def node_count(path: str | Path) -> int:
    """Number of operators in a `.tflite` file.

    Args:
        path: A `.tflite` file.

    Returns:
        Number of operators in all graphs of the file.

    Raises:
        ValueError: If the file is not a `.tflite` file.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, litert
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.float32([[0.5], [0.5]]), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), time_steps=4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     litert.write_twin(program, f"{folder}/twin.tflite")
    ...     litert.node_count(f"{folder}/twin.tflite")
    1
    """
    model = parse(Path(path).read_bytes())
    return sum(len(graph.operators or ()) for graph in model.subgraphs)
