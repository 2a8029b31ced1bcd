"""Markdown text of the edge report."""

import datetime
import os
import platform
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np

from ...basics.types import Tensor
from ..formats import FORMATS
from ..program import Program

__all__ = ["NPUS", "TIMES", "accuracy", "circumstances", "conclusions", "render"]

NPUS = ("u55-128", "u65-256", "u85-256")
TIMES = {1: "ms, 1 thread", 2: "ms, 2 threads"}
_FILE = ["format", "form", "numbers"]
_RUNS = [*_FILE, "runtime", "KiB", "nodes", "mismatches", "borderline", "accuracy", *TIMES.values()]
_PACKAGES = ["keras-proxy-snn", "keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numpy"]
_PACKAGES += [name.replace("_", "-") for kind in FORMATS.values() for name in kind.libraries]
_PACKAGES += ["openvino", "ethos-u-vela", "tflite-micro"]
_NOTES = """
**mismatches**: number of spike counts that differ from the NumPy interpreter's counts for the same
network; it must be 0. float16 is the network with rounded weights; int8 is the integer network,
calibrated on at most 500 training images. **borderline**: images on which rounding alone decides a
spike; their counts are not mismatches. **accuracy**: the class is the first class with the most
spikes.
**ms**: time for one image and all time steps; median (lowest to highest) of 5 rounds over all rows;
each round gives the median of 20 runs. **twin**: the model's ANN, with the same weights; its int8
file is from TensorFlow's post-training quantisation. **KiB** of C is source text, and its
**nodes** are functions; its export tells flash and RAM, and `examples/microcontroller/bare_metal`
counts its instructions. C and NIR have no runtime here whose time would tell that of a device.
"""
_DEVICE_NOTES = """
**arena**: memory for tensors in TensorFlow Lite Micro, in KiB. **u55-128 ...**: share of operators
that Vela places on this Arm Ethos-U, and Vela's estimate of the time for one run of the file. A run
is all time steps for an unrolled file, one time step otherwise. Only int8 files have these columns,
because NPUs compute with integers only. **refused**: the tool does not accept the file.
"""


def _cell(row: dict[str, Any], key: str) -> str:
    value = row.get(key, "-")
    if key not in row and key == ("mismatches" if "KiB" in row else "KiB"):
        value = row.get("reason", value)
    if value in row.get("missing", ()):
        return "not installed"
    if isinstance(value, str) or key in ("nodes", "mismatches", "borderline"):
        return str(value).replace("|", "/")
    if key in NPUS:
        return "{:.0%}, {:.2f} ms".format(*value)
    if key in TIMES.values():
        return "{:.3f} ({:.3f} to {:.3f})".format(*value)
    if key == "accuracy":
        return f"{value:.2%}"
    return f"{value / 1024 if key == 'arena' else value:.1f}"


def _table(columns: list[str], rows: Iterable[dict[str, Any]]) -> str:
    cells = [columns, ["---"] * len(columns), *([_cell(r, c) for c in columns] for r in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def circumstances(program: Program, backend: str) -> dict[str, str]:
    """Facts that the measured numbers depend on.

    Args:
        program: The network.
        backend: Keras's backend.

    Returns:
        Network, neurons, date, hardware and versions.
    """
    cpu = Path("/proc/cpuinfo")
    names = [s for s in cpu.read_text().splitlines() if "model name" in s] if cpu.is_file() else []
    processor = names[0].split(": ")[1] if names else platform.processor() or platform.machine()
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    found = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in distributions()}
    now = datetime.datetime.now(datetime.UTC)
    return {
        "network": f"{program.metadata.get('spec', 'unnamed')} on {program.input_shape}",
        "neurons": f"T={program.time_steps}, reset {program.neurons[0].reset!r}",
        "date": f"{now:%Y-%m-%d %H:%M} UTC",
        "hardware": f"{processor}, {os.cpu_count()} cores{load} at the start",
        "versions": ", ".join(
            [f"Python {platform.python_version()}", f"Keras on {backend}"]
            + [f"{package} {found[package]}" for package in _PACKAGES if package in found]
        ),
    }


def accuracy(scores: np.ndarray, labels: Tensor) -> dict[str, float]:
    """Accuracy; the class is the first class with the highest score. Empty without labels."""
    if labels is None:
        return {}
    return {"accuracy": float((scores.argmax(axis=1) == labels).mean())}


def conclusions(
    rows: list[dict[str, Any]], expected: dict[str, np.ndarray], labels: Tensor
) -> list[str]:
    """Sentences that sum up the rows.

    Args:
        rows: The rows of the report.
        expected: The interpreter's scores by number format.
        labels: Labels of the images, or `None`.
    """
    wrong = sum(row.get("mismatches", 0) for row in rows)
    lines = [f"spike counts that differ and must not: {wrong}"]
    if "int8" in expected and labels is not None:
        before, after = (
            100 * accuracy(expected[number], labels)["accuracy"] for number in ("float32", "int8")
        )
        change = f"{abs(after - before):.2f} points ({before:.2f}% to {after:.2f}%)"
        verb = "gained" if after > before else "lost"
        lines += [f"accuracy {verb} by the integer network: {change}"]
    runs = {(r["format"], r["form"], r["numbers"]): r.get(TIMES[1]) for r in rows}
    network = runs.get(("litert", "unrolled", "float32"))
    twin = runs.get(("twin", "one pass", "float32"))
    if network and twin:
        ratio = network[0] / twin[0]
        lines += [f"LiteRT, unrolled, float32, 1 thread: the time of {ratio:.1f} runs of the twin"]
    return lines


def render(title: str, facts: dict[str, str], report: Any) -> str:
    """Markdown text of a report.

    Args:
        title: Subject of the heading.
        facts: What the numbers depend on, from `circumstances`.
        report: The `Report`.
    """
    devices = {row["file"]: row for row in report.rows if "arena" in row}
    parts = [f"# Edge report: {title}"]
    parts += ["\n".join(f"- {key}: {value}" for key, value in facts.items())]
    parts += ["\n".join(f"- {line}" for line in report.conclusions)]
    parts += ["## Runtimes", _table(_RUNS, report.rows)]
    if needed := list(dict.fromkeys(m for row in report.rows for m in row.get("missing", ()))):
        parts += [f"**not installed**: {'; '.join(needed)}"]
    parts += [_NOTES.strip()]
    if devices:
        parts += ["## NPUs and microcontrollers"]
        parts += [_table([*_FILE, "arena", *NPUS], devices.values()), _DEVICE_NOTES.strip()]
    return "\n\n".join(parts) + "\n"
