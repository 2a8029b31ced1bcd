"""`input_fact`: a sentence on the images that a file takes, the fact `input` of its metadata."""

from .program import Program

__all__ = ["input_fact"]


def input_fact(program: Program, *, scaled_outside: bool) -> dict[str, str | float]:
    """Facts of a file's input.

    `input_scale` is a fact of those files alone whose image must be scaled outside; in all others
    the graph itself scales, and whoever scaled once more would get wrong counts without an error.

    Args:
        program: The network.
        scaled_outside: Whether the file takes the scaled, rounded image.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program
    >>> from keras_proxy_snn.export.input_fact import input_fact
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.int8([[3], [2]]), None, 4, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), 4, "int8", input_scale=8.0)
    >>> input_fact(program, scaled_outside=False)
    {'input': 'float32 image, pixels from 0 to 1'}
    >>> input_fact(program, scaled_outside=True)["input"]
    'int16 image, round(pixel * input_scale), half to even, of pixels from 0 to 1'
    """
    black, white = program.input_range
    pixels = f"pixels from {black:g} to {white:g}"
    if not scaled_outside:
        return {"input": f"float32 image, {pixels}"}
    text = f"int16 image, round(pixel * input_scale), half to even, of {pixels}"
    return {"input": text, "input_scale": program.input_scale}
