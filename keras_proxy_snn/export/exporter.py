"""`export`: write a model or a program to a file, and check the file in its real runtime."""

import inspect
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..basics.checks import check_flag
from ..basics.files import check_target, replacing
from ..basics.pixel_range import seen_range, warn_of_range
from ..basics.progress import Progress, check_verbose
from ..basics.types import Images, Verbose
from . import half
from .check import check
from .exported import Exported
from .formats import FORMATS, check_libraries, check_suffix, checked_form, writer
from .frontend.from_model import from_model
from .images import check_images, noise_images
from .program import Program
from .quantise import check_bits
from .quantise import quantise as quantised
from .runner import check_runner, place_runner

__all__ = ["CALIBRATED", "CHECKED", "ExportError", "export"]

CALIBRATED = 500
"""Largest number of calibration images that quantise a network."""

CHECKED = 64
"""Largest number of calibration images that check a file."""

# Test images run in so many parts, because each part loads the file anew; small sets in fewer.
_PARTS, _LEAST = 20, 100


class ExportError(RuntimeError):
    """A written file gives other spikes than the network."""


def export(
    source: Any,
    path: str | Path,
    *,
    format: str | None = None,
    form: str | None = None,
    time_steps: int | None = None,
    quantise: bool | int | None = None,
    calibration: Images = None,
    images: Images = None,
    test: tuple[Any, Any] | None = None,
    verify: bool = True,
    overwrite: bool = False,
    with_runner: bool = False,
    verbose: Verbose = "auto",
    **options: object,
) -> Exported:
    """Write a network to a file and check the file in its real runtime.

    Args:
        source: A `ProxyModel` from any backend, or a `Program`, for example a quantised one.
        path: The file to write. It is not overwritten unless `overwrite` is true.
        format: One of `FORMATS`: `"onnx"`, `"litert"`, `"nir"` or `"c"`. By default the suffix
            `.onnx`, `.tflite`, `.nir` or `.c` decides.
        form: Form of the graph. If `None`, the first form of the format: `"unrolled"` for ONNX and
            LiteRT.
        time_steps: Number T of time steps; the network's T if `None`.
        quantise: Number of bits of the weights of an integer network; `True` means 8. Needs
            `calibration`. Fewer bits try out a chip of such weights; here each weight takes a
            byte nevertheless. A C file always holds an integer network. The result
            of `keras_proxy_snn.export.quantise` can be the source too.
        calibration: Some hundred training images `(batch, height, width, channels)`, in the model's
            input range. Only the first 500 are used.
        images: Images for the check, with the shape and range of `calibration`. If `None`, the
            first 64 images of `calibration`; if that is `None` too, images of smoothed noise.
        test: Images and labels `(x, y)` that measure the file's accuracy. The metadata keep it as
            `accuracy`, and the number of images as `accuracy_images`.
        verify: Whether to compare the file with the interpreter.
        overwrite: Whether an existing file may be replaced.
        with_runner: Whether to put `on_device.py` beside an ONNX or LiteRT file: a script that runs
            the file with NumPy and the runtime alone.
        verbose: Whether a line shows the progress: 0, 1, or `"auto"` for a terminal or a notebook.
            1 also prints what `Exported` shows: the path, the size and the result of the check.
        **options: Further arguments of the format's writer. LiteRT: `weights="float16"` stores the
            weights in half the bytes; the network in the file, with which it is compared, has them
            rounded. `batch_size` is the file's. ONNX: `chunk_steps`, the steps that are folded into
            a batch. NIR: `pooling="average"`, for libraries without sums. C: `class_names`, a list.

    Returns:
        `Exported`.

    Raises:
        FileExistsError: If the file exists and `overwrite` is false.
        OSError: If `path` is a folder, or its folder does not exist.
        ValueError: If the format cannot express the network, or an argument is out of range.
        TypeError: If `path` is no path, images are no array, `test` is no pair, a flag is not True
            or False, or the format's writer has no such option; the error lists its options.
        ImportError: If a library of the format is not installed.
        ExportError: If the file's counts (or scores by potential) differ from the interpreter's.
            The file is kept as `<name>.failed`.

    Example:

    >>> import tempfile, pathlib, keras_proxy_snn
    >>> from keras_proxy_snn.export import export
    >>> model = keras_proxy_snn.build("digits", time_steps=4)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "digits.onnx"
    >>> exported = export(model, path)
    >>> exported.form, exported.check.differing
    ('unrolled', 0)
    """
    path = _checked_path(path)
    check_flag("overwrite", overwrite)
    check_verbose(verbose)
    for argument, value in (("calibration", calibration), ("images", images)):
        _check_is_array(argument, value)
    format = _format_of(path) if format is None else format
    module = writer(format)
    check_suffix(format, path)
    _check_options(format, module, options)
    form = checked_form(format, form)
    check_libraries(format, check_flag("verify", verify))
    check_target(path, overwrite)
    if check_flag("with_runner", with_runner):
        check_runner(format, path, overwrite)
    program = source if isinstance(source, Program) else from_model(source)
    if time_steps is not None:
        program = program.with_time_steps(time_steps)
    bits = True if quantise is None or quantise is False else quantise
    if bits is quantise or program.number_format not in FORMATS[format].numbers:
        calibration = images if calibration is None else calibration
        program = _integers(format, program, bits, calibration, verbose)
    if options.get("weights") == "float16" and not program.is_integer:
        program = half.rounded(program)
    if calibration is not None:
        images = calibration[:CHECKED] if images is None else images[:CHECKED]
    images = noise_images(program) if images is None else images
    check_images(program, images, test)
    images = np.asarray(images, "float32")
    for given in (images, test and test[0]):
        warn_of_range(program.input_range, seen_range(given))
    # The file is written to a temporary folder first, so that `path` never holds a failed file.
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        module.write(program, draft, form=form, **options)
        files = sorted(draft.parent.iterdir())
        for file in files:
            check_target(path.with_name(file.name), overwrite)
        result = None
        if verify:
            result = check(program, images, lambda p, x: module.run(draft, p, x), verbose)
            if not result.passed:
                _place(files, path, ".failed")
                raise ExportError(
                    f"The written file gives other spikes than the network: {result}. See "
                    f"{path}.failed."
                )
        if test is not None:
            facts = _accuracy(lambda x: module.run(draft, program, x), test, verbose)
            program = replace(program, metadata={**program.metadata, **facts})
            module.add_facts(draft, facts)  # to the file that was checked and measured
        size, nodes = sum(file.stat().st_size for file in files), module.node_count(draft)
        memory = module.memory(draft) if hasattr(module, "memory") else None
        _place(files, path)
    if with_runner:
        place_runner(path)
    accuracy = None if test is None else program.metadata["accuracy"]
    weights = str(options.get("weights", "float32"))
    exported = Exported(path, format, form, size, nodes, result, program, accuracy, weights, memory)
    if verbose and verbose != "auto":
        print(exported)
    return exported


def _checked_path(path: Any) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"A path is expected, such as 'net.onnx'. Received: {path!r}.")
    return Path(path)


def _check_is_array(argument: str, value: Any) -> None:
    if value is not None and not hasattr(value, "shape") and not isinstance(value, list | tuple):
        raise TypeError(
            f"`{argument}` must be an array of images (batch, height, width, channels), such as "
            f"`stream.arrays()[0]` of an ImageStream. Received: a {type(value).__name__}."
        )


def _check_options(format: str, module: Any, options: dict[str, Any]) -> None:
    own = [n for n, p in inspect.signature(export).parameters.items() if p.kind == p.KEYWORD_ONLY]
    taken = inspect.signature(module.write).parameters.values()
    extra = [p.name for p in taken if p.kind == p.KEYWORD_ONLY and p.name != "form"]
    for name, value in options.items():
        if name == "input_signature":
            raise TypeError(
                "`input_signature` is an argument of Keras's own formats. Here the input is an "
                "image of the model's shape; `batch_size` sets the batch of LiteRT. Received: "
                f"input_signature={value!r} with format={format!r}."
            )
        if name not in extra:
            raise TypeError(
                f"Options of format={format!r} are {', '.join([*own, *extra])}. "
                f"Received: {name}={value!r}."
            )


def _integers(
    format: str, program: Program, bits: bool | int, calibration: Images, verbose: Verbose
) -> Program:
    """Quantise a network, because the caller asks for it or the format has integers only."""
    if calibration is None:
        raise ValueError(
            f"`quantise` and {FORMATS['c'].suffix} files need an integer network: give "
            "`calibration`, some hundred training images, or a quantised `Program`. Received: "
            f"format={format!r}, a network in {program.number_format} and no images."
        )
    bits = 8 if bits is True else bits
    check_bits(bits, "quantise")
    return quantised(program, calibration[:CALIBRATED], bits=bits, verbose=verbose)


def _place(files: list[Path], path: Path, suffix: str = "") -> None:
    """Copy files into the folder of a path; add a suffix to their names."""
    for file in files:
        with replacing(path.with_name(file.name + suffix)) as draft:
            shutil.copyfile(file, draft)


def _accuracy(
    run: Callable[[Any], np.ndarray], test: tuple[Any, Any], verbose: Verbose
) -> dict[str, float]:
    """Accuracy of a file on test images, and their number, as facts of its metadata."""
    x, labels = test
    size = max(_LEAST, -(-len(x) // _PARTS))
    with Progress("measuring the accuracy", len(x), verbose) as progress:
        scores = np.concatenate([run(batch) for batch in progress.batches(x, size)])
    right = float((scores.argmax(axis=1) == np.asarray(labels)).mean())
    return {"accuracy": right, "accuracy_images": len(labels)}


def _format_of(path: Path) -> str:
    for name, format in FORMATS.items():
        if path.suffix.lower() == format.suffix:
            return name
    suffixes = tuple(format.suffix for format in FORMATS.values())
    raise ValueError(
        f"Give `format`, or a path that ends in one of {suffixes}. Received: {path.name!r}."
    )
