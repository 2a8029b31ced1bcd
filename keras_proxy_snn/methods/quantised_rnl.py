"""RNL conversion of a quantised ANN: its thresholds are lowered by one common factor."""

from dataclasses import replace

from keras import ops

from ..basics.types import Images, Tensor
from ..presets import Preset
from ._conversion import variant
from ._training import Trained, Training
from .ann import compile_ann, preset_model
from .quantised_proxy import QUARTER, Recipe, network
from .quantised_proxy import fit as fit_quantised
from .rnl import RateNorm, SharedScale, fit_scale, one_in_ten

__all__ = ["fit"]


def fit(
    preset: Preset, x: Images, y: Tensor, training: Training, *, recipe: Recipe = QUARTER
) -> Trained:
    """Train the ANN with the steps of its neurons, then train RNL's scale for it, then convert.

    The ANN is that of `methods.quantised_proxy.fit` without its proxy learning. Its activations
    are clipped at the preset's thresholds, so these are the maxima of the rate norm layers:

        theta_l = sigmoid(s) v_threshold_l

    s is trained as in `methods.rnl.fit` and is the same in all layers (Ding et al., "Optimal
    ANN-SNN conversion for fast and accurate inference in deep spiking neural networks", 2021,
    section 4). Neurons start at potential 0, as there.

    Args:
        preset: Architecture, threshold and optimizer.
        x: Images `(batch, height, width, channels)`, at least ten.
        y: Integer labels `(batch,)`.
        training: Budget, held-out data and checkpoints.
        recipe: Settings of the ANN's training.

    Returns:
        `Trained`; `network` is a `ProxyModel` with average pooling; `facts["scale"]` is sigmoid(s).

    Raises:
        ValueError: If there are fewer than ten images.

    Example:

    >>> import keras_proxy_snn as kps
    >>> from keras_proxy_snn.methods import Training, quantised_rnl
    >>> (x, y), _ = kps.datasets.load("digits")
    >>> trained = quantised_rnl.fit(kps.PRESETS["digits"], x[:64], y[:64], Training(epochs=2))
    >>> list(trained.history)
    ['quantised', 'slower', 'scale']
    """
    some = one_in_ten(x, y)
    trained = fit_quantised(preset, x, y, training, by_proxy=False, recipe=recipe)
    model = trained.network
    scale = SharedScale(name="scale")
    ann = variant(model.ann, lambda name: RateNorm(scale, name=f"{name}_rate_norm"))
    compile_ann(ann, preset)
    history = {**trained.history, "scale": fit_scale(ann, scale, *some, training, "scale")}
    fraction = float(ops.convert_to_numpy(scale.fraction))
    thresholds = {
        name: fraction * threshold
        for name, threshold in model.v_threshold.items()
        if name != model.ann.layers[-1].name
    }
    converted = preset_model(replace(network(preset), v_threshold=thresholds, v_0=0.0))
    converted.set_weights(model.get_weights())
    return Trained(converted, history, {"scale": fraction})
