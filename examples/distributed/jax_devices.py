"""Train on all devices of one machine with JAX, through `keras.distribution`.

    python examples/distributed/jax_devices.py                # all GPUs or TPUs, or one processor
    python examples/distributed/jax_devices.py --devices 2    # a processor that stands for two
    python examples/distributed/jax_devices.py --devices 2 --share-weights

Each device takes a share of every batch. The weights are copied, or with `--share-weights` the
first dense layer is shared out too.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"

import task  # before Keras: it keeps back what TensorFlow writes at its start

# isort: split
import jax
import keras


def main():
    parser = task.arguments(__doc__)
    parser.add_argument("--devices", type=int, help="processors in the place of devices")
    parser.add_argument("--share-weights", action="store_true")
    own = parser.parse_args()
    if own.devices:
        jax.config.update("jax_num_cpu_devices", own.devices)
    # Set before the model is built.
    keras.distribution.set_distribution(distribution(own.share_weights))
    digits = task.Digits(own)
    model, first = task.start(own, digits.steps)
    task.fit(own, digits, model, first)


def distribution(share_weights):
    devices = keras.distribution.list_devices()
    if not share_weights:
        return keras.distribution.DataParallel(devices=devices)
    mesh = keras.distribution.DeviceMesh((1, len(devices)), ("batch", "model"), devices)
    layout = keras.distribution.LayoutMap(mesh)
    # Which weights are shared out, and along which axis: paths as in `model.weights`.
    layout[".*dense1/kernel"] = (None, "model")
    return keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch")


if __name__ == "__main__":
    main()
