"""Architecture strings such as `"128C3-P2-10F"` and the layers that they name.

Uses only the standard library, so a spec can be read without a deep-learning framework.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from ..basics.checks import MOST_VALUES, positive_integer, positive_integers

__all__ = [
    "Conv",
    "Dense",
    "Pool",
    "SpecError",
    "format_spec",
    "layer_shapes",
    "parse_spec",
    "with_classes",
]


@dataclass(frozen=True)
class Conv:
    """`nCk`: same-padded k x k convolution with n maps, stride 1.

    Attributes:
        maps: Number of feature maps n.
        kernel_size: Side k of the square kernel, in pixels.
    """

    maps: int
    kernel_size: int

    def __str__(self) -> str:
        return f"{self.maps}C{self.kernel_size}"


@dataclass(frozen=True)
class Pool:
    """`Pk`: k x k pooling with stride k; rows and columns that fill no window are dropped.

    Attributes:
        size: Side k of the window, in pixels.
    """

    size: int

    def __str__(self) -> str:
        return f"P{self.size}"


@dataclass(frozen=True)
class Dense:
    """`nF`: fully connected layer with n neurons.

    Attributes:
        units: Number of neurons n.
    """

    units: int

    def __str__(self) -> str:
        return f"{self.units}F"


Layer = Conv | Pool | Dense
Spec = tuple[Layer, ...]

_TOKEN = re.compile(
    r"(?P<maps>[1-9][0-9]*)C(?P<kernel>[1-9][0-9]*)"
    r"|P(?P<pool>[1-9][0-9]*)"
    r"|(?P<units>[1-9][0-9]*)F",
    re.ASCII,
)

_MOST = 2**20  # the largest number in a token


class SpecError(ValueError):
    """An architecture string that cannot be read or built.

    Attributes:
        text: The whole string.
        token: The token at fault.
        position: Index of that token's first character in `text`.
        line: The message without the marked string.
    """

    def __init__(self, rule: str, text: str, token: str, position: int):
        self.line = f"{rule} Received: token {token!r} at position {position} of {text!r}."
        mark = f"    {text}\n    {' ' * position}{'^' * max(1, len(token))}"
        super().__init__(f"{self.line}\n{mark}")
        self.text, self.token, self.position = text, token, position


def parse_spec(text: str, input_shape: tuple[int, ...] | None = None) -> Spec:
    """Read an architecture string.

    Args:
        text: Tokens joined by `-`: `nCk`, `Pk` or `nF`, with numbers up to 2**20. The last one is
            an `nF`, the readout with one neuron per class.
        input_shape: `(height, width, channels)` of the images, in pixels. If
            given, the layers must also fit on such an image, and have at most 2**30 weights and
            2**30 neurons each (4 GiB).

    Returns:
        A tuple of `Conv`, `Pool` and `Dense`. `format_spec` is the inverse.

    Raises:
        SpecError: If a token does not parse or is not allowed at its place. The error
            names the token, its position and the whole string.
        TypeError: If `text` is not a string.

    Example:

    >>> from keras_proxy_snn import parse_spec
    >>> parse_spec("16C3-P2-10F")
    (Conv(maps=16, kernel_size=3), Pool(size=2), Dense(units=10))
    """
    if not isinstance(text, str):
        raise TypeError(f"A spec is a string such as '16C3-P2-10F'. Received: {text!r}.")
    spec = tuple(_parse_token(text, token, at) for token, at in _tokens(text))
    _check_order(text, spec)
    if input_shape is not None:
        layer_shapes(spec, input_shape)
    return spec


def with_classes(text: str, classes: int) -> str:
    """The same architecture for another number of classes.

    Raises:
        SpecError: If the architecture cannot be read.
        TypeError: If it is not a string.
        ValueError: If `classes` is not a positive integer.

    Example:

    >>> from keras_proxy_snn.cnn.spec import with_classes
    >>> with_classes("16C3-P2-10F", 3)
    '16C3-P2-3F'
    """
    units = positive_integer("classes", classes, _MOST)
    return format_spec((*parse_spec(text)[:-1], Dense(units)))


def format_spec(spec: Spec) -> str:
    """Write layers as an architecture string, the inverse of `parse_spec`.

    Example:

    >>> from keras_proxy_snn import format_spec, parse_spec
    >>> format_spec(parse_spec("16C3-P2-10F"))
    '16C3-P2-10F'
    """
    return "-".join(map(str, spec))


def layer_shapes(spec: Spec, input_shape: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Shapes of each layer's output, without batch and time.

    Args:
        spec: Layers from `parse_spec`.
        input_shape: `(height, width, channels)` of the images, in pixels.

    Returns:
        One tuple per layer: `(height, width, maps)`, or `(units,)` from the first `Dense` on.

    Raises:
        SpecError: If a pooling would leave less than one pixel, or a layer has more than 2**30
            weights or neurons.
        ValueError: If `input_shape` is not three positive integers.

    Example:

    >>> from keras_proxy_snn.cnn.spec import layer_shapes, parse_spec
    >>> layer_shapes(parse_spec("16C3-P2-10F"), (28, 28, 1))
    ((28, 28, 16), (14, 14, 16), (10,))
    """
    shape = positive_integers("input_shape", input_shape, ("height", "width", "channels"))
    text = format_spec(spec)
    shapes = []
    for layer, (token, position) in zip(spec, _tokens(text), strict=True):
        before = shape
        if isinstance(layer, Conv):
            shape = (*shape[:2], layer.maps)
        elif isinstance(layer, Dense):
            shape = (layer.units,)
        else:
            height, width = shape[0] // layer.size, shape[1] // layer.size
            if min(height, width) < 1:
                raise SpecError(
                    f"Pooling must leave at least one pixel. Received: {layer.size} x {layer.size} "
                    f"for {shape[0]} x {shape[1]} pixels, of an image of {input_shape}.",
                    text,
                    token,
                    position,
                )
            shape = (height, width, shape[2])
        values = max(prod(shape), _weights(layer, before))
        if values > MOST_VALUES:
            raise SpecError(
                "A layer must have at most 2**30 weights and 2**30 neurons, which take 4 GiB; this "
                f"one would take {4 * values:,} bytes.",
                text,
                token,
                position,
            )
        shapes.append(shape)
    return tuple(shapes)


def _weights(layer: Layer, shape: tuple[int, ...]) -> int:
    """Number of weights of a layer for an input of a shape."""
    if isinstance(layer, Conv):
        return layer.kernel_size**2 * shape[-1] * layer.maps
    return prod(shape) * layer.units if isinstance(layer, Dense) else 0


def _tokens(text: str) -> list[tuple[str, int]]:
    tokens, position = [], 0
    for token in text.split("-"):
        tokens.append((token, position))
        position += len(token) + 1
    return tokens


def _parse_token(text: str, token: str, position: int) -> Layer:
    match = _TOKEN.fullmatch(token)
    if not token:
        raise SpecError(
            "A spec is tokens joined by '-', such as '16C3-P2-10F'; here a token is missing.",
            text,
            token,
            position,
        )
    if match is None:
        raise SpecError(
            "A token must be 'nCk' (convolution), 'Pk' (pooling) or 'nF' (fully connected) with "
            "positive integers n and k, joined by '-'.",
            text,
            token,
            position,
        )
    if any(number and (len(number) > 7 or int(number) > _MOST) for number in match.groups()):
        raise SpecError(f"Numbers must be at most {_MOST:,}.", text, token, position)
    if match["maps"]:
        return Conv(int(match["maps"]), int(match["kernel"]))
    return Pool(int(match["pool"])) if match["pool"] else Dense(int(match["units"]))


def _check_order(text: str, spec: Spec) -> None:
    tokens = _tokens(text)
    if isinstance(spec[0], Pool):
        raise SpecError(
            "Pooling pools spikes, so a convolution must come before it.", text, *tokens[0]
        )
    for (before, after), token in zip(pairwise(spec), tokens[1:], strict=True):
        if isinstance(before, Dense) and not isinstance(after, Dense):
            raise SpecError(
                "After a fully connected layer ('nF') only fully connected layers can follow.",
                text,
                *token,
            )
    if not isinstance(spec[-1], Dense):
        raise SpecError(
            "The last layer must be the readout, 'nF' with one neuron for each class.",
            text,
            *tokens[-1],
        )
