"""What the scripts `export/to_onnx.py`, `to_tflite.py` and `to_nir.py` share."""

import argparse
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from . import datasets
from .export import (
    FORMATS,
    Exported,
    ExportError,
    Program,
    export,
    from_model,
    load,
    tf2onnx_converter,
    tflite_converter,
)
from .export.exporter import writer
from .export.quantise import quantise

__all__ = ["main"]

CONVERTERS = {"onnx": ("tf2onnx", tf2onnx_converter), "litert": ("tflite", tflite_converter)}


def main(format: str, arguments: list[str] | None = None) -> int:
    """Export a saved model from the command line.

    Args:
        format: `"onnx"`, `"litert"` or `"nir"`.
        arguments: Command line; that of the process if `None`.

    Returns:
        Exit status: 0 if the file was written and passed its check, 2 for bad input, 1 if
        the file does not spike like the network.
    """
    options = _parser(format).parse_args(arguments)
    try:
        _export(format, options)
    except ExportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser(format: str) -> argparse.ArgumentParser:
    suffix = FORMATS[format]
    parser = argparse.ArgumentParser(
        description=f"Write a trained spiking network as {suffix}, and check the file.",
        epilog=f"example: %(prog)s digits.keras --time-steps 20 --output digits{suffix}",
    )
    parser.add_argument("model", type=Path, help="a .keras file of a ProxyModel, or a .kps program")
    parser.add_argument("--output", type=Path, help=f"default: the model's name with {suffix}")
    forms = writer(format).FORMS
    parser.add_argument("--form", choices=forms, default=forms[0])
    parser.add_argument("--time-steps", type=int, help="T; the model's own if not given")
    if format != "nir":
        parser.add_argument(
            "--quantise", type=int, nargs="?", const=8, metavar="BITS", help="integer network"
        )
        name = CONVERTERS[format][0]
        parser.add_argument(
            "--converter", choices=["own", name], default="own", help="own writer, or TensorFlow's"
        )
    parser.add_argument(
        "--calibration",
        help="training images to quantise and check with: a .npy file or a data set's name "
        "(default: the data set with images of this shape, if it is on this machine)",
    )
    parser.add_argument("--no-check", action="store_true", help="do not run the written file")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    return parser


def _export(format: str, options: Any) -> None:
    output = options.output or options.model.with_suffix(FORMATS[format])
    model = _load(options.model)
    program = model if isinstance(model, Program) else from_model(model)
    if options.time_steps is not None:
        program = program.with_time_steps(options.time_steps)
    calibration, test = _images(program, options.calibration)
    bits = getattr(options, "quantise", None)
    if bits is not None:
        if calibration is None:
            raise ValueError("--quantise needs training images: give --calibration.")
        program = quantise(program, calibration[:500], bits=bits)
    if getattr(options, "converter", "own") != "own":
        _convert(format, model, program, output, options)
        return
    exported = export(
        program,
        output,
        format=format,
        form=options.form,
        images=None if calibration is None else calibration[:64],
        test=None if options.no_check else test,
        verify=not options.no_check,
        overwrite=options.force,
    )
    _print_table(exported)


def _load(path: Path) -> Any:
    """A model or program, whatever the file holds."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.suffix == ".kps":
        return load(path)
    try:
        return keras.models.load_model(path, compile=False)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(f"{path} is not a saved Keras model ({error}).") from error


def _images(program: Program, wanted: str | None) -> tuple[Any, Any]:
    """Calibration images, and the test set `(x, y)` of their data set, or `None`."""
    if wanted is not None and wanted.endswith(".npy"):
        return np.load(wanted, allow_pickle=False), None
    shapes = {(8, 8, 1): "digits", (28, 28, 1): "fashion_mnist", (32, 32, 3): "cifar10"}
    name = wanted or shapes.get(program.input_shape)
    if name is None or (wanted is None and datasets.locate(name) is None):
        return None, None
    (x, _), test = datasets.load(name)
    return x, test


def _convert(format: str, model: Any, program: Program, output: Path, options: Any) -> None:
    if isinstance(model, Program) or program.is_integer:
        raise ValueError("TensorFlow's converters take a float .keras model.")
    if output.exists() and not options.force:
        raise FileExistsError(f"{output} exists already; --force replaces it.")
    model.time_steps = program.time_steps
    name, converter = CONVERTERS[format]
    converter.write(model, output, form=options.form)
    print(f"{output}: {output.stat().st_size / 1024:.0f} KiB, written by {name}, not checked")


def _print_table(exported: Exported) -> None:
    rows = [
        ("file", str(exported.path)),
        ("format, form", f"{exported.format}, {exported.form}"),
        ("numbers", exported.program.number_format),
        ("time steps", str(exported.program.time_steps)),
        ("size", f"{exported.size / 1024:.0f} KiB"),
        ("nodes", str(exported.nodes)),
        ("check", "not made" if exported.check is None else str(exported.check)),
    ]
    module = writer(exported.format)
    if hasattr(module, "latency"):
        seconds = module.latency(exported.path, exported.program)
        rows.append(("latency", f"{1000 * seconds:.2f} ms an image, 1 thread"))
    if exported.accuracy is not None:
        images = exported.program.metadata["accuracy_images"]
        rows.append(("accuracy", f"{exported.accuracy:.2%} of {images} test images (strict)"))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
