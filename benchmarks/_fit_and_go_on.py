"""`fit` with Keras's `ModelCheckpoint`, as docs/how-to/resume.md says: what `stress.py` kills.

python benchmarks/_fit_and_go_on.py FILE EPOCHS
"""

import math
import sys
from pathlib import Path

import keras

import keras_proxy_snn as kps

IMAGES, BATCH = 300, 32


def main(path, epochs):
    (x, y), _ = kps.datasets.load("digits")
    keras.utils.set_random_seed(1)
    if Path(path).exists():
        model = keras.models.load_model(path)
    else:
        model = kps.build("4C3-P2-10F", input_shape=(8, 8, 1), time_steps=4)
    done = int(model.optimizer.iterations) // math.ceil(IMAGES / BATCH)

    def say(epoch, logs):
        print(f"epoch {epoch + 1}/{epochs}: loss {logs['loss']:.4f}", flush=True)

    model.fit(
        x[:IMAGES],
        y[:IMAGES],
        batch_size=BATCH,
        initial_epoch=done,
        epochs=int(epochs),
        shuffle=False,
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_end=say),
            keras.callbacks.ModelCheckpoint(path),
        ],
        verbose=0,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
