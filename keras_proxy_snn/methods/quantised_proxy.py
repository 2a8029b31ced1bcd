"""Proxy learning of an ANN that has learned the steps of its neurons before."""

from dataclasses import dataclass, replace
from typing import Any

import keras

from ..conversion.quantised_ann import QuantisedANN
from ..model import ProxyModel
from ..presets import Preset
from ._training import Trained, Training, cosine, fit_phase, linear
from .ann import compile_ann, preset_model
from .proxy import low_t

__all__ = ["HEADLINE", "QUARTER", "Recipe", "fit", "with_dropout"]

_LEVELS = 4  # those of QCFS


@dataclass(frozen=True)
class Recipe:
    """How the two parts are trained.

    Attributes:
        last_share: One epoch in so many is of the second part.
        last_rate: Learning rate of the second part, as a part of the preset's.
        dropout: Share of the inputs of every dense layer that is dropped in the first part.
        erasing: As in `Training`, in the first part.
        cosine: Whether the learning rate of each part falls by `cosine`, else by `linear`.
        ann_dtype: Keras's dtype policy of the first part; its readout and weights are float32.
    """

    last_share: int = 4
    last_rate: float = 0.1
    dropout: float = 0.0
    erasing: float = 0.0
    cosine: bool = False
    ann_dtype: str = "float32"


QUARTER = Recipe()
"""What was chosen where few epochs are at hand, see `fit`."""

HEADLINE = Recipe(last_share=12, dropout=0.2, erasing=0.5, cosine=True, ann_dtype="mixed_bfloat16")
"""For long trainings: what keeps a network from learning its training images by heart.

The share of images that are erased is the publication's. That of dropout was not chosen by trying.
"""


def fit(
    preset: Preset,
    x: Any,
    y: Any,
    training: Training,
    *,
    by_proxy: bool = True,
    recipe: Recipe = QUARTER,
) -> Trained:
    """Train the ANN with the steps of its neurons, and then via proxy.

    As `examples/from_keras.py` does with a CNN of one's own: `keras_proxy_snn.QuantisedANN` for
    most epochs (`QUARTER`: three quarters), which simulates nothing; then proxy learning with a
    tenth of the learning rate. Averages take the place of max pooling, because the OR of spikes is
    not the maximum of rates. All else is `LOW_T`'s.

    With batch normalisation give thresholds of 2: activations are then clipped at two standard
    deviations of the currents, where QCFS starts too. What that and the other choices made of
    held-out images of CIFAR-10 (`cifar10_compact`, T = 8, 4 epochs, one seed), in percent:

                                                      after the first part    at the end
        as here                                               74.1               77.5
        second part at 0.3 of the rate                        74.1               74.8
        the same, with the proxy's activations "qcfs"         74.1               74.5
        first part with T levels, dithered                    73.0
        the same, thresholds of 1, 0.3 of the rate            68.4               69.0

    Args:
        preset: Architecture, T, threshold and optimizer.
        x: Images `(batch, height, width, channels)`.
        y: Integer labels `(batch,)`.
        training: Budget and surroundings.
        by_proxy: `False`: the second part is like the first but for the learning rate. What the
            proxy adds is the difference. T has no part in it then.
        recipe: How the two parts are trained; where it erases, `training.augment` must be set.

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
    preset = replace(low_t(preset), pooling="average")
    slower = replace(preset, learning_rate=recipe.last_rate * preset.learning_rate)
    fall = cosine if recipe.cosine else linear
    model = preset_model(slower)
    plain = not recipe.dropout and recipe.ann_dtype == "float32"
    first = model if plain else with_dropout(model, recipe.dropout, recipe.ann_dtype)
    steps = QuantisedANN(first, levels=_LEVELS, dither=False)
    compile_ann(steps, preset)
    last = -(-training.epochs // recipe.last_share) if training.epochs > 1 else 0
    erased = replace(training, erasing=recipe.erasing)
    epochs = training.epochs - last
    history = {"quantised": fit_phase(steps, x, y, erased, "quantised", epochs=epochs, fall=fall)}
    if last and not by_proxy:
        compile_ann(steps, slower)
        history["slower"] = fit_phase(steps, x, y, erased, "slower", epochs=last, fall=fall)
    model.ann.set_weights(first.ann.get_weights())
    if last and by_proxy:
        history["proxy"] = fit_phase(model, x, y, training, "proxy", epochs=last, fall=fall)
    return Trained(model, history)


def with_dropout(model: ProxyModel, share: float, dtype: str = "float32") -> ProxyModel:
    """A copy of a model with dropout before every dense layer, for training its ANN alone.

    Args:
        model: A model whose ANN is a `keras.Sequential`.
        share: Share of the inputs that is dropped; the others are scaled up.
        dtype: Keras's dtype policy of its layers but the last.

    Returns:
        A `ProxyModel` with weights of its own, equal to the model's and in the same order.

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
    return ProxyModel(ann, model.time_steps, model.v_threshold, model.reset, v_0=model.v_0)
