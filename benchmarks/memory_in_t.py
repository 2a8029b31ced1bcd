"""Peak memory of a training step against the number of time steps.

    python benchmarks/memory_in_t.py

The script runs two steps of each opponent at each T. Processes run one after another, so each has
the whole machine. Peak memory is VmHWM of the process, libraries included, or the peak of the GPU.
By default glibc keeps freed blocks of up to 32 MiB, by chance; here all processes return them, so
the peak is the memory in use. Backpropagation through time is not started if it would need more
memory than the machine has; the table then shows the estimate from smaller T. Writes
`benchmarks/results/memory_in_t/<label>.json`.
"""

from dataclasses import replace

from _nets import describe
from _opponents import contestant, names
from _race import peak, race
from _report import add_output, caption, circumstances, finish, gibibytes, markdown, parser, save
from train_step import too_large

TASK = "memory_in_t"
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
DEFAULT = ["tensorflow", "tensorflow-bf16", "tensorflow-events", "jax", "jax-events"]
DEFAULT += ["torch", "torch-bf16", "torch-events"]
DEFAULT += ["spikingjelly", "spikingjelly-multi", "spikingjelly-bptt", "snntorch-bptt"]


def main(argv=None):
    options = parser(__doc__)
    options.add_argument("--preset", default="fashion_mnist")
    options.add_argument("--time-steps", type=int, nargs="+", default=[1, 5, 15, 50, 100])
    options.add_argument("--batch", type=int, default=10)
    known = names("train_step")
    options.add_argument("--opponents", nargs="+", default=DEFAULT, choices=known)
    add_output(options, repetitions=1)
    arguments = options.parse_args(argv)
    document = {
        **circumstances(TASK, argv),
        "label": f"{arguments.preset}-batch{arguments.batch}",
        "preset": arguments.preset,
        "batch": arguments.batch,
        "cells": [],
    }
    net, seen = describe(arguments.preset), {}
    for steps in sorted(arguments.time_steps):
        results = {}
        for name in arguments.opponents:
            absent = too_large(name, steps, seen)
            entry = contestant(name, "train_step", net, steps, arguments.batch, absent)
            entry = replace(entry, environment=entry.environment | GIVE_BACK)
            results |= race({name: entry}, arguments.repetitions, arguments.threads, 0.0)
            if "peak_bytes" in results[name]:
                seen.setdefault(name, []).append((steps, results[name]["peak_bytes"]))
        document["cells"].append({"time_steps": steps, "results": results})
        save(document, arguments, TASK)
    finish(document, table, arguments, TASK)


def table(document):
    """Markdown: peak memory of everyone at each T."""
    cells = document["cells"]
    steps = [cell["time_steps"] for cell in cells]
    rows = []
    for name in cells[0]["results"]:
        results = [cell["results"][name] for cell in cells]
        row = [gibibytes(peak(r)) if peak(r) else r["status"] for r in results]
        starts = [r["start_bytes"] for r in results if peak(r)]
        start = gibibytes(min(starts)) if starts else "-"
        rows.append([results[0]["label"], start, *row, _growth(steps, results)])
    head = [f"{document['preset']}, batch {document['batch']}, GiB"]
    head += ["before the first step", *(f"T={t}" for t in steps), "T=50 / T=5"]
    return f"{caption(document)}\n\n{markdown(head, rows)}"


def _growth(steps, results):
    peaks = {t: peak(r) for t, r in zip(steps, results, strict=True) if peak(r)}
    return f"{peaks[50] / peaks[5]:.3f}" if {5, 50} <= set(peaks) else "-"


if __name__ == "__main__":
    main()
