"""Train on all devices of one machine with TensorFlow's `MirroredStrategy`.

    python examples/distributed/tensorflow_devices.py                # all GPUs, or one processor
    python examples/distributed/tensorflow_devices.py --devices 2    # a processor as two devices

Each device takes a share of every batch and has a copy of the weights.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import task
import tensorflow as tf


def main():
    parser = task.arguments(__doc__)
    parser.add_argument("--devices", type=int, help="processors in the place of GPUs")
    own = parser.parse_args()
    names = None
    if own.devices:
        (processor, *_) = tf.config.list_physical_devices("CPU")
        parts = [tf.config.LogicalDeviceConfiguration() for _ in range(own.devices)]
        tf.config.set_logical_device_configuration(processor, parts)
        names = [f"CPU:{number}" for number in range(own.devices)]
    digits = task.Digits(own)
    # Built and compiled in the scope of the strategy.
    with tf.distribute.MirroredStrategy(names).scope():
        model, first = task.start(own, digits.steps)
    task.fit(own, digits, model, first)


if __name__ == "__main__":
    main()
