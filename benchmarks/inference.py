"""Latency of one image in every exported form, compared with the ANN twin.

    python benchmarks/inference.py

The network has the package's pretrained weights. The files use one thread and take turns. A turn is
the median of several inferences with all T steps. Ratios to the float twin in the same runtime are
computed turn by turn. Early stopping shortens a run, so its mean number of steps on the test images
follows (`benchmarks/early_stopping.py`). Writes `benchmarks/results/inference/<label>.json`.
"""

import functools
import itertools
import tempfile
import time
from pathlib import Path

import _onnx_twin
import early_stopping
import numpy as np
from _race import PAUSE_SECONDS
from _report import (
    RESULTS,
    caption,
    circumstances,
    finish,
    markdown,
    parser,
    spread,
)

import keras_proxy_snn as kps
from keras_proxy_snn.export import from_model, litert, onnx
from keras_proxy_snn.export.edge_report import write_twin
from keras_proxy_snn.export.quantise import quantise

TASK = "inference"
WRITERS = {"LiteRT": (litert, "tflite"), "ONNX Runtime": (onnx, "onnx")}
CALIBRATION_IMAGES = 500


def main(argv=None):
    options = parser(__doc__)
    options.add_argument("--preset", default="fashion_mnist_compact", choices=kps.PRESETS)
    options.add_argument(
        "--time-steps", type=int, help="number T of time steps (default: the preset's)"
    )
    options.add_argument(
        "--margins",
        type=float,
        nargs="*",
        default=[4],
        help="margins of early stopping (no values: no early stopping)",
    )
    options.add_argument(
        "--repetitions", type=int, default=7, help="how often each file is measured"
    )
    options.add_argument("--repeats", type=int, default=20, help="inferences per measurement")
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--label", help="name of the JSON file")
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    arguments = options.parse_args(argv)
    program = from_model(kps.build(arguments.preset, weights="pretrained"))
    program = program.with_time_steps(arguments.time_steps or program.time_steps)
    document = {
        **circumstances(TASK, argv),
        "label": f"{arguments.preset}-T{program.time_steps}",
        "preset": arguments.preset,
        "time_steps": program.time_steps,
        "threads": arguments.threads,
        "files": measure(program, arguments),
        "early_stopping": None,
    }
    if arguments.margins:
        document["early_stopping"] = early_stopping.measure(
            program, arguments.preset, arguments.margins
        )
    finish(document, table, arguments, TASK)


def measure(program, arguments):
    """One dictionary per file: its kind, its size, and seconds of each turn."""
    (calibration, _), _ = kps.datasets.load(kps.datasets.name_by_shape(program.input_shape))
    calibration = calibration[:CALIBRATION_IMAGES]
    programs = {"float32": program, "int8": quantise(program, calibration)}
    clip = kps.PRESETS[arguments.preset].proxy_activation == "clip"
    with tempfile.TemporaryDirectory() as folder:
        files = [*_forms(programs, Path(folder)), *_twins(program, calibration, clip, Path(folder))]
        for _, file in itertools.product(range(arguments.repetitions), files):
            if file["reason"]:
                continue
            time.sleep(PAUSE_SECONDS)
            module, path = WRITERS[file["runtime"]][0], file["path"]
            options = {"threads": arguments.threads, "repeats": arguments.repeats}
            of = programs[file["numbers"]] if file["form"] in module.FORMS else program
            file["seconds"].append(module.latency(path, of, **options))
        for file in files:
            file["path"] = file["path"].name
    return files


def _file(folder, runtime, form, numbers, write):
    path = folder / f"{form}-{numbers}.{WRITERS[runtime][1]}".replace(" ", "-")
    file = {"runtime": runtime, "form": form, "numbers": numbers, "path": path, "seconds": []}
    try:
        write(path)
    except ImportError as error:
        return file | {"reason": str(error)}
    return file | {"reason": "", "KiB": path.stat().st_size / 1024}


def _forms(programs, folder):
    for runtime, (module, _) in WRITERS.items():
        for form, (numbers, program) in itertools.product(module.FORMS, programs.items()):
            write = functools.partial(module.write, program, form=form)
            yield _file(folder, runtime, form, numbers, write)


def _twins(program, calibration, clip, folder):
    program.metadata["proxy_activation"] = "clip" if clip else "relu"
    for numbers in ("float32", "int8"):
        write = functools.partial(write_twin, program, calibration, numbers)
        yield _file(folder, "LiteRT", "ANN twin", numbers, write)
    write = functools.partial(_onnx_twin.write, program, clip=clip)
    yield _file(folder, "ONNX Runtime", "ANN twin", "float32", write)


def table(document):
    """Markdown: latencies, then early stopping."""
    twins = {
        file["runtime"]: np.array(file["seconds"])
        for file in document["files"]
        if (file["form"], file["numbers"]) == ("ANN twin", "float32")
    }
    rows = []
    for file in document["files"]:
        row = [file["runtime"], file["form"], file["numbers"]]
        if file["reason"]:
            rows.append([*row, file["reason"], *"---"])
            continue
        seconds = np.array(file["seconds"])
        times = seconds / twins[file["runtime"]]
        row += [f"{file['KiB']:.0f}", spread(seconds, ".3f", 1e3), spread(times, ".1f")]
        rows.append([*row, f"{np.median(times) / document['time_steps']:.2f}"])
    head = ["runtime", "form", "numbers", "KiB", "ms", "runs of the twin", "of T runs"]
    title = f"{document['preset']}, T={document['time_steps']}, threads: {document['threads']}"
    parts = [caption(document), title, markdown(head, rows)]
    if document["early_stopping"]:
        parts.append(early_stopping.table(document["early_stopping"]))
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
