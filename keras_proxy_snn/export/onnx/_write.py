"""`write`: write a program as an ONNX file."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..._version import __version__
from ...basics.checks import check_choice, positive_integer, require
from ...basics.files import replacing
from ..formats import FORMATS
from ..input_fact import input_fact
from ..program import Conv, Dense, Program
from ..seal import UNSEALED, sealed
from ..validity import check_bytes
from . import _forms

__all__ = ["FORMS", "add_facts", "metadata", "refuse", "write"]

FORMS = FORMATS["onnx"].forms

# Opset 15 (ONNX 1.10, ONNX Runtime 1.10) is the first whose `Shape` gives a single dimension. The
# version converter of ONNX turns the files into any later opset.
_OPSET, _IR_VERSION = 15, 8

_FORMATS = ("float32", "int8")


def write(
    program: Program,
    path: str | Path,
    *,
    form: str = "unrolled",
    chunk_steps: int | None = None,
) -> None:
    """Write a program as an ONNX file.

    All forms have the input `image`, `(batch, height, width, channels)`, float32, with pixels in
    `program.input_range`. Files of an integer program scale and round the image themselves. The
    batch size is dynamic.

    - `"unrolled"`: T steps as plain nodes. Output: `spike_counts`, `(batch, classes)`, float32.
    - `"step"`: one step. Further inputs: the potentials `v_<layer name>` of each layer of neurons,
      zeros before the first step. Outputs: `spikes`, `(batch, classes)`, float32, and
      `v_<layer name>_out`. Potentials of maps have the shape `(batch, filters, height, width)`;
      potentials of an integer program are int32.
    - `"loop"`: as `"unrolled"`, with one step as the body of a `Loop`. A second input `time_steps`,
      an int64 scalar, is T. The program's T is in the file's metadata, as `time_steps`.

    Potentials are counted from `v_0`, see `keras_proxy_snn.export.program.Conv`. For a program with
    `readout="potential"`, the forms `"unrolled"` and `"loop"` have a second output
    `v_<readout>_out`: the readout's potentials after the last step, for `Program.scores`.

    Names of values and nodes say layer and role: `conv2/current`, `conv2/v`, `conv2/spikes`; those
    of the n-th time step in an unrolled file end in `/n`, from n = 2 on.

    Weights are stored once. Each step of the unrolled form takes some 330 bytes per layer of
    neurons, most of them names. For the smallest file of a tiny network use `"loop"`.

    An integer program has the operators `ConvInteger` and `MatMulInteger` on uint8 spikes and int8
    weights (the first kernel is uint8 with zero point 128), and int32 potentials. Its counts are
    exact in ONNX Runtime. OpenVINO computes the same sums in float32, exact below 2^24.

    Args:
        program: The network.
        path: The file to write; an existing file is replaced.
        form: One of `FORMS`.
        chunk_steps: Number of steps of the unrolled form that are folded into one batch. It changes
            size, speed and memory; counts of exact sums stay the same. By default the number that
            keeps the largest layer's potentials below 4 MiB per image.

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
    helper.set_model_props(model, {**metadata(program, form), "seal": UNSEALED})
    with replacing(path) as draft:
        draft.write_bytes(sealed(model.SerializeToString()))


def add_facts(path: str | Path, facts: Mapping[str, Any]) -> None:
    """Add facts to the metadata of an ONNX file, or replace them; its graph stays as it is.

    Args:
        path: A file that `write` wrote.
        facts: Values for JSON, by name.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, onnx
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> readout = Dense("readout", np.float32([[0.5], [0.25]]), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), readout), (1, 2, 1), time_steps=4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     onnx.write(program, f"{folder}/net.onnx")
    ...     onnx.add_facts(f"{folder}/net.onnx", {"accuracy": 0.75})
    """
    model = require("onnx").load_model(path)
    known = {entry.key: entry.value for entry in model.metadata_props}
    texts = {**known, **_texts(facts), "seal": UNSEALED}
    require("onnx.helper").set_model_props(model, texts)
    with replacing(path) as draft:
        draft.write_bytes(sealed(model.SerializeToString()))


def refuse(program: Program, form: str = "unrolled") -> None:
    """Raise an error if an ONNX file cannot express a program.

    Args:
        program: The network.
        form: One of `FORMS`.

    Raises:
        ValueError: If the form or the number format is unknown; or if an integer program has pixels
            that do not fit uint8, weights that are not int8, or potentials that may exceed int32;
            or if two values of a step would have the same name.

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
    names = {layer.name for layer in program.neurons}
    if form == "step" and (taken := sorted(name for name in names if f"{name}_out" in names)):
        raise ValueError(
            "In the form 'step' the potentials of a layer leave as `v_<layer>_out`, and those of "
            "each layer enter as `v_<layer>`: rename a layer, or take another form. Received: "
            f"layers {taken[0]!r} and '{taken[0]}_out'."
        )
    if not program.is_integer:
        return
    check_bytes(program)
    for layer in program.neurons:
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
    """The program's metadata, and the facts that a device needs to run a file of this form."""
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
        **input_fact(program, scaled_outside=False),
        "keras_proxy_snn": __version__,
    }
    return _texts(facts)


def _texts(facts: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()
    }
