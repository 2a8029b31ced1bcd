"""Markdown text of the report of `edge_report.py`."""

import datetime
import os
import platform
import shlex
import sys
from importlib.metadata import distributions
from pathlib import Path

import keras

NPUS = ["u55-128", "u65-256", "u85-256"]
FILE = ["format", "form", "numbers"]
TIMES = {1: "ms, 1 thread", 2: "ms, 2 threads"}
RUNS = [*FILE, "runtime", "KiB", "nodes", "mismatches", "borderline", "accuracy", *TIMES.values()]
PACKAGES = ["keras-proxy-snn", "keras", "tensorflow", "tensorflow-cpu", "numpy", "ai-edge-litert"]
PACKAGES += ["onnx", "onnxruntime", "openvino", "nir", "ethos-u-vela", "tflite-micro"]
NOTES = """
**mismatches**: number of spike counts that differ from the NumPy interpreter's counts for the same
network; it must be 0. float16 is the network with rounded weights; int8 is the integer network,
calibrated on 500 training images. **borderline**: images on which rounding alone decides a spike;
their counts are not mismatches. **accuracy**: the class is the first class with the most spikes.
**ms**: time for one image and all time steps; median (lowest to highest) of 5 rounds over all rows;
each round gives the median of 20 runs. **twin**: the model's ANN, with the same weights; its int8
file is from TensorFlow's post-training quantisation.
"""
DEVICE_NOTES = """
**arena**: memory for tensors in TensorFlow Lite Micro, in KiB. **u55-128 ...**: share of operators
that Vela places on this Arm Ethos-U, and Vela's estimate of the time for one run of the file. A run
is all time steps for an unrolled file, one time step otherwise. Only int8 files have these columns,
because NPUs compute with integers only. **refused**: the tool does not accept the file.
"""


def cell(row, key):
    value = row.get(key, "-")
    if key not in row and key == ("mismatches" if "KiB" in row else "KiB"):
        value = row.get("reason", value).replace("|", "/")
    if isinstance(value, str) or key in ("nodes", "mismatches", "borderline"):
        return str(value)
    if key in NPUS:
        return "{:.0%}, {:.2f} ms".format(*value)
    if key in TIMES.values():
        return "{:.3f} ({:.3f} to {:.3f})".format(*value)
    if key == "accuracy":
        return f"{value:.2%}"
    return f"{value / 1024 if key == 'arena' else value:.1f}"


def table(columns, rows):
    cells = [columns, ["---"] * len(columns), *([cell(r, c) for c in columns] for r in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def head(name, program, images):
    """Facts that the measured numbers depend on."""
    words = [Path(a).name if Path(a).is_absolute() else a for a in sys.argv[1:]]
    cpu = Path("/proc/cpuinfo")
    names = [s for s in cpu.read_text().splitlines() if "model name" in s] if cpu.is_file() else []
    processor = names[0].split(": ")[1] if names else platform.processor() or platform.machine()
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    found = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in distributions()}
    now = datetime.datetime.now(datetime.UTC)
    return {
        "model": name,
        "network": f"{program.metadata['spec']} on {program.input_shape}",
        "neurons": f"T={program.time_steps}, reset {program.neurons[0].reset!r}",
        "images": images,
        "command": f"`python examples/edge_report.py {shlex.join(words)}`",
        "date": f"{now:%Y-%m-%d %H:%M} UTC",
        "hardware": f"{processor}, {os.cpu_count()} cores{load} at the start",
        "versions": ", ".join(
            [f"Python {platform.python_version()}", f"Keras on {keras.backend.backend()}"]
            + [f"{package} {found[package]}" for package in PACKAGES if package in found]
        ),
    }


def accuracy(counts, y):
    """Share of right classes; the class is the first one with the most spikes."""
    return float((counts.argmax(axis=1) == y).mean())


def summary(rows, expected, y):
    wrong = sum(row.get("mismatches", 0) for row in rows)
    lines = [f"spike counts that differ and must not: {wrong}"]
    if "int8" in expected:
        right = {number: 100 * accuracy(expected[number], y) for number in ("float32", "int8")}
        lost = "accuracy lost by the integer network: {:.2f} points ({float32:.2f}% to {int8:.2f}%)"
        lines += [lost.format(right["float32"] - right["int8"], **right)]
    runs = {(r["format"], r["form"], r["numbers"]): r.get(TIMES[1]) for r in rows}
    network = runs.get(("litert", "unrolled", "float32"))
    twin = runs.get(("twin", "one pass", "float32"))
    if network and twin:
        ratio = network[0] / twin[0]
        lines += [f"LiteRT, unrolled, float32, 1 thread: the time of {ratio:.1f} runs of the twin"]
    return lines


def render(facts, rows, conclusions):
    """Markdown text of the whole report."""
    devices = {row["file"]: row for row in rows if "arena" in row}
    parts = [f"# Edge report: {facts['model']}"]
    parts += ["\n".join(f"- {key}: {value}" for key, value in facts.items())]
    parts += ["\n".join(f"- {line}" for line in conclusions)]
    parts += ["## Runtimes", table(RUNS, rows), NOTES.strip()]
    if devices:
        parts += ["## NPUs and microcontrollers"]
        parts += [table([*FILE, "arena", *NPUS], devices.values()), DEVICE_NOTES.strip()]
    return "\n\n".join(parts) + "\n"
