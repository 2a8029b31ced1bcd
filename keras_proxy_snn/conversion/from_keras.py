"""`from_keras`: the spiking twin of an existing CNN."""

from typing import Any

import keras

from ..basics.checks import check_choice
from ..basics.types import Images
from ..basics.warn import warn
from ..cnn.build import Threshold
from ..export.frontend.from_model import check_expressible
from ..export.frontend.inexpressible import InexpressibleError
from ..model import ProxyModel
from ..training.batches import ImageBatches, rereadable
from . import thresholds as calibration

__all__ = ["from_keras"]

_BATCH = 50  # recordings that are averaged at once


def from_keras(
    cnn: keras.Model,
    time_steps: int,
    v_threshold: Threshold | None = None,
    *,
    calibrate: str | None = None,
    calibration_data: Images = None,
    reset: str = "subtract",
    v_0: float = 0.5,
    readout: str = "potential",
    proxy_activation: str | None = "qcfs",
    **kwargs: Any,
) -> ProxyModel:
    """Build the spiking twin of a Keras CNN, trained or not, around that CNN's own layers.

    Both networks share the layers, so training one trains the other. The SNN approximates the CNN
    from the start. A spike enters the next layer with the height of its neuron's threshold theta.
    With the neuron's rate r and the CNN's activation a,

        theta r ~ min(a, theta)

    After that, `fit` fine-tunes the network through its proxy: the CNN with activations in the
    steps that such neurons can follow. Without these steps, weights would grow where rates cannot
    follow. Freeze batch normalisation before `fit` (`trainable = False`): the neurons use the
    running statistics, and with the statistics of each batch the CNN would be another network.
    Compile after that, with a small learning rate, such as `keras.optimizers.Adam(1e-4)`.
    Before that, `keras_proxy_snn.calibrate_biases` takes seconds; deep CNNs first need
    `keras_proxy_snn.QuantisedANN` too.

    Max pooling of spikes is the OR of a window. It fires too often, and more so the more steps a
    network runs, so an untuned network with max pooling can lose accuracy as T grows. Average
    pooling is exact.

    Spikes in the running or exported network are 0 and 1: their heights are multiplied into the
    weights that read them. The CNN itself is not changed.

    The defaults suit a conversion (Rueckauer et al. 2017, Bu et al. 2022). Reset by subtraction
    loses no current. A start at half the threshold rounds to the nearest number of spikes. The
    readout adds up its currents. The defaults of `ProxyModel` are the paper's.

    Args:
        cnn: A built `keras.Sequential` or functional model;
            `keras_proxy_snn.mapping.twin.spiking_twin` lists the layers that it can have. A
            softmax at its end is left out: the readout is the linear part.
        time_steps: Number T of time steps.
        v_threshold: Threshold of the IF neurons, in units of the CNN's activations: a positive
            number, or a mapping from names of layers to such numbers; 1 if not given. A trained
            CNN needs thresholds that suit its activations, see `calibrate`.
        calibrate: `"percentile"`, `"rnl"` or `"qcfs"`: thresholds from the activations on
            `calibration_data`, see `keras_proxy_snn.calibrate`; not with `v_threshold`. Without
            either, all thresholds are 1, which costs a trained CNN accuracy, above all at few
            steps.
        calibration_data: Some hundred images, or batches as `fit` takes them; with `events=True`,
            recordings of T frames, which are averaged over time.
        reset: `"subtract"` or `"zero"`. A NIR file needs `"zero"` and `readout="counts"`; such a
            network must be trained with them, because a reset to zero loses current.
        v_0: As in `ProxyModel`.
        readout: As in `ProxyModel`: `"potential"` or `"counts"`.
        proxy_activation: As in `ProxyModel`: `"qcfs"`, `"clip"` or `None`.
        **kwargs: Further arguments of `ProxyModel`, such as `events`, `chunk_steps` and `name`.

    Returns:
        `ProxyModel`, not compiled; `model.ann` is the CNN.

    Raises:
        ValueError: If the CNN has a layer that cannot be mapped, or an argument is out of range.
            The error names the layer, its type and a cure.

    Warns:
        UserWarning: If the CNN can be converted, but no exported file can have it, for instance
            because of a batch normalisation after a ReLU. The warning names the layer and a cure.

    Example:

    >>> import keras, numpy as np
    >>> import keras_proxy_snn as kps
    >>> x = keras.Input((8, 8, 1))
    >>> y = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    >>> z = keras.layers.Conv2D(4, 3, padding="same")(y)
    >>> z = keras.layers.ReLU()(keras.layers.Add()([y, z]))
    >>> z = keras.layers.Dense(10, "softmax")(keras.layers.GlobalAveragePooling2D()(z))
    >>> cnn = keras.Model(x, z)
    >>> images = np.random.rand(16, 8, 8, 1).astype("float32")
    >>> model = kps.from_keras(cnn, 16, calibrate="percentile", calibration_data=images)
    >>> model.predict(images, verbose=0).shape, model.ann is cnn
    ((16, 10), True)
    """
    if calibrate is not None:
        check_choice("calibrate", calibrate, calibration.CALIBRATIONS)
        calibration_data = rereadable(calibration_data)
        if v_threshold is not None or calibration_data is None:
            raise ValueError(
                "`calibrate` finds the thresholds on images: give `calibration_data`, and no "
                "`v_threshold`. Received: "
                f"v_threshold={v_threshold!r}, "
                f"calibration_data={'None' if calibration_data is None else 'images'}."
            )
        if kwargs.get("events"):
            frames = ImageBatches(calibration_data, (time_steps, *cnn.input_shape[1:]), _BATCH)
            calibration_data = (batch.mean(axis=1) for batch in frames)
        v_threshold = calibration.calibrate(cnn, calibration_data, calibrate, time_steps=time_steps)
    elif calibration_data is not None:
        raise ValueError("`calibration_data` needs `calibrate`. Received: calibrate=None.")
    model = ProxyModel(
        cnn,
        time_steps,
        1.0 if v_threshold is None else v_threshold,
        reset,
        v_0=v_0,
        readout=readout,
        spike_height="threshold",
        proxy_activation=proxy_activation,
        **kwargs,
    )
    if calibration_data is not None:
        model.note_input_range(calibration_data)
    _warn_if_never_exported(model)
    return model


def _warn_if_never_exported(model: ProxyModel) -> None:
    """Tell before the training, and not only at the export, that no file can have a network."""
    if model.events:
        return  # such a model has no file in any order
    try:
        check_expressible(model)
    except InexpressibleError as error:
        warn(
            "The network can be trained and saved, but not exported to a file for a device: "
            f"{error.short}"
        )
