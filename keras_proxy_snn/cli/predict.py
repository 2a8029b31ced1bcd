"""`keras-proxy-snn predict`."""

from pathlib import Path
from typing import Any

import click

from ._shared import (
    BadInput,
    example,
    import_backend,
    json_option,
    model_argument,
    print_json,
    print_rows,
    steps_option,
)

__all__ = ["predict"]

_BATCH = 100


@click.command(epilog=example("predict digits.keras three.png --time-steps 10"))
@model_argument
@click.argument("images", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--labels", type=click.Path(path_type=Path), help="Names of classes, one a line.")
@click.option("--invert", is_flag=True, help="For dark drawings on a light ground.")
@steps_option
@json_option
def predict(
    model: Path,
    images: tuple[Path, ...],
    labels: Path | None,
    invert: bool,
    time_steps: int | None,
    as_json: bool,
) -> None:
    """Classify IMAGES with MODEL, a .keras file: the class is the first with the highest score.

    Scores are spike counts; or with readout="potential" counts and the fraction of a spike left.
    Images are files, folders of them, or .npy arrays of one image or many, of bytes or numbers
    from 0 to 1. They are stretched to the network's size and made grey or coloured as it wants.
    """
    import_backend()
    import numpy as np

    from ..saving.model_file import load_model
    from ._accuracy import bar

    network = load_model(model)
    names, x = _read(images, network.ann.input_shape[1:], invert)
    with bar("predicting", _BATCH, len(x)) as callback:
        scores = network.predict(
            np.stack(x), _BATCH, time_steps=time_steps, callbacks=[callback], verbose=0
        )
    title, scores = _titled(network, scores)
    classes = _class_names(model, labels, scores.shape[-1])
    results = [
        {
            "image": name,
            "class": int(row.argmax()),
            "label": classes[row.argmax()],
            "time_steps": time_steps or network.time_steps,
            title: row.tolist(),
        }
        for name, row in zip(names, scores, strict=True)
    ]
    if as_json:
        print_json(results)
    else:
        head = ["image", "class", "label", "T", title.replace("_", " ")]
        for result in results:
            result[title] = [round(score, 3) for score in result[title]]
        print_rows([head, *(list(result.values()) for result in results)])


def _titled(network: Any, scores: Any) -> tuple[str, Any]:
    """What the scores of all classes are called, and these: whole numbers if they are counts."""
    import numpy as np

    if not np.isfinite(scores).all():
        raise BadInput(
            "Scores of the classes must be finite. Received: NaN or infinity; a weight or a "
            "threshold of the model is not finite."
        )
    if network.readout == "counts":
        return "spike_counts", np.rint(scores).astype(int)
    return "scores", scores


def _read(paths: tuple[Path, ...], shape: Any, invert: bool) -> tuple[list[str], list[Any]]:
    """Names and pixels of all images."""
    from ._pictures import find, prepare, read

    names, x = [], []
    for path in find(paths):
        try:
            images = [prepare(image, shape, invert) for image in read(path)]
        except (EOFError, OSError, ValueError) as error:
            raise BadInput(f"image {path}: {error}") from error
        x += images
        names += [str(path) if len(images) == 1 else f"{path}[{i}]" for i in range(len(images))]
    return names, x


def _class_names(model: Path, labels: Path | None, classes: int) -> list[str]:
    """From a file; or of the data set that `train` used; or numbers."""
    from .. import datasets
    from ..saving.model_file import read_record

    record = read_record(model)
    if labels is not None:
        names = labels.read_text().splitlines()
    elif record is not None:
        names = list(datasets.class_names(record["settings"]["dataset"]))
    else:
        names = [str(number) for number in range(classes)]
    if len(names) != classes:
        raise BadInput(f"--labels must name {classes} classes. Received: {labels} of {len(names)}.")
    return names
