"""Speed of the spiking forward pass in multiply-adds per second, compared with the machine's best.

    python benchmarks/simulate.py

Multiply-adds are those of the first layer once and of the others T times, each spike counted as a
number like any other. The ceilings are measured in the same run, in turns with the rest: one large
3 x 3 convolution and one matrix product of each framework, float32 and bfloat16. Weights and images
are multiples of 1/256, so without batch normalisation everyone in float32 must give the same spike
counts; the last column says whether they did. Shares of a ceiling are taken turn by turn. Writes
`benchmarks/results/simulate/<label>.json`.
"""

import importlib.util
import itertools

import numpy as np
from _ceiling import multiply_adds as ceiling_multiply_adds
from _nets import describe, multiply_adds
from _opponents import FRAMEWORKS, INSTALL, OPPONENTS, contestant, names
from _race import Contestant, race, turns
from _report import (
    add_chunk_steps,
    add_output,
    caption,
    chunked,
    circumstances,
    finish,
    markdown,
    parser,
    spread,
)

TASK = "simulate"
DTYPES = ("float32", "bfloat16")
OPERATIONS = {"convolution": "3x3 convolution", "product": "matrix product"}


def main(argv=None):
    options = parser(__doc__)
    options.add_argument("--preset", default="fashion_mnist")
    options.add_argument("--time-steps", type=int, default=50)
    options.add_argument("--batch", type=int, default=10)
    options.add_argument("--opponents", nargs="+", default=names(TASK), choices=names(TASK))
    options.add_argument(
        "--ceiling-images",
        type=int,
        default=100,
        help="images of the convolution in the upper bound",
    )
    options.add_argument(
        "--ceiling-maps", type=int, default=128, help="maps of the convolution in the upper bound"
    )
    options.add_argument(
        "--ceiling-size",
        type=int,
        default=4096,
        help="rows and columns of the matrices in the upper bound",
    )
    options.add_argument("--ceilings", nargs="+", default=[*FRAMEWORKS], choices=FRAMEWORKS)
    add_chunk_steps(options)
    add_output(options, repetitions=7)
    arguments = options.parse_args(argv)
    net = describe(arguments.preset, **chunked(arguments))
    work = multiply_adds(net)
    document = {
        **circumstances(TASK, argv),
        "label": f"{arguments.preset}-T{arguments.time_steps}-batch{arguments.batch}",
        **{name: getattr(arguments, name) for name in ("preset", "time_steps", "batch")},
    }
    everyone = {
        name: contestant(name, TASK, net, arguments.time_steps, arguments.batch)
        for name in arguments.opponents
    }
    tops = ceilings(arguments)
    results = race(everyone | tops, arguments.repetitions, arguments.threads)
    step = arguments.batch * (work[0] + arguments.time_steps * sum(work[1:]))
    for name, result in results.items():
        top = tops.get(name)
        result["multiply_adds"] = ceiling_multiply_adds(top.settings) if top else step
    document["results"] = {name: results[name] for name in everyone}
    document["ceilings"] = {
        name: results[name] | {key: tops[name].settings[key] for key in KEYS} for name in tops
    }
    finish(document, table, arguments, TASK)


KEYS = ("framework", "operation", "dtype")


def ceilings(arguments):
    """A contestant for each framework, operation and type of numbers."""
    found = {}
    for framework, operation, dtype in itertools.product(arguments.ceilings, OPERATIONS, DTYPES):
        there = importlib.util.find_spec(framework)
        label = f"{OPERATIONS[operation]}, {FRAMEWORKS[framework]}, {dtype}"
        found[f"ceiling-{framework}-{operation}-{dtype}"] = Contestant(
            label,
            "_ceiling",
            "prepare",
            {
                "framework": framework,
                "operation": operation,
                "dtype": dtype,
                "images": arguments.ceiling_images,
                "maps": arguments.ceiling_maps,
                "size": arguments.ceiling_size,
            },
            absent="" if there else f"not installed; pip install {INSTALL[framework]}",
        )
    return found


def rates(result):
    """Multiply-adds per second in each turn."""
    return result["multiply_adds"] / turns(result)


def best(document, dtype, operation=None, framework=None):
    """Rates of the ceiling of a kind with the best median; None if there is none."""
    wanted = {"dtype": dtype, "operation": operation, "framework": framework}
    wanted = {key: value for key, value in wanted.items() if value}
    found = [
        rates(ceiling)
        for ceiling in document["ceilings"].values()
        if ceiling["status"] == "measured" and wanted.items() <= ceiling.items()
    ]
    return max(found, key=np.median, default=None)


def table(document):
    """Markdown: ceilings, then everyone's rate and share of them."""
    tops = [
        [c["label"], spread(rates(c), ".1f", 1e-9) if c["status"] == "measured" else c["status"]]
        for c in document["ceilings"].values()
    ]
    title = f"{document['preset']}, T={document['time_steps']}, batch {document['batch']}"
    head = [title, "ms", "GMAC/s", "of own framework's convolution", "of the best of all"]
    head += ["counts as in the first row"]
    parts = [caption(document), markdown(["ceiling", "GMAC/s"], tops)]
    parts += [markdown(head, _rows(document))]
    return "\n\n".join(parts)


def _rows(document):
    measured = [r["result"] for r in document["results"].values() if r["status"] == "measured"]
    for name, result in document["results"].items():
        if result["status"] != "measured":
            yield [result["label"], result["status"], *"----"]
            continue
        opponent = OPPONENTS[name]
        dtype = DTYPES["bf16" in name]
        framework = opponent.package if opponent.package in FRAMEWORKS else "torch"
        own = best(document, dtype, "convolution", framework)
        rate = rates(result)
        tops = own, best(document, dtype)
        shares = ["-" if top is None else f"{np.median(rate / top):.0%}" for top in tops]
        time = spread(turns(result), ".1f", 1e3)
        same = np.mean(np.equal(result["result"], measured[0]))
        yield [result["label"], time, spread(rate, ".1f", 1e-9), *shares, f"{same:.1%}"]


if __name__ == "__main__":
    main()
