"""Output of all benchmarks: Markdown tables, and JSON with samples and circumstances."""

import argparse
import datetime
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np

from keras_proxy_snn.basics.files import replacing
from keras_proxy_snn.basics.processor import cpu

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = (
    "keras-proxy-snn",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "jax",
    "torch",
    "numpy",
    "numba",
    "spikingjelly",
    "snntorch",
    "onnxruntime",
    "ai-edge-litert",
)


def parser(description):
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def add_output(options, repetitions):
    """Add the options of all races."""
    options.add_argument(
        "--repetitions",
        type=int,
        default=repetitions,
        help="how often each measurement is repeated",
    )
    options.add_argument("--threads", type=int, default=2, help="processor cores per measurement")
    options.add_argument("--label", help="name of the JSON file")
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")


def add_again(options):
    """Add the options of scripts whose parts are run once: see `run_missing`."""
    options.add_argument("--again", action="store_true", help="run what is in the results, too")
    options.add_argument("--label", default="cpu", help="name of the JSON file")
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")


def run_missing(parts, key, arguments, script):
    """Run each part that has no result yet, and save after each.

    Args:
        parts: Name of a part to a function that returns its result.
        key: Name of the results in the document.
        arguments: With the options of `add_again`.
        script: Name of the script.

    Returns:
        The document with the results of all parts, those of earlier runs too.
    """
    path = arguments.results / script / f"{arguments.label}.json"

    def results():
        return json.loads(path.read_text())[key] if path.exists() else {}

    document = circumstances(script, [])
    document[key] = results()
    for name, run in parts.items():
        if arguments.again or name not in document[key]:
            print(f"{name} ...", file=sys.stderr, flush=True)
            result = run()
            document[key] = {**results(), name: result}  # other processes may run other parts
            save(document, arguments, script)
    return document


def markdown(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)


def spread(values, form=".2f", factor=1.0):
    """`median (lowest to highest)`; for a single value, the median only."""
    values = np.asarray(values, float) * factor
    middle = f"{np.median(values):{form}}"
    if len(values) == 1:
        return middle
    return f"{middle} ({values.min():{form}} to {values.max():{form}})"


def gibibytes(count):
    return f"{count / 2**30:.2f}"


def write_json(document, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft:
        draft.write_text(json.dumps(document, indent=1) + "\n")


def versions():
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware():
    """GPU, processor with cores and vector extensions, and memory; never a machine's name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return ", ".join([*_gpus(), cpu(), f"{memory:.0f} GiB"])


def _gpus():
    """Names of NVIDIA's GPUs."""
    query = shutil.which("nvidia-smi")
    if query is None:
        return []
    done = subprocess.run(
        [query, "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True
    )
    return [] if done.returncode else done.stdout.split("\n")[:-1]


def add_chunk_steps(options):
    """Add `--chunk-steps`: the steps that this package simulates at once; a GPU needs many."""
    options.add_argument(
        "--chunk-steps",
        type=int,
        help="steps that this package simulates at once (default: the preset's)",
    )


def chunked(arguments):
    """Fields of a preset that the options replace."""
    return {} if arguments.chunk_steps is None else {"chunk_steps": arguments.chunk_steps}


def circumstances(script, argv):
    """Versions, hardware, date and command; call it before the measurements."""
    argv = sys.argv[1:] if argv is None else argv
    now = datetime.datetime.now(datetime.UTC)
    return {
        "command": shlex.join(["python", f"benchmarks/{script}.py", *map(str, argv)]),
        "date": f"{now:%Y-%m-%d %H:%M} UTC",
        "hardware": hardware(),
        "load_average": os.getloadavg()[0],
        "versions": versions(),
    }


def caption(document):
    """The line above a table."""
    facts = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    load = f"load average {document['load_average']:.1f} at the start"
    place = f"{document['hardware']}, {load}, {document['date']}; {facts}."
    return f"```\n{document['command']}\n```\n\n{place}"


def save(document, arguments, script):
    """Write the results so far, so that a run that is cut off keeps its complete cells."""
    label = arguments.label or document["label"]
    write_json(document, arguments.results / script / f"{label}.json")


def finish(document, table, arguments, script):
    """Write the JSON file and print the table that is made from it."""
    save(document, arguments, script)
    print(table(document))
