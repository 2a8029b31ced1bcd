"""`keras-proxy-snn predict`."""

from pathlib import Path
from typing import Any

import click

from ._shared import (
    BadInput,
    check_backend,
    example,
    import_backend,
    json_option,
    load_network,
    names_in,
    network_argument,
    print_json,
    print_rows,
    steps_option,
    training_record,
)

__all__ = ["predict"]

_BATCH = 100


@click.command(
    short_help="Classify pictures.",
    epilog=example("predict digits.keras three.png --time-steps 10"),
)
@network_argument
@click.argument("images", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help="Text file with the names of the classes, one per line. Default: the names that the "
    "model keeps, or numbers.",
)
@click.option(
    "--invert",
    is_flag=True,
    help="Exchange dark and light, for dark drawings on a light background.",
)
@steps_option
@json_option
def predict(
    model: str,
    images: tuple[Path, ...],
    labels: Path | None,
    invert: bool,
    time_steps: int | None,
    as_json: bool,
) -> None:
    """Classify IMAGES with MODEL, a .keras file or a preset with pretrained weights.

    The answer is the class with the highest score, or the first of the classes that share it. In
    the table the label names them all, or is "no spike" if the output neurons do not fire.
    Scores are spike counts. With readout="potential", the remaining potential over the threshold is
    added. IMAGES are picture files, folders (searched with their subfolders), or .npy arrays of one
    image or many. Arrays have bytes or numbers from 0 to 1; a network whose input range goes from 0
    to 255 takes such numbers too. Images are resized to the network's input (stretched, not cut),
    converted to grey or colour, and scaled to its input range. Files in a folder that cannot be
    read are reported and left out.
    """
    from ._arguments import check_network, check_pictures

    check_backend()
    check_network(model, "pretrained")
    check_pictures(images)
    given = None if labels is None else names_in(labels)
    import_backend()
    from ..basics.arrays import highest_scores
    from ._accuracy import bar
    from ._classes import SILENT
    from ._pictures import new_pictures

    network = load_network(model, weights="pretrained")
    x, names = new_pictures(images, network, invert)
    with bar("predicting", _BATCH, len(x)) as callback:
        scores = network.predict(x, _BATCH, time_steps=time_steps, callbacks=[callback], verbose=0)
    title, scores = _titled(network, scores)
    if silent := int((scores == 0).all(axis=1).sum()):
        click.echo(
            f"no spikes of the readout for {silent} of {len(scores)} images: their class is the "
            "first class, which is not an answer",
            err=True,
        )
    classes = _class_names(model, network, given, labels)
    highest = highest_scores(scores)
    tied = highest.sum(axis=1) > 1
    if tied.any():
        click.echo(
            f"several classes have the highest score for {tied.sum()} of {len(scores)} images: "
            "their class is the first of them",
            err=True,
        )
    results = [
        {
            "image": name,
            "class": int(row.argmax()),
            "label": classes[row.argmax()],
            "tied_labels": [classes[i] for i in best.nonzero()[0]] if tie else [],
            "silent": not bool(row.any()),
            "time_steps": time_steps or network.time_steps,
            title: row.tolist(),
        }
        for name, row, best, tie in zip(names, scores, highest, tied, strict=True)
    ]
    if as_json:
        print_json(results)
    else:
        head = ["image", "class", "label", "T", title.replace("_", " ")]
        for result in results:
            answer = " = ".join(result.pop("tied_labels")) or result["label"]
            result["label"] = SILENT if result.pop("silent") else answer
            result[title] = [round(score, 3) for score in result[title]]
        print_rows([head, *(list(result.values()) for result in results)])


def _titled(network: Any, scores: Any) -> tuple[str, Any]:
    """Title of the scores, and the scores themselves; counts become whole numbers."""
    import numpy as np

    if not np.isfinite(scores).all():
        raise BadInput(
            "Scores of the classes must be finite. Received: NaN or infinity; a weight or a "
            "threshold of the model is not finite."
        )
    if network.readout == "counts":
        return "spike_counts", np.rint(scores).astype(int)
    return "scores", scores


def _class_names(
    model: str, network: Any, given: list[str] | None, labels: Path | None
) -> list[str]:
    """Names of the classes: from a file, the model, or the data set of `train`; else numbers."""
    from .. import datasets

    classes = network.classes
    if given is not None:
        if len(given) != classes:
            raise BadInput(
                f"--labels must name {classes} classes. Received: {labels} of {len(given)}."
            )
        return given
    if network.class_names is not None:
        return list(network.class_names)
    record = training_record(model)
    known = [] if record is None else datasets.class_names(record["settings"]["dataset"])
    return list(known) if len(known) == classes else [str(number) for number in range(classes)]
