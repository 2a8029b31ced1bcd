"""`calibrate_biases`: shift biases until firing rates agree with the proxy."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from keras import ops

from ..basics.arrays import as_float32
from ..basics.checks import positive_integer
from ..basics.named import Named
from ..basics.progress import Progress
from ..basics.types import Images, Verbose
from ..layers.base import TiedIF
from ..model import ProxyModel, check_proxy_model
from ..simulation.nodes import IMAGE, Node
from ..training.batches import ImageBatches, rereadable
from ..training.responses import proxy_run

__all__ = ["calibrate_biases"]

_LEAST_ACTIVE = 0.3  # bounds the step where nearly all neurons are silent or saturated


def calibrate_biases(
    model: ProxyModel,
    x: Images,
    *,
    rounds: int = 3,
    batch_size: int = 50,
    verbose: Verbose = "auto",
) -> dict[str, float]:
    """Shift biases so that the mean rate of each channel agrees with the proxy.

    Spikes of deep layers come unevenly. A neuron may fire early for a current that later turns
    negative, and it cannot take the spike back. So mean rates are too high, above all in deep
    layers and at small T. The function corrects one layer after another, from the input on:

        bias += theta (a - r) / p

    Here theta is the threshold, r the mean rate of the neurons at the model's T, and a the mean
    rate that the proxy expects. The share of neurons whose rate a current can change (0 < r < 1)
    is p, at least 0.3. This is a Newton step for r = a. (Li et al., "A free lunch from ANN:
    towards efficient, accurate spiking neural networks calibration", 2021, section 4.2, with
    p = 1; p and the repetition are this package's.) For a layer with batch normalisation, `beta`
    is the bias.

    The function needs no labels and no gradients, and takes some minutes for a deep CNN. Its
    result holds for the model's T, so set `time_steps` first. **It changes the ANN too**, because
    both networks have the same biases. Call it after `keras_proxy_snn.QuantisedANN` and before
    `fit`.

    Args:
        model: The model, with `spike_height="threshold"`, as `keras_proxy_snn.from_keras` makes it,
            or thresholds of 1 for all activations, as `keras_proxy_snn.build` does.
        x: Some hundred training images, or batches as `fit` takes them; with `events`, recordings.
            They are read several times, so a generator's are kept in memory.
        rounds: Number of times that each bias is shifted.
        batch_size: Number of images simulated at once.
        verbose: Whether a line shows the progress: 0, 1, or `"auto"` for a terminal or a notebook.

    Returns:
        Name of each shifted layer to its remaining error: the mean over channels of `|a - r|`, in
        spikes per neuron and step. The readout and layers without a bias are not shifted.

    Raises:
        TypeError: If `model` is not a `ProxyModel`.
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
    check_proxy_model(model)
    for name, value in (("rounds", rounds), ("batch_size", batch_size)):
        positive_integer(name, value)
    _check_scales(model)
    places = _places(model.snn.nodes)
    if not places:
        raise ValueError(
            "At least one layer before the readout must have a bias, or a batch normalisation "
            f"with a bias. Received: {model.ann.name!r}, which has no such layer."
        )
    x = model.note_input_range(rereadable(x))
    batches = ImageBatches(x, model.image_shape, batch_size)
    images, passes = batches.known_number(), 1 + len(places) * (rounds + 1)
    with Progress("calibrating biases", images, verbose, passes=passes) as progress:
        expected = _expected(model, progress.over(batches))
        left: dict[str, float] = Named()
        for layer, bias in places:
            name = layer.twin.name
            for _ in range(rounds):
                rate, active = _rates(model, progress.over(batches), layer)
                error = expected[name] - rate
                step = layer.v_threshold * error / np.maximum(active, _LEAST_ACTIVE)
                bias.assign_add(ops.convert_to_tensor(step, bias.dtype))
            rate, _ = _rates(model, progress.over(batches), layer)
            left[name] = float(np.mean(np.abs(expected[name] - rate)))
    return left


def _check_scales(model: ProxyModel) -> None:
    *hidden, _ = model.twin.gains.items()
    other = {name: gain for name, gain in hidden if abs(gain - 1.0) > 1e-6}
    if model.spike_height == "one" and other:
        raise ValueError(
            "With spike_height='one', one spike per step must stand for an activation of 1. Use "
            f"spike_height='threshold' instead. Received: a model in which it stands for {other}."
        )


def _places(nodes: Sequence[Node]) -> list[tuple[TiedIF, Any]]:
    """Layers with neurons, without the readout, and the variable that shifts their currents.

    Layers without such a variable are left out.
    """
    by_name = {node.name: node for node in nodes}
    readers = Counter(name for node in nodes for name in node.inputs)

    def bias(node: Node) -> Any:
        tied = node.stage.tied()
        if tied is not None and tied.bias_variable is not None:
            return tied.bias_variable
        if not node.stage.adds_unweighted:
            return None
        # A bias of one summand is a bias of the sum, if no other stage reads this summand. The last
        # summand comes from the longest path.
        for name in reversed(node.inputs):
            if name == IMAGE or readers[name] > 1:
                continue
            below = by_name[name]
            gives_currents = below.stage.adds and not below.has_neurons
            if gives_currents and (found := bias(below)) is not None:
                return found
        return None

    pairs = [(node.stage, bias(node)) for node in nodes[:-1] if node.has_neurons]
    return [(layer, variable) for layer, variable in pairs if variable is not None]


def _expected(model: ProxyModel, batches: Iterable[np.ndarray]) -> dict[str, Any]:
    """Mean rate of each channel that the proxy expects, by name of the layer."""
    twin = model.twin
    parts: dict[str, list[Any]] = {name: [] for name in twin.activations}
    images = []
    names = {place: name for name, place in twin.activations.items()}
    for batch in batches:
        images.append(len(batch))
        x = model.ann_images(model.snn.preprocess(ops.convert_to_tensor(batch)))
        how = model.proxy_activation, model.time_steps, model.v_0, False
        for place, result in proxy_run(twin, x, *how):
            if place in names:
                rates = np.clip(as_float32(result) / twin.gains[names[place]], 0, 1)
                parts[names[place]].append(_by_channel(rates))
    return {name: np.average(means, axis=0, weights=images) for name, means in parts.items()}


def _rates(model: ProxyModel, batches: Iterable[np.ndarray], layer: TiedIF) -> tuple[Any, Any]:
    """Mean rate of each channel of a layer, and the share of its neurons with 0 < r < 1."""
    rates, active, images = [], [], []
    for batch in batches:
        images.append(len(batch))
        chunks = model.snn.walk(ops.convert_to_tensor(batch), until=layer.name)
        counts = as_float32(sum(ops.sum(chunk[layer.name][0], axis=1) for chunk in chunks))
        rates.append(_by_channel(counts / model.time_steps))
        active.append(_by_channel((counts > 0) & (counts < model.time_steps)))
    rate, share = (np.average(means, axis=0, weights=images) for means in (rates, active))
    return rate, share


def _by_channel(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, values.shape[-1]).mean(axis=0)
