"""The edge report of a saved model, for `bench --formats` and for `examples/edge_report.py`."""

import json
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import keras

from .. import datasets
from ..basics.checks import positive_integer
from ..basics.files import replacing
from ..export import Program, from_model
from ..export.edge_report import RUNTIMES, Report, circumstances, measure, render
from ._arguments import check_output
from ._calibration import calibration_images
from ._own import shown
from ._shared import load_network, training_record

__all__ = ["run"]

_IMAGES = 1000


def run(
    model: str | Path,
    *,
    time_steps: int | None = None,
    formats: Collection[str] = tuple(RUNTIMES),
    calibration: str | None = None,
    images: int = _IMAGES,
    facts: dict[str, str] | None = None,
    output: Path | None = None,
    json_output: Path | None = None,
    files: Path | None = None,
    force: bool = False,
) -> tuple[str, Report]:
    """Measure a saved model in every file format, form and runtime.

    Args:
        model: A `.keras` file of a `ProxyModel`, or a preset, whose pretrained weights are taken.
        time_steps: T; `None` for the model's own.
        formats: Some of `keras_proxy_snn.export.edge_report.RUNTIMES`.
        calibration: Training images: a folder of pictures, a `.npy` file or the name of a data set.
            By default the images that the model was trained on, or the data set with images of
            this shape, if this machine has it; its test set tells the accuracy.
        images: Largest number of test images.
        facts: Further facts for the head of the report.
        output: Markdown file to write, or `None`.
        json_output: File for the numbers, or `None`.
        files: Existing folder that keeps the exported files, or `None` to drop them.
        force: Replace existing files.

    Returns:
        The report as Markdown, and as numbers.

    Raises:
        BadInput: If there is no such model.
        ValueError: If an argument is out of range.
        OSError: If a file exists already, or its folder does not exist.
    """
    images = positive_integer("images", images)
    for path in filter(None, (output, json_output)):
        check_output(path, force)
    network = load_network(model, weights="pretrained")
    program = _program(network)
    if time_steps is not None:
        program = program.with_time_steps(time_steps)
    record = training_record(model) if Path(model).suffix == ".keras" else None
    training, test, _ = calibration_images(program, calibration, record)
    data = None if record is None else record["settings"]["data"]
    if test is not None:
        test = test[0][:images], test[1][:images]
    head = {**circumstances(program, keras.config.backend()), **(facts or {})}
    head["images"] = _words(program, calibration or (data and shown(data)), training, test)
    with tempfile.TemporaryDirectory() as folder:
        report = measure(
            program,
            files or folder,
            calibration=training,
            test=test,
            formats=formats,
            overwrite=force,
        )
    text = render(Path(model).name, head, report)
    numbers = {"head": head, "summary": report.conclusions, "rows": report.rows}
    for target, content in ((output, text), (json_output, json.dumps(numbers, indent=1) + "\n")):
        if target is not None:
            with replacing(target) as draft:
                draft.write_text(content, encoding="utf-8")
    return text, report


def _program(network: Any) -> Program:
    caps = {getattr(layer, "max_value", None) for layer in network.ann.layers}
    return from_model(network, proxy_activation="clip" if 1.0 in caps else "relu")


def _words(program: Program, data: str | None, training: Any, test: Any) -> str:
    if training is None:
        return "images of noise"
    name = data or datasets.name_by_shape(program.input_shape)
    if test is None:
        return f"the first of the training images in {Path(str(name)).name}"
    return f"the first {len(test[0])} of the test set of {name}"
