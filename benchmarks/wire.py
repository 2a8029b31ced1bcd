"""Bytes on the wire per training step, and what limits training on 8 to 256 GPUs: arithmetic.

    python benchmarks/wire.py

Nothing is measured here. Constants say whether they were measured elsewhere or are assumed, and
from where they come.
Writes `benchmarks/results/wire/<label>.json`.
"""

import math

from _nets import describe, multiply_adds, shapes
from _report import add_output, circumstances, finish, markdown, parser

TASK = "wire"
NETWORKS = ("fashion_mnist", "cifar10")  # Table 1 of the paper
WORKERS = (2, 8, 32, 256)
FLOAT = 4  # bytes
# NOTES.md, "What a log costs on JAX and PyTorch": `fit` of `fashion_mnist`, T=50, batch 100, H200.
STEP = {"seconds": 5.9e-3, "time_steps": 50, "batch": 100}
# Bytes per second and GPU, each way. Assumed: NVLink 4 of one machine; InfiniBand NDR with a card
# per GPU; Ethernet of 25 Gbit/s that eight GPUs share.
LINKS = {"NVLink": 450e9, "InfiniBand 400 Gbit/s": 50e9, "Ethernet 25 Gbit/s": 25e9 / 8 / 8}
PER_MACHINE = 8
# Weights and multiply-adds of ResNet-50 at 224 x 224 (He et al. 2016, and torchvision's count).
LARGE = {"weights": 25_557_032, "multiply_adds": 4.1e9, "time_steps": 8, "share": 32}
# ImageNet-1k: images, and bytes per JPEG (138 GB in all); assumed: JPEGs decoded per core and
# second, and cores per GPU.
IMAGES, JPEG, DECODED, CORES = 1_281_167, 108_000, 150, 16


def exchanged(weights, workers):
    """Bytes that each worker sends in a step; a ring sends each gradient 2 (N - 1) / N times."""
    return 2 * (workers - 1) / workers * FLOAT * weights


def operations(multiply_adds, time_steps):
    """Operations of a step for one image: T steps of the SNN, the ANN forward and twice back."""
    return 2 * multiply_adds * (time_steps + 3)


def rate():
    """Operations per second of a GPU in a whole training step, from the measured one."""
    each = operations(sum(multiply_adds(describe("fashion_mnist"))), STEP["time_steps"])
    return each * STEP["batch"] / STEP["seconds"]


def networks():
    """Weights, work and bytes of each network of Table 1."""
    found = {}
    for name in NETWORKS:
        net = describe(name)
        weights = sum(math.prod(kernel) for kernel, _ in shapes(net))
        found[name] = {"weights": weights, "multiply_adds": sum(multiply_adds(net))}
        found[name]["bytes"] = {n: exchanged(weights, n) for n in WORKERS}
    return found


def large(workers):
    """Seconds of a step of an ImageNet-size network, and the seconds that each part would take."""
    link = LINKS["NVLink" if workers <= PER_MACHINE else "InfiniBand 400 Gbit/s"]
    share = LARGE["share"]
    parts = {
        "arithmetic": operations(LARGE["multiply_adds"], LARGE["time_steps"]) * share / rate(),
        "wire": exchanged(LARGE["weights"], workers) / link,
        "decoding": share / (DECODED * CORES),
    }
    seconds = max(parts.values())
    images = share * workers / seconds
    return {
        "workers": workers,
        "batch": share * workers,
        "parts": parts,
        "slow_wire": exchanged(LARGE["weights"], workers) / LINKS["Ethernet 25 Gbit/s"],
        "images_per_second": images,
        "bytes_per_second": images * JPEG,
        "epoch_seconds": IMAGES / images,
    }


def main(argv=None):
    options = parser(__doc__)
    add_output(options, repetitions=1)
    arguments = options.parse_args(argv)
    document = {**circumstances(TASK, argv), "label": "arithmetic", "rate": rate()}
    document |= {"networks": networks(), "large": [large(n) for n in (8, 32, 256)]}
    finish(document, table, arguments, TASK)


def table(document):
    """Two tables, each in a section of its own, so that a page can include it alone."""
    parts = {"networks": networks_table(document), "large": large_table(document)}
    return "\n\n".join(
        f"<!-- begin {TASK}_{name} -->\n\n{text}\n\n<!-- end {TASK}_{name} -->"
        for name, text in parts.items()
    )


def networks_table(document):
    head = ["network", "weights", "gradient, MiB"]
    head += [f"{n} workers, MiB sent per worker and step" for n in WORKERS]
    head += [f"ms at {link}" for link in LINKS]
    rows = []
    for name, net in document["networks"].items():
        sent = {int(n): count for n, count in net["bytes"].items()}
        row = [f"`{name}`", f"{net['weights']:,}", f"{FLOAT * net['weights'] / 2**20:.1f}"]
        row += [f"{sent[n] / 2**20:.1f}" for n in WORKERS]
        rows.append(row + [f"{sent[PER_MACHINE] / speed * 1000:.2f}" for speed in LINKS.values()])
    return markdown(head, rows)


def large_table(document):
    head = ["GPUs", "batch", "arithmetic, ms", "wire, ms", "decoding, ms", "limit"]
    head += ["wire with slow Ethernet, ms", "images/s", "JPEGs, GB/s", "an epoch, s"]
    rows = []
    for cell in document["large"]:
        parts = cell["parts"]
        row = [cell["workers"], cell["batch"], *(f"{s * 1000:.1f}" for s in parts.values())]
        row += [max(parts, key=parts.get), f"{cell['slow_wire'] * 1000:.0f}"]
        row += [f"{cell['images_per_second']:,.0f}", f"{cell['bytes_per_second'] / 1e9:.2f}"]
        rows.append([*row, f"{cell['epoch_seconds']:.0f}"])
    speed = f"{document['rate'] / 1e12:.0f} TFLOP/s per GPU, from the measured step"
    return f"At {speed}:\n\n{markdown(head, rows)}"


if __name__ == "__main__":
    main()
