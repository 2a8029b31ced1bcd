"""ANN-to-SNN conversion by the rate norm layer (RNL)."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from ..basics.types import Images, Tensor
from ..presets import Preset
from ._conversion import PLAIN, convert, variant
from ._training import Trained, Training, fit_phase, phase_name
from .ann import compile_ann, preset_model

__all__ = ["RateNorm", "SharedScale", "fit", "fit_scale", "one_in_ten"]

_MOMENTUM = 0.9
_EPSILON = 1e-6
_SHARE = 10  # one image in ten trains s
_SCALE_START = 4.0
_SCALE_EPOCHS = 20
_SCALE_STEP = 0.5  # learning rate of s in the first epoch
_TOLERANCE = 0.01


class SharedScale(keras.layers.Layer):
    """The parameter s that all rate norm layers of a network share.

    Args:
        s: Initial value.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Example:

    >>> import keras
    >>> from keras_proxy_snn.methods.rnl import SharedScale
    >>> round(float(keras.ops.convert_to_numpy(SharedScale(0.0).fraction)), 3)
    0.5
    """

    def __init__(self, s: float = 10.0, **kwargs: object):
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
    deep spiking neural networks", 2021.) The scalar m starts at 1 and follows the largest
    activation. In training it is updated first, then used:

        m <- 0.9 m + 0.1 max(ReLU(x))
        theta = sigmoid(s) m + 1e-6
        y = clip(ReLU(x) / theta, 0, 1)

    In the authors' code the derivative treats m as a constant.

    Args:
        scale: The `SharedScale` with s.
        differentiate_max: Whether the derivative treats m as the largest activation of the batch,
            as batch normalisation does with its statistics.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Attributes:
        fits_scale: If true, m is not updated, and sum(y) / (||y||^2 + 1e-5) is an extra loss.

    Call arguments:
        inputs: Currents x, any shape.
        training: Whether m is updated.

    Output shape:
        As the inputs.

    Raises:
        ValueError: If `scale` is not a `SharedScale`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn.methods.rnl import RateNorm, SharedScale
    >>> layer = RateNorm(SharedScale())
    >>> y = layer(np.float32([-1.0, 0.55, 2.0]), training=True)
    >>> round(layer.v_threshold, 3), np.round(keras.ops.convert_to_numpy(y), 3).tolist()
    (1.1, [0.0, 0.5, 1.0])
    """

    def __init__(self, scale: SharedScale, differentiate_max: bool = False, **kwargs: object):
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
        """The threshold theta as a Python number; not available in traced code."""
        return float(ops.convert_to_numpy(self._theta(self.running_max)))

    def _theta(self, running_max: Tensor) -> Any:
        return self.scale.fraction * running_max + _EPSILON

    def call(self, inputs: Tensor, training: bool | None = None) -> Any:
        """Rates; see the class."""
        rectified = ops.relu(inputs)
        follows = training and not self.fits_scale
        theta = self._theta(self._follow(rectified) if follows else self.running_max)
        rate = ops.minimum(rectified / ops.cast(theta, inputs.dtype), 1.0)
        if self.fits_scale:
            self.add_loss(ops.sum(rate) / (ops.sum(ops.square(rate)) + 1e-5))
        return rate

    def _follow(self, rectified: Tensor) -> Any:
        """Update m and return the new value."""
        largest = ops.cast(ops.max(rectified), self.running_max.dtype)
        now = ops.stop_gradient(_MOMENTUM * self.running_max + (1 - _MOMENTUM) * largest)
        self.running_max.assign(now)
        if self.differentiate_max:
            now = now + (largest - ops.stop_gradient(largest))
        return now

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """As the inputs."""
        return tuple(input_shape)


def fit(preset: Preset, x: Images, y: Tensor, training: Training) -> Trained:
    """Train an ANN with `RateNorm` in place of ReLU, then train its scale, then convert it.

    Phase 1 trains the weights for `training.epochs` epochs with s = 10. Phase 2 freezes weights
    and maxima and trains s on one image in ten. As in the authors' code, s starts at 4. Phase 2
    minimises

        K = mean over layers of sum(y) / (||y||^2 + 1e-5)

    (the code here takes the sum over layers; Adam makes the same steps). Phase 2 has at most 20
    passes, which are not counted in `training.epochs`. It stops when the accuracy of a pass is
    more than 1 point below the accuracy of phase 1, and then restores the s from before that pass.
    The authors' code tolerates 3 to 10 points.

    IF neurons have v_threshold = theta, reset by subtraction and unit spikes; here potentials are
    in units of theta. The readout sums its currents over T, so K has no term for the readout.

    The paper trains with SGD: learning rate 0.1, momentum 0.9, weight decay 1e-4. Here both phases
    use Adam with a rate that falls linearly; phase 1 starts with the preset's rate. The networks of
    the paper have batch normalisation. Without it, weights and maxima grow together and training
    stalls; so here the derivative includes the maxima if the preset has no batch normalisation.
    With max pooling, spikes are pooled by OR; the paper has average pooling. See
    `keras_proxy_snn.methods.METHODS`.

    Args:
        preset: Architecture and optimizer.
        x: Images `(batch, height, width, channels)`, at least ten.
        y: Integer labels `(batch,)`.
        training: Budget, held-out data and checkpoints.

    Returns:
        `Trained`; `network` is a `ProxyModel` whose `ann` gives the same outputs as the trained
        ANN; `facts` has `v_threshold` by layer and `scale`, sigmoid(s).

    Raises:
        ValueError: If there are fewer than ten images.
    """
    some = one_in_ten(x, y)
    plain = preset_model(preset, **PLAIN).ann
    scale = SharedScale(name="scale")
    scale.trainable = False
    free = not preset.batch_norm
    ann = variant(plain, lambda name: RateNorm(scale, free, name=f"{name}_rate_norm"))
    compile_ann(ann, preset)
    phase = phase_name("rnl", preset)
    history = {phase: fit_phase(ann, x, y, training, phase)}
    phase = f"{phase}_scale"
    history[phase] = fit_scale(ann, scale, *some, training, phase)
    thresholds = {
        layer.name.removesuffix("_rate_norm"): layer.v_threshold
        for layer in ann.layers
        if isinstance(layer, RateNorm)
    }
    unit = dict.fromkeys(thresholds, 1.0)
    model = convert(preset, plain, thresholds, unit, max_rate=1.0)
    facts = {"v_threshold": thresholds, "scale": float(ops.convert_to_numpy(scale.fraction))}
    return Trained(model, history, facts)


def one_in_ten(x: Images, y: Tensor) -> tuple[Any, Any]:
    """One image in ten, chosen with a fixed seed; a `ValueError` if there are fewer than ten."""
    if len(x) < _SHARE:
        raise ValueError(f"At least {_SHARE} images are needed. Received: {len(x)}.")
    order = np.random.default_rng(0).permutation(len(x))[: len(x) // _SHARE]
    return np.asarray(x)[order], np.asarray(y)[order]


def fit_scale(
    ann: keras.Sequential, scale: SharedScale, x: Images, y: Tensor, training: Training, phase: str
) -> dict[str, list[float]]:
    """Train s of a trained ANN, phase 2 of `fit`, and return the logs of each pass.

    Args:
        ann: A compiled ANN with `RateNorm` layers.
        scale: Their scale; it is changed.
        x: Images `(batch, height, width, channels)`.
        y: Integer labels `(batch,)`.
        training: Batch size, checkpoints and callbacks.
        phase: Name of the phase, unique in the method.
    """
    accuracy = ann.evaluate(x, y, training.batch_size, verbose=0, return_dict=True)["accuracy"]
    for layer in ann.layers:
        if isinstance(layer, RateNorm):
            layer.fits_scale = True
        else:
            layer.trainable = False
    scale.trainable = True
    scale.s.assign(_SCALE_START)
    steps = -(-len(x) // training.batch_size)
    # A model that is compiled again without a loss keeps its old loss.
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
    """Stops after a pass whose accuracy is too low, and restores s from before that pass."""

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
