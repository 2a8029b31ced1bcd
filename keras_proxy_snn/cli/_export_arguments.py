"""Checks of the options of `export`, before Keras and the model are loaded."""

from pathlib import Path
from typing import Any

from ..basics.checks import check_choice
from ..export.formats import FORMATS, check_libraries, check_suffix, checked_form
from ..export.quantise import check_bits
from ..export.runner import check_runner
from ._arguments import check_calibration, check_network, check_output
from ._shared import BadInput

__all__ = ["check_export"]


def check_export(
    format: str,
    model: Path,
    *,
    output: Path,
    form: str | None = None,
    bits: int | None = None,
    weights: str = "float32",
    converter: str = "own",
    calibration: str | None = None,
    no_check: bool = False,
    with_runner: bool = False,
    force: bool = False,
    **_: Any,
) -> None:
    """Raise an error if the arguments of `export` do not fit together; see `_export.run`."""
    if model.suffix != ".kps":
        check_network(model)
    elif not model.is_file():
        raise FileNotFoundError(f"There is no file {model}.")
    check_suffix(format, output)
    checked_form(format, form)
    if weights not in FORMATS[format].weights:
        having = [name for name, entry in FORMATS.items() if weights in entry.weights]
        raise BadInput(
            f"--weights {weights} is for --format {' or '.join(having)}. "
            f"Received: --format {format}."
        )
    if bits is not None:
        check_bits(bits)
        if weights != "float32":
            raise BadInput(
                f"--weights is for float networks. Received: {weights}, --quantise {bits}."
            )
    check_calibration(calibration)
    _check_converter(FORMATS[format].converter, converter, model, bits, weights)
    if converter != "own" and calibration is not None:
        raise BadInput(f"--calibration has no effect with --converter. Received: {calibration}.")
    if converter == "own":
        check_libraries(format, verify=not no_check)
    check_output(output, force)
    if with_runner:
        check_runner(format, output, force)


def _check_converter(
    theirs: str | None, converter: str, model: Path, bits: int | None, weights: str
) -> None:
    check_choice("converter", converter, ("own", theirs) if theirs else ("own",))
    if converter != "own" and (model.suffix == ".kps" or bits is not None or weights != "float32"):
        raise BadInput(
            "TensorFlow's converters take a .keras model and write it in float32. Received: "
            f"--converter {converter} with {model}, --quantise {bits}, --weights {weights}."
        )
