"""A process that takes many steps and prints what it holds meanwhile; see `long_runs.py`.

python benchmarks/_long_run.py fit|predict STEPS
"""

import functools
import json
import os
import sys
import time

import keras
import numpy as np
from _workers import status_bytes

import keras_proxy_snn as kps

BATCH, SAMPLES = 8, 100


def main(what, network, steps):
    model = kps.build("4C3-P2-10F", input_shape=(8, 8, 1), time_steps=4)
    if network == "ann":
        model = model.ann
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
    traced = counted(model)
    start, samples = time.perf_counter(), []

    def look():
        held = {
            "memory": status_bytes("VmRSS"),
            "threads": len(os.listdir("/proc/self/task")),
            "handles": len(os.listdir("/proc/self/fd")),
        }
        # PyTorch compiles nothing: it runs `call` at each step.
        held["traces"] = None if keras.config.backend() == "torch" else traced[0]
        samples.append(held)

    every = steps // SAMPLES
    x = np.random.default_rng(0).random((BATCH * every, 8, 8, 1), "float32")
    if what == "fit":
        y = np.arange(len(x)) % 10
        callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: look())
        model.fit(x, y, batch_size=BATCH, epochs=SAMPLES, callbacks=[callback], verbose=0)
    else:
        for _ in range(SAMPLES):
            model.predict(x, batch_size=BATCH, verbose=0)
            look()
    seconds = time.perf_counter() - start
    print(json.dumps({"steps": every * SAMPLES, "seconds": seconds, "samples": samples}))


def counted(model):
    """A list with the number of calls of the model's Python code, which a trace makes."""
    calls, call = [0], model.call

    @functools.wraps(call)
    def counting(*args, **kwargs):
        calls[0] += 1
        return call(*args, **kwargs)

    model.call = counting
    return calls


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
