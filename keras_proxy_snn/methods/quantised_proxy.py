"""Train a quantised ANN first, then fine-tune its spiking network by proxy learning."""

from dataclasses import dataclass, replace

import keras

from ..basics.types import Images, Tensor
from ..conversion.quantised_ann import QuantisedANN
from ..model import ProxyModel
from ..presets import Preset
from ..presets.build import adam
from ..training.metrics import SpikeAccuracy
from ._training import Trained, Training, cosine, fit_phase, linear
from .ann import compile_ann, preset_model
from .joint import JointModel
from .proxy import low_t

__all__ = [
    "DESCENT",
    "HEADLINE",
    "JOINT",
    "LONG",
    "QUARTER",
    "Recipe",
    "fit",
    "network",
    "with_dropout",
]

_LEVELS = 4  # as in QCFS


@dataclass(frozen=True)
class Recipe:
    """Settings of the two parts of a training.

    Attributes:
        last_share: One of this number of epochs belongs to the second part.
        last_rate: Learning rate of the second part, as a fraction of the preset's rate.
        dropout: Fraction of the inputs of every dense layer that is dropped in the first part.
        erasing: As in `Training`, for the first part.
        cosine: Whether the learning rate of each part falls by `cosine`; otherwise by `linear`.
        ann_dtype: Keras's dtype policy of the ANN in both parts; weights are float32, and so is
            the readout.
        joint: Whether the loss of the second part is the mean of the SNN's and the ANN's, see
            `keras_proxy_snn.methods.joint.JointModel`.
        sgd_rate: Learning rate of stochastic gradient descent with Nesterov's momentum of 0.9, in
            place of Adam and the preset's rate; `None` keeps both.
    """

    last_share: int = 4
    last_rate: float = 0.1
    dropout: float = 0.0
    erasing: float = 0.0
    cosine: bool = False
    ann_dtype: str = "float32"
    joint: bool = False
    sgd_rate: float | None = None


QUARTER = Recipe()
"""Recipe for few epochs; the table at `fit` shows how it was chosen."""

LONG = Recipe(last_share=12, cosine=True, ann_dtype="mixed_bfloat16")
"""Recipe for long trainings of large networks: most epochs simulate no neurons."""

HEADLINE = replace(LONG, dropout=0.2, erasing=0.5)
"""`LONG` with dropout and erasing against overfitting.

The share of erased images is the publication's. The dropout of 0.2 was not tuned.
"""

JOINT = replace(LONG, joint=True)
"""`LONG` for a network that is to be good at every T from 8 steps on, not only at its own."""

DESCENT = replace(JOINT, last_share=19, sgd_rate=0.1)
"""`JOINT` by gradient descent with momentum, for many epochs of photographs.

Set the preset's `l2` to 2.5e-4 with it, the usual weight decay of 5e-4. `benchmarks/NOTES.md` shows
how the rate was chosen; the `l2` was not tuned.
"""


def fit(
    preset: Preset,
    x: Images,
    y: Tensor,
    training: Training,
    *,
    by_proxy: bool = True,
    recipe: Recipe = QUARTER,
) -> Trained:
    """Train the ANN with the steps of its neurons, then train via proxy.

    `examples/from_keras.py` does the same with a CNN of the user. The first part trains
    `keras_proxy_snn.QuantisedANN` for most epochs (`QUARTER`: three quarters) and simulates no
    neurons. The second part is proxy learning, by default with a tenth of the learning rate.
    Average pooling replaces max pooling, because the OR of spikes is not the maximum of rates. All
    other fields are those of `LOW_T`.

    With batch normalisation, use thresholds of 2: activations are then clipped at two standard
    deviations of the currents, where QCFS starts too. Accuracy on held-out images of CIFAR-10
    (`cifar10_compact`, T = 8, 4 epochs, one seed) with this and other choices, in percent:

                                                      after the first part    at the end
        this function                                         74.1               77.5
        second part at 0.3 of the rate                        74.1               74.8
        the same, with the proxy's activations "qcfs"         74.1               74.5
        first part with T levels, dithered                    73.0
        the same, thresholds of 1, 0.3 of the rate            68.4               69.0

    Args:
        preset: Architecture, T, threshold and optimizer.
        x: Images `(batch, height, width, channels)`.
        y: Integer labels `(batch,)`.
        training: Budget, held-out data and checkpoints.
        by_proxy: `True`: the second part is proxy learning. `False`: the second part continues
            the first with the lower learning rate, and T has no influence; the comparison shows
            the gain from the proxy.
        recipe: Settings of the two parts; if it erases, `training.augment` must be set.

    Returns:
        `Trained`; `network` is a `ProxyModel` whose ANN has average pooling. A training of one
        epoch has no second part.

    Example:

    >>> import keras_proxy_snn as kps
    >>> from keras_proxy_snn.methods import Training, quantised_proxy
    >>> (x, y), _ = kps.datasets.load("digits")
    >>> trained = quantised_proxy.fit(kps.PRESETS["digits"], x[:64], y[:64], Training(epochs=2))
    >>> list(trained.history)
    ['quantised', 'proxy']
    """
    preset = network(preset)
    fall = cosine if recipe.cosine else linear
    model = preset_model(preset)
    plain = not recipe.dropout and recipe.ann_dtype == "float32"
    first = model if plain else with_dropout(model, recipe.dropout, recipe.ann_dtype)
    steps = QuantisedANN(first, levels=_LEVELS, dither=False)
    compile_ann(steps, preset, _optimizer(preset, recipe))
    last = -(-training.epochs // recipe.last_share) if training.epochs > 1 else 0
    erased = replace(training, erasing=recipe.erasing)
    epochs = training.epochs - last
    history = {"quantised": fit_phase(steps, x, y, erased, "quantised", epochs=epochs, fall=fall)}
    if last and not by_proxy:
        compile_ann(steps, preset, _optimizer(preset, recipe, recipe.last_rate))
        history["slower"] = fit_phase(steps, x, y, erased, "slower", epochs=last, fall=fall)
    model.ann.set_weights(first.ann.get_weights())
    if last and by_proxy:
        second = model
        if recipe.joint or recipe.ann_dtype != "float32":
            kind = JointModel if recipe.joint else ProxyModel
            second = with_dropout(model, 0.0, recipe.ann_dtype, kind)
        second.compile(
            _optimizer(preset, recipe, recipe.last_rate), second.loss, metrics=[SpikeAccuracy()]
        )
        history["proxy"] = fit_phase(second, x, y, training, "proxy", epochs=last, fall=fall)
        model.set_weights(second.get_weights())
    return Trained(model, history)


def _optimizer(preset: Preset, recipe: Recipe, share: float = 1.0) -> keras.optimizers.Optimizer:
    """An optimizer with this share of the learning rate of the first part."""
    if recipe.sgd_rate is None:
        return adam(replace(preset, learning_rate=share * preset.learning_rate))
    return keras.optimizers.SGD(share * recipe.sgd_rate, momentum=0.9, nesterov=True)


def network(preset: Preset) -> Preset:
    """The preset of the network that `fit` trains: fields `LOW_T` and average pooling."""
    return replace(low_t(preset), pooling="average")


def with_dropout(
    model: ProxyModel, share: float, dtype: str = "float32", kind: type[ProxyModel] = ProxyModel
) -> ProxyModel:
    """Copy a model with dropout before every dense layer, another dtype of its ANN, or a class.

    Args:
        model: A model whose ANN is a `keras.Sequential`.
        share: Fraction of the inputs that is dropped; the other inputs are scaled up. With 0, there
            are no dropout layers.
        dtype: Keras's dtype policy of all layers except the last.
        kind: Class of the copy.

    Returns:
        A `ProxyModel` with its own copy of the model's weights, in the same order, compiled as the
        model is.

    Example:

    >>> import keras_proxy_snn as kps
    >>> from keras_proxy_snn.methods.quantised_proxy import with_dropout
    >>> copy = with_dropout(kps.build("digits"), 0.2)
    >>> [layer.name for layer in copy.ann.layers if "dropout" in layer.name]
    ['dense1_dropout', 'readout_dropout']
    """
    stack: list[keras.layers.Layer] = [keras.Input(model.ann.input_shape[1:], name="image")]
    for layer in model.ann.layers:
        policy = "float32" if layer is model.ann.layers[-1] else dtype
        if share and isinstance(layer, keras.layers.Dense):
            stack.append(keras.layers.Dropout(share, name=f"{layer.name}_dropout", dtype=policy))
        stack.append(type(layer).from_config({**layer.get_config(), "dtype": policy}))
    ann = keras.Sequential(stack, name=model.ann.name)
    ann.set_weights(model.ann.get_weights())
    settings = {name: value for name, value in model.get_config().items() if name != "ann"}
    copy = kind(ann, **settings)
    if model.compiled:
        copy.compile_from_config(model.get_compile_config())
    return copy
