"""What the scripts of this folder share: images and their order, the network, what is printed.

All scripts train the same network on the embedded digits. A batch is cut into one share for each
worker, so weights, logs, evaluation and predictions are those of one worker on whole batches, but
for the order of float sums. Tests compare them.
"""

import argparse
from pathlib import Path

import keras_proxy_snn as kps  # before Keras: it keeps back what TensorFlow writes at its start

# isort: split
import keras
import numpy as np


def arguments(doc):
    """The command line that all scripts have."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--network", default="digits", help="a preset, or a spec: 4C3-P2-10F")
    parser.add_argument("--time-steps", type=int, default=20)
    parser.add_argument("--images", type=int, help="default: all training images")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64, help="of all workers together")
    parser.add_argument("--output", type=Path, default="digits.keras", help="after each epoch")
    parser.add_argument("--resume", action="store_true", help="go on from this file, if it exists")
    return parser


class Digits:
    """Images and labels, without those at the end that fill no batch."""

    def __init__(self, own):
        self.batch_size = own.batch_size
        self.train, self.test = (
            [part[: len(x[: own.images]) // own.batch_size * own.batch_size] for part in (x, y)]
            for x, y in kps.datasets.load("digits")
        )
        self.steps = len(self.train[0]) // own.batch_size

    def epoch(self, epoch, worker=0, workers=1):
        """Images and labels of one worker; the order depends on the epoch alone."""
        order = np.random.default_rng(epoch).permutation(len(self.train[0]))
        mine = self._share(order, worker, workers)
        return [part[mine] for part in self.train]

    def test_share(self, worker, workers):
        """The test images and labels of one worker."""
        mine = self._share(np.arange(len(self.test[0])), worker, workers)
        return [part[mine] for part in self.test]

    def together(self, shares):
        """Scores of all test images in their order, from the scores that each worker has."""
        batches = len(self.test[0]) // self.batch_size
        parts = [np.split(np.asarray(share), batches) for share in shares]
        return np.concatenate([part for batch in zip(*parts, strict=True) for part in batch])

    def _share(self, order, worker, workers):
        if self.batch_size % workers:
            raise SystemExit(
                f"`--batch-size` must be a multiple of the {workers} workers. "
                f"Received: {self.batch_size}."
            )
        size = self.batch_size // workers
        batches = order.reshape(-1, self.batch_size)
        return batches[:, worker * size : (worker + 1) * size].reshape(-1)


def start(own, steps):
    """The network, new or from the file of a training that was stopped, and its next epoch."""
    keras.utils.set_random_seed(0)
    if own.resume and own.output.exists():
        model = keras.models.load_model(own.output)
    else:
        model = kps.build(own.network, input_shape=(8, 8, 1), time_steps=own.time_steps)
    return model, int(keras.ops.convert_to_numpy(model.optimizer.iterations)) // steps


def fit(own, digits, model, first):
    """Train, evaluate and predict by Keras's own methods, in one process."""
    for epoch in range(first, own.epochs):
        x, y = digits.epoch(epoch)
        logs = model.fit(x, y, own.batch_size, shuffle=False, verbose=0).history
        tell(f"epoch {epoch + 1}", {name: values[0] for name, values in logs.items()})
        model.save(own.output)
    x, y = digits.test
    tell("test", model.evaluate(x, y, own.batch_size, return_dict=True, verbose=0))
    write_scores(own, model.predict(x, own.batch_size, verbose=0))


def tell(what, logs, worker=0):
    """Print loss and accuracy."""
    loss, accuracy = float(logs["loss"]), float(logs["accuracy"])
    # The line with its end in one piece: workers may write to the same place.
    line = f"worker {worker}, {what}: loss {loss:.6f}, accuracy {accuracy:.6f}\n"
    print(line, end="", flush=True)


def write_scores(own, scores):
    """Spike counts of the test images, in order, beside the model."""
    np.save(own.output.with_suffix(".npy"), scores)
