"""Train a spiking network through its proxy, evaluate it, save it and draw its spikes.

    python examples/train.py           # Fashion-MNIST if it is on this machine, digits otherwise
    python examples/train.py --dataset cifar10 --epochs 20
    KERAS_BACKEND=jax python examples/train.py

The script writes the model, its numbers and three pictures to a new folder in `results/`.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import keras_proxy_snn as kps  # before Keras: it keeps back what TensorFlow writes at its start

# isort: split
import keras

PRESETS = {
    "fashion_mnist": ("fashion_mnist_compact", 3),
    "cifar10": ("cifar10_compact", 10),
    "digits": ("digits", 40),
}
RULES = """\
The answer is the class with the most spikes. If several have equally many, strict takes the first
of them, and the potential tells which is nearest to its next spike. Compare the strict figure."""


def choose_dataset(wanted, data_dir):
    if wanted != "auto":
        return wanted
    source = kps.datasets.locate("fashion_mnist", data_dir)
    if source is not None:
        print(f"Data: {source.title}, found at {source.path}.")
        return "fashion_mnist"
    print(
        "Data: the embedded handwritten digits, because Fashion-MNIST is not on this machine.\n"
        "      (--dataset fashion_mnist downloads it; KERAS_PROXY_SNN_DATA names a folder.)"
    )
    return "digits"


def new_folder(parent, name):
    """Make a new folder, so that no earlier result is overwritten."""
    candidates = [parent / name, *(parent / f"{name}-{n}" for n in range(2, 10000))]
    folder = next(path for path in candidates if not path.exists())
    folder.mkdir(parents=True)
    return folder


def write(path, text):
    """Write a file beside its place and rename it, so that a kill leaves no half of one."""
    draft = path.with_name(f".draft-{path.name}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", choices=["auto", *PRESETS], default="auto")
    parser.add_argument("--data-dir", help="folder or archive that holds the data set")
    parser.add_argument("--epochs", type=int, help="passes over the training images")
    parser.add_argument("--images", type=int, help="train on this many images only")
    parser.add_argument("--time-steps", type=int, help="number T of time steps")
    parser.add_argument("--output", type=Path, default=Path("results"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    dataset = choose_dataset(arguments.dataset, arguments.data_dir)
    (x, y), (x_test, y_test) = kps.datasets.load(dataset, data_dir=arguments.data_dir)
    x, y = x[: arguments.images], y[: arguments.images]
    preset, epochs = PRESETS[dataset]
    keras.utils.set_random_seed(arguments.seed)
    settings = {"time_steps": arguments.time_steps} if arguments.time_steps else {}
    model = kps.build(preset, **settings)
    print(f"Model: {kps.PRESETS[preset].spec}, T={model.time_steps}, on {keras.backend.backend()}.")

    epochs = arguments.epochs or epochs
    start = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    decay = keras.callbacks.LearningRateScheduler(lambda epoch, _: start * (1 - epoch / epochs))
    history = model.fit(
        x,
        y,
        batch_size=100 if len(x) > 10_000 else 32,
        epochs=epochs,
        validation_split=0.1,
        callbacks=[kps.ProxyMonitor(), decay],
    )

    rules = [kps.SpikeAccuracy(ties, name=ties) for ties in kps.SpikeAccuracy.RULES]
    model.compile(model.optimizer, model.loss, metrics=[kps.SpikeAccuracy(), *rules])
    scores = model.evaluate(x_test, y_test, batch_size=100, return_dict=True, verbose=0)
    print(f"\nTest accuracy of the spiking network, {len(x_test)} images, T={model.time_steps}:")
    print(f"  strict (argmax)              {scores['first']:.2%}")
    print(f"  ties broken by the potential {scores['potential']:.2%}")
    print(f"  ties counted as right        {scores['any']:.2%}")
    print(RULES)

    folder = new_folder(arguments.output, f"{dataset}-{keras.backend.backend()}")
    names = model.class_names = kps.datasets.class_names(dataset)
    model.save(folder / "model.keras")
    numbers = {"preset": preset, "seed": arguments.seed, "test": scores, "fit": history.history}
    write(folder / "numbers.json", json.dumps(numbers, indent=1) + "\n")
    pictures = {
        "training_curve": kps.visualization.training_curve(history),
        "spike_raster": kps.visualization.spike_raster(model, x_test[0], class_names=names),
        "feature_maps": kps.visualization.feature_maps(model, x_test[0]),
    }
    for name, figure in pictures.items():
        figure.savefig(folder / f"{name}.png", bbox_inches="tight")
    print(f"\nWritten to {folder}/: model.keras, numbers.json, {', '.join(pictures)} (.png)")
    command = f"{os.path.relpath(sys.executable)} -m keras_proxy_snn"
    print("What you can do with the model (each command with --help says more):")
    print(f"  {command} inspect {folder}/model.keras")
    print(f"  {command} evaluate {folder}/model.keras --dataset {dataset} --time-steps 10")


if __name__ == "__main__":
    main()
