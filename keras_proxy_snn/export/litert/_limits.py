"""`refuse`: what LiteRT files cannot express."""

from itertools import pairwise
from typing import Any

import numpy as np

from ...basics.checks import check_choice, positive_integer
from ..formats import FORMATS
from ..program import Pool, Program

__all__ = ["FORMS", "refuse"]

FORMS = FORMATS["litert"].forms
_WEIGHTS = FORMATS["litert"].weights
_INT16_MAX = 32767


def refuse(program: Program, form: str, weights: str = "float32", batch_size: int = 1) -> None:
    """Raise an error if a LiteRT file cannot express a program.

    Args:
        program: The network.
        form: As in `write`.
        weights: As in `write`.
        batch_size: As in `write`.

    Raises:
        ValueError: If so; the error states the reason.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, litert
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.float32([[0.5], [0.5]]), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), time_steps=4)
    >>> litert.refuse(program, "unrolled")
    >>> litert.refuse(program, "loop")
    Traceback (most recent call last):
    ValueError: `form` must be one of ('unrolled', 'step', 'stateful'). Received: 'loop'.
    """
    check_choice("form", form, FORMS)
    check_choice("weights", weights, _WEIGHTS)
    positive_integer("batch_size", batch_size)
    if program.is_integer and weights != "float32":
        raise ValueError(
            f"An integer program must have int8 weights. Received: weights={weights!r}."
        )
    for layer in program.neurons:
        theta = np.asarray(layer.v_threshold, "float64")
        if program.is_integer:
            _refuse_integers(layer, theta)
        elif not ((theta > 2.0**-40) & (theta < 2.0**40)).all():
            raise ValueError(
                f"Thresholds must be between 2^-40 and 2^40, so that potentials can be scaled "
                f"in float32. Received in layer {layer.name!r}: {layer.v_threshold!r}."
            )
        elif weights == "float16" and np.abs(layer.weights).max(initial=0) > 65504:
            raise ValueError(
                "Weights must be within float16's 65504. Received: the kernel of layer "
                f"{layer.name!r}."
            )
        _refuse_start(layer, theta, program.is_integer)
    for below, above in pairwise(program.layers):
        if below.name in program.sources and isinstance(below, Pool) and isinstance(above, Pool):
            raise ValueError(
                "A shortcut must read a layer of neurons, or the last pooling after such a layer. "
                f"Received: a shortcut that reads {below.name!r}, before {above.name!r}."
            )
    if program.is_integer and max(program.time_steps, program.largest_input) > _INT16_MAX:
        raise ValueError(
            f"Spike counts and pixels are int16, so T and the input scale must be at most "
            f"{_INT16_MAX}. Received: {program.time_steps}, {program.input_scale}."
        )


def _refuse_integers(layer: Any, theta: np.ndarray) -> None:
    if not ((theta >= 1) & (theta <= _INT16_MAX) & (theta == np.rint(theta))).all():
        raise ValueError(
            f"Potentials are int16, so thresholds must be integers from 1 to {_INT16_MAX}. "
            f"Received in layer {layer.name!r}: {layer.v_threshold!r}."
        )
    kernel = layer.weights
    if kernel.size and (kernel.min() < -127 or kernel.max() > 127):
        raise ValueError(
            "LiteRT's int8 weights must be from -127 to 127. "
            f"Received in layer {layer.name!r}: from {kernel.min()} to {kernel.max()}."
        )


def _refuse_start(layer: Any, theta: np.ndarray, is_integer: bool) -> None:
    v_0, least = np.asarray(layer.v_0, "float64"), 1.0 if is_integer else 2.0**-40
    whole = not is_integer or (v_0 == np.rint(v_0)).all()
    if not (whole and ((v_0 >= 0) & (theta - v_0 >= least)).all()):
        raise ValueError(
            f"`v_0` must be at least 0, and at least {least:g} below the threshold; in an integer "
            f"network it must be an integer. Received in layer {layer.name!r}: v_0 {layer.v_0!r} "
            f"and the threshold {layer.v_threshold!r}."
        )
