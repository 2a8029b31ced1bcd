"""Train on all devices of one machine with JAX.

    python examples/distributed/jax_devices.py              # all GPUs or TPUs, or one processor
    python examples/distributed/jax_devices.py --devices 2  # a processor that stands for two

Each device takes a share of every batch, and the weights are copied: the same weights as on one
device come out, but for the order of float sums. Batches must be whole, because JAX splits them
evenly, so the images that fill no batch are left out.
"""

import argparse
import os


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, help="processors in the place of devices")
    parser.add_argument("--images", type=int, help="default: all training images of the digits")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64, help="of all devices together")
    parser.add_argument("--time-steps", type=int, default=20)
    parser.add_argument("--output", default="digits.keras")
    own = parser.parse_args()

    # Both are read when JAX is imported.
    os.environ["KERAS_BACKEND"] = "jax"
    if own.devices:
        os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={own.devices}"
    import keras

    import keras_proxy_snn as kps

    keras.utils.set_random_seed(0)
    parallel = keras.distribution.DataParallel(auto_shard_dataset=False)
    keras.distribution.set_distribution(parallel)  # before the model is built
    print("devices:", *keras.distribution.list_devices())

    (x, y), (x_test, y_test) = kps.datasets.load("digits")
    whole = len(x[: own.images]) // own.batch_size * own.batch_size
    model = kps.build("digits", time_steps=own.time_steps)
    model.fit(x[:whole], y[:whole], own.batch_size, own.epochs, verbose=2)
    whole = len(x_test[: own.images]) // own.batch_size * own.batch_size
    logs = model.evaluate(x_test[:whole], y_test[:whole], own.batch_size, return_dict=True)
    print(f"accuracy: {logs['accuracy']:.4f}")
    model.save(own.output)


if __name__ == "__main__":
    main()
