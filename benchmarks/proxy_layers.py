"""Layers of the proxy on PyTorch and CPUs: Keras's calls, compared with the faster kernels.

    python benchmarks/proxy_layers.py

One layer forward and backward in training, Keras's own call against
`keras_proxy_snn.cnn.torch_layers` and `keras_proxy_snn.training.torch_responses`. They take turns.
Writes `benchmarks/results/proxy_layers/<label>.json`.
"""

import numpy as np
from _race import Contestant, race, turns
from _report import add_output, caption, circumstances, finish, markdown, parser, spread

TASK = "proxy_layers"
LAYERS = {
    "norm": "batch normalisation",
    "relu": "ReLU, maximum 2",
    "pool": "average pooling, 2 x 2",
    "qcfs": "activation in 4 steps",
}
WAYS = {"keras": "Keras's operations", "fast": "as the proxy runs it"}


def main(argv=None):
    options = parser(__doc__)
    options.add_argument("--shape", type=int, nargs=3, default=[28, 28, 128], help="of the layer")
    options.add_argument("--batch", type=int, default=100)
    options.add_argument("--dtype", default="bfloat16", choices=("float32", "bfloat16"))
    add_output(options, repetitions=5)
    arguments = options.parse_args(argv)
    work = {name: getattr(arguments, name) for name in ("shape", "batch", "dtype")}
    size = "x".join(map(str, arguments.shape))
    label = f"{size}-batch{arguments.batch}-{arguments.dtype}"
    document = {**circumstances(TASK, argv), "label": label, **work}
    entrants = {
        f"{layer}-{way}": Contestant(
            f"{LAYERS[layer]}, {WAYS[way]}",
            "_proxy_layers",
            "prepare",
            {**work, "layer": layer, "way": way},
            {"KERAS_BACKEND": "torch"},
        )
        for layer in LAYERS
        for way in WAYS
    }
    document["results"] = race(entrants, arguments.repetitions, arguments.threads)
    finish(document, table, arguments, TASK)


def table(document):
    """Markdown: time of each layer, and the speed-up over Keras's call."""
    layer = " x ".join(map(str, document["shape"]))
    head = [f"{layer}, batch {document['batch']}, {document['dtype']}", "ms"]
    rows = []
    for name, result in document["results"].items():
        if result["status"] != "measured":
            rows.append([result["label"], result["status"], "-"])
            continue
        seconds = turns(result)
        plain = turns(document["results"][f"{name.split('-')[0]}-keras"])
        gain = f"{np.median(plain / seconds):.2f}x" if len(plain) else "-"
        rows.append([result["label"], spread(seconds, ".1f", 1e3), gain])
    return f"{caption(document)}\n\n{markdown([*head, 'times as fast as Keras'], rows)}"


if __name__ == "__main__":
    main()
