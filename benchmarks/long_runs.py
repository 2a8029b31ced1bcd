"""10,000 training steps and 10,000 predictions at fixed shapes: does anything grow?

    python benchmarks/long_runs.py

One process per backend trains in one `fit` of 100 epochs of 100 steps, another one calls `predict`
100 times with 100 batches. After each 100 steps a process notes its memory, how often Python traced
the model, its threads and its open files. Memory that grows for ever grows in the second half too:
its slope is that of least squares over that half. What Keras and the backend keep of their own is
seen beside it: the ANN alone does the same. A run that is in the results is not run again.
Writes `benchmarks/results/long_runs/<label>.json`.
"""

import json
import os
import subprocess
import sys
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from _opponents import FRAMEWORKS
from _report import add_again, caption, finish, markdown, parser, run_missing

TASK = "long_runs"
STEPS = 10_000
# Growth that would be felt, in bytes per 1,000 steps: 100 MiB in a million steps.
LEAK = 100 * 2**20 / 1000
POOL = 8
METHODS = ("fit", "predict")
NETWORKS = {"spiking": "spiking", "ann": "ANN alone"}


def main(argv=None):
    options = parser(__doc__)
    options.add_argument("--backends", nargs="+", default=list(FRAMEWORKS), choices=FRAMEWORKS)
    options.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    options.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    options.add_argument("--steps", type=int, default=STEPS, help="a multiple of 100")
    add_again(options)
    arguments = options.parse_args(argv)
    words = product(arguments.backends, arguments.methods, arguments.networks)
    runs = {" ".join(three): partial(run, *three, arguments.steps) for three in words}
    document = run_missing(runs, "runs", arguments, TASK)
    finish(document, table, arguments, TASK)


def run(backend, method, network, steps):
    """What `_long_run.py` notes."""
    script = Path(__file__).with_name("_long_run.py")
    own = {"KERAS_BACKEND": backend, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, str(script), method, network, str(steps)],
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def slope(run):
    """Growth of memory in the second half, in bytes per 1,000 steps."""
    memory = [sample["memory"] for sample in run["samples"]]
    late = memory[len(memory) // 2 :]
    per_sample = np.polyfit(np.arange(len(late)), late, 1)[0]
    return float(per_sample) * len(memory) / run["steps"] * 1000


def leaks(run, alone):
    """Whether something grows in the second half, beside what grows with the ANN alone.

    Pools start some threads late; a thread that is lost again and again goes past their number.
    """
    middle, last = run["samples"][len(run["samples"]) // 2], run["samples"][-1]
    grown = {key: (last[key] or 0) - (middle[key] or 0) for key in ("traces", "threads", "handles")}
    return (
        slope(run) - max(slope(alone), 0) > LEAK
        or grown["threads"] > POOL
        or grown["traces"] > 0
        or grown["handles"] > 0
    )


def of_spiking(document):
    """Each run of a spiking network, and that of its ANN alone."""
    runs = document["runs"]
    return {
        name: (run, runs[name.replace("spiking", "ann")])
        for name, run in runs.items()
        if name.endswith("spiking")
    }


def table(document):
    """Markdown: a row for each run."""
    head = [
        "backend",
        "method",
        "network",
        "steps",
        "minutes",
        "memory in the middle, MiB",
        "at the end",
    ]
    head += ["slope, KiB per 1,000", "traces", "threads", "open files"]
    rows = []
    for name, run in sorted(document["runs"].items()):
        backend, method, network = name.split()
        samples = run["samples"]
        middle, last = samples[len(samples) // 2], samples[-1]
        row = [FRAMEWORKS[backend], f"`{method}`", NETWORKS[network], f"{run['steps']:,}"]
        row += [f"{run['seconds'] / 60:.1f}"]
        row += [f"{sample['memory'] / 2**20:.1f}" for sample in (middle, last)]
        row += [f"{slope(run) / 1024:.1f}"]
        row += [_from_to(samples[0][key], last[key]) for key in ("traces", "threads", "handles")]
        rows.append(row)
    return f"{caption(document)}\n\n{markdown(head, rows)}"


def _from_to(first, last):
    if first is None:
        return "-"
    return str(last) if first == last else f"{first} to {last}"


if __name__ == "__main__":
    main()
