"""Train in several processes with JAX, on one machine or on several.

Start the same command once for each process, with its number:

    python examples/distributed/jax_processes.py --address 127.0.0.1:9876 --processes 2 --process 0
    python examples/distributed/jax_processes.py --address 127.0.0.1:9876 --processes 2 --process 1

The address is that of process 0. Each process reads its own share of the images. If a process
dies, end the others and start all again with `--resume`.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"

import task  # before Keras: it keeps back what TensorFlow writes at its start

# isort: split
import jax
import keras
import numpy as np
from jax.experimental import multihost_utils


def main():
    parser = task.arguments(__doc__)
    parser.add_argument("--address", required=True, help="host and port of process 0")
    parser.add_argument("--processes", type=int, required=True)
    parser.add_argument("--process", type=int, required=True, help="number of this one, from 0")
    own = parser.parse_args()
    me = own.process, own.processes
    jax.distributed.initialize(own.address, own.processes, own.process)
    # Each process gives its own share of a batch, so Keras must not share it out again.
    parallel = keras.distribution.DataParallel(auto_shard_dataset=False)
    keras.distribution.set_distribution(parallel)
    digits, share = task.Digits(own), own.batch_size // own.processes
    model, first = task.start(own, digits.steps)
    for epoch in range(first, own.epochs):
        x, y = digits.epoch(epoch, *me)
        logs = model.fit(x, y, share, shuffle=False, verbose=0).history
        if own.process == 0:
            save(model, own.output, parallel)
        task.tell(f"epoch {epoch + 1}", {name: v[0] for name, v in logs.items()}, own.process)
    x, y = digits.test_share(*me)
    task.tell("test", model.evaluate(x, y, share, return_dict=True, verbose=0), own.process)
    scores = multihost_utils.process_allgather(alone(model).predict(x, share, verbose=0))
    if own.process == 0:
        task.write_scores(own, digits.together(scores.reshape(own.processes, len(x), -1)))


def save(model, path, parallel):
    """Write the model in one process; while the distribution is set, Keras waits for the others."""
    keras.distribution.set_distribution(None)
    model.save(path)
    keras.distribution.set_distribution(parallel)


def alone(model):
    """A copy of the model for this process, because Keras's `predict` fails over several."""
    weights = [np.asarray(weight.value) for weight in model.weights]
    keras.distribution.set_distribution(None)
    copy = type(model).from_config(model.get_config())
    copy.set_weights(weights)
    return copy


if __name__ == "__main__":
    main()
