"""Run an exported spiking network on a device: print classes, scores and latency of images.

    keras-proxy-snn export net.keras --format litert --with-runner   # puts this script beside it
    pip install numpy ai-edge-litert      # for .tflite files; onnxruntime for .onnx files
    python on_device.py net.tflite picture.png folder/

A device needs only this script, the network file and the runtime above; for pictures also Pillow.
Images may also be .npy arrays: one image `(height, width[, channels])`, or many images, their
number first. Their pixels are bytes, or numbers from 0 to 1; a network that was trained with images
from 0 to 255 takes such numbers too. The script resizes images to the network's size, converts them
to grey or colour as the network needs, and scales them to its pixel range. It searches folders and
all their subfolders, and skips files there that it cannot read.

A network of the form "step" or "stateful" runs step by step and may stop before step T:

    --stop certain   stops when no other class can overtake the leading class. The class is the
                     same as after all T steps.
    --stop margin    stops when the leading class leads by the M spikes of `--margin M`, with the
                     fractions towards the next spike. It may give another class. It stops earlier
                     where T is large and the output neurons fire often. Where they have only a few
                     spikes, a lead of 4 comes late or never: then take a smaller M, or `certain`.
    --stop never     runs all T steps.

The default is `certain`. A network of another form runs all T steps in one call.

The class is the first one with the highest score. Scores are spike counts. With `margin`, or if the
network was exported with `readout="potential"`, a score is the count plus the fraction of a spike
that remains in the potential; the output shows it as `scores` beside the counts. A file of the form
"stateful" keeps its potentials to itself, if its readout is by counts: `margin` then compares
counts alone, and there are no `scores`.

Classes that share the highest score stand in the line as `cat = dog`, and as `tied_labels` in JSON;
the first of them is the class. `no spike` stands for an image whose scores are all 0. It is no
answer: JSON has the first class there, because it has a class for each image.

With a readout by potential `certain` runs all T steps, because one step can add any number to a
potential. If `--stop certain` is given where all T steps run, a warning says so.

A file that a tool has changed since its export is run too, after a warning: its counts may differ.
Exit status: 0, or 2 with an error message.
"""

import hashlib
import json
import os
import sys
import time
import warnings
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

PICTURES = ".png .jpg .jpeg .jpe .jfif .bmp .gif .webp .pgm .ppm .pnm .tif .tiff"
# Bits per grey pixel, by Pillow's name of the format.
BITS = {"1": 1, "L;2": 2, "L;4": 4, "L": 8, "I;16B": 16, "I;16": 16}
ROUNDING = 1e-6  # part of white by which scaled pixels may exceed their range
MOST_PIXELS = 50_000_000  # which Pillow turns and converts in less than 1 GiB
NIR_PAGE = "https://keras-proxy-snn.github.io/keras-proxy-snn/how-to/which-file/"
ONNX_TYPES = {"tensor(float)": "float32", "tensor(int32)": "int32", "tensor(int64)": "int64"}
LINE = "{image:<{width}} class {label:<12} steps {steps:>3}/{time_steps:<3} ms {ms:<8}"
MARGIN = 4.0
Arrays = dict[str, np.ndarray]


class Network(NamedTuple):
    """A file opened in its runtime."""

    inputs: dict[str, tuple[tuple[int, ...], str]]  # name: shape and name of the NumPy type
    outputs: list[str]
    facts: dict[str, Any]  # what the exporter wrote into the file
    infer: Callable[[Arrays], Arrays]


class Result(NamedTuple):
    """What running an image gave."""

    steps: int
    spike_counts: np.ndarray
    scores: np.ndarray  # the highest one tells the class: counts, perhaps with fractions


def should_stop(scores: np.ndarray, step: int, time_steps: int, stop: str, margin: float) -> bool:
    """Whether the scores after `step` of `time_steps` steps decide the class.

    The class is the first one with the highest score. With `certain`, scores are spike counts. A
    neuron spikes at most once per step. So the leader is certain if it wins even when it stays
    silent and all other neurons spike at every remaining step. With `margin`, scores are from
    `activity`.
    """
    leader = scores.argmax()
    if stop == "certain":
        worst_case = scores + (time_steps - step)
        worst_case[leader] = scores[leader]
        return bool(worst_case.argmax() == leader)
    others = np.delete(scores.astype("float64"), leader)
    lead = scores[leader] - others.max(initial=-np.inf)
    return step >= time_steps or bool(stop == "margin" and lead >= margin)


def activity(
    counts: np.ndarray, potential: np.ndarray, v_threshold: Any, v_0: Any = 0.0
) -> np.ndarray:
    """Spikes of each readout neuron, plus the fraction of a spike that its potential holds.

    The potential in the file starts at 0, which stands for `v_0`.
    """
    score: np.ndarray = counts + (potential + np.asarray(v_0)) / np.asarray(v_threshold)
    return score


def tied(scores: np.ndarray) -> list[int]:
    """The classes that share the highest score; none if one has it alone, or all scores are 0."""
    highest: list[int] = np.flatnonzero(scores == scores.max()).tolist()
    return highest if len(highest) > 1 and scores.any() else []


def by_layer(network: Network, fact: str) -> dict[str, Any]:
    """A fact of the network, by name of the layer of neurons."""
    layers: dict[str, Any] = parsed(network, fact, {})
    return layers


def parsed(network: Network, fact: str, default: Any) -> Any:
    """A fact that is a number, a list or a mapping; ONNX files hold it as JSON text."""
    found = network.facts.get(fact, default)
    return json.loads(found) if isinstance(found, str) else found


def score(network: Network, counts: np.ndarray, outputs: Arrays, stop: str) -> np.ndarray:
    """Scores of the classes: spike counts, or `activity`.

    `activity` needs an output of potentials. It is used with `margin` and for networks with
    `readout="potential"`.
    """
    thresholds = by_layer(network, "v_threshold")
    readout = next(reversed(thresholds), "")
    potential = outputs.get(f"v_{readout}_out")
    if potential is None or (stop != "margin" and not by_potential(network)):
        return counts
    v_0 = by_layer(network, "v_0").get(readout, 0.0)
    return activity(counts, potential[0], thresholds[readout], v_0)


def takes_steps(network: Network) -> bool:
    """Whether the file has the number of steps as an input and runs all steps in one call."""
    return "time_steps" in network.inputs


def by_potential(network: Network) -> bool:
    """Whether potentials of the readout count beside its spikes."""
    return network.facts.get("readout") == "potential"


def simulate(
    network: Network, image: np.ndarray, time_steps: int, stop: str, margin: float
) -> Result:
    """Run one image until the stop rule ends it."""
    if "spike_counts" in network.outputs:
        steps = {"time_steps": np.asarray(time_steps)} if takes_steps(network) else {}
        outputs = network.infer({"image": image, **steps})
        counts = np.rint(outputs["spike_counts"][0]).astype(int)
        return Result(time_steps, counts, score(network, counts, outputs, stop))
    stop = "never" if stop == "certain" and cannot_stop(network) else stop
    names = [name for name in network.inputs if name.startswith("v_")]
    state = {name: np.zeros(*network.inputs[name]) for name in names}
    counts = np.zeros((), int)
    for step in range(1, time_steps + 1):
        if "keep" in network.inputs:  # the runtime holds the potentials; 0 clears them
            state["keep"] = np.array([step > 1], network.inputs["keep"][1])
        outputs = network.infer({"image": image, **state})
        state = {name: outputs[f"{name}_out"] for name in names}
        counts = counts + np.rint(outputs["spikes"][0]).astype(int)
        scores = score(network, counts, outputs, stop)
        if should_stop(scores, step, time_steps, stop, margin):
            break
    return Result(step, counts, scores)


def check_regular(path: Path) -> None:
    """Raise an error for a pipe or a device, because reading them may never end."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a regular file")


def open_network(path: Path, threads: int) -> Network:
    """Open a file in the runtime of its format; warn if a tool has changed it."""
    openers = {".tflite": open_litert, ".onnx": open_onnx}
    check_regular(path)
    if path.suffix.lower() == ".nir":
        raise ValueError(f"{path} is a NIR file, which other libraries run: see {NIR_PAGE}")
    if path.suffix.lower() not in openers:
        raise ValueError(f"{path} is neither a .tflite nor an .onnx file: export the model to one")
    content = path.read_bytes()
    try:
        network = openers[path.suffix.lower()](content, threads)
    except ImportError:
        raise
    except Exception as error:  # each runtime raises its own kinds of errors
        raise ValueError(f"{path} is not a network that runs here: {error}") from error
    if "image" not in network.inputs or not {"spikes", "spike_counts"} & {*network.outputs}:
        raise ValueError(f"{path} is not an exported spiking network")
    if is_changed(content, network.facts.get("seal", "")):
        print(
            f"warning: {path} was changed after its export, by a quantiser or another tool: its "
            "spike counts may differ from those that were checked",
            file=sys.stderr,
        )
    return network


def is_changed(content: bytes, seal: str) -> bool:
    """Whether the hash in a file's seal is not the file's; false for a file without a seal."""
    blank = seal[:-64] + "0" * 64
    plain = content.replace(seal.encode(), blank.encode()) if seal else content
    return bool(seal) and hashlib.sha256(plain).hexdigest() != seal[-64:]


@contextmanager
def without_standard_error() -> Iterator[None]:
    """Drop what a library in C writes to standard error; errors are raised as always."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def open_litert(content: bytes, threads: int) -> Network:
    """Open the content of a .tflite file."""
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_litert.schema_py_generated import Model

    interpreter = Interpreter(model_content=content, num_threads=threads)
    signature = interpreter.get_signature_runner()
    inputs, outputs = signature.get_input_details(), signature.get_output_details()
    del signature  # nothing can run while this object exists
    with without_standard_error():  # LiteRT tells of its delegate
        interpreter.allocate_tensors()

    def infer(feed: Arrays) -> Arrays:
        for name, array in feed.items():
            interpreter.set_tensor(inputs[name]["index"], array)
        interpreter.invoke()
        return {name: interpreter.get_tensor(entry["index"]) for name, entry in outputs.items()}

    facts, model = {}, Model.GetRootAs(content)
    for entry in map(model.Metadata, range(model.MetadataLength())):
        if entry.Name() == b"keras_proxy_snn":
            facts = json.loads(model.Buffers(entry.Buffer()).DataAsNumpy().tobytes())
    kinds = {
        name: (tuple(map(int, entry["shape"])), np.dtype(entry["dtype"]).name)
        for name, entry in inputs.items()
    }
    return Network(kinds, list(outputs), facts, infer)


def open_onnx(content: bytes, threads: int) -> Network:
    """Open the content of an .onnx file."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = InferenceSession(content, options, providers=["CPUExecutionProvider"])
    kinds = {}
    for item in session.get_inputs():
        shape = tuple(n if isinstance(n, int) else 1 for n in item.shape)  # a name: the batch
        kinds[item.name] = shape, ONNX_TYPES.get(item.type, "float32")
    names = [output.name for output in session.get_outputs()]

    def infer(feed: Arrays) -> Arrays:
        return dict(zip(names, session.run(names, feed), strict=True))

    return Network(kinds, names, session.get_modelmeta().custom_metadata_map, infer)


def choose_time_steps(network: Network, wanted: int | None, stop: str) -> int:
    """The number of steps to run: the wanted one or the network's own."""
    own = int(network.facts.get("time_steps", 0))
    steps = wanted or own
    if not steps:
        raise ValueError("the network does not say its number of steps: give --time-steps")
    whole = "spike_counts" in network.outputs
    if whole and (stop == "margin" or (steps != (own or steps) and not takes_steps(network))):
        raise ValueError("this network runs all steps in one call: export the form 'step'")
    if steps > own > 0 and network.facts["number_format"] != "float32":
        raise ValueError(
            f"potentials of this integer network may overflow after {own} steps: export it anew "
            f"with --time-steps {steps}"
        )
    return steps


def cannot_stop(network: Network) -> str:
    """Why a network runs all T steps with `certain`; empty if it may stop earlier."""
    if "spike_counts" in network.outputs:
        return "this network runs all steps in one call: export the form 'step' to stop early"
    if by_potential(network):
        return "potentials count, and one step can add any number to them"
    return ""


def read_images(path: Path) -> list[np.ndarray]:
    """All images of a file, as arrays of grey, or of red, green, blue and opacity."""
    check_regular(path)
    if path.suffix.lower() == ".nir":
        raise ValueError(f"{path} is a NIR file, which other libraries run: see {NIR_PAGE}")
    if path.suffix.lower() == ".npy":
        array = read_array(path)
        many = array.ndim == 4 or (array.ndim == 3 and array.shape[-1] > 4)
        return list(array) if many else [array]
    from PIL import Image, ImageOps, ImageSequence

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about tags that do not matter
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path) as picture:
            tile: Any = picture.tile[0][3] if picture.tile else ""
            # The other pictures in a camera's JPEG file are previews.
            frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
            if (pixels := frames * picture.width * picture.height) > MOST_PIXELS:
                raise ValueError(f"it has {pixels:,} pixels; at most {MOST_PIXELS:,} are read")
            pages = ImageSequence.Iterator(picture) if frames > 1 else [picture]
            return [
                to_array(ImageOps.exif_transpose(page), picture.format, str(tile)) for page in pages
            ]


def to_array(picture: Any, format: str | None, tile: str) -> np.ndarray:
    """Pixels of a picture from Pillow; `tile` is Pillow's name of the pixel format in the file."""
    level = picture.info.get("transparency")
    if picture.mode == "F":
        return np.asarray(picture)
    if picture.mode.startswith("I"):
        if not picture.mode.startswith("I;16") and format not in ("PNG", "PPM"):
            raise ValueError(
                "its pixels are integers of 32 bits, whose value of white is not known"
            )
        grey = np.asarray(picture).astype("uint16")
    elif picture.mode == "RGB" and level is not None and "16" in tile:
        raise ValueError("it has colours of 16 bits, one of them transparent, but is read in 8")
    elif picture.mode in ("L", "1"):
        grey = np.asarray(picture.convert("L"))
    else:
        return np.asarray(picture.convert("RGBA"))
    if not isinstance(level, int):
        return grey
    white = np.iinfo(grey.dtype).max
    bits = BITS.get(tile, 8 * grey.itemsize)
    opacity = np.where(grey == level * (white // (2**bits - 1)), 0, white).astype(grey.dtype)
    return np.stack([grey, grey, grey, opacity], axis=-1)


def read_array(path: Path) -> np.ndarray:
    """Check that the declared size of a .npy array fits the file, and read the array."""
    head = np.lib.format
    with path.open("rb") as file:
        version = head.read_magic(file)
        reads = head.read_array_header_1_0 if version == (1, 0) else head.read_array_header_2_0
        shape, _, dtype = reads(file)
        size, left = dtype.itemsize, path.stat().st_size - file.tell()
        for length in shape:
            size *= length
        if min(shape, default=0) < 0 or size > left:
            raise ValueError(f"an array {shape} of {dtype} needs {size} bytes, the file has {left}")
        file.seek(0)
        array: np.ndarray = head.read_array(file, allow_pickle=False)
    return array


def find_images(paths: list[Path]) -> Iterator[tuple[Path, bool]]:
    """Named files, and image files in named folders; each with whether it is from a folder."""
    suffixes = {".npy", *PICTURES.split()}
    for path in paths:
        if not path.is_dir():
            yield path, False
            continue
        inside = sorted(
            Path(folder, name)
            for folder, _, names in os.walk(path)
            for name in names
            if Path(name).suffix.lower() in suffixes and not name.startswith(".")
        )
        if not inside:
            raise ValueError(f"{path}: no image is in this folder: {PICTURES} .npy")
        yield from ((file, True) for file in inside)


def is_scaled(pixels: np.ndarray) -> bool:
    """Whether white is known: the largest value of unsigned integers of 8 or 16 bits."""
    return pixels.dtype.kind == "u" and pixels.dtype.itemsize <= 2


def white_of(images: list[np.ndarray], network: Network) -> float:
    """Value of white in the images of a file: 1, or white of a network for pixels from 0 to 255.

    No picture has all its pixels below 1 of 255. So if a pixel of the file exceeds 1, the pixels
    are those of the network's own range. A range that begins below 0, or ends at a small number,
    has pictures with all pixels from 0 to 1, which could mean both.
    """
    black, white = parsed(network, "input_range", (0, 1))
    plain = [image for image in images if image.dtype.kind in "iuf" and not is_scaled(image)]
    brightest = max((float(image.max(initial=0)) for image in plain), default=0)
    return float(white) if takes_own(black, white) and brightest > 1 + ROUNDING else 1.0


def takes_own(black: float, white: float) -> bool:
    """Whether pixels may be numbers of the network's own range, see `white_of`."""
    return black == 0 and white >= 255


def also(black: float, white: float) -> str:
    """What a message says of the network's own range beside numbers from 0 to 1."""
    if takes_own(black, white):
        return f", or from 0 to {white:g}"
    return "" if (black, white) == (0, 1) else f", which become {black:g} to {white:g}"


def prepare(pixels: np.ndarray, network: Network, invert: bool, top: float = 1.0) -> np.ndarray:
    """Convert an image to the network's input; transparent pixels become black.

    `top` is white in pixels that are no bytes, see `white_of`.
    """
    shape, dtype = network.inputs["image"]
    x = pixels[..., None] if pixels.ndim == 2 else pixels
    if x.ndim != 3 or x.size == 0 or x.dtype.kind not in "buif":
        raise ValueError(f"not an image: an array {pixels.shape} of {pixels.dtype}")
    black, white = map(np.float32, parsed(network, "input_range", (0, 1)))
    whole = is_scaled(x)
    x = x / np.float32(np.iinfo(x.dtype).max) if whole else x.astype("float32")
    top = 1.0 if whole else top
    beyond = ROUNDING * top
    if not ((x >= -beyond) & (x <= top + beyond)).all():
        raise ValueError(
            f"pixels must be bytes, or numbers from 0 to 1{also(float(black), float(white))}. "
            f"Received: {pixels.dtype} from {pixels.min():.9g} to {pixels.max():.9g}"
        )
    colour, opacity = (x[..., :3], x[..., 3:] / top) if x.shape[-1] == 4 != shape[-1] else (x, 1)
    x = (top - colour if invert else colour) * opacity
    if x.shape[-1] == 3 and shape[-1] == 1:
        x = x @ np.array([[0.299], [0.587], [0.114]], "float32")
    if x.shape[-1] not in (1, shape[-1]):
        raise ValueError(f"it has {x.shape[-1]} channels, the network {shape[-1]}")
    x = np.einsum("ih,jw,hwc->ijc", *map(resampling, x.shape, shape[1:3]), x, optimize=True)
    x = np.clip(x, np.float32(0), np.float32(top))  # sums of weights can exceed 1 by rounding
    x = x * (white - black) + black if top == 1 else x
    if dtype.startswith("int"):
        x = np.rint(x * np.float32(network.facts["input_scale"]))
    return np.broadcast_to(x, shape).astype(dtype)


def resampling(old: int, new: int) -> np.ndarray:
    """Weights `(new, old)` of linear interpolation; to reduce a size, pixels are averaged."""
    centres = (np.arange(new)[:, None] + 0.5) * old / new
    weights = np.maximum(0, 1 - np.abs(np.arange(old) + 0.5 - centres) / max(1, old / new))
    return (weights / weights.sum(axis=1, keepdims=True)).astype("float32")


def read_labels(path: Path) -> list[str]:
    """Names of the classes, one per line of a file."""
    check_regular(path)
    return path.read_text(encoding="utf-8-sig").splitlines()


def run(options: Namespace) -> Iterator[dict[str, Any]]:
    """Results for each image; the latency is the median of five runs."""
    network = open_network(options.model, options.threads)
    labels = parsed(network, "class_names", None)
    if options.labels:
        labels = read_labels(options.labels)
    stop = options.stop or "certain"
    time_steps = choose_time_steps(network, options.time_steps, stop)
    if options.stop == "certain" and (why := cannot_stop(network)):
        print(f"warning: --stop certain has no effect: {why}", file=sys.stderr)
    for file, in_folder in find_images(options.images):
        try:
            found = read_images(file)
            top = white_of(found, network)
            images = [prepare(image, network, options.invert, top) for image in found]
        except ImportError:
            raise
        except Exception as error:  # a damaged file can make its reader raise any error
            message = f"image {file}: {cause(error)}"
            if not in_folder:
                raise ValueError(message) from error
            print(f"left out: {message}", file=sys.stderr)
            continue
        for index, image in enumerate(images):
            clock = [time.perf_counter()]
            for _ in range(5):
                result = simulate(network, image, time_steps, stop, options.margin)
                clock.append(time.perf_counter())
            counts, winner = result.spike_counts, int(result.scores.argmax())
            if labels and len(labels) != len(counts):
                where = options.labels or options.model
                raise ValueError(f"{where} has {len(labels)} names, not {len(counts)}")
            names = labels or [str(number) for number in range(len(counts))]
            row = {
                "image": str(file) if len(images) == 1 else f"{file}[{index}]",
                "class": winner,
                "label": names[winner],
                "tied_labels": [names[number] for number in tied(result.scores)],
                "silent": not bool(result.scores.any()),
                "steps": result.steps,
                "time_steps": time_steps,
                "ms": round(1e3 * float(np.median(np.diff(clock))), 3),
                "spike_counts": counts.tolist(),
            }
            yield row if result.scores is counts else {**row, "scores": result.scores.tolist()}


def cause(error: Exception) -> str:
    """What an error says, in one line; of an `OSError` without its number and file."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(said.split())


def as_text(row: dict[str, Any], width: int) -> str:
    """A row of `run` as a line for people; its first column has this width."""
    scores = f" scores {[round(score, 3) for score in row['scores']]}" if "scores" in row else ""
    answer = " = ".join(row["tied_labels"]) or row["label"]
    if row["silent"]:
        answer = "no spike"
    line = LINE.format(**{**row, "label": answer}, width=width)
    return f"{line} spikes {row['spike_counts']}{scores}"


def main(arguments: list[str] | None = None) -> None:
    """Run the script; exit with status 2 after an error."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("model", type=Path, help=".tflite or .onnx file")
    add("images", type=Path, nargs="+", help="image files, and folders with images")
    own = "names of the classes, one per line; default: the names in the network's file"
    add("--labels", type=Path, metavar="FILE", help=own)
    add("--time-steps", type=int, metavar="T", help="default: the network's T")
    add("--stop", choices=["certain", "margin", "never"], help="default: certain")
    add("--margin", type=float, metavar="M", help=f"for --stop margin; default: {MARGIN:g}")
    add("--invert", action="store_true", help="for dark drawings on a light ground")
    add("--threads", type=int, default=1)
    add("--json", action="store_true", help="print one JSON object per image, one per line")
    options = parser.parse_args(arguments)
    if any(n is not None and n < 1 for n in (options.time_steps, options.threads)):
        parser.error("--time-steps and --threads must be at least 1")
    if options.margin is not None and options.stop != "margin":
        parser.error("--margin has an effect only with --stop margin")
    options.margin = MARGIN if options.margin is None else options.margin
    if not options.margin > 0:
        parser.error("--margin must be above 0")
    try:
        width = max(len(str(file)) for file, _ in find_images(options.images))
        for row in run(options):
            print(json.dumps(row) if options.json else as_text(row, width), flush=True)
    except BrokenPipeError:  # who reads the lines, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except ImportError as error:
        name = (error.name or "").split(".")[0]
        package = {"ai_edge_litert": "ai-edge-litert", "PIL": "pillow"}.get(name, name)
        parser.exit(2, f"on_device.py: {error}: pip install {package}\n")
    except OSError as error:
        parser.exit(2, f"on_device.py: {error.filename or options.model}: {cause(error)}\n")
    except ValueError as error:
        parser.exit(2, f"on_device.py: {cause(error)}\n")
    except Exception as error:  # facts or layers that no export wrote can raise any error
        text = " ".join(f"{type(error).__name__}: {error}".split())
        parser.exit(2, f"on_device.py: {options.model} does not run as exported files do: {text}\n")


if __name__ == "__main__":
    main()
