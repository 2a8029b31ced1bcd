"""Neurons alone: the plain equations, compared with the fast kernels that networks use.

    python benchmarks/neurons.py

One layer for a chunk of steps, currents and spikes in float32 or bfloat16, on each backend: the
equations of `keras_proxy_snn.neurons.equations` (eager on PyTorch, compiled on TensorFlow and JAX)
and `keras_proxy_snn.neurons.fastest`, which is a kernel on GPUs. They take turns, the same currents
for all; the last column says whether all spikes and potentials are those of the first row, bit by
bit. Bytes are the fewest that can be moved: currents read, spikes written, potentials both. Writes
`benchmarks/results/neurons/<label>.json`.
"""

import importlib.util
import math

import numpy as np
from _opponents import FRAMEWORKS, INSTALL
from _race import Contestant, race, turns
from _report import add_output, caption, circumstances, finish, markdown, parser, spread

TASK = "neurons"
WAYS = {"equations": "equations", "fused": "as networks run them"}
BYTES = {"float32": 4, "bfloat16": 2}


def main(argv=None):
    options = parser(__doc__)
    options.add_argument(
        "--shape", type=int, nargs="+", default=[28, 28, 128], help="shape of the layer"
    )
    options.add_argument(
        "--time-steps", type=int, default=2, help="number of time steps in a chunk"
    )
    options.add_argument("--batch", type=int, default=100)
    options.add_argument(
        "--dtype", default="float32", choices=BYTES, help="dtype of currents and spikes"
    )
    options.add_argument("--backends", nargs="+", default=[*FRAMEWORKS], choices=FRAMEWORKS)
    add_output(options, repetitions=7)
    arguments = options.parse_args(argv)
    work = {name: getattr(arguments, name) for name in ("shape", "time_steps", "batch", "dtype")}
    size = "x".join(map(str, arguments.shape))
    document = {
        **circumstances(TASK, argv),
        "label": f"{size}-T{arguments.time_steps}-batch{arguments.batch}-{arguments.dtype}",
        **work,
    }
    entrants = {
        f"{backend}-{way}": entrant(backend, way, work)
        for backend in arguments.backends
        for way in WAYS
    }
    document["results"] = race(entrants, arguments.repetitions, arguments.threads)
    finish(document, table, arguments, TASK)


def entrant(backend, way, work):
    there = importlib.util.find_spec(backend)
    return Contestant(
        f"{FRAMEWORKS[backend]}, {WAYS[way]}",
        "_neurons",
        "prepare",
        {**work, "framework": backend, "way": way},
        {"KERAS_BACKEND": backend},
        "" if there else f"not installed; pip install {INSTALL[backend]}",
    )


def table(document):
    """Markdown: time, bytes per second, and the speed-up of the fast kernels."""
    places = document["batch"] * math.prod(document["shape"])
    per_neuron = 2 * document["time_steps"] * BYTES[document["dtype"]] + 2 * BYTES["float32"]
    layer = " x ".join(map(str, document["shape"]))
    head = [
        f"{layer}, {document['time_steps']} steps, batch {document['batch']}, {document['dtype']}",
        *("ms", "GB/s", "times as fast as the equations", "bits as in the first row"),
    ]
    return f"{caption(document)}\n\n{markdown(head, _rows(document, places * per_neuron))}"


def _rows(document, count):
    results = document["results"]
    measured = [r["result"] for r in results.values() if r["status"] == "measured"]
    for name, result in results.items():
        if result["status"] != "measured":
            yield [result["label"], result["status"], *"---"]
            continue
        seconds = turns(result)
        plain = turns(results[f"{name.split('-')[0]}-equations"])
        gain = f"{np.median(plain / seconds):.2f}x" if len(plain) else "-"
        same = "yes" if result["result"] == measured[0] else "no"
        rate = spread(count / seconds, ".0f", 1e-9)
        yield [result["label"], spread(seconds, ".3f", 1e3), rate, gain, same]


if __name__ == "__main__":
    main()
