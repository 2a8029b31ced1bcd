"""`rounded`: the network of a file whose kernels are stored in half precision."""

from dataclasses import replace
from typing import Any

import numpy as np

from .program import Program, with_shortcuts

__all__ = ["rounded"]


def rounded(program: Program) -> Program:
    """Round the kernels of all layers of neurons to float16.

    Biases and thresholds stay as they are. A kernel beyond float16's 65504 becomes infinite, which
    the writer of the file refuses.

    Args:
        program: A float program.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program
    >>> from keras_proxy_snn.export.half import rounded
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.float32([[0.1], [0.5]]), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), time_steps=4)
    >>> rounded(program).layers[-1].kernel.tolist()
    [[0.0999755859375], [0.5]]
    """
    layers = [_layer(part) if part in program.neurons else part for part in program.layers]
    return replace(program, layers=tuple(layers))


def _layer(layer: Any) -> Any:
    return with_shortcuts(_kernel(layer), map(_kernel, layer.shortcuts))


def _kernel(part: Any) -> Any:
    with np.errstate(over="ignore"):
        return replace(part, kernel=part.kernel.astype("float16").astype("float32"))
