"""The unrolled ONNX form step by step, layer by layer, and as it is written by default.

    python benchmarks/onnx_order.py

Layer by layer: all T steps are folded into the batch, with one convolution per layer. Step by step:
each step has its own convolution. The script uses one thread, batch 1 and ONNX Runtime. The files
take turns; it prints median and spread of the ratios to the first file, taken turn by turn.
"""

import tempfile
from pathlib import Path

import numpy as np
from _report import markdown, parser, spread

import keras_proxy_snn as kps
from keras_proxy_snn.export import from_model, onnx

SPECS = ["8C3-P2-16C3-P2-32F-10F", "32C3-P2-64C3-P2-64C3-P2-128F-10F"]


def main():
    options = parser(__doc__)
    options.add_argument("--time-steps", type=int, nargs="+", default=[10, 50])
    options.add_argument("--turns", type=int, default=12)
    arguments = options.parse_args()
    rows = [
        [f"`{spec}`", steps, *cells]
        for spec in SPECS
        for steps in arguments.time_steps
        for cells in measure(spec, steps, arguments.turns)
    ]
    print(markdown(["network", "T", "order", "KiB", "nodes", "ms", "of step by step"], rows))


def measure(spec, steps, turns):
    ann = kps.build_ann(kps.parse_spec(spec), (28, 28, 1))
    program = from_model(kps.ProxyModel(ann, steps))
    orders = {"step by step": 1, "layer by layer": steps, "default": None}
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.onnx" for name in orders}
        for name, path in files.items():
            onnx.write(program, path, chunk_steps=orders[name])
        times = [
            {name: onnx.latency(path, program, repeats=10) for name, path in files.items()}
            for _ in range(turns)
        ]
        for name, path in files.items():
            seconds = np.array([turn[name] for turn in times])
            ratio = seconds / np.array([turn["step by step"] for turn in times])
            size = f"{path.stat().st_size / 1024:.0f}"
            yield [
                name,
                size,
                str(onnx.node_count(path)),
                f"{1e3 * np.median(seconds):.2f}",
                spread(ratio),
            ]


if __name__ == "__main__":
    main()
