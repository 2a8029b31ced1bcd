"""Latency of our LiteRT file, compared with the ANN twin and with TensorFlow's converter.

    KERAS_BACKEND=tensorflow python benchmarks/litert_latency.py

One thread, batch 1, the net 8C3-P2-16C3-P2-32F-10F on 28x28x1. The files are measured in turns,
and ratios are taken of each turn; their median and spread are printed.
"""

import tempfile
from pathlib import Path

import keras
import numpy as np
from _report import markdown, parser, spread

import keras_proxy_snn as kps
from keras_proxy_snn.export import from_model, litert
from keras_proxy_snn.export.converters import tflite as tflite_converter


def main():
    options = parser(__doc__)
    options.add_argument("--time-steps", type=int, nargs="+", default=[10, 50])
    options.add_argument("--turns", type=int, default=12)
    arguments = options.parse_args()
    spec = kps.parse_spec("8C3-P2-16C3-P2-32F-10F")
    rows = []
    for steps in arguments.time_steps:
        model = kps.ProxyModel(kps.build_ann(spec, (28, 28, 1)), steps)
        program = from_model(model)
        with tempfile.TemporaryDirectory() as folder:
            files = {name: Path(folder) / f"{name}.tflite" for name in ("ours", "twin", "theirs")}
            litert.write(program, files["ours"])
            litert.write_twin(program, files["twin"])
            if keras.config.backend() == "tensorflow":
                tflite_converter.write(model, files["theirs"])
            else:
                del files["theirs"]
            turns = [
                {name: litert.latency(path, program, repeats=10) for name, path in files.items()}
                for _ in range(arguments.turns)
            ]
        ours = np.array([turn["ours"] for turn in turns])
        cells = [str(steps), f"{1e3 * np.median(ours):.3f}"]
        cells.append(spread(ours / (steps * np.array([turn["twin"] for turn in turns]))))
        if "theirs" in files:
            cells.append(spread(ours / np.array([turn["theirs"] for turn in turns])))
        else:
            cells.append("needs KERAS_BACKEND=tensorflow")
        rows.append(cells)
    print(markdown(["T", "ours, ms", "ours / (T x ANN twin)", "ours / converter's file"], rows))


if __name__ == "__main__":
    main()
