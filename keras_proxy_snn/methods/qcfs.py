"""ANN-to-SNN conversion from quantised activations (QCFS)."""

from typing import Any

import keras
from keras import ops

from ..basics.checks import positive_integer
from ..basics.types import Images, Tensor
from ..presets import Preset
from ..training.responses import quantisation_level, whole
from ._conversion import PLAIN, convert, variant
from ._training import Trained, Training, fit_phase, phase_name
from .ann import compile_ann, preset_model

__all__ = ["QCFS", "fit"]

_START = 2.0  # standard deviations of a layer's currents
_IMAGES = 200


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class QCFS(keras.layers.Layer):
    """Quantization clip-floor-shift activation with a trainable step.

    (Eq. 15 of Bu et al., "Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency
    spiking neural networks", 2022.)

        y = lambda clip(floor(x L / lambda + 1/2) / L, 0, 1)

    The backward pass takes the derivative of floor as 1 (straight-through), so

        dy/dx = 1 for -lambda / 2L < x < lambda - lambda / 2L, else 0
        dy/dlambda = (y - x) / lambda in that range, 0 below and 1 above it

    y is the mean output of an integrate-and-fire neuron with a constant current x over T = L
    steps. The neuron starts at half its threshold lambda, is reset by subtraction and sends spikes
    of height lambda.

    Args:
        levels: Number L of quantisation steps.
        initial: lambda before training, in units of the weights.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        inputs: Currents x, any shape.

    Output shape:
        As the inputs.

    Raises:
        ValueError: If `levels` is not a positive integer or `initial` not positive.

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn.methods.qcfs import QCFS
    >>> layer = QCFS(levels=4, initial=2.0)
    >>> y = layer(np.float32([-1.0, 0.2, 0.3, 1.0, 9.0]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [0.0, 0.0, 0.5, 1.0, 2.0]
    """

    def __init__(self, levels: int = 4, initial: float = 8.0, **kwargs: object):
        levels = positive_integer("levels", levels)
        if not initial > 0:
            raise ValueError(f"`initial` must be a positive number. Received: {initial!r}.")
        super().__init__(**kwargs)
        self.levels = levels
        self.spike_height = self.add_weight(
            name="lambda", shape=(), initializer=keras.initializers.Constant(initial)
        )
        self.built = True

    def call(self, inputs: Tensor) -> Any:
        """Quantised activations; see the class."""
        height = ops.cast(self.spike_height, inputs.dtype)
        level = quantisation_level(inputs, height, self.levels)
        return height * (whole(level) / self.levels)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """As the inputs."""
        return tuple(input_shape)


def _start_at_currents(ann: keras.Sequential, x: Images) -> None:
    """Set lambda of each layer, in order, to `_START` standard deviations of its currents."""
    values = ops.convert_to_tensor(x, "float32")
    for layer in ann.layers:
        if isinstance(layer, QCFS):
            layer.spike_height.assign(_START * ops.std(values))
        values = layer(values)


def fit(preset: Preset, x: Images, y: Tensor, training: Training) -> Trained:
    """Train an ANN with `QCFS` in place of ReLU (L = 4) and convert it.

    IF neurons of a layer have v_threshold = lambda, start at half of it, are reset by subtraction
    and send spikes of height lambda. Here potentials are in units of lambda, so thresholds and
    spikes are 1. The readout sums its currents over T; each class starts at half a threshold too.

    lambda starts at 2 standard deviations of the layer's currents. With batch normalisation this
    is 2; otherwise 200 images are measured. The authors' networks are all normalised. Their lambda
    starts at 8, and the large steps of their SGD bring it down. A step of Adam is no larger than
    its learning rate, so lambda would stay near 8 with most activations at zero. (A trial trained
    the logarithm of lambda, which moves faster. With max pooling, lambda fell from 8 to between
    2.2 and 2.6 in six epochs; with average pooling, the lambda of the first layer was still 4.3.)

    The optimizer is the preset's, and its rate falls linearly. (The authors: SGD with learning
    rate 0.1, momentum 0.9, weight decay 5e-4, cosine schedule, 300 epochs.) With max pooling,
    spikes are pooled by OR; the authors have average pooling. See
    `keras_proxy_snn.methods.METHODS`.

    Args:
        preset: Architecture and optimizer.
        x: Images `(batch, height, width, channels)`.
        y: Integer labels `(batch,)`.
        training: Budget, held-out data and checkpoints.

    Returns:
        `Trained`; `network` is a `ProxyModel`. Its `ann` has the activations for L to infinity,
        clip(x / lambda, 0, 1), and shares no weights with the trained ANN; `facts["lambda"]` has
        lambda by layer.
    """
    plain = preset_model(preset, **PLAIN).ann
    ann = variant(plain, lambda name: QCFS(initial=_START, name=f"{name}_qcfs"))
    if not preset.batch_norm:
        _start_at_currents(ann, x[:_IMAGES])
    compile_ann(ann, preset)
    phase = phase_name("qcfs", preset)
    history = fit_phase(ann, x, y, training, phase)
    heights = {
        layer.name.removesuffix("_qcfs"): float(ops.convert_to_numpy(layer.spike_height))
        for layer in ann.layers
        if isinstance(layer, QCFS)
    }
    model = convert(preset, plain, heights, heights, max_rate=1.0, v_0=0.5)
    return Trained(model, {phase: history}, {"lambda": heights})
