"""`build`: a compiled model from a preset or an architecture string."""

from dataclasses import asdict, replace
from math import inf
from numbers import Real
from pathlib import Path
from typing import Any

import keras

from ..basics.checks import check_choice
from ..cnn.build import PROXY_ACTIVATIONS, build_ann, layer_thresholds, neuron_names
from ..cnn.spec import parse_spec, with_classes
from ..model import ProxyModel
from ..saving.pretrained import pretrained_card
from ..saving.weights import load_weights, read_card
from ..training.losses import LOSSES
from ..training.metrics import SpikeAccuracy
from . import Preset
from .lookup import FIELDS, preset_of

__all__ = ["adam", "build"]


def build(
    name: str,
    *,
    classes: int | None = None,
    weights: str | Path | None = None,
    input_range: tuple[float, float] | None = None,
    **overrides: object,
) -> ProxyModel:
    """Build a compiled proxy model from a preset or from an architecture string.

    Args:
        name: A preset's name (`"fashion_mnist"`, `"cifar10"`, `"cifar10_half"`,
            `"fashion_mnist_compact"`, `"cifar10_compact"`, `"digits"`) or a spec such as
            `"16C3-P2-10F"`.
        classes: Number of classes, in place of that of the preset or spec.
        weights: `"pretrained"` for the package's weights of this preset; a path or URL of a model
            card for its weights, see `keras_proxy_snn.saving.weights`; `None` for random weights.
            Fields of the preset that the weights were trained with stand in the card.
        input_range: Values of black and white in the images, see `keras_proxy_snn.ProxyModel`.
            `None`: those of the card, if it has them.
        **overrides: Fields of `Preset` that replace the values of the preset and of the card. A
            spec needs `input_shape`.

    Returns:
        A built `ProxyModel`, compiled with Adam, the loss on spike counts and strict
        `SpikeAccuracy`. Compile it again to change them.

    Raises:
        ValueError: If the name is neither a preset nor a spec, a field is out of range, or the
            weights do not fit the model or their card.
        TypeError: If a field is unknown, a flag is not True or False, or `input_shape` is missing.

    Example:

    >>> import keras_proxy_snn
    >>> model = keras_proxy_snn.build("digits", time_steps=10)
    >>> model.time_steps, model.ann.output_shape
    (10, (None, 10))
    >>> trained = keras_proxy_snn.build("digits", weights="pretrained")
    >>> keras_proxy_snn.build("digits", classes=3).ann.output_shape
    (None, 3)
    """
    source = pretrained_card(name) if weights == "pretrained" else weights
    card = None if source is None else read_card(source)
    settings = {} if card is None else card.get("settings", {})
    if unknown := sorted(set(settings) - FIELDS):
        raise ValueError(
            f"'settings' of a card must be fields of a preset, {sorted(FIELDS)}. "
            f"Received: {unknown} in {source}."
        )
    preset = preset_of(name, {**settings, **overrides})
    if classes is not None:
        preset = replace(preset, spec=with_classes(preset.spec, classes))
    _check_adam(preset)
    check_choice("loss", preset.loss, LOSSES)
    spec = parse_spec(preset.spec, preset.input_shape)
    thresholds = layer_thresholds(preset.v_threshold, neuron_names(spec))
    if preset.readout_v_threshold is not None:
        thresholds = layer_thresholds(
            {**thresholds, "readout": preset.readout_v_threshold}, thresholds
        )
    check_choice("proxy_activation", preset.proxy_activation, (*PROXY_ACTIVATIONS, "qcfs"))
    quantised = preset.proxy_activation == "qcfs"
    ann = build_ann(
        spec,
        preset.input_shape,
        v_threshold=thresholds,
        proxy_activation="clip" if quantised else preset.proxy_activation,
        **_pick(
            preset,
            "readout_activation",
            "pooling",
            "kernel_initializer",
            "use_bias",
            "batch_norm",
            "learn_threshold",
            "l2",
        ),
    )
    neurons = _pick(
        preset,
        *("time_steps", "reset", "v_0", "readout"),
        *("chunk_steps", "current_dtype", "event_driven"),
    )
    model = ProxyModel(
        ann,
        v_threshold=thresholds,
        proxy_activation="qcfs" if quantised else None,
        input_range=input_range,
        **neurons,
    )
    model.compile(adam(preset), loss=LOSSES[preset.loss](), metrics=[SpikeAccuracy()])
    if source is not None:
        load_weights(model, source, card)
        if input_range is not None:
            model.input_range = input_range
    return model


def adam(preset: Preset) -> keras.optimizers.Adam:
    """The preset's optimizer."""
    return keras.optimizers.Adam(**_pick(preset, "learning_rate", "beta_1", "beta_2", "epsilon"))


def _check_adam(preset: Preset) -> None:
    for name, below in (("beta_1", 1.0), ("beta_2", 1.0), ("epsilon", inf), ("learning_rate", inf)):
        value = getattr(preset, name)
        number = isinstance(value, Real) and not isinstance(value, bool)
        if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
            continue
        if not number or not 0 <= value < below:
            raise ValueError(
                f"`{name}` must be a number from 0 to below {below:g}. Received: {value!r}."
            )


def _pick(preset: Preset, *names: str) -> dict[str, Any]:
    values = asdict(preset)
    return {name: values[name] for name in names}
