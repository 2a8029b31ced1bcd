"""`keras-proxy-snn draw`."""

from collections.abc import Iterable
from pathlib import Path

import click

from ..basics.files import check_target
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

# The names are the functions of `keras_proxy_snn.visualization`.
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
_OF_ONE_IMAGE = {"spike_raster", "feature_maps", "potential_traces", "spike_gif"}


@click.command(
    short_help="Draw spikes, potentials, rates and accuracies.",
    epilog=example("draw digits --picture spike_raster --picture spike_gif"),
)
@network_argument
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
    help="Folder for the pictures. Default: MODEL_pictures.",
)
@data_options
@click.option(
    "--image",
    type=click.IntRange(0),
    metavar="N",
    default=0,
    help="Number of the test image, from 0. With a picture of it, the command prints its file, if "
    "it has one, and its class.",
)
@click.option(
    "--images",
    type=click.IntRange(1),
    metavar="N",
    default=1000,
    help="Compute accuracies on the first N test images.",
)
@steps_option
@click.option("--force", is_flag=True, help="Replace existing pictures.")
@json_option
def draw(
    model: str,
    pictures: tuple[str, ...],
    output: Path | None,
    data: str | None,
    dataset: str | None,
    data_dir: str | None,
    image: int,
    images: int,
    time_steps: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Draw MODEL, a .keras file or a preset with pretrained weights, on test images.

    Each picture is a PNG file in a folder; spike_gif is a GIF file. The images are chosen as by
    `evaluate`.
    """
    from ._arguments import check_network
    from ._data_arguments import check_data_options

    check_backend()
    check_network(model, "pretrained")
    check_data_options(data, dataset, data_dir)
    folder = output or Path(f"{Path(model).stem}_pictures")
    _files(folder, pictures or _PICTURES, force)
    import_backend()
    from ._data import test_images
    from ._drawing import Artist

    network = load_network(model, weights="pretrained")
    record = training_record(model)
    test = test_images(network, record, data, dataset, data_dir)
    if image >= test.images:
        raise BadInput(f"--image must be below {test.images}, the images. Received: {image}.")
    if time_steps is not None:
        network.time_steps = time_steps
    artist = Artist(network, test, image, images, None if record is None else record["history"])
    chosen = pictures or artist.possible(_PICTURES)
    files = _files(folder, chosen, force)
    folder.mkdir(parents=True, exist_ok=True)
    for path in files.values():
        check_target(path, overwrite=True)
    artist.write(files)
    file, label = test.told(image)
    if as_json:
        result = {"model": model, "dataset": test.name, "files": [*map(str, files.values())]}
        print_json({**result, "image": {"number": image, "file": file, "class": label}})
    else:
        click.echo(f"Written to {folder}/: {', '.join(path.name for path in files.values())}.")
        if not _OF_ONE_IMAGE & set(chosen):
            return
        named = "" if file is None else f", {file}"
        click.echo(f"Image {image} of {test.name}{named}: class {label}.")


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
