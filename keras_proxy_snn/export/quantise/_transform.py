"""`quantise`: turn a float program into an integer program."""

from dataclasses import replace

import numpy as np

from ...basics.checks import check_flag, positive_integer
from ...basics.pixel_range import ROUNDING, seen_range, warn_of_range
from ...basics.progress import Progress
from ...basics.types import Images, Verbose
from ..interpreter import prepare_images
from ..program import Conv, Dense, Program
from ..validity import check_levels
from ._bounds import INT32, MOST_SPIKES, input_tops, largest_sum, threshold
from ._saturation import Proof, prove, scale_limits
from ._scales import Limit, Rounded, Rounding, search
from ._simulation import layer_counts

__all__ = ["check_bits", "quantise"]

_BITS = range(2, 9)
# 255 is the largest uint8. A smaller scale gives a smaller threshold in the first layer, so its
# weights keep more bits before the threshold reaches its limit.
_INPUT_SCALES = (255.0, 127.0, 63.0)
_MOST_VALUES = 2**12  # largest number of pixel values on a grid


def quantise(
    program: Program,
    calibration: Images,
    *,
    bits: int = 8,
    per_filter: bool = True,
    input_scale: float | None = None,
    search_images: int = 64,
    safety_factor: float = 2.0,
    verbose: Verbose = "auto",
) -> Program:
    """Turn a float network into an integer network, whose sums are all exact.

    The function rounds one layer after another: it multiplies weights, bias, threshold and `v_0` by
    a scale, and rounds them. For each filter it tries several scales, with the rounded layers
    before, and takes the scale whose spike counts on calibration images differ least from the float
    network's. It chooses the scale of the pixels in the same way.

    Potentials and currents fit 16 bits. `metadata["saturation"]` names the `"proof"` of each layer
    of neurons, and the `"low"` and `"high"` ends of its range:

    - `"weight sums"`: the sums of negative and of positive weights over T steps prove it for every
      image. Scales are lowered for this proof if at least 8 levels of a filter's weights remain.
    - `"constant current"`: valid for every image, in the first layer only, and not if its
      potentials are the scores (`readout="potential"` of a single layer). Its current c is the
      same at every step. A neuron with c <= 0 never fires, and a neuron with c >= theta always
      fires, also if its potential saturates. For other neurons the potential is between -theta and
      2 * theta, which fits. The arithmetic must saturate, as in LiteRT, or have more bits.
    - `"observed"`: the potentials on the calibration images, times `safety_factor`, fit.

    The proofs are valid for the program's T and for images that are constant in time.

    Args:
        program: A float program.
        calibration: Training images `(batch, height, width, channels)`, in the input range.
        bits: Width of the weights, from 2 to 8; their size is at most `2**(bits - 1) - 1`.
        per_filter: Whether each filter has its own scale, or a layer has one scale.
        input_scale: Scale of the pixels, above 0; white times this scale must be at most 255. If
            `None`, the function chooses it.
        search_images: Number of images, evenly spread over `calibration`, for choosing scales.
        safety_factor: Factor of the observed potentials that must fit, at least 1.
        verbose: Whether a line shows the progress: 0, 1, or `"auto"` for a terminal or a notebook.

    Returns:
        An integer `Program`: int8 kernels; int32 biases, thresholds and `v_0`. The fact `accuracy`
        is renamed `float_accuracy`.

    Raises:
        ValueError: If the program is not a float program, its numbers or an argument are out of
            range, there are no calibration images, the images have the wrong shape or pixels that
            are not finite or outside the input range, or potentials do not fit 16 bits or sums 32
            bits.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.float32([[0.5], [-0.25]]), None, 1.0, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), time_steps=4)
    >>> integer = quantise(program, np.float32([[[[1], [0]]], [[[1], [1]]]]), input_scale=1)
    >>> integer.neurons[0].kernel.tolist(), integer.neurons[0].v_threshold.tolist()
    ([[64], [-32]], [128])
    >>> integer.metadata["saturation"]["readout"]["proof"]
    'weight sums'
    """
    _check_program(program)
    _check_settings(bits, input_scale, search_images, safety_factor, program.input_range[1])
    images = _check_images(program, calibration)
    rounding = Rounding(2 ** (bits - 1) - 1, check_flag("per_filter", per_filter))
    sample = images[np.unique(np.linspace(0, len(images) - 1, search_images).astype("int64"))]
    with Progress("counting spikes", len(sample), verbose) as progress:
        wanted = layer_counts(program, sample, progress)
    white = program.input_range[1]
    gains = tuple(scale / white for scale in _input_scales(images / white))
    gains = gains if input_scale is None else (float(input_scale),)
    limits = scale_limits(program, images, rounding.levels, safety_factor, verbose)
    done: list[Rounded] = []
    while len(done) < len(limits):
        tries = len(limits) - len(done) + (0 if done else len(gains) - 1)
        with Progress("quantising", tries * len(sample), verbose) as progress:
            done = _round(program, sample, wanted, gains, limits, rounding, done, progress)
        integer = done[-1].program
        _check_integers(program, integer)
        proofs = prove(integer, images, safety_factor, verbose)
        limits = [_shrink(*facts) for facts in zip(limits, done, proofs, strict=True)]
        # The layers before the first layer that saturates are kept.
        fits = [bool((proof.room >= 1).all()) for proof in proofs]
        done = done[: [*fits, False].index(False)]
    facts = dict(program.metadata)
    if "accuracy" in facts:
        facts["float_accuracy"] = facts.pop("accuracy")
    names = [layer.name for layer in program.neurons]
    facts["saturation"] = {name: p.facts for name, p in zip(names, proofs, strict=True)}
    facts["quantisation"] = {"bits": bits, "calibration_images": len(images)}
    return replace(integer, metadata=facts)


def _round(
    program: Program,
    images: np.ndarray,
    wanted: list[np.ndarray],
    gains: tuple[float, ...],
    limits: list[Limit],
    rounding: Rounding,
    kept: list[Rounded],
    progress: Progress,
) -> list[Rounded]:
    """Round the layers of neurons one after another; the first layers may be given in `kept`."""
    done = replace(program, layers=(), number_format="int8")
    results: list[Rounded] = []
    for layer in program.layers:
        if not isinstance(layer, Conv | Dense):
            done = replace(done, layers=(*done.layers, layer))
            continue
        index = len(results)
        tried = kept[index : index + 1]
        if not tried:
            for before, gain in _inputs(program, done, gains if index == 0 else ()):
                goal, limit = wanted[index], limits[index]
                tried.append(search(before, layer, images, goal, gain, limit, rounding, progress))
        result = min(tried, key=_badness)
        results.append(result)
        done = result.program
    return results


def _inputs(
    program: Program, done: Program, gains: tuple[float, ...]
) -> list[tuple[Program, float]]:
    """Rounded layers and input scale of the next layer, for each scale of the pixels to try."""
    if not gains:
        return [(done, 1.0)]
    return [(replace(done, input_scale=gain), gain / program.input_scale) for gain in gains]


def _badness(result: Rounded) -> tuple[bool, int]:
    return largest_sum(result.program) > INT32, result.error


def _shrink(limit: Limit, result: Rounded, proof: Proof) -> Limit:
    """Lower the limits of filters whose potentials do not fit, by 10% more than needed."""
    lower = np.minimum(limit.scale, 0.9 * proof.room * result.scale)
    return limit._replace(scale=np.where(proof.room < 1, lower, limit.scale))


def _input_scales(images: np.ndarray) -> tuple[float, ...]:
    """Scales of the pixels to try; first the scale that makes all pixels integers, if any."""
    values = np.unique(images)
    if len(values) <= _MOST_VALUES:
        for scale in range(1, 256):
            scaled = values.astype("float64") * scale
            if np.abs(scaled - np.rint(scaled)).max() < 1e-4:
                return (float(scale), *(s for s in _INPUT_SCALES if s != scale))
    return _INPUT_SCALES


def _check_program(program: Program) -> None:
    if program.is_integer:
        raise ValueError(
            "Only a float32 program can be quantised. Received: a program in "
            f"{program.number_format!r}."
        )
    if max(most := input_tops(program)[1:], default=0) > MOST_SPIKES:
        raise ValueError(
            f"Average pooling before integer weights must sum at most {MOST_SPIKES} spikes. "
            f"Received: a sum of {max(most)}."
        )
    for layer in program.neurons:
        weights = [layer.weights] if layer.bias is None else [layer.weights, layer.bias]
        if not all(np.isfinite(w).all() for w in weights):
            raise ValueError(f"Weights must be finite. Received: layer {layer.name!r}.")
        check_levels(layer)


def check_bits(bits: object, argument: str = "bits") -> None:
    """Raise a `ValueError` unless a number of bits is an integer from 2 to 8."""
    if not isinstance(bits, int) or isinstance(bits, bool) or bits not in _BITS:
        raise ValueError(f"`{argument}` must be an integer from 2 to 8. Received: {bits!r}.")


def _check_settings(
    bits: int,
    input_scale: float | None,
    search_images: int,
    safety_factor: float,
    white: float,
) -> None:
    check_bits(bits)
    if input_scale is not None and not 0 < input_scale * white <= _INPUT_SCALES[0]:
        raise ValueError(
            f"`input_scale` must be above 0 and at most {_INPUT_SCALES[0] / white:g}. "
            f"Received: {input_scale!r}."
        )
    positive_integer("search_images", search_images)
    if not 1 <= safety_factor < np.inf:
        raise ValueError(
            f"`safety_factor` must be at least 1 and finite. Received: {safety_factor!r}."
        )


def _check_images(program: Program, calibration: Images) -> np.ndarray:
    images = np.asarray(calibration)
    prepare_images(program, images)
    if not len(images):
        raise ValueError("Calibration needs at least one image. Received: an empty array.")
    black, white = program.input_range
    if black != 0:
        raise ValueError(
            "In the images of an integer network, black must be 0, because its pixels are uint8. "
            f"Train with such images, as from 0 to 1. Received: input_range={(black, white)}."
        )
    beyond = white * ROUNDING
    if images.min() < -beyond or images.max() > white + beyond:
        raise ValueError(
            f"Pixels of calibration images must be in [0, {white:g}]. "
            f"Received: from {images.min():.9g} to {images.max():.9g}."
        )
    warn_of_range(program.input_range, seen_range(images))
    return images


def _check_integers(program: Program, integer: Program) -> None:
    for layer, rounded in zip(program.neurons, integer.neurons, strict=True):
        if layer.weights.any() and not rounded.weights.any():
            raise ValueError(
                f"Potentials must fit 16 bits. At this scale all weights of layer {layer.name!r} "
                f"round to 0. Received: thresholds up to {threshold(layer).max():g}, weights up to "
                f"{np.abs(layer.weights).max():g} and T = {program.time_steps}."
            )
    if (largest := largest_sum(integer)) > INT32:
        raise ValueError(
            "Sums must fit 32 bits; reduce `input_scale` or `bits`. Received: a network whose "
            f"sums reach {largest:,}."
        )
