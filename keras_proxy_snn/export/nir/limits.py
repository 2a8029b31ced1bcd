"""`refuse`: errors for programs that NIR cannot express."""

import numpy as np

from ..formats import FORMATS
from ..program import Conv, Dense, Pool, Program

__all__ = ["FORMS", "check_names", "refuse"]

FORMS = FORMATS["nir"].forms

# Integers below this number, and their sums, are exact in float32.
EXACT = 2**24


def refuse(program: Program, form: str = "graph") -> None:
    """Raise an error if NIR cannot express a program.

    `write` itself checks single layers: NIR pads both sides of an axis equally, and its shape
    inference supports only square kernels.

    Args:
        program: The network.
        form: See `write`.

    Raises:
        ValueError: If NIR cannot express the program; the error states the reason.
    """
    if form not in FORMS:
        raise ValueError(f"`form` must be one of {FORMS} for NIR. Received: {form!r}.")
    program.check_is_chain("A NIR graph")
    for layer in program.neurons:
        if layer.reset != "zero":
            raise ValueError(
                "NIR's IF resets to a fixed potential, so the reset must be 'zero'. Another reset "
                'makes other spikes, so convert anew with `from_keras(..., reset="zero", '
                'readout="counts")`, or build with `reset="zero"`, and then train. Received: '
                f"layer {layer.name!r} with reset {layer.reset!r}."
            )
    if program.readout != "counts":
        raise ValueError(
            "A NIR graph outputs only spikes, so the readout must be by counts. Export ONNX or "
            "LiteRT, which also output the readout's potentials; or set `model.readout = "
            '"counts"` before the export, if that is accurate enough. Received: a program with '
            f"readout={program.readout!r}."
        )
    for early in program.layers[: program.layers.index(program.neurons[0])]:
        if isinstance(early, Pool):
            raise ValueError(
                "NIR has no maximum, so poolings must pool spikes. Received: pooling "
                f"{early.name!r} of the image."
            )
    if program.is_integer and (bound := _largest(program)) >= EXACT:
        raise ValueError(
            f"NIR's floats hold integers exactly only below 2^24 = {EXACT}. Received: a program "
            f"whose potentials can reach {bound} in {program.time_steps} steps."
        )


def _largest(program: Program) -> int:
    """Bound of every potential and partial sum of an integer program with reset to zero."""
    bound, signal = 0, round(program.largest_input)
    for layer in program.layers:
        if isinstance(layer, Pool):
            signal *= layer.largest
        if not isinstance(layer, Conv | Dense):
            continue
        kernel = layer.kernel.astype("int64").reshape(-1, layer.kernel.shape[-1]) * signal
        bias = np.zeros(1, "int64") if layer.bias is None else layer.bias.astype("int64")
        rise = kernel.clip(min=0).sum(0) + bias.clip(min=0)
        fall = (-kernel).clip(min=0).sum(0) + (-bias).clip(min=0)
        # A potential falls for at most T steps, and rises from below the threshold.
        high = int((rise + layer.firing_level).max())
        low = int((fall * program.time_steps - layer.v_reset).max())
        bound = max(bound, high, low)
        signal = 1
    return bound


def check_names(names: list[str]) -> None:
    """Raise an error if a node name occurs twice or is not allowed in a file.

    Raises:
        ValueError: If so; the error states the name.
    """
    for name in names:
        if "/" in name or not name or names.count(name) > 1:
            raise ValueError(
                "Names of NIR nodes must be unique and without '/'. The export adds the names "
                f"'input', 'output' and '<layer>_if'. Received: {name!r}."
            )
