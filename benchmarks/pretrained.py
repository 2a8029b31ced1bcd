"""Make the package's pretrained weights from a trained model and the record of its run.

    python benchmarks/accuracy.py digits --epochs 40 --batch-size 32 --save digits.keras
    python benchmarks/pretrained.py digits.keras \
        benchmarks/results/accuracy/digits-tensorflow-epochs40-seed0.json

Weights are rounded to float16. The card gives accuracy and firing rates of the rounded network on
the test images.
"""

import json
from pathlib import Path

import keras
from _report import parser

import keras_proxy_snn as kps
from keras_proxy_snn.saving.pretrained import pretrained_card
from keras_proxy_snn.saving.weights import load_weights, save_weights

PLACE = pretrained_card("digits").parent


def command(run):
    words = ["python benchmarks/accuracy.py", run["preset"], "--epochs", run["epochs"]]
    words += ["--batch-size", run["batch_size"], "--seeds", run["seed"]]
    if run["settings"]:
        words += ["--set", *(f"{field}={value}" for field, value in run["settings"].items())]
    return " ".join([f"KERAS_BACKEND={run['backend']}", *map(str, words)])


def main():
    options = parser(__doc__)
    options.add_argument("model", type=Path, help="the .keras file")
    options.add_argument("run", type=Path, help="JSON file from benchmarks/accuracy.py")
    options.add_argument("--force", action="store_true", help="replace existing weights")
    arguments = options.parse_args()
    run = json.loads(arguments.run.read_text())
    trained = keras.models.load_model(arguments.model, compile=False)
    card = PLACE / f"{run['preset']}.json"
    save_weights(trained, card, overwrite=arguments.force)

    model = kps.build(run["preset"], **run["settings"])
    load_weights(model, card)
    _, (x, y) = kps.datasets.load(run["dataset"])
    model.compile(
        loss=model.loss, metrics=[kps.SpikeAccuracy(t, name=t) for t in kps.SpikeAccuracy.RULES]
    )
    result = model.evaluate(x, y, batch_size=100, verbose=0, return_dict=True)
    rates = model.snn.simulate(x[:1000]).firing_rates
    names = [layer.twin.name for layer in model.snn.if_layers]
    save_weights(
        model,
        card,
        overwrite=True,
        preset=run["preset"],
        data=run["dataset"],
        training_images=run["images"],
        test_images=len(x),
        seed=run["seed"],
        time_steps=model.time_steps,
        accuracy={rule: round(result[rule], 6) for rule in kps.SpikeAccuracy.RULES},
        firing_rates={n: round(float(r), 6) for n, r in zip(names, rates, strict=True)},
        number_format="float16",
        command=command(run),
        versions=run["versions"],
    )
    print(card.read_text())


if __name__ == "__main__":
    main()
