"""Your own CNN as a spiking network: train it, convert it, fine-tune it through its proxy.

Fine-tuning has three parts:

1. `QuantisedANN` trains the CNN alone, with activations in the steps of its neurons. This part
   simulates no spikes.
2. `calibrate_biases` shifts biases until the mean firing rates are right.
3. `fit` trains through the proxy, with the spikes of the simulated network.

    python examples/from_keras.py                              # digits, in a minute
    python examples/from_keras.py --dataset cifar10 --blocks 3 --widths 16,32,64 --epochs 100
    python examples/from_keras.py --cnn my_cnn.keras --dataset fashion_mnist

Expect about these accuracies on the 360 test digits (seed 0, PyTorch); the CNN itself has 98.33 %:

       T   converted   quantised  calibrated       tuned
       4      90.00%      94.44%      94.44%      94.44%
      16      98.06%      98.33%      97.78%      99.17%

The CNN has the structure of ResNet-20; `--blocks 3 --widths 16,32,64` gives ResNet-20 itself. The
script writes `cnn.keras`, `quantised.keras`, `calibrated.keras`, `tuned.keras` and the table
`numbers.json` to the output folder. A model file that already exists there is loaded and not
trained again. To choose settings, use `--hold-out N`: the last N training images are not trained
on, and are used in place of the test images.
"""

import argparse
import json
from pathlib import Path

import keras_proxy_snn as kps  # before Keras: it keeps back what TensorFlow writes at its start

# isort: split
import keras
from keras import layers

CROSSENTROPY = "sparse_categorical_crossentropy"


def residual_cnn(shape, classes, blocks, widths):
    image = keras.Input(shape)

    def convolution(x, width, strides=1, size=3, relu=True):
        x = layers.Conv2D(width, size, strides, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        return layers.ReLU()(x) if relu else x

    x = image
    if shape[0] >= 28:
        x = layers.RandomFlip("horizontal")(x)
        x = layers.RandomTranslation(0.1, 0.1, fill_mode="constant")(x)
    x = convolution(x, widths[0])
    for stage, width in enumerate(widths):
        for block in range(blocks):
            strides = 2 if stage and not block else 1
            y = convolution(convolution(x, width, strides), width, relu=False)
            if strides == 2:
                x = convolution(x, width, strides, 1, relu=False)
            x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(classes, "softmax", name="readout")(x), name="cnn")


def train(model, x, y, epochs, rate, loss, metrics):
    """Train with Adam; the learning rate falls to zero along a cosine."""
    if epochs:
        steps = epochs * -(-len(x) // 100)
        decay = keras.optimizers.schedules.CosineDecay(rate, steps)
        model.compile(keras.optimizers.Adam(decay), loss, metrics=metrics)
        model.fit(x, y, batch_size=100, epochs=epochs, verbose=2)


def freeze_normalisation(cnn):
    """Freeze batch normalisation, because the spiking network uses the running statistics.

    With the statistics of each batch, the gradient would be of another network.
    """
    for layer in cnn.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False


def scores(model, test, all_steps):
    return {
        str(steps): model.evaluate(*test, batch_size=100, time_steps=steps, verbose=0)[1]
        for steps in all_steps
    }


def numbers(text):
    return [int(number) for number in text.split(",")]


def save(model, path):
    """Save a model; the file gets its name only when it is complete.

    So a run that was stopped can continue from the files in the output folder.
    """
    draft = path.with_name(f"{path.stem}.partial.keras")
    model.save(draft)
    draft.replace(path)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    choices = ["digits", "fashion_mnist", "cifar10"]
    parser.add_argument("--dataset", choices=choices, default="digits")
    parser.add_argument("--data-dir", help="folder or archive that holds the data set")
    parser.add_argument("--cnn", type=Path, help="a trained CNN in a .keras file")
    parser.add_argument("--blocks", type=int, default=1, help="residual blocks per width")
    parser.add_argument("--widths", type=numbers, default=[8, 16], help="filters, such as 16,32,64")
    parser.add_argument("--epochs", type=int, default=20, help="epochs of the CNN")
    parser.add_argument(
        "--quantised-epochs",
        type=int,
        default=4,
        help="epochs of the CNN with quantised activations",
    )
    parser.add_argument("--tune-epochs", type=int, default=2, help="epochs of proxy learning")
    parser.add_argument("--rate", type=float, default=0.003, help="learning rate of the CNN")
    parser.add_argument(
        "--quantised-rate",
        type=float,
        default=0.001,
        help="learning rate with quantised activations",
    )
    parser.add_argument(
        "--tune-rate", type=float, default=0.0003, help="learning rate of proxy learning"
    )
    parser.add_argument("--levels", type=int, default=4, help="levels of a quantised activation")
    parser.add_argument("--calibrate", choices=["percentile", "rnl", "qcfs"], default="qcfs")
    parser.add_argument("--calibration-images", type=int, default=500)
    parser.add_argument(
        "--bias-images", type=int, default=200, help="number of images for bias calibration"
    )
    parser.add_argument(
        "--time-steps", type=int, default=16, help="number T of time steps, also in proxy learning"
    )
    parser.add_argument("--evaluate-at", type=numbers, default=[4, 8, 16, 32])
    parser.add_argument(
        "--hold-out",
        type=int,
        default=0,
        help="number of training images that are held out and tested on",
    )
    parser.add_argument("--images", type=int, help="train on this many images only")
    parser.add_argument("--test-images", type=int, help="test on this many images only")
    parser.add_argument("--output", type=Path, default=Path("results/from_keras"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    keras.utils.set_random_seed(arguments.seed)
    (x, y), (x_test, y_test) = kps.datasets.load(arguments.dataset, data_dir=arguments.data_dir)
    if arguments.hold_out:
        x_test, y_test = x[-arguments.hold_out :], y[-arguments.hold_out :]
        x, y = x[: -arguments.hold_out], y[: -arguments.hold_out]
    x, y = x[: arguments.images], y[: arguments.images]
    test = x_test[: arguments.test_images], y_test[: arguments.test_images]
    folder = arguments.output
    folder.mkdir(parents=True, exist_ok=True)

    trained = arguments.cnn or folder / "cnn.keras"
    if trained.exists():
        print(f"CNN: from {trained}.")
        cnn = keras.models.load_model(trained)
    else:
        classes = len(kps.datasets.class_names(arguments.dataset))
        cnn = residual_cnn(x.shape[1:], classes, arguments.blocks, arguments.widths)
        print(f"CNN: {cnn.count_params():,} parameters, on {keras.backend.backend()}.")
        epochs, rate = arguments.epochs, arguments.rate
        train(cnn, x, y, epochs, rate, CROSSENTROPY, ["accuracy"])
        save(cnn, trained)
    cnn.compile(loss=CROSSENTROPY, metrics=["accuracy"])
    table = {"cnn": cnn.evaluate(*test, batch_size=100, verbose=0, return_dict=True)["accuracy"]}

    some = x[: arguments.calibration_images]
    thresholds = kps.calibrate(cnn, some, arguments.calibrate, time_steps=arguments.levels)
    model = kps.from_keras(cnn, arguments.time_steps, thresholds)
    loss, metrics = kps.SpikeCountCrossentropy(), [kps.SpikeAccuracy()]
    model.compile("adam", loss, metrics=metrics)
    table["converted"] = scores(model, test, arguments.evaluate_at)
    print(f"Converted: {table['converted']}")

    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    parts = {
        "quantised": lambda: train(
            kps.QuantisedANN(model, arguments.levels),
            *(x, y, arguments.quantised_epochs, arguments.quantised_rate, logits, ["accuracy"]),
        ),
        "calibrated": lambda: kps.calibrate_biases(model, x[: arguments.bias_images]),
        "tuned": lambda: train(
            model, x, y, arguments.tune_epochs, arguments.tune_rate, loss, metrics
        ),
    }
    for part, run in parts.items():
        file = folder / f"{part}.keras"
        if file.exists():
            print(f"{part.capitalize()}: from {file}.")
            model.load_weights(file)
        else:
            run()
            save(model, file)
        table[part] = scores(model, test, arguments.evaluate_at)
        print(f"{part.capitalize()}: {table[part]}")
        freeze_normalisation(cnn)

    print(f"\n{arguments.dataset}, {len(test[0])} images; the CNN had {table['cnn']:.2%}")
    columns = ("converted", *parts)
    print("   T" + "".join(f"{name:>12}" for name in columns))
    for steps in arguments.evaluate_at:
        row = [table[name][str(steps)] for name in columns]
        print(f"{steps:>4}" + "".join(f"{accuracy:>12.2%}" for accuracy in row))
    facts = {name: str(value) for name, value in vars(arguments).items()}
    draft = folder / "numbers.partial.json"
    draft.write_text(json.dumps({"accuracy": table, "arguments": facts}, indent=1) + "\n")
    draft.replace(folder / "numbers.json")
    files = ", ".join(f"{name}.keras" for name in ("cnn", *parts))
    print(f"\nWritten to {folder}/: {files}, numbers.json")


if __name__ == "__main__":
    main()
