"""ANN-to-SNN conversion by the rate norm layer (RNL)."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from ..presets import Preset
from ._conversion import PLAIN, convert, variant
from ._training import Trained, Training, fit_phase, phase_name
from .ann import compile_ann, preset_model

__all__ = ["RateNorm", "SharedScale", "fit"]

_MOMENTUM = 0.9
_EPSILON = 1e-6
_SHARE = 10  # one image in ten trains s
_SCALE_START = 4.0
_SCALE_EPOCHS = 20
_SCALE_STEP = 0.5  # of s in the first epoch
_TOLERANCE = 0.01


class SharedScale(keras.layers.Layer):
    """The parameter s of all rate norm layers of a network.

    Args:
        s: Initial value.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Example:

    >>> import keras
    >>> from keras_proxy_snn.methods.rnl import SharedScale
    >>> round(float(keras.ops.convert_to_numpy(SharedScale(0.0).fraction)), 3)
    0.5
    """

    def __init__(self, s: float = 10.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.s = self.add_weight(name="s", shape=(), initializer=keras.initializers.Constant(s))
        self.built = True

    @property
    def fraction(self) -> Any:
        """sigmoid(s): the threshold as a fraction of the layer's maximum."""
        return ops.sigmoid(self.s)


class RateNorm(keras.layers.Layer):
    """Rate norm layer: the firing rate, in [0, 1], that a current would cause.

    (Section 4 of Ding et al., "Optimal ANN-SNN conversion for fast and accurate inference in
    deep spiking neural networks", 2021.) With m, a scalar that starts at 1 and follows the
    largest activation in training, before it is used:

        m <- 0.9 m + 0.1 max(ReLU(x))
        theta = sigmoid(s) m + 1e-6
        y = clip(ReLU(x) / theta, 0, 1)

    In their code m is a constant for the derivative.

    Args:
        scale: The `SharedScale` with s.
        differentiate_max: Whether the derivative takes m for the largest activation, as batch
            normalisation does with its statistics.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Attributes:
        fits_scale: If true, m stays as it is, and sum(y) / (||y||^2 + 1e-5) is an extra loss.

    Call arguments:
        inputs: Currents x, any shape.
        training: Whether m follows.

    Output shape:
        As the inputs.

    Raises:
        ValueError: If `scale` is no `SharedScale`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn.methods.rnl import RateNorm, SharedScale
    >>> layer = RateNorm(SharedScale())
    >>> y = layer(np.float32([-1.0, 0.55, 2.0]), training=True)
    >>> round(layer.v_threshold, 3), np.round(keras.ops.convert_to_numpy(y), 3).tolist()
    (1.1, [0.0, 0.5, 1.0])
    """

    def __init__(self, scale: SharedScale, differentiate_max: bool = False, **kwargs: Any):
        if not isinstance(scale, SharedScale):
            raise ValueError(f"`scale` must be a SharedScale. Received: {scale!r}.")
        super().__init__(**kwargs)
        self.scale = scale
        self.differentiate_max = differentiate_max
        self.fits_scale = False
        self.running_max = self.add_weight(
            name="running_max", shape=(), initializer="ones", trainable=False
        )
        self.built = True

    @property
    def v_threshold(self) -> float:
        """The threshold theta as a number, outside of traced code."""
        return float(ops.convert_to_numpy(self._theta(self.running_max)))

    def _theta(self, running_max: Any) -> Any:
        return self.scale.fraction * running_max + _EPSILON

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Rates; see the class."""
        rectified = ops.relu(inputs)
        follows = training and not self.fits_scale
        theta = self._theta(self._follow(rectified) if follows else self.running_max)
        rate = ops.minimum(rectified / ops.cast(theta, inputs.dtype), 1.0)
        if self.fits_scale:
            self.add_loss(ops.sum(rate) / (ops.sum(ops.square(rate)) + 1e-5))
        return rate

    def _follow(self, rectified: Any) -> Any:
        """Update m; its new value."""
        largest = ops.cast(ops.max(rectified), self.running_max.dtype)
        now = ops.stop_gradient(_MOMENTUM * self.running_max + (1 - _MOMENTUM) * largest)
        self.running_max.assign(now)
        if self.differentiate_max:
            now = now + (largest - ops.stop_gradient(largest))
        return now

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """As the inputs."""
        return tuple(input_shape)


def fit(preset: Preset, x: Any, y: Any, training: Training) -> Trained:
    """Train an ANN with `RateNorm` for ReLU, then its scale, and convert it.

    Phase 1 trains the weights for `training.epochs` epochs, with s at 10. Phase 2 freezes weights
    and maxima and trains s on one image in ten, from 4 on as in the authors' code, to lower

        K = mean over layers of sum(y) / (||y||^2 + 1e-5)

    (their sum here, which is the same to Adam) for at most 20 passes; it stops where the accuracy
    of a pass is more than 1 point below that of phase 1, and takes s back to where that pass
    began. It is not counted in `training.epochs`. Their code tolerates 3 to 10 points.

    IF neurons have v_threshold = theta, reset by subtraction and unit spikes; here in units of
    theta. The readout's currents are summed over T, so there is no term of it in K.

    The paper's recipe is SGD with 0.1, momentum 0.9, weight decay 1e-4. Here both phases have
    Adam and a rate that falls linearly, that of the preset in phase 1. Their networks have batch
    normalisation; without it weights and maxima grow together and training stalls, unless the
    derivative knows the maxima, and there it does. With max pooling spikes are pooled by OR,
    where theirs is average pooling; see `keras_proxy_snn.methods.METHODS`.

    Args:
        preset: Architecture and optimizer.
        x: Images `(batch, height, width, channels)`, ten at least.
        y: Integer labels `(batch,)`.
        training: Budget and surroundings.

    Returns:
        `Trained`; `network` is a `ProxyModel` whose `ann` gives the outputs of the one that was
        trained; `facts` has `v_threshold` by layer and `scale`, sigmoid(s).

    Raises:
        ValueError: If there are fewer than ten images.
    """
    if len(x) < _SHARE:
        raise ValueError(f"At least {_SHARE} images are needed. Received: {len(x)}.")
    plain = preset_model(preset, **PLAIN).ann
    scale = SharedScale(name="scale")
    scale.trainable = False
    free = not preset.batch_norm
    ann = variant(plain, lambda name: RateNorm(scale, free, name=f"{name}_rate_norm"))
    compile_ann(ann, preset)
    phase = phase_name("rnl", preset)
    history = {phase: fit_phase(ann, x, y, training, phase)}
    phase = f"{phase}_scale"
    history[phase] = _fit_scale(ann, scale, *_some(x, y), training, phase)
    thresholds = {
        layer.name.removesuffix("_rate_norm"): layer.v_threshold
        for layer in ann.layers
        if isinstance(layer, RateNorm)
    }
    unit = dict.fromkeys(thresholds, 1.0)
    model = convert(preset, plain, thresholds, unit, max_rate=1.0)
    facts = {"v_threshold": thresholds, "scale": float(ops.convert_to_numpy(scale.fraction))}
    return Trained(model, history, facts)


def _some(x: Any, y: Any) -> tuple[Any, Any]:
    """One image in ten, by chance but always the same."""
    order = np.random.default_rng(0).permutation(len(x))[: len(x) // _SHARE]
    return np.asarray(x)[order], np.asarray(y)[order]


def _fit_scale(
    ann: keras.Sequential, scale: SharedScale, x: Any, y: Any, training: Training, phase: str
) -> dict[str, list[float]]:
    """Phase 2; logs of each pass."""
    accuracy = ann.evaluate(x, y, training.batch_size, verbose=0, return_dict=True)["accuracy"]
    for layer in ann.layers:
        if isinstance(layer, RateNorm):
            layer.fits_scale = True
        else:
            layer.trainable = False
    scale.trainable = True
    scale.s.assign(_SCALE_START)
    steps = -(-len(x) // training.batch_size)
    # Compiled again without a loss, a model would keep the one it had.
    ann = variant(ann)
    ann.compile(keras.optimizers.Adam(_SCALE_STEP / steps), metrics=["accuracy"])
    return fit_phase(
        ann,
        x,
        y,
        replace(training, validation_data=None),
        phase,
        epochs=_SCALE_EPOCHS,
        callbacks=[_StopBelow(accuracy - _TOLERANCE, scale)],
    )


class _StopBelow(keras.callbacks.Callback):
    """Stops after a pass with too low an accuracy, s as it was before that pass."""

    def __init__(self, accuracy: float, scale: SharedScale):
        super().__init__()
        self._accuracy = accuracy
        self._scale = scale
        self._s = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._s = float(ops.convert_to_numpy(self._scale.s))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None and logs["accuracy"] < self._accuracy:
            self._scale.s.assign(self._s)
            self.model.stop_training = True
