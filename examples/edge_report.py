"""Edge report: one trained network in every file format, form and runtime, side by side.

    python examples/edge_report.py digits.keras --output report.md

The script takes some minutes. It uses the data set whose images fit the network, see
`keras_proxy_snn.datasets`. Exit status: 0 for success; 1 if spike counts differ that must be equal;
2 for bad input.
"""

import argparse
import itertools
import json
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
from edge_table import NPUS, TIMES, accuracy, head, render, summary

import keras_proxy_snn as kps
from keras_proxy_snn.export import FORMATS, from_model, litert, vela
from keras_proxy_snn.export.check import check
from keras_proxy_snn.export.exporter import writer
from keras_proxy_snn.export.interpreter import prepare_images
from keras_proxy_snn.export.interpreter import run as interpret
from keras_proxy_snn.export.program import with_shortcuts
from keras_proxy_snn.export.quantise import quantise

NUMBERS = {"litert": ["float32", "float16", "int8"], "onnx": ["float32", "int8"]}
NUMBERS |= {"nir": ["float32"], "twin": ["float32", "int8"]}
RUNTIMES = {
    "litert": {"LiteRT": {}},
    "onnx": {"ONNX Runtime": {"runtime": "onnxruntime"}, "OpenVINO": {"runtime": "openvino"}},
    "nir": {"NumPy": {}},
    "twin": {"LiteRT": {}},
}


def proxy_activation(model):
    caps = {getattr(layer, "max_value", None) for layer in model.ann.layers}
    return "clip" if 1.0 in caps else "relu"


def load(path, time_steps):
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        model = keras.models.load_model(path, compile=False)
        program = from_model(model, proxy_activation=proxy_activation(model))
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(f"{path} is not a saved ProxyModel ({error}).") from error
    return program if time_steps is None else program.with_time_steps(time_steps)


def in_half(layer):
    """Round the kernels of a layer of neurons to float16."""

    def rounded(part):
        return replace(part, kernel=part.kernel.astype("float16").astype("float32"))

    return with_shortcuts(rounded(layer), map(rounded, layer.shortcuts))


def number_formats(program, calibration):
    """The program in three number formats: float32, kernels rounded to float16, and integers."""
    half = tuple(in_half(layer) if layer in program.neurons else layer for layer in program.layers)
    programs = {"float32": program, "float16": replace(program, layers=half)}
    try:
        return programs | {"int8": quantise(program, calibration)}
    except ValueError as error:
        return programs | {"int8": error}


def expected_scores(program, images):
    """Scores of the interpreter with sums in float32."""
    # Integers below 2^24 are exact in float32. `run_file` compares unequal counts again, in
    # integers.
    if program.is_integer:
        images = prepare_images(program, images)
        program = replace(program, number_format="float32", input_scale=1.0)
    traces = (interpret(program, images[at : at + 100]) for at in range(0, len(images), 100))
    return np.concatenate([program.scores(t.spike_counts, t.potentials[-1]) for t in traces])


def write_file(programs, calibration, format, form, number, path):
    """Write a file; return facts about it, or the reason why it cannot be written."""
    facts = {"format": format, "form": form, "numbers": number, "file": path.name}
    module = litert if format == "twin" else writer(format)
    options = {"weights": "float16"} if number == "float16" else {}
    try:
        if format == "twin":
            write_twin(programs["float32"], calibration, number, path)
        elif isinstance(programs[number], ValueError):
            raise programs[number]
        else:
            module.write(programs[number], path, form=form, **options)
        return facts | {"KiB": path.stat().st_size / 1024, "nodes": module.node_count(path)}
    except (ValueError, ImportError) as error:
        return facts | {"reason": str(error)}


def write_twin(program, calibration, number, path):
    """Write the ANN twin. Its int8 file, with int8 input and output, is quantised by TensorFlow.

    The quantiser is the last stage of `TFLiteConverter`.
    """
    if number == "int8":
        from tensorflow import int8
        from tensorflow.lite.python.optimize.calibrator import Calibrator
    litert.write_twin(program, path, clip=program.metadata["proxy_activation"] == "clip")
    if number == "int8":
        samples = ([image[None]] for image in calibration)
        quantiser = Calibrator(path.read_bytes())
        path.write_bytes(quantiser.calibrate_and_quantize(lambda: samples, int8, int8, False))


def twin_scores(path, images):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    (entry,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    if entry["dtype"] == np.int8:
        scale, zero = entry["quantization"]
        images = np.rint(images / scale + zero).clip(-128, 127).astype("int8")
    scores = []
    for image in images:
        interpreter.set_tensor(entry["index"], image[None])
        interpreter.invoke()
        scores.append(interpreter.get_tensor(output["index"])[0])
    return np.stack(scores)


def ask_devices(folder, file):
    """Add facts about a `.tflite` file from the Ethos-U compiler and TensorFlow Lite Micro."""
    npus = NPUS if file["numbers"] == "int8" else []  # NPUs compute with integers only
    questions = {npu: partial(vela.report, accelerator=f"ethos-{npu}") for npu in npus}
    for name, ask in {"arena": litert.arena_bytes, **questions}.items():
        try:
            known = ask(folder / file["file"])
            file[name] = known if name == "arena" else [known.npu_share, known.milliseconds]
        except ImportError as error:
            file[name] = str(error)
        except RuntimeError:
            file[name] = "refused"


def run_file(file, runtime, programs, expected, folder, x, y):
    """Run one file in one runtime; return a row of the table."""
    row, number = {**file, "runtime": runtime}, file["numbers"]
    if "reason" in file:
        return row
    try:
        if file["format"] == "twin":
            return row | {"accuracy": accuracy(twin_scores(folder / file["file"], x), y)}
        run = partial(writer(file["format"]).run, **RUNTIMES[file["format"]][runtime])
        counts = run(folder / file["file"], programs[number], x)
    except ImportError as error:
        return row | {"reason": str(error)}
    row |= {"mismatches": 0, "borderline": 0, "accuracy": accuracy(counts, y)}
    unequal = (counts != expected[number]).any(axis=1)
    if unequal.any():
        result = check(programs[number], x[unequal], lambda *_: counts[unequal])
        row |= {"mismatches": result.differing, "borderline": result.borderline}
    return row


def time_rows(rows, programs, folder):
    """Add milliseconds to the rows.

    Each of the five rounds times all rows, so that a busy minute affects all rows equally.
    """
    timed = [row for row in rows if "accuracy" in row and row["runtime"] != "NumPy"]
    samples = {(id(row), threads): [] for row in timed for threads in TIMES}
    for _, threads, row in itertools.product(range(5), TIMES, timed):
        module = writer("onnx" if row["format"] == "onnx" else "litert")
        options = {"threads": threads, "repeats": 20, **RUNTIMES[row["format"]][row["runtime"]]}
        seconds = module.latency(folder / row["file"], programs[row["numbers"]], **options)
        samples[id(row), threads].append(seconds * 1e3)
    for row, threads in itertools.product(timed, TIMES):
        values = samples[id(row), threads]
        row[TIMES[threads]] = [statistics.median(values), min(values), max(values)]


def write_files(programs, calibration, folder, options):
    """Write all files; return facts about them."""
    files = []
    for format in options.formats:
        forms = writer(format).FORMS if format in FORMATS else ["one pass"]
        for form, number in itertools.product(forms, NUMBERS[format]):
            name = f"{format}-{form}-{number}".replace(" ", "-")
            path = folder / (name + (FORMATS[format].suffix if format in FORMATS else ".tflite"))
            refuse_existing(path, options.force)
            files.append(write_file(programs, calibration, format, form, number, path))
    there = [f for f in files if f["file"].endswith(".tflite") and "reason" not in f]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(partial(ask_devices, folder), there))
    return files


def refuse_existing(path, force):
    if path.exists() and not force:
        raise FileExistsError(f"{path} exists already; --force replaces it.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"The folder {path.parent} does not exist.")


def measure(options, folder):
    """Measure everything; return the report's head, its rows and its conclusions."""
    program = load(options.model, options.time_steps)
    name = options.dataset or kps.datasets.name_by_shape(program.input_shape)
    if name is None:
        raise ValueError(f"No data set has images of {program.input_shape}: give --dataset.")
    (calibration, _), (x, y) = kps.datasets.load(name)
    number = options.images or 1000
    calibration, x, y = calibration[:500], x[:number], y[:number]
    facts = head(options.model.name, program, f"the first {len(x)} of the test set of {name}")
    programs = number_formats(program, calibration)
    good = {n: program for n, program in programs.items() if not isinstance(program, ValueError)}
    expected = {number: expected_scores(program, x) for number, program in good.items()}
    rows = [
        run_file(file, runtime, programs, expected, folder, x, y)
        for file in write_files(programs, calibration, folder, options)
        for runtime in RUNTIMES[file["format"]]
    ]
    time_rows(rows, programs, folder)
    return facts, rows, summary(rows, expected, y)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="a .keras file of a ProxyModel")
    parser.add_argument(
        "--time-steps", type=int, help="number T of time steps (default: the model's)"
    )
    parser.add_argument("--images", type=int, help="number of test images (default: 1000, or all)")
    parser.add_argument(
        "--dataset",
        choices=kps.datasets.NAMES,
        help="data set (default: the set with images of this shape)",
    )
    parser.add_argument("--formats", nargs="+", choices=RUNTIMES, default=list(RUNTIMES))
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    parser.add_argument("--json", type=Path, help="JSON file for the numbers")
    parser.add_argument("--files", type=Path, help="existing folder that keeps the exported files")
    parser.add_argument("--force", action="store_true", help="replace existing files")
    options = parser.parse_args()
    try:
        if options.images is not None and options.images < 1:
            raise ValueError(f"--images must be at least 1. Received: {options.images}.")
        for path in filter(None, (options.output, options.json)):
            refuse_existing(path, options.force)
        with tempfile.TemporaryDirectory() as folder:
            facts, rows, conclusions = measure(options, options.files or Path(folder))
        report = render(facts, rows, conclusions)
        if options.output:
            options.output.write_text(report, encoding="utf-8")
        if options.json:
            numbers = {"head": facts, "summary": conclusions, "rows": rows}
            options.json.write_text(json.dumps(numbers, indent=1) + "\n")
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(report)
    return int(any(row.get("mismatches") for row in rows))


if __name__ == "__main__":
    sys.exit(main())
