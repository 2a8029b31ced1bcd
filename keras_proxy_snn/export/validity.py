"""Check a program: one that was read from a file, and the numbers that an exporter needs."""

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from ..basics.checks import MOST_VALUES, check_choice, positive_integer
from ..neurons.neuron import LEAST_THRESHOLD, MOST_THRESHOLD, RESETS
from .layers import Conv, Dense, Layer, Pool, Shortcut, output_shape

__all__ = ["check_bytes", "check_levels", "check_program"]

# A `Program`; its file imports this one.
_Program = TypeVar("_Program", bound=Any)

_NUMBER_FORMATS = ("float32", "int8")
_MOST_ZEROS = 2**24  # that padding adds to the maps of one image: 64 MiB of float32


def check_program(program: _Program) -> _Program:
    """Return a program if it can run, else raise an error.

    Args:
        program: The program, as it was read.

    Raises:
        ValueError: If the program has no layers, shapes do not fit together or are absurdly large,
            a weight is not finite, a threshold is not positive, or an attribute is out of range.
            The error names the layer.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.export.program import Dense, Flatten, Program
    >>> from keras_proxy_snn.export.validity import check_program
    >>> readout = Dense("readout", np.ones((5, 3), "float32"), None, 1.0, "zero")
    >>> check_program(Program((Flatten("flatten"), readout), (2, 2, 1), time_steps=5))
    Traceback (most recent call last):
    ValueError: The kernel must have 4 inputs. Received: (5, 3) in layer 'readout'.
    """
    check_choice("number_format", program.number_format, _NUMBER_FORMATS)
    _check_input(program)
    if not program.layers or not isinstance(program.layers[-1], Dense):
        kinds = [type(layer).__name__ for layer in program.layers]
        raise ValueError(f"The last layer of a program must be a Dense. Received: {kinds}.")
    names = [layer.name for layer in program.layers]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError(f"Layers must have different names. Received: {names}.")
    shape: tuple[int, ...] = program.input_shape
    for layer in program.layers:
        shape = _checked_shape(layer, shape, program.is_integer)
    _ = program.class_names  # raises the error
    return program


def check_levels(layer: Conv | Dense) -> None:
    """Raise a `ValueError` unless thresholds are positive and finite, and `v_0` is below them.

    Thresholds of a float network are from 2^-126 to 2^126, as those of a `Neuron`. Those of an
    integer network are whole numbers of at most 31 bits.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.export.program import Dense
    >>> from keras_proxy_snn.export.validity import check_levels
    >>> check_levels(Dense("readout", np.ones((5, 3), "float32"), None, 1.0, "zero", v_0=0.5))
    """
    theta, v_0 = np.asarray(layer.v_threshold), np.asarray(layer.v_0)
    if not (np.isfinite(theta) & (theta > 0) & (v_0 >= 0) & (v_0 < theta)).all():
        raise ValueError(
            "Thresholds must be positive and finite, and `v_0` must be from 0 to below the "
            f"threshold. Received: {layer.v_threshold!r} and {layer.v_0!r} in layer {layer.name!r}."
        )
    if layer.kernel.dtype.kind == "i":
        fits = (theta < 2**31) & (theta == np.floor(theta)) & (v_0 == np.floor(v_0))
        rule = "whole numbers of at most 31 bits"
    else:
        with np.errstate(over="ignore"):
            level = layer.firing_level
        fits = (theta >= LEAST_THRESHOLD) & (theta <= MOST_THRESHOLD) & (level > 0)
        rule = "from 2^-126 to 2^126, because potentials are float32"
    if not fits.all():
        raise ValueError(
            f"Thresholds must be {rule}. Received: {layer.v_threshold!r} and v_0 {layer.v_0!r} in "
            f"layer {layer.name!r}."
        )


def check_bytes(program: Any) -> None:
    """Raise a `ValueError` unless pixels of an integer program are uint8 and all weights int8.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.export.program import Dense, Flatten, Program
    >>> from keras_proxy_snn.export.validity import check_bytes
    >>> readout = Dense("readout", np.ones((4, 3), "int8"), None, 9, "zero")
    >>> check_bytes(Program((Flatten("flatten"), readout), (2, 2, 1), 5, "int8", input_scale=255.0))
    """
    if not 0 < program.largest_input <= 255:
        raise ValueError(
            "Pixels of an integer network are uint8, so `input_scale` times white must be above 0 "
            f"and at most 255. Received: {program.largest_input}."
        )
    for layer in program.neurons:
        if layer.weights.dtype != np.int8:
            raise ValueError(
                "Weights of an integer network must be int8. "
                f"Received: {layer.weights.dtype} in layer {layer.name!r}."
            )


def _check_input(program: Any) -> None:
    if not isinstance(program.metadata, dict):
        raise ValueError(f"`metadata` must be a mapping. Received: {program.metadata!r}.")
    _ = program.input_range  # raises the error
    scale = program.input_scale
    known = isinstance(scale, Real) and not isinstance(scale, bool)
    if not known or not LEAST_THRESHOLD <= float(scale) <= MOST_THRESHOLD:
        raise ValueError(
            f"`input_scale` must be positive and finite, from 2^-126 to 2^126. Received: {scale!r}."
        )
    _check_numbers("input_shape", program.input_shape, 3, "the program")
    _check_size("an image", program.input_shape)


def _check_size(name: str, shape: tuple[int, ...]) -> None:
    if math.prod(shape) > MOST_VALUES:
        raise ValueError(
            f"An image, and what a layer makes of it, must have at most {MOST_VALUES:,} values. "
            f"Received: shape {shape} of {name}."
        )


def _checked_shape(layer: Layer, shape: tuple[int, ...], integer: bool) -> tuple[int, ...]:
    """Check a layer's attributes; return the shape of its output."""
    if (isinstance(layer, Conv | Pool) and len(shape) != 3) or (
        isinstance(layer, Dense) and len(shape) != 1
    ):
        raise ValueError(
            f"Maps and vectors must not be mixed. Received: {layer.name!r} on {shape}."
        )
    if isinstance(layer, Conv | Dense):
        _check_neurons(layer, shape, integer)
    if isinstance(layer, Conv):
        _check_window(layer, layer.name, layer.strides, layer.padding, layer.dilation)
        for shortcut in layer.shortcuts:
            _check_shortcut(shortcut, layer.name, integer)
        _check_zeros(layer, shape)
    if isinstance(layer, Pool):
        check_choice("kind", layer.kind, ("or", "sum"))
        _check_window(layer, layer.name, layer.strides, layer.padding, layer.size)
        _check_zeros(layer, shape)
    found = output_shape(layer, shape)
    if min(found) < 1:
        raise ValueError(f"Windows must fit the maps. Received: {layer.name!r} on {shape}.")
    _check_size(f"layer {layer.name!r}", found)
    return found


def _check_zeros(layer: Conv | Pool, shape: tuple[int, ...]) -> None:
    pairs = zip(shape[:2], layer.window.pads(shape), strict=True)
    zeros = (math.prod(n + sum(pads) for n, pads in pairs) - math.prod(shape[:2])) * shape[2]
    if zeros > _MOST_ZEROS:
        raise ValueError(
            f"Padding must add at most {_MOST_ZEROS:,} zeros to the maps of an image. "
            f"Received: {zeros:,} in layer {layer.name!r} on {shape}."
        )


def _check_neurons(layer: Conv | Dense, shape: tuple[int, ...], integer: bool) -> None:
    _check_array("kernel", layer.kernel, layer.name, integer)
    axes = 4 if isinstance(layer, Conv) else 2
    if layer.kernel.ndim != axes or layer.kernel.shape[-2] != shape[-1] or not layer.kernel.size:
        raise ValueError(
            f"The kernel must have {shape[-1]} inputs. Received: {layer.kernel.shape} in layer "
            f"{layer.name!r}."
        )
    check_choice("reset", layer.reset, RESETS)
    units = layer.kernel.shape[-1:]
    if layer.bias is not None:
        _check_array("bias", layer.bias, layer.name, integer)
        if layer.bias.shape != units:
            raise ValueError(
                f"`bias` must have one number for each of {units[0]} filters. Received: shape "
                f"{layer.bias.shape} in layer {layer.name!r}."
            )
    theta, v_0 = (np.asarray(value) for value in (layer.v_threshold, layer.v_0))
    for what, value in (("v_threshold", theta), ("v_0", v_0)):
        if value.shape not in ((), units) or value.dtype.kind not in "fiu":
            raise ValueError(
                f"`{what}` must be a number or one for each of {units[0]} filters. "
                f"Received: {value.dtype} of shape {value.shape} in layer {layer.name!r}."
            )
    check_levels(layer)


def _check_shortcut(shortcut: Shortcut, name: str, integer: bool) -> None:
    _check_array("kernel", shortcut.kernel, name, integer)
    if shortcut.kernel.ndim != 4:
        raise ValueError(
            f"The kernel of a shortcut must have four axes. Received: {shortcut.kernel.shape}."
        )
    _check_window(shortcut, name, shortcut.strides, shortcut.padding, shortcut.dilation)


def _check_window(window: Any, name: str, strides: Any, padding: Any, last: Any) -> None:
    if isinstance(window, Pool) or not isinstance(padding, tuple):
        check_choice("padding", padding, ("same", "valid"))
    else:
        _check_pads(padding, name)
    _check_numbers("strides", strides, 2, name)
    _check_numbers("size" if isinstance(window, Pool) else "dilation", last, 2, name)


def _check_pads(padding: tuple[Any, ...], name: str) -> None:
    pairs = len(padding) == 2 and all(isinstance(p, tuple) and len(p) == 2 for p in padding)
    if not pairs or not all(type(n) is int and n >= 0 for pair in padding for n in pair):
        raise ValueError(
            "`padding` must be 'same', 'valid' or zeros ((top, bottom), (left, right)). "
            f"Received: {padding!r} in {name}."
        )


def _check_numbers(what: str, values: Iterable[Any], count: int, name: str) -> None:
    if not isinstance(values, tuple) or len(values) != count:
        raise ValueError(f"`{what}` must be {count} integers. Received: {values!r} in {name}.")
    for value in values:
        positive_integer(what, value)


def _check_array(what: str, value: Any, name: str, integer: bool) -> None:
    kind = ("int8" if what == "kernel" else "int32") if integer else "float32"
    known = isinstance(value, np.ndarray) and value.dtype.kind == kind[0]
    if known and integer:
        known = np.can_cast(value.dtype, kind)
    elif known:
        known = bool((np.abs(value) <= np.finfo(kind).max).all())  # NaN is not
    if not known:
        rule = f"integers of {kind}" if integer else f"finite floats of {kind}"
        raise ValueError(
            f"`{what}` must be an array of {rule}. "
            f"Received: {getattr(value, 'dtype', type(value).__name__)} in layer {name!r}."
        )
