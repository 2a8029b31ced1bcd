"""Steps that early stopping takes, and the accuracy that it costs.

    python benchmarks/early_stopping.py fashion_mnist_compact.keras

The script runs the network's ONNX file of the form "step" on the test images, with the stopping
rules of `on_device.py`. To choose margins, use `--train N`: the last N training images replace the
test images. The script writes one JSON file per run to `benchmarks/results/early_stopping/` and
prints it as a table.
"""

import tempfile
from pathlib import Path

import keras
import numpy as np
from _report import RESULTS, markdown, parser, write_json

import keras_proxy_snn as kps
from keras_proxy_snn.basics.pixel_range import in_range
from keras_proxy_snn.export import from_model, on_device, onnx

BATCH = 200
MARGINS = [0.25, 0.5, 0.75, 1, 1.5, 2, 3]


def stream(program, images):
    """Counts and activity of the readout after every step, `(images, T, classes)`."""
    readout = program.neurons[-1]
    with tempfile.TemporaryDirectory() as folder:
        onnx.write(program, f"{folder}/net.onnx", form="step")
        network = on_device.open_network(Path(f"{folder}/net.onnx"), threads=2)
    parts = []
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH]
        state = {
            name: np.zeros((len(batch), *shape[1:]), dtype)
            for name, (shape, dtype) in network.inputs.items()
            if name.startswith("v_")
        }
        counts = np.zeros((len(batch), *program.shapes()[-1]), int)
        moments = []
        for _ in range(program.time_steps):
            outputs = network.infer({"image": batch, **state})
            state = {name: outputs[f"{name}_out"] for name in state}
            counts = counts + np.rint(outputs["spikes"]).astype(int)
            potential = state[program.readout_state]
            activity = on_device.activity(counts, potential, readout.v_threshold, readout.v_0)
            moments.append((counts, activity))
        parts.append([np.stack(part, axis=1) for part in zip(*moments, strict=True)])
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def apply(scores, labels, stop, margin):
    """Mean steps and accuracy of a rule."""
    time_steps, steps, right = scores.shape[1], [], []
    for image, label in zip(scores, labels, strict=True):
        for step, score in enumerate(image, 1):
            if on_device.should_stop(score, step, time_steps, stop, margin):
                break
        steps.append(step)
        right.append(score.argmax() == label)
    return float(np.mean(steps)), float(np.mean(right))


def measure(program, name, margins, training_images=0):
    """Mean steps and accuracy of every rule, on the test images or the last training images."""
    train, test = kps.datasets.load(kps.datasets.name_by_shape(program.input_shape))
    x, y = (part[-training_images:] for part in train) if training_images else test
    counts, activity = stream(program, in_range(x, program.input_range))
    # A step can add any number to a potential, so a lead by potential is not certain before T.
    rules = [("never", activity, 0)]
    if program.readout == "counts":
        rules = [("never", counts, 0), ("certain", counts, 0)]
    rules += [("margin", activity, margin) for margin in margins]
    rows = []
    for stop, scores, margin in rules:
        steps, accuracy = apply(scores, y, stop, margin)
        rows.append({"stop": stop, "margin": margin, "mean_steps": steps, "accuracy": accuracy})
    return {
        "model": name,
        "spec": program.metadata["spec"],
        "time_steps": program.time_steps,
        "images": f"{len(x)} {'training' if training_images else 'test'} images",
        "rows": rows,
    }


def table(result):
    full = result["rows"][0]["accuracy"]
    rows = []
    for row in result["rows"]:
        rule = f"margin {row['margin']:g}" if row["stop"] == "margin" else row["stop"]
        share = row["mean_steps"] / result["time_steps"]
        lost = 100 * (full - row["accuracy"])
        cells = [rule, f"{row['mean_steps']:.2f}", f"{share:.1%}", f"{row['accuracy']:.2%}"]
        rows.append([*cells, f"{lost:+.2f}"])
    title = f"{result['model']}, T={result['time_steps']}, {result['images']}"
    return f"{title}\n\n{markdown(['rule', 'mean steps', 'of T', 'accuracy', 'points lost'], rows)}"


def main():
    options = parser(__doc__)
    options.add_argument("model", type=Path)
    options.add_argument(
        "--train",
        type=int,
        default=0,
        metavar="N",
        help="number of training images that choose the margin",
    )
    options.add_argument("--time-steps", type=int)
    options.add_argument("--margins", type=float, nargs="+", default=MARGINS)
    arguments = options.parse_args()
    program = from_model(keras.models.load_model(arguments.model, compile=False))
    if arguments.time_steps:
        program = program.with_time_steps(arguments.time_steps)
    result = measure(program, arguments.model.name, arguments.margins, arguments.train)
    print(table(result))
    part = "train" if arguments.train else "test"
    label = f"{arguments.model.stem}-T{result['time_steps']}-{part}"
    write_json(result, RESULTS / "early_stopping" / f"{label}.json")


if __name__ == "__main__":
    main()
