"""Write a program as an ONNX file."""

import json
import math
from pathlib import Path

import numpy as np

from ..._checks import check_choice, positive_integer, require
from ..._files import replacing
from ..._version import __version__
from ..program import Conv, Dense, Program
from . import _forms

__all__ = ["FORMS", "metadata", "refuse", "write"]

FORMS: tuple[str, ...] = ("unrolled", "step", "loop")

# Opset 18 is the first whose `Split` takes a number of outputs; ONNX 1.13, ONNX Runtime 1.14.
_OPSET, _IR_VERSION = 18, 8

_FORMATS = ("float32", "int8")


def write(
    program: Program,
    path: str | Path,
    *,
    form: str = "unrolled",
    chunk_steps: int | None = None,
) -> None:
    """Write a program as an ONNX file.

    All forms take `image`, `(batch, height, width, channels)` in [0, 1], float32, also those
    of an integer program, which scale and round it inside. The batch is dynamic.

    - `"unrolled"`: output `spike_counts`, `(batch, classes)`, float32; T steps of plain nodes.
    - `"step"`: one step. Inputs `v_<layer name>` too, the potentials of each layer of neurons,
      zeros at first; outputs `spikes`, `(batch, classes)`, float32, and `v_<layer name>_out`.
      Potentials of maps are `(batch, filters, height, width)`; those of an integer program
      are int32.
    - `"loop"`: as unrolled, the step in a `Loop`. A second input `time_steps`, int64, a number
      without axes, is T; the program's own T is `time_steps` in the file's metadata.

    Potentials are counted from `v_0`, see `keras_proxy_snn.export.program.Conv`. Of a program with
    `readout="potential"` the unrolled form and the loop have a second output,
    `v_<readout>_out`: the readout's potentials after the last step, for `Program.scores`.

    Weights are stored once, and one more step of the unrolled form costs some 90 bytes a layer
    of neurons: a file of 50 steps is at most 1.5 times one of 10 as soon as weights take about
    6 KB a layer. A tiny network that must stay tiny is written as a loop.

    An integer program is `ConvInteger` and `MatMulInteger` on uint8 spikes and int8 weights (the
    first kernel is uint8 with zero point 128) with int32 potentials. Its counts are exact in
    ONNX Runtime; OpenVINO computes the same sums in float32, exact below 2^24.

    Args:
        program: The network.
        path: The file to write; an existing one is replaced.
        form: One of `FORMS`.
        chunk_steps: Steps of the unrolled form that are folded into one batch. It changes size,
            speed and memory, never a count on exact sums. By default as many as keep the
            largest layer's potentials under 4 MiB an image.

    Raises:
        ValueError: If the form is unknown, `chunk_steps` is not a positive integer, or the
            program cannot be expressed, see `refuse`.
        ImportError: If ONNX is not installed.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, onnx
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> readout = Dense("readout", np.float32([[0.5], [0.25]]), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), readout), (1, 2, 1), time_steps=4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     onnx.write(program, f"{folder}/net.onnx")
    ...     counts = onnx.run(f"{folder}/net.onnx", program, np.ones((1, 1, 2, 1)))
    >>> counts.tolist()
    [[2]]
    """
    refuse(program, form)
    if chunk_steps is not None:
        chunk_steps = positive_integer("chunk_steps", chunk_steps)
    helper = require("onnx.helper")
    if form == "unrolled":
        graph = _forms.unrolled(program, chunk_steps)
    else:
        graph = _forms.step(program) if form == "step" else _forms.loop(program)
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="keras_proxy_snn",
        producer_version=__version__,
    )
    helper.set_model_props(model, metadata(program, form))
    with replacing(path) as draft:
        draft.write_bytes(model.SerializeToString())


def refuse(program: Program, form: str = "unrolled") -> None:
    """Raise an error if a program cannot be expressed.

    Args:
        program: The network.
        form: One of `FORMS`.

    Raises:
        ValueError: If the form or the number format is unknown; or if, in an integer program,
            pixels do not fit uint8, kernels are not int8, or potentials could leave int32.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, onnx
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> readout = Dense("readout", np.ones((4, 3), "float32"), None, 1.0, "subtract")
    >>> onnx.refuse(Program((Flatten("flatten"), readout), (2, 2, 1), time_steps=5))
    """
    check_choice("form", form, FORMS)
    if program.number_format not in _FORMATS:
        raise ValueError(
            f"The number format must be one of {_FORMATS}. Received: {program.number_format!r}."
        )
    if not program.is_integer:
        return
    if not 0 < program.largest_input <= 255:
        raise ValueError(
            "Pixels of an integer network must fit uint8, so `input_scale` times white must be "
            f"positive and at most 255. Received: {program.largest_input}."
        )
    for layer in program.neurons:
        if layer.kernel.dtype != np.int8:
            raise ValueError(
                "Kernels of an integer network must be int8. "
                f"Received: {layer.kernel.dtype} in layer {layer.name!r}."
            )
        reach = _reach(program, layer)
        if reach >= 2**31:
            raise ValueError(
                "Potentials must fit int32, but by the sums of its weights a neuron of layer "
                f"{layer.name!r} can reach {reach} in {program.time_steps} steps."
            )


def _reach(program: Program, layer: Conv | Dense) -> int:
    """Bound of a layer's potentials and thresholds, from the sums of its weights."""
    most = math.ceil(program.largest_input) if layer is program.neurons[0] else 1
    weights = np.abs(layer.weights.astype("int64"))
    bias = 0 if layer.bias is None else np.abs(layer.bias.astype("int64"))
    current = weights.sum(axis=0) * most + bias
    return int(current.max() * program.time_steps + np.max(np.abs(layer.v_threshold)))


def metadata(program: Program, form: str) -> dict[str, str]:
    """The program's own metadata, and what a device must know to run a file of a form."""
    neurons = program.neurons
    facts = {
        **program.metadata,
        "form": form,
        "time_steps": program.time_steps,
        "v_threshold": {layer.name: np.asarray(layer.v_threshold).tolist() for layer in neurons},
        "v_0": {layer.name: np.asarray(layer.v_0).tolist() for layer in neurons},
        "reset": {layer.name: layer.reset for layer in neurons},
        "readout": program.readout,
        "number_format": program.number_format,
        "input_scale": program.input_scale,
        "keras_proxy_snn": __version__,
    }
    return {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()
    }
