r"""Accuracy of a preset trained via proxy, compared with its ANN twin trained alone.

    python benchmarks/accuracy.py fashion_mnist_compact --epochs 10 --seeds 0

Both start from the same initial weights and see the same batches. The learning rate falls
linearly, epoch by epoch, and would reach zero one epoch after the last. The test set is used
once, after the last epoch. To choose settings, use `--hold-out N`: the last N training images
replace the test set:

    python benchmarks/accuracy.py fashion_mnist_compact --epochs 2 --images 20000 \
        --hold-out 5000 --set readout_activation=relu

A run that was cut off resumes from its last whole epoch. The script writes one JSON file per run
to `benchmarks/results/accuracy/` and prints the table of all files there.
"""

import ast
import shutil
import time
from pathlib import Path

import keras
import numpy as np
from _report import RESULTS, hardware, parser, versions, write_json
from _results import accuracy_table

import keras_proxy_snn as kps
from keras_proxy_snn.basics.files import replacing
from keras_proxy_snn.methods import Training, fit_phase


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch, validation excluded."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self._start)


def train(model, x, y, arguments, seed, name):
    keras.utils.set_random_seed(seed)
    clock = Clock()
    folder = arguments.scratch / f"{name}-{seed}"
    training = Training(
        arguments.epochs, arguments.batch_size, folder=folder, callbacks=[clock], verbose=2
    )
    logs = fit_phase(model, x, y, training, "whole")
    shutil.rmtree(folder)  # the same command trains anew
    return logs, clock.seconds


def load(arguments):
    train_set, test_set = kps.datasets.load(arguments.dataset, data_dir=arguments.data_dir)
    if arguments.hold_out:
        test_set = tuple(part[-arguments.hold_out :] for part in train_set)
        train_set = tuple(part[: -arguments.hold_out] for part in train_set)
    return tuple(part[: arguments.images] for part in train_set), test_set


def run(arguments, seed):
    (x, y), (x_test, y_test) = load(arguments)
    keras.utils.set_random_seed(seed)
    model = kps.build(arguments.preset, **arguments.settings)
    initial = model.get_weights()
    history, seconds = train(model, x, y, arguments, seed, f"{arguments.label}-proxy")
    rules = [kps.SpikeAccuracy(rule, name=rule) for rule in kps.SpikeAccuracy.RULES]
    model.compile(model.optimizer, model.loss, metrics=rules)
    accuracy = model.evaluate(x_test, y_test, batch_size=100, verbose=0, return_dict=True)
    if arguments.save:
        with replacing(arguments.save) as draft:
            model.save(draft)

    model.set_weights(initial)
    twin = model.ann
    preset = kps.PRESETS[arguments.preset]
    twin.compile(
        keras.optimizers.Adam(preset.learning_rate, preset.beta_1, preset.beta_2, preset.epsilon),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    twin_history, twin_seconds = train(twin, x, y, arguments, seed, f"{arguments.label}-ann")
    twin_accuracy = twin.evaluate(x_test, y_test, batch_size=100, verbose=0)[1]
    return {
        "preset": arguments.preset,
        "dataset": arguments.dataset,
        "backend": keras.config.backend(),
        "time_steps": model.time_steps,
        "settings": arguments.settings,
        "images": len(x),
        "evaluated_on": "held-out training images" if arguments.hold_out else "test images",
        "epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
        "seed": seed,
        "accuracy": {rule: accuracy[rule] for rule in kps.SpikeAccuracy.RULES},
        "twin_accuracy": twin_accuracy,
        "seconds_per_epoch": float(np.median(seconds)) if seconds else None,
        "twin_seconds_per_epoch": float(np.median(twin_seconds)) if twin_seconds else None,
        "history": history,
        "twin_history": twin_history,
        "versions": versions(),
        "hardware": hardware(),
    }


def setting(text):
    field, _, value = text.partition("=")
    try:
        return field, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return field, value


def main():
    options = parser(__doc__)
    options.add_argument("preset", choices=kps.PRESETS)
    options.add_argument("--epochs", type=int, default=10)
    options.add_argument("--batch-size", type=int, default=100)
    options.add_argument("--seeds", type=int, nargs="+", default=[0])
    options.add_argument("--images", type=int, help="train on this many images only")
    options.add_argument(
        "--hold-out",
        type=int,
        default=0,
        help="number of training images that are held out and evaluated on",
    )
    options.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="FIELD=VALUE",
        help="fields of the preset and their new values",
    )
    options.add_argument("--data-dir", help="folder or archive of the data set")
    options.add_argument("--save", help="write the trained model to this .keras file")
    options.add_argument(
        "--scratch", type=Path, default=Path("runs"), help="folder for checkpoints"
    )
    arguments = options.parse_args()
    arguments.settings = dict(map(setting, arguments.set))
    arguments.dataset = arguments.preset.removesuffix("_compact")
    changes = "".join(f"-{field}" for field in arguments.set)
    size = f"-images{arguments.images}" if arguments.images else ""
    arguments.label = f"{arguments.preset}-{keras.config.backend()}{changes}{size}"
    for seed in arguments.seeds:
        result = run(arguments, seed)
        label = f"{arguments.label}-epochs{arguments.epochs}-seed{seed}"
        write_json(result, RESULTS / "accuracy" / f"{label}.json")
    print(accuracy_table())


if __name__ == "__main__":
    main()
