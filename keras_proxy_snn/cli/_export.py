"""Export of a saved model, for `keras-proxy-snn export`."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from ..basics.stopwatch import disturbance
from ..export import FORMATS, Exported, Program, export, from_model, load
from ..export.check import Check
from ..export.converters import tf2onnx, tflite
from ..export.exporter import CALIBRATED, CHECKED
from ..export.formats import Memory, writer
from ..export.images import noise_images
from ..export.rounding import Rounding, rounding
from ..export.runner import RUNNER, place_runner
from ._calibration import calibration_images
from ._shared import load_network, reading, training_record

__all__ = ["print_table", "run"]

_CONVERTERS = {"tf2onnx": tf2onnx, "tflite": tflite}


def run(
    format: str,
    model: Path,
    *,
    output: Path,
    form: str | None = None,
    time_steps: int | None = None,
    bits: int | None = None,
    weights: str = "float32",
    converter: str = "own",
    calibration: str | None = None,
    no_check: bool = False,
    with_runner: bool = False,
    force: bool = False,
) -> dict[str, Any]:
    """Export a saved model; `check_export` has checked the arguments.

    Args:
        format: One of `FORMATS`.
        model: A `.keras` file of a `ProxyModel`, or a `.kps` program.
        output: Path of the new file.
        form: Form of the graph; `None` for the first form of the format.
        time_steps: T; `None` for the model's own.
        bits: Number of bits of an integer network. `None`: a float network, or 8 bits if the
            format has no floats.
        weights: Number format of the weights of a float network, one that the format has.
        converter: `"own"`, or TensorFlow's `"tf2onnx"` or `"tflite"`, whose files are not checked.
        calibration: Training images to quantise and check with: a folder of pictures, a `.npy`
            file or the name of a data set. By default the images that the model was trained on,
            or the data set with images of this shape, if this machine has it.
        no_check: Do not run the written file.
        with_runner: Put `on_device.py` beside the file.
        force: Replace an existing file.

    Returns:
        Facts of the written file, for `print_table` or JSON.

    Raises:
        ExportError: If the file does not spike like the network.
        ValueError: If an argument is out of range.
        OSError: If a file is missing, or exists already.
        ImportError: If a library is missing.
    """
    form = form or FORMATS[format].forms[0]
    disturbed = disturbance()  # asked before this command works itself
    source = _source(model)
    program = source if isinstance(source, Program) else from_model(source)
    if time_steps is not None:
        program = program.with_time_steps(time_steps)
    if converter != "own":
        facts = _convert(format, converter, source, program, output, form)
        return {**facts, "runner": str(place_runner(output)) if with_runner else None}
    record = training_record(model) if model.suffix == ".keras" else None
    images, test, classes = calibration_images(program, calibration, record)
    if classes is not None and program.class_names is None:
        program = replace(program, metadata={**program.metadata, "class_names": list(classes)})
    integers = bits is not None or program.number_format not in FORMATS[format].numbers
    if integers and images is None:
        raise ValueError("An integer network needs training images: give --calibration.")
    if integers:  # a log shows this line too, but no line of progress
        number = min(len(images), CALIBRATED)
        tested = "" if test is None or no_check else f" and trying it on {len(test[0])} others"
        click.echo(f"quantising with {number} images, then checking the file{tested} ...", err=True)
    own: dict[str, Any] = {} if weights == "float32" else {"weights": weights}
    exported = export(
        program,
        output,
        format=format,
        form=form,
        quantise=bits,
        calibration=images,
        test=None if no_check else test,
        verify=not no_check,
        with_runner=with_runner,
        overwrite=force,
        **own,
    )
    facts = _facts(exported)
    if "latency_ms" in facts:
        facts["disturbance"] = disturbed
    is_rounded = integers or weights != "float32"
    if is_rounded and exported.check is not None and not program.is_integer:
        some, kind = _some(program, images, test)
        facts["rounding"] = asdict(rounding(program, exported.program, some, kind))
    return {**facts, "runner": str(output.with_name(RUNNER)) if with_runner else None}


def _some(program: Program, images: Any, test: Any) -> tuple[Any, str]:
    """Some images to see what rounding changes, and their kind.

    Test images, where there are any: images that a network knows change their class less often.
    """
    if test is not None:
        return test[0][:CHECKED], "test"
    if images is not None:
        return images[:CHECKED], "calibration"
    return noise_images(program), "noise"


def _source(path: Path) -> Any:
    """The model or program in a file."""
    if path.suffix != ".kps":
        return load_network(path)
    with reading(path):
        return load(path)


def _convert(
    format: str, converter: str, model: Any, program: Program, output: Path, form: str
) -> dict[str, Any]:
    model.time_steps = program.time_steps
    _CONVERTERS[converter].write(model, output, form=form)
    facts = {"file": str(output), "format": format, "form": form, "converter": converter}
    return {**facts, "bytes": output.stat().st_size, "check": None}


def _facts(exported: Exported) -> dict[str, Any]:
    program = exported.program
    facts = {
        "file": str(exported.path),
        "format": exported.format,
        "form": exported.form,
        "converter": "own",
        "number_format": program.number_format,
        "numbers": exported.numbers,
        "time_steps": program.time_steps,
        "bytes": exported.size,
        "nodes": exported.nodes,
        "check": None if exported.check is None else asdict(exported.check),
        "compared_with": exported.compared_with,
    }
    if exported.memory is not None:
        facts["memory"] = asdict(exported.memory)
    module = writer(exported.format)
    if hasattr(module, "latency"):
        facts["latency_ms"] = 1000 * module.latency(exported.path, program)
    if exported.accuracy is not None:
        facts["accuracy"] = exported.accuracy
        facts["accuracy_images"] = program.metadata["accuracy_images"]
    return facts


def print_table(facts: dict[str, Any]) -> None:
    """Print what `run` returned."""
    size = f"{facts['bytes'] / 1024:.0f} KiB"
    if facts["converter"] != "own":
        print(f"{facts['file']}: {size}, written by {facts['converter']}, not checked")
        if facts["runner"] is not None:
            print(f"{facts['runner']}: runs it")
        return
    rows = {
        "file": facts["file"],
        "format, form": f"{facts['format']}, {facts['form']}",
        "numbers": facts["numbers"],
        "time steps": facts["time_steps"],
        "size": f"{size} of text" if "memory" in facts else size,
        **({"on the device": Memory(**facts["memory"])} if "memory" in facts else {}),
        "nodes": facts["nodes"],
        "check": "not made",
    }
    if facts["check"] is not None:
        rows["check"] = f"{Check(**facts['check'])}, compared with {facts['compared_with']}"
    if "rounding" in facts:
        rows["rounding"] = Rounding(**facts["rounding"])
    if "latency_ms" in facts:
        disturbed = "" if facts["disturbance"] is None else f"; {facts['disturbance']}"
        rows["latency"] = f"{facts['latency_ms']:.2f} ms per image, 1 thread{disturbed}"
    if "accuracy" in facts:
        images = facts["accuracy_images"]
        rows["accuracy"] = f"{facts['accuracy']:.2%} of {images} test images (strict)"
    if facts["runner"] is not None:
        rows["runner"] = facts["runner"]
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:<{width}}  {value}")
