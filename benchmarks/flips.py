"""How often rounding changes a count of a trained network, and how far its accuracy moves.

    KERAS_BACKEND=torch python benchmarks/flips.py

Trains the preset `digits`, then simulates all test images on this backend, dense and event by
event, and from files in every runtime that is installed. Each count is compared with a simulation
in float64. Writes `benchmarks/results/flips/<label>.json`.
"""

import tempfile
from pathlib import Path

import keras
import numpy as np
from _report import RESULTS, caption, circumstances, finish, markdown, parser

import keras_proxy_snn as kps
from keras_proxy_snn.export import from_model
from keras_proxy_snn.verification import models, oracle
from keras_proxy_snn.verification.files import RUNTIMES, RefusedError, installed

TASK = "flips"


def main(argv=None):
    options = parser(__doc__)
    options.add_argument("--epochs", type=int, default=4)
    options.add_argument("--images", type=int, help="test images (default: all)")
    options.add_argument("--runtimes", nargs="*", default=installed(), choices=RUNTIMES)
    options.add_argument("--label", default=keras.config.backend(), help="name of the JSON file")
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    arguments = options.parse_args(argv)
    document = circumstances(TASK, argv)
    (x, y), (x_test, y_test) = kps.datasets.load("digits")
    x_test, y_test = x_test[: arguments.images], y_test[: arguments.images]
    keras.utils.set_random_seed(0)
    model = kps.build("digits")
    model.fit(x, y, epochs=arguments.epochs, batch_size=32, verbose=0)
    document["images"] = len(x_test)
    document["rows"] = dict(compared(model, x_test, y_test, arguments.runtimes))
    finish(document, table, arguments, TASK)


def compared(model, images, labels, runtimes):
    """Name and facts of each row; the first is the simulation in float64."""
    program = from_model(model)
    exact = oracle.run(program, images)

    def facts(scores):
        right = int((scores.argmax(axis=1) == labels).sum())
        return {"counts": exact.size, "differing": int((scores != exact).sum()), "right": right}

    yield "NumPy, float64", facts(exact)
    for name, scores in models.simulations(model, images):
        yield name, facts(np.asarray(scores))
    for name in runtimes:
        with tempfile.TemporaryDirectory() as folder:
            try:
                yield name, facts(RUNTIMES[name].run(program, Path(folder), images, 0))
            except RefusedError:
                continue


def table(document):
    """Markdown: a row for each simulator."""
    head = ["simulator", "counts", "differing", "accuracy, %"]
    rows = [
        [
            name,
            f"{row['counts']:,}",
            row["differing"],
            f"{100 * row['right'] / document['images']:.2f}",
        ]
        for name, row in document["rows"].items()
    ]
    return f"{caption(document)}\n\n{markdown(head, rows)}"


if __name__ == "__main__":
    main()
