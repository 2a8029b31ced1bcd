"""How the time of a training step grows with T, batch, width and depth: fitted exponents.

    python benchmarks/scaling.py

One factor is changed at a time; all its values and all opponents are in one race. With time =
a x^b, the exponent b is the slope of least squares on logarithms of the medians. The arithmetic
alone would give b = 1, 1, 2 and 1. Fixed costs of a step (a call, the optimizer, the first layer)
lower b.
Writes `benchmarks/results/scaling/<label>.json`.
"""

import numpy as np
from _fit import exponent
from _nets import describe, multiply_adds
from _opponents import OPPONENTS, contestant, names
from _race import race, turns
from _report import add_output, caption, circumstances, finish, markdown, parser, save, spread

TASK = "scaling"
FACTORS = {
    "time_steps": [5, 10, 20, 40],
    "batch": [5, 10, 20, 40],
    "width": [16, 32, 64, 128],
    "depth": [2, 4, 8, 16],
}
SAYS = {"time_steps": "T", "batch": "batch", "width": "maps", "depth": "convolutions"}


def main(argv=None):
    options = parser(__doc__)
    for factor, values in FACTORS.items():
        name = f"--{factor.replace('_', '-')}"
        options.add_argument(
            name,
            type=int,
            nargs="*",
            default=values,
            help="values to measure (no values: this factor is not varied)",
        )
    options.add_argument("--base", type=int, nargs=4, default=[10, 10, 32, 4], metavar="N")
    options.add_argument(
        "--side", type=int, default=28, help="height and width of the images, in pixels"
    )
    default = ["tensorflow", "jax", "torch", "torch-events", "spikingjelly", "tensorflow-ann"]
    known = names("train_step")
    options.add_argument("--opponents", nargs="+", default=default, choices=known)
    add_output(options, repetitions=5)
    arguments = options.parse_args(argv)
    base = dict(zip(FACTORS, arguments.base, strict=True))
    document = {**circumstances(TASK, argv), "label": "cpu", "base": base, "factors": {}}
    for factor in FACTORS:
        values = getattr(arguments, factor)
        if values:
            document["factors"][factor] = measure(factor, values, base, arguments)
            save(document, arguments, TASK)
    finish(document, table, arguments, TASK)


def network(width, depth, side):
    """`depth` convolutions of `width` maps on one size of image, then a readout."""
    spec = f"{f'{width}C3-' * depth}P{side // 4}-10F"
    return describe(spec, input_shape=(side, side, 1), v_threshold=1.0)


def measure(factor, values, base, arguments):
    """Results of a race of all values of a factor, and multiply-adds of a step at each."""
    entrants, work = {}, {}
    for value in values:
        size = {**base, factor: value}
        net = network(size["width"], size["depth"], arguments.side)
        work[value] = size["batch"] * size["time_steps"] * sum(multiply_adds(net))
        for name in arguments.opponents:
            entrants[name, value] = contestant(
                name, "train_step", net, size["time_steps"], size["batch"]
            )
    results = race(entrants, arguments.repetitions, arguments.threads)
    rows = {
        name: {str(value): results[name, value] for value in values} for name in arguments.opponents
    }
    return {"multiply_adds": work, "results": rows}


def fitted(results):
    """`(exponent, R^2)` of an opponent's medians, or None with fewer than two."""
    points = [(int(x), np.median(turns(r))) for x, r in results.items() if len(turns(r))]
    return exponent(*zip(*points, strict=True)) if len(points) > 1 else None


def table(document):
    """Markdown: a table for each factor."""
    base = ", ".join(f"{SAYS[name]} {value}" for name, value in document["base"].items())
    parts = [caption(document), f"Everything but the factor: {base}."]
    for factor, measured in document["factors"].items():
        rows = []
        for name, results in measured["results"].items():
            fit = fitted(results)
            row = [
                spread(turns(r), ".1f", 1e3) if len(turns(r)) else r["status"]
                for r in results.values()
            ]
            cells = [f"{fit[0]:.2f}", f"{fit[1]:.3f}"] if fit else ["-", "-"]
            rows.append([OPPONENTS[name].label, *row, *cells])
        values = [f"{SAYS[factor]} {value}, ms" for value in measured["multiply_adds"]]
        parts.append(markdown(["", *values, "exponent", "R^2"], rows))
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
