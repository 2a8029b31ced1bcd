"""Make the package's pretrained weights from a trained model and the record of its run.

    python benchmarks/accuracy.py digits --epochs 40 --batch-size 32 --save digits.keras
    python benchmarks/pretrained.py digits.keras \
        benchmarks/results/accuracy/digits-tensorflow-epochs40-seed0.json

The record of `keras-proxy-snn paper headline` will do too; weights of large networks are rounded to
int8:

    python benchmarks/pretrained.py model.keras RECORD.json --number-format int8 --url URL

The card gives accuracy and firing rates of the rounded network on the test images.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path

import keras
from _report import parser

import keras_proxy_snn as kps
from keras_proxy_snn.methods import quantised_proxy
from keras_proxy_snn.saving.pretrained import pretrained_card
from keras_proxy_snn.saving.weights import save_weights

PLACE = pretrained_card("digits").parent
# Fields of a preset that make another network. All others change its training or its speed.
OF_THE_NETWORK = ("time_steps", "v_threshold", "readout_v_threshold", "reset", "v_0", "readout")
OF_THE_NETWORK += ("proxy_activation", "readout_activation", "pooling", "use_bias", "batch_norm")


def facts_of_accuracy(run):
    """Facts of a card, from a record of `benchmarks/accuracy.py`."""
    words = ["python benchmarks/accuracy.py", run["preset"], "--epochs", run["epochs"]]
    words += ["--batch-size", run["batch_size"], "--seeds", run["seed"]]
    if run["settings"]:
        words += ["--set", *(f"{field}={value}" for field, value in run["settings"].items())]
    return {
        "preset": run["preset"],
        "data": run["dataset"],
        "training_images": run["images"],
        "seed": run["seed"],
        "settings": run["settings"],
        "command": " ".join([f"KERAS_BACKEND={run['backend']}", *map(str, words)]),
    }


def facts_of_headline(run):
    """Facts of a card, from a record of `keras-proxy-snn paper headline`."""
    config = run["config"]
    preset = kps.PRESETS[config["preset"]]
    fields = {**config["fields"], "time_steps": config["time_steps"]}
    network, usual = asdict(quantised_proxy.network(replace(preset, **fields))), asdict(preset)
    changed = [name for name in OF_THE_NETWORK if network[name] != usual[name]]
    words = ["keras-proxy-snn paper headline --size full --only", config["method"]]
    words += ["--seed", config["seed"], "--epochs", config["epochs"]]
    return {
        "preset": config["preset"],
        "data": config["preset"],
        "training_images": run["images"]["train"],
        "seed": config["seed"],
        "settings": {name: network[name] for name in changed},
        "command": " ".join([f"KERAS_BACKEND={config['backend']}", *map(str, words)]),
    }


def main():
    options = parser(__doc__)
    options.add_argument("model", type=Path, help="the .keras file")
    options.add_argument("run", type=Path, help="JSON file of the training")
    options.add_argument("--number-format", default="float16", help="float16 or int8")
    options.add_argument("--url", help="where the weights are, if they are not in the package")
    options.add_argument("--force", action="store_true", help="replace existing weights")
    arguments = options.parse_args()
    run = json.loads(arguments.run.read_text())
    facts = facts_of_headline(run) if "config" in run else facts_of_accuracy(run)
    facts |= {"number_format": arguments.number_format, "versions": run["versions"]}
    facts |= {"url": arguments.url} if arguments.url else {}
    trained = keras.models.load_model(arguments.model, compile=False)
    trained.class_names = kps.datasets.class_names(facts["data"])
    card = PLACE / f"{facts['preset']}.json"
    save_weights(trained, card, overwrite=arguments.force, **facts)

    model = kps.build(facts["preset"], weights=card)
    _, (x, y) = kps.datasets.load(facts["data"])
    model.compile(
        loss=model.loss, metrics=[kps.SpikeAccuracy(t, name=t) for t in kps.SpikeAccuracy.RULES]
    )
    result = model.evaluate(x, y, batch_size=100, verbose=0, return_dict=True)
    first = model.evaluate(x[:1000], y[:1000], batch_size=100, verbose=0, return_dict=True)
    rates = model.snn.simulate(x[:1000]).firing_rates
    names = [layer.twin.name for layer in model.snn.if_layers]
    save_weights(
        trained,
        card,
        overwrite=True,
        test_images=len(x),
        time_steps=model.time_steps,
        accuracy={rule: round(result[rule], 6) for rule in kps.SpikeAccuracy.RULES},
        accuracy_of_first_1000=round(first["first"], 6),
        firing_rates={n: round(float(r), 6) for n, r in zip(names, rates, strict=True)},
        **facts,
    )
    print(card.read_text())


if __name__ == "__main__":
    main()
