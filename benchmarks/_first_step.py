"""One fresh process of `startup.py`: what it imports and does, and when.

    python benchmarks/_first_step.py keras keras_proxy_snn step

Prints JSON: seconds of each import in order, and of building, of the first step and of the second.
"""

import json
import sys
import time


def main(words):
    seconds = {}

    def note(name):
        seconds[name] = time.perf_counter() - note.start
        note.start = time.perf_counter()

    note.start = time.perf_counter()
    for word in words:
        if word == "step":
            _train(note)
        else:
            __import__(word)
            note(word)
    return seconds


def _train(note):
    import numpy as np

    import keras_proxy_snn as kps

    model = kps.build("digits")
    note("build")
    x, y = np.zeros((32, 8, 8, 1), "float32"), np.zeros(32, int)
    for name in ("first step", "second step"):
        model.train_on_batch(x, y)
        note(name)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
