"""Biases of a spiking network from the spikes that its neurons fire on some images."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from .._arrays import as_float32
from .._checks import positive_integer
from ..layers import CurrentSum, IFActivation, Synapses
from ..layers.base import TiedIF
from ..model import ProxyModel
from ..simulation.nodes import IMAGE, Node
from ..training.responses import proxy_run

__all__ = ["calibrate_biases"]

_LEAST_ACTIVE = 0.3  # bounds the step where nearly all neurons are silent or saturated


def calibrate_biases(
    model: ProxyModel, x: Any, *, rounds: int = 3, batch_size: int = 50
) -> dict[str, float]:
    """Shift biases so that neurons fire as often as the proxy says, in the mean of each channel.

    Spikes of deep layers come unevenly: a neuron fires early for a current that later
    turns negative, and cannot take the spike back. So rates are too high in the mean, the more so
    the deeper the layer and the smaller T. Layer after layer, each after those before it,

        bias += theta (a - r) / p

    with the threshold theta, the neurons' mean rate r at the model's T, what the proxy has for it,
    a, and the share p of neurons whose rate a current can change, 0 < r < 1, taken as 0.3 at
    least: a Newton step for r = a. (Li et al., "A free lunch from ANN: towards efficient, accurate
    spiking neural networks calibration", 2021, section 4.2, with p = 1; p and the repetition are
    ours.) A batch normalisation's `beta` is the bias where there is one.

    It takes no labels and no gradients, and some minutes for a deep CNN, and is made for
    the model's T: set `time_steps` before. **It changes the ANN too**, whose biases these are.
    Do it after `keras_proxy_snn.QuantisedANN` and before `fit`.

    Args:
        model: The model, with `spike_height="threshold"`, as `keras_proxy_snn.from_keras` makes it,
            or thresholds of 1 for all activations, as `keras_proxy_snn.build` does.
        x: Some hundred images (with `events` recordings) of the kind that it was trained on.
        rounds: Number of times that each bias is shifted.
        batch_size: Images simulated at once.

    Returns:
        For each layer whose bias was shifted the error that is left: the mean over channels of
        `|a - r|`, in spikes per neuron and step. The readout is not shifted, nor a layer
        without a bias.

    Raises:
        ValueError: If no layer before the readout has a bias, spikes and activations have other
            scales, there are no images, or `rounds` or `batch_size` is not a positive integer.

    Example:

    >>> import numpy as np
    >>> import keras_proxy_snn as kps
    >>> cnn = kps.build_ann(kps.parse_spec("4C3-P2-8F-10F"), (8, 8, 1), use_bias=True)
    >>> model = kps.from_keras(cnn, time_steps=8)
    >>> list(kps.calibrate_biases(model, np.random.rand(20, 8, 8, 1)))
    ['conv1', 'dense1']
    """
    for name, value in (("rounds", rounds), ("batch_size", batch_size)):
        positive_integer(name, value)
    _check_scales(model)
    if not len(x):
        raise ValueError("`x` must be at least one image. Received: none.")
    places = _places(model.snn.nodes)
    if not places:
        raise ValueError(
            "A layer before the readout must have a bias, or a batch normalisation with one. "
            f"Received: none in {model.ann.name!r}."
        )
    batches = [x[start : start + batch_size] for start in range(0, len(x), batch_size)]
    expected = _expected(model, batches)
    left = {}
    for layer, bias in places:
        name = layer.twin.name
        for _ in range(rounds):
            rate, active = _rates(model, batches, layer)
            step = layer.v_threshold * (expected[name] - rate) / np.maximum(active, _LEAST_ACTIVE)
            bias.assign_add(ops.convert_to_tensor(step, bias.dtype))
        rate, _ = _rates(model, batches, layer)
        left[name] = float(np.mean(np.abs(expected[name] - rate)))
    return left


def _check_scales(model: ProxyModel) -> None:
    *hidden, _ = model.twin.gains.items()
    other = {name: gain for name, gain in hidden if abs(gain - 1.0) > 1e-6}
    if model.spike_height == "one" and other:
        raise ValueError(
            "With spike_height='one' a spike a step must stand for an activation of 1; else use "
            f"spike_height='threshold'. Received: a model in which it stands for {other}."
        )


def _places(nodes: Sequence[Node]) -> list[tuple[TiedIF, Any]]:
    """Layers with neurons but the readout, and the variable that shifts each one's currents.

    Layers without such a variable are left out.
    """
    by_name = {node.name: node for node in nodes}
    readers = Counter(name for node in nodes for name in node.inputs)

    def bias(node: Node) -> Any:
        stage = node.stage.layer if isinstance(node.stage, Synapses) else node.stage
        if isinstance(stage, TiedIF) and stage.bias_variable is not None:
            return stage.bias_variable
        if not isinstance(stage, IFActivation | CurrentSum):
            return None
        # What is added to one of the currents that meet is added to their sum; but not to one that
        # others read too. The last is that of the longest way.
        for name in reversed(node.inputs):
            if name == IMAGE or readers[name] > 1:
                continue
            below = by_name[name]
            passes = isinstance(below.stage, Synapses | CurrentSum)
            if passes and (found := bias(below)) is not None:
                return found
        return None

    pairs = [(node.stage, bias(node)) for node in nodes[:-1] if node.has_neurons]
    return [(layer, variable) for layer, variable in pairs if variable is not None]


def _expected(model: ProxyModel, batches: Sequence[Any]) -> dict[str, Any]:
    """What the proxy has for the mean rate of each channel, by name of the layer."""
    twin = model.twin
    parts: dict[str, list[Any]] = {name: [] for name in twin.activations}
    names = {place: name for name, place in twin.activations.items()}
    for batch in batches:
        x = model.ann_images(model.snn.preprocess(ops.convert_to_tensor(batch)))
        how = model.proxy_activation, model.time_steps, model.v_0, False
        for place, result in proxy_run(twin, x, *how):
            if place in names:
                rates = np.clip(as_float32(result) / twin.gains[names[place]], 0, 1)
                parts[names[place]].append(_by_channel(rates))
    images = [len(batch) for batch in batches]
    return {name: np.average(means, axis=0, weights=images) for name, means in parts.items()}


def _rates(model: ProxyModel, batches: Sequence[Any], layer: TiedIF) -> tuple[Any, Any]:
    """Mean rate of each channel of a layer, and the share of its neurons with 0 < r < 1."""
    rates, active = [], []
    for batch in batches:
        chunks = model.snn.walk(ops.convert_to_tensor(batch), until=layer.name)
        counts = as_float32(sum(ops.sum(chunk[layer.name][0], axis=1) for chunk in chunks))
        rates.append(_by_channel(counts / model.time_steps))
        active.append(_by_channel((counts > 0) & (counts < model.time_steps)))
    images = [len(batch) for batch in batches]
    rate, share = (np.average(means, axis=0, weights=images) for means in (rates, active))
    return rate, share


def _by_channel(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, values.shape[-1]).mean(axis=0)
