"""Time and peak memory of one training step: this package, its peers, and the ANN alone.

    python benchmarks/train_step.py

All opponents have the same network, weights, images, batch and cores, and do a whole step with the
optimizer. Each has its own process, and they take turns. Presets, time steps, batches and
opponents can be chosen: `--preset fashion_mnist --time-steps 50 --batch 100 --opponents tensorflow
spikingjelly` is one cell of the grid and two rows. A step that needs more memory than the machine
has is not started (smaller steps give an estimate), or it is stopped. With `--in-a-row 20`, the
loss is read after every 20 steps, like in `fit`. Use it on a GPU, where reading the loss and other
logs takes longer than a step. Writes `benchmarks/results/train_step/<label>.json`.
"""

import numpy as np
from _fit import line
from _nets import describe
from _opponents import AUTHORS, OPPONENTS, SURROGATE, contestant, names
from _race import peak, race, turns
from _report import (
    add_chunk_steps,
    add_output,
    caption,
    chunked,
    circumstances,
    finish,
    gibibytes,
    markdown,
    parser,
    save,
    spread,
)
from _workers import RESERVE, available_memory

TASK = "train_step"


def main(argv=None):
    options = parser(__doc__)
    options.add_argument("--preset", nargs="+", default=["fashion_mnist", "fashion_mnist_compact"])
    options.add_argument("--time-steps", type=int, nargs="+", default=[5, 15, 50])
    options.add_argument("--batch", type=int, nargs="+", default=[10, 100])
    options.add_argument("--opponents", nargs="+", default=names(TASK), choices=names(TASK))
    options.add_argument(
        "--in-a-row", type=int, default=1, help="number of steps between reads of the loss"
    )
    options.add_argument(
        "--processor-time",
        action="store_true",
        help="seconds of the processor in place of the clock's, where other work shares the cores",
    )
    add_chunk_steps(options)
    add_output(options, repetitions=5)
    arguments = options.parse_args(argv)
    document = {**circumstances(TASK, argv), "label": "-".join(arguments.preset), "cells": []}
    for preset in arguments.preset:
        for cell in measure(preset, arguments):
            document["cells"].append(cell)
            save(document, arguments, TASK)
    finish(document, table, arguments, TASK)


def measure(preset, arguments):
    """Cells of the grid, small cells first, so that they give estimates for the large cells."""
    grid = [(steps, size) for steps in arguments.time_steps for size in arguments.batch]
    net, seen = describe(preset, **chunked(arguments)), {}
    for steps, size in sorted(grid, key=lambda cell: cell[0] * cell[1]):
        contestants = {
            name: contestant(
                *(name, TASK, net, steps, size),
                absent=too_large(name, steps * size, seen),
                in_a_row=arguments.in_a_row,
                processor_time=arguments.processor_time,
            )
            for name in arguments.opponents
        }
        results = race(contestants, arguments.repetitions, arguments.threads)
        for name, result in results.items():
            if "peak_bytes" in result:
                seen.setdefault(name, []).append((steps * size, result["peak_bytes"]))
        yield {"preset": preset, "time_steps": steps, "batch": size, "results": results}


def too_large(name, volume, seen):
    """Reason not to start a step through time with T x batch = `volume`, or an empty string."""
    points = seen.get(name, [])
    if not OPPONENTS[name].through_time or len(points) < 2:
        return ""
    fixed, slope = line(*zip(*points, strict=True))
    expected = fixed + slope * volume
    if expected < available_memory() - RESERVE:
        return ""
    return f"does not fit: about {expected / 2**30:.0f} GiB, from smaller ones"


def table(document):
    """Markdown, one table for each preset and batch."""
    parts = [caption(document)]
    keys = dict.fromkeys((cell["preset"], cell["batch"]) for cell in document["cells"])
    for preset, size in keys:
        cells = [c for c in document["cells"] if (c["preset"], c["batch"]) == (preset, size)]
        cells.sort(key=lambda cell: cell["time_steps"])
        parts += [f"**{preset}, batch {size}**", _grid(cells)]
    return "\n\n".join(parts)


def _grid(cells):
    steps = [cell["time_steps"] for cell in cells]
    columns = ("ms", "faster than authors'", "than surrogate", "GiB")
    head, rows = ["", *(f"T={t}, {column}" for t in steps for column in columns)], []
    for name in cells[0]["results"]:
        row = [cells[0]["results"][name]["label"]]
        for cell in cells:
            results = cell["results"]
            ratios = [ratio(results, other, name) for other in (AUTHORS, SURROGATE)]
            row += [_time(results[name]), *ratios, _memory(results[name])]
        rows.append(row)
    return markdown(head, rows)


def _time(result):
    seconds = turns(result)
    if not len(seconds):
        return result["status"]
    text = spread(seconds, ".0f" if np.median(seconds) > 0.1 else ".1f", 1e3)
    return f"{text}, alone" if result.get("alone") else text


def _memory(result):
    return gibibytes(peak(result)) if peak(result) else "-"


def ratio(results, other, name):
    """Speed-up over another opponent: the median of the ratios of each turn."""
    mine, theirs = (turns(results.get(key, {})) for key in (name, other))
    return f"{np.median(theirs / mine):.2f}x" if len(mine) and len(theirs) else "-"


if __name__ == "__main__":
    main()
