"""Two ways to train a spiking network, side by side on handwritten digits.

    python examples/paper/compare.py proxy proxy_paper --time-steps 8 --epochs 40

Methods are the keys of `keras_proxy_snn.methods.METHODS`; `--help` lists them. The command
`keras-proxy-snn paper table2` compares more methods, on larger data and with several seeds.
"""

import argparse

import keras_proxy_snn as kps  # before Keras: it keeps back what TensorFlow writes at its start

# isort: split
import keras

from keras_proxy_snn import methods

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument("methods", nargs=2, choices=methods.METHODS)
parser.add_argument("--time-steps", type=int, default=8)
parser.add_argument("--epochs", type=int, default=40)
parser.add_argument("--images", type=int, help="train on this many images only")
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()

(x, y), (x_test, y_test) = kps.datasets.load("digits")
x, y = x[: arguments.images], y[: arguments.images]
held_out = len(x) // 10
training = methods.Training(
    epochs=arguments.epochs,
    batch_size=32,
    validation_data=(x[-held_out:], y[-held_out:]),
)

print("| method | T | test accuracy | ANN of the same weights |")
print("|---|---|---|---|")
for method in arguments.methods:
    keras.utils.set_random_seed(arguments.seed)
    fields = {}
    if methods.METHODS[method].at_time_steps:
        fields["time_steps"] = arguments.time_steps
    network = methods.fit(
        method, "digits", x[:-held_out], y[:-held_out], training=training, **fields
    ).network
    ann = getattr(network, "ann", network)
    right = (ann.predict(x_test, verbose=0).argmax(axis=-1) == y_test).mean()
    if network is ann:
        print(f"| {method} | - | - | {right:.1%} |")
        continue
    network.compile(metrics=[kps.SpikeAccuracy()])
    scores = network.evaluate(
        x_test, y_test, time_steps=arguments.time_steps, verbose=0, return_dict=True
    )
    print(f"| {method} | {arguments.time_steps} | {scores['accuracy']:.1%} | {right:.1%} |")
