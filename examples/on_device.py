"""Run an exported spiking network on a device: images in; classes, spike counts, latency out.

    pip install numpy ai-edge-litert      # for .tflite files, or
    pip install numpy onnxruntime         # for .onnx files
    pip install pillow                    # for pictures; .npy arrays need NumPy alone
    python on_device.py net.tflite picture.png folder/ --labels names.txt

This script and the network are all that a device needs. Images are stretched to the network's
size, made grey or coloured as it wants, and their pixels become 0 to 1. A .npy array is one image
`(height, width[, channels])` or many, their number first; of bytes, or of numbers from 0 to 1.

A network of the form "step" or "stateful" runs step by step and stops early: with `--stop certain`
when the leading class can no longer be caught, so that it is that of all T steps; with `margin`
also when it leads by M spikes, which is sooner and may give another class; with `never` at T.

Exit status: 0; 1 if an image could not be read (the others are run); 2 if none was run.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SUFFIXES = {".npy", ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".pgm", ".ppm", ".tif"}
PACKAGES = {"ai_edge_litert": "ai-edge-litert", "PIL": "pillow"}
Arrays = dict[str, np.ndarray]


class Network(NamedTuple):
    """A file opened in its runtime."""

    inputs: dict[str, tuple[tuple[int, ...], Any]]  # name: shape and NumPy type
    outputs: list[str]
    facts: dict[str, Any]  # what the exporter wrote into the file
    infer: Callable[[Arrays], Arrays]


def should_stop(counts: np.ndarray, step: int, time_steps: int, rule: str, margin: int) -> bool:
    """Whether the spike counts after `step` of `time_steps` steps tell the class.

    The class is the first one that has most spikes. A neuron spikes at most once a step, so the
    leader is certain if it wins even when it falls silent and all others spike at every step.
    """
    if rule == "never":
        return step >= time_steps
    leader = counts.argmax()
    worst_case = counts + (time_steps - step)
    worst_case[leader] = counts[leader]
    lead = counts[leader] - np.delete(counts, leader).max(initial=0)
    return bool(worst_case.argmax() == leader or (rule == "margin" and lead >= margin))


def simulate(
    network: Network, image: np.ndarray, time_steps: int, stop: Callable[[np.ndarray, int], bool]
) -> tuple[np.ndarray, int]:
    """Spike counts of an image, and the number of steps they took."""
    if "spike_counts" in network.outputs:
        ticks = {"time_steps": np.asarray(time_steps)} if "time_steps" in network.inputs else {}
        counts = network.infer({"image": image, **ticks})["spike_counts"][0]
        return np.rint(counts).astype(int), time_steps
    names = [name for name in network.inputs if name.startswith("v_")]
    state = {name: np.zeros(*network.inputs[name]) for name in names}
    counts = np.zeros((), int)
    for step in range(1, time_steps + 1):
        if "keep" in network.inputs:  # 0 clears the potentials, which the runtime holds
            shape, dtype = network.inputs["keep"]
            state["keep"] = np.full(shape, step > 1, dtype)
        outputs = network.infer({"image": image, **state})
        state = {name: outputs[f"{name}_out"] for name in names}
        counts = counts + np.rint(outputs["spikes"][0]).astype(int)
        if stop(counts, step):
            break
    return counts, step


def open_network(path: Path, threads: int) -> Network:
    openers = {".tflite": open_litert, ".onnx": open_onnx}
    if path.suffix not in openers:
        raise ValueError(f"{path} is neither a .tflite nor an .onnx file: export the model first")
    content = path.read_bytes()
    try:
        network = openers[path.suffix](content, threads)
    except ImportError:
        raise
    except Exception as error:  # each runtime raises its own
        raise ValueError(f"{path} is not a network that runs here: {error}") from error
    names = {*network.inputs, *network.outputs}
    if "image" not in names or not names & {"spikes", "spike_counts"}:
        raise ValueError(f"{path} is not an exported spiking network; it has {sorted(names)}")
    return network


def open_litert(content: bytes, threads: int) -> Network:
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_litert.schema_py_generated import Model

    if content[4:8] != b"TFL3":
        raise ValueError("its bytes 4 to 8 are not 'TFL3'")
    interpreter = Interpreter(model_content=content, num_threads=threads)
    signature = interpreter.get_signature_runner(next(iter(interpreter.get_signature_list())))
    inputs, outputs = signature.get_input_details(), signature.get_output_details()
    del signature  # while it lives, nothing can run
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
    kinds = {name: (tuple(entry["shape"]), entry["dtype"]) for name, entry in inputs.items()}
    return Network(kinds, list(outputs), facts, infer)


def open_onnx(content: bytes, threads: int) -> Network:
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = InferenceSession(content, options, providers=["CPUExecutionProvider"])
    kinds = {}
    for item in [*session.get_inputs(), *session.get_overridable_initializers()]:
        shape = tuple(n if isinstance(n, int) else 1 for n in item.shape)  # the batch has a name
        dtype = item.type.removeprefix("tensor(").removesuffix(")")
        kinds[item.name] = shape, "float32" if dtype == "float" else dtype
    names = [output.name for output in session.get_outputs()]
    facts = session.get_modelmeta().custom_metadata_map
    return Network(kinds, names, facts, lambda feed: dict(zip(names, session.run(names, feed))))


def choose_time_steps(network: Network, wanted: int | None) -> int:
    own = int(network.facts.get("time_steps", 0))
    if not (own or wanted):
        raise ValueError("the file does not say its number of steps: give --time-steps")
    if own and wanted and own != wanted:
        if "spike_counts" in network.outputs and "time_steps" not in network.inputs:
            raise ValueError(f"this network always runs {own} steps: export the form 'step'")
        if network.facts["number_format"] != "float32" and wanted > own:
            raise ValueError(f"potentials of this integer network may overflow after {own} steps")
    return wanted or own


def read_images(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Names and pixels of the images in a file."""
    if path.suffix.lower() == ".npy":
        with path.open("rb") as file:
            array = np.lib.format.read_array(file)
        many = array.ndim == 4 or (array.ndim == 3 and array.shape[-1] > 4)
        entries = enumerate(array) if many else [("", array)]
        yield from ((f"{path}[{index}]" if many else str(path), image) for index, image in entries)
        return
    from PIL import Image, ImageOps

    with Image.open(path) as picture:
        upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I"):  # 16 bits
        yield str(path), np.asarray(upright).astype("uint16")
    else:
        plain = upright.mode in ("L", "RGB")
        yield str(path), np.asarray(upright if plain else upright.convert("RGBA"))


def prepare(pixels: np.ndarray, network: Network, invert: bool) -> np.ndarray:
    """An image as the network takes it; what is transparent becomes 0."""
    shape, dtype = network.inputs["image"]
    x = pixels[..., None] if pixels.ndim == 2 else pixels
    if x.ndim != 3 or x.size == 0 or x.dtype.kind not in "buif":
        raise ValueError(f"not an image: an array {pixels.shape} of {pixels.dtype}")
    x = x / np.float32(np.iinfo(x.dtype).max) if x.dtype.kind == "u" else x.astype("float32")
    if not ((x >= 0) & (x <= 1)).all():
        raise ValueError("pixels must be bytes, or numbers from 0 to 1")
    opacity = x[..., 3:] if x.shape[-1] == 4 else np.float32(1)
    x = (1 - x if invert else x)[..., :3] * opacity
    if x.shape[-1] == 3 and shape[-1] == 1:
        x = x @ np.array([[0.299], [0.587], [0.114]], "float32")
    if x.shape[-1] not in (1, shape[-1]):
        raise ValueError(f"it has {x.shape[-1]} channels, the network {shape[-1]}")
    rows, columns = resampling(x.shape[0], shape[1]), resampling(x.shape[1], shape[2])
    x = np.einsum("ih,jw,hwc->ijc", rows, columns, x, optimize=True)
    if np.issubdtype(dtype, np.integer):
        x = np.rint(x * np.float32(network.facts["input_scale"]))
    return np.broadcast_to(x, shape).astype(dtype)


def resampling(old: int, new: int) -> np.ndarray:
    """Weights `(new, old)` of linear interpolation that averages what it makes smaller."""
    centres = (np.arange(new)[:, None] + 0.5) * old / new
    distances = np.abs(np.arange(old) + 0.5 - centres) / max(1, old / new)
    weights = np.maximum(0, 1 - distances)
    return (weights / weights.sum(axis=1, keepdims=True)).astype("float32")


def positive(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"it must be at least 1, not {text}")
    return int(text)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    add = parser.add_argument
    add("model", type=Path, help=".tflite or .onnx file")
    add("images", type=Path, nargs="+", help="image files, and folders of them")
    add("--labels", type=Path, metavar="FILE", help="names of the classes, one on each line")
    add("--time-steps", type=positive, metavar="T", help="by default the network's own")
    add("--stop", choices=["certain", "margin", "never"], help="when to stop (default: certain)")
    add("--margin", type=positive, metavar="M", help="of --stop margin (default: 5)")
    add("--invert", action="store_true", help="for dark drawings on a light ground")
    add("--threads", type=positive, default=1)
    add("--repeat", type=positive, default=5, metavar="N", help="time N runs, take the median")
    add("--json", action="store_true", help="print JSON in place of a table")
    arguments = parser.parse_args()
    if arguments.margin and arguments.stop != "margin":
        parser.error("--margin goes with --stop margin")
    return arguments


def classify(network: Network, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Results of all images, one after the other; `error` instead where one cannot be read."""
    time_steps = choose_time_steps(network, arguments.time_steps)
    if arguments.stop in ("certain", "margin") and "spike_counts" in network.outputs:
        raise ValueError("this network runs all its steps in one call: export the form 'step'")
    labels = arguments.labels.read_text().split("\n") if arguments.labels else []
    rule, margin = arguments.stop or "certain", arguments.margin or 5
    stop = partial(should_stop, time_steps=time_steps, rule=rule, margin=margin)
    for path in arguments.images:
        inside = sorted(path.iterdir()) if path.is_dir() else []
        for file in [p for p in inside if p.suffix.lower() in SUFFIXES] or [path]:
            try:
                for name, pixels in read_images(file):
                    image, seconds = prepare(pixels, network, arguments.invert), []
                    for _ in range(arguments.repeat + 1):  # the first is slow
                        start = time.perf_counter()
                        counts, steps = simulate(network, image, time_steps, stop)
                        seconds.append(time.perf_counter() - start)
                    yield {
                        "image": name,
                        "class": int(counts.argmax()),
                        "steps": steps,
                        "milliseconds": round(statistics.median(seconds[1:]) * 1e3, 3),
                        "spike_counts": counts.tolist(),
                    }
            except (EOFError, OSError, ValueError) as error:
                print(f"on_device.py: {file}: {error}", file=sys.stderr)
