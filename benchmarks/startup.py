"""Import time of keras_proxy_snn on top of Keras, and the time to the first training step.

    python benchmarks/startup.py

Fresh processes that take turns on each backend: one imports Keras alone, one Keras and then this
package, one does that and trains the network of the preset `digits` for two steps. Added is the
import of this package in a process that has Keras already, and whole processes are timed too, from
their start to their end. Writes `benchmarks/results/startup/<label>.json`.
"""

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from _opponents import FRAMEWORKS, INSTALL
from _report import RESULTS, caption, circumstances, finish, markdown, parser, spread

TASK = "startup"
PROGRAMS = {
    "keras": ["keras"],
    "package": ["keras", "keras_proxy_snn"],
    "step": ["keras", "keras_proxy_snn", "step"],
}


def main(argv=None):
    options = parser(__doc__)
    options.add_argument("--backends", nargs="+", default=list(FRAMEWORKS), choices=FRAMEWORKS)
    options.add_argument("--repetitions", type=int, default=9, help="number of processes per kind")
    options.add_argument("--label", default="cpu", help="name of the JSON file")
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    arguments = options.parse_args(argv)
    document = {**circumstances(TASK, argv), "results": {}}
    for backend in arguments.backends:
        document["results"][backend] = measure(backend, arguments.repetitions)
    finish(document, table, arguments, TASK)


def measure(backend, repetitions):
    """Samples of each program, or the reason why there are no samples."""
    if importlib.util.find_spec(backend) is None:
        return {"status": f"not installed; pip install {INSTALL[backend]}"}
    # Not counted: it brings all files into the machine's cache.
    run(backend, PROGRAMS["step"])
    samples = {name: [] for name in PROGRAMS}
    for _ in range(repetitions):
        for name, words in PROGRAMS.items():
            samples[name].append(run(backend, words))
    return {"status": "measured", "samples": samples}


def run(backend, words):
    """Seconds of the parts of one process, and of the whole."""
    script = Path(__file__).with_name("_first_step.py")
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(script), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    whole = time.perf_counter() - start
    return {**json.loads(done.stdout.splitlines()[-1]), "process": whole}


def table(document):
    """Markdown: a row for each backend."""
    head = ["backend", "`import keras`, s", "this package adds, s", "whole process: Keras alone, s"]
    head += ["with this package, s", "build, s", "first step, s", "second step, ms"]
    head += ["process start to the end of two steps, s"]
    rows = []
    for backend, result in document["results"].items():
        if result["status"] != "measured":
            rows.append([FRAMEWORKS[backend], result["status"], *["-"] * (len(head) - 2)])
            continue
        samples = result["samples"]

        def column(program, part, form=".2f", factor=1.0, samples=samples):
            return spread([sample[part] for sample in samples[program]], form, factor)

        row = [column("keras", "keras"), column("package", "keras_proxy_snn", ".3f")]
        row += [column("keras", "process"), column("package", "process")]
        row += [column("step", "build"), column("step", "first step")]
        row += [column("step", "second step", ".1f", 1e3), column("step", "process")]
        rows.append([FRAMEWORKS[backend], *row])
    return f"{caption(document)}\n\n{markdown(head, rows)}"


if __name__ == "__main__":
    main()
