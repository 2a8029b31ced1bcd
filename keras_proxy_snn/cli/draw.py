"""`keras-proxy-snn draw`."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from ..basics.files import check_target
from ..presets import PRESETS
from ._shared import (
    BadInput,
    check_backend,
    data_options,
    example,
    import_backend,
    json_option,
    load_network,
    network_argument,
    print_json,
    steps_option,
    training_record,
)

__all__ = ["draw"]

# The names are the functions of `keras_proxy_snn.visualization`; the first four draw one image.
_PICTURES = (
    "spike_raster",
    "spike_gif",
    "feature_maps",
    "potential_traces",
    "firing_rates",
    "rates_against_relu",
    "accuracy_against_time_steps",
    "confusion_matrix",
    "training_curve",
)
_IMAGES = 1000
_OF_ONE_IMAGE = _PICTURES[:4]


@click.command(
    short_help="Draw spikes, potentials, rates and accuracies.",
    epilog=example("draw digits --picture spike_raster --picture spike_gif"),
)
@network_argument
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--picture",
    "pictures",
    type=click.Choice(_PICTURES),
    multiple=True,
    metavar="NAME",
    help=f"One of {', '.join(_PICTURES)}. Repeat the option for several pictures. Default: all "
    "pictures that the model allows.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for the pictures. Default: MODEL_pictures, or PRESET_pretrained_pictures.",
)
@data_options
@click.option(
    "--image",
    type=click.IntRange(0),
    metavar="N",
    help="Number of the test image, from 0. Default: 0. With a picture of it, the command prints "
    "its file, if it has one, and its class.",
)
@click.option(
    "--images",
    type=click.IntRange(1),
    metavar="N",
    help="Compute accuracies on the first N test images. Default: 1000.",
)
@click.option("--invert", is_flag=True, help="Exchange dark and light in FILE, as in `predict`.")
@steps_option
@click.option("--force", is_flag=True, help="Replace existing pictures.")
@json_option
def draw(
    model: str,
    file: Path | None,
    pictures: tuple[str, ...],
    output: Path | None,
    data: str | None,
    dataset: str | None,
    data_dir: str | None,
    image: int | None,
    images: int | None,
    invert: bool,
    time_steps: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Draw MODEL, a .keras file or a preset with pretrained weights, on test images.

    Each picture is a PNG file in a folder; spike_gif is a GIF file. The images are chosen as by
    `evaluate`. With FILE, a picture of yours, the pictures of one image are drawn of it.
    """
    from ._arguments import check_network, check_pictures
    from ._data_arguments import check_data_options

    check_backend()
    check_network(model, "pretrained")
    check_data_options(data, dataset, data_dir)
    if file is not None:
        given = {
            "--data": data,
            "--dataset": dataset,
            "--data-dir": data_dir,
            "--image": image,
            "--images": images,
        }
        check_pictures((file,))
        _check_file(file, pictures, given)
    elif invert:
        raise BadInput("--invert goes with FILE, a picture of yours. Received: no FILE.")
    drawable = _PICTURES if file is None else _OF_ONE_IMAGE
    pretrained = "_pretrained" if model in PRESETS else ""
    folder = output or Path(f"{Path(model).stem}{pretrained}_pictures")
    _files(folder, pictures or drawable, force)
    import_backend()
    from ._data import test_images
    from ._drawing import Artist, of_file, of_test

    network = load_network(model, weights="pretrained")
    record = training_record(model)
    history = [] if record is None else record["history"]
    if not history and "training_curve" in pictures:
        raise BadInput(
            "The picture training_curve needs a model file that `train` wrote. Received: another "
            "file."
        )
    image, test = image or 0, None
    if file is None:
        test = test_images(network, record, data, dataset, data_dir)
        if image >= test.images:
            raise BadInput(f"--image must be below {test.images}, the images. Received: {image}.")
        subject = of_test(test, image, images or _IMAGES)
    else:
        subject = of_file(file, network, invert)
    if time_steps is not None:
        network.time_steps = time_steps
    artist = Artist(network, subject, history)
    chosen = pictures or artist.possible(drawable)
    files = _files(folder, chosen, force)
    folder.mkdir(parents=True, exist_ok=True)
    for path in files.values():
        check_target(path, overwrite=True)
    artist.write(files)
    written = [*map(str, files.values())]
    told, label = (str(file), None) if test is None else test.told(image)
    if as_json:
        drawn = {"number": None if test is None else image, "file": told, "class": label}
        name = None if test is None else test.name
        print_json({"model": model, "dataset": name, "files": written, "image": drawn})
        return
    click.echo(f"Written to {folder}/: {', '.join(path.name for path in files.values())}.")
    if test is not None and {*_OF_ONE_IMAGE} & {*chosen}:
        named = "" if told is None else f", {told}"
        click.echo(f"Image {image} of {test.name}{named}: class {label}.")


def _check_file(file: Path, pictures: tuple[str, ...], options: Mapping[str, object]) -> None:
    """Raise `BadInput` unless pictures and options go with a picture of the user."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise BadInput(
            f"{', '.join(given)} chooses test images, and FILE takes their place. Received: {file}."
        )
    if others := [name for name in pictures if name not in _OF_ONE_IMAGE]:
        raise BadInput(
            f"Of one picture, these can be drawn: {', '.join(_OF_ONE_IMAGE)}. "
            f"Received: {', '.join(others)} with {file}."
        )


def _files(folder: Path, pictures: Iterable[str], force: bool) -> dict[str, Path]:
    """Files of pictures by name; none may exist, unless with `force`."""
    files = {
        name: folder / f"{name}.{'gif' if name == 'spike_gif' else 'png'}" for name in pictures
    }
    there = [str(path) for path in files.values() if path.exists()]
    if there and not force:
        verb, them = ("exist", "them") if there[1:] else ("exists", "it")
        raise BadInput(
            f"{', '.join(there)} {verb} already; --force replaces {them}, and --output names "
            "another folder."
        )
    return files
