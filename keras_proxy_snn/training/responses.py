"""Responses of IF neurons to a constant current, as activations of the proxy."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops

from ..basics.types import Images, Tensor
from ..mapping.twin import SpikingTwin

__all__ = ["RESPONSES", "proxy_output", "proxy_run", "quantisation_level", "response", "whole"]

RESPONSES = ("clip", "qcfs")


def proxy_output(
    twin: SpikingTwin,
    images: Images,
    activation: str | None,
    time_steps: int,
    v_0: float | Callable[[Any], Any],
    training: bool = True,
) -> Any:
    """Output of the ANN with its activations replaced by `response`.

    Args:
        twin: The ANN, with the activations that firing rates follow.
        images: Preprocessed images `(batch, ...)`, float32.
        activation: One of `RESPONSES`; `None` keeps the ANN's activations.
        time_steps: Number T of time steps.
        v_0: Potential before the first step as a fraction of the threshold; or a function from the
            shape of activations to such fractions.
        training: Whether the ANN's layers run in training mode.

    Returns:
        Logits `(batch, classes)`. Logits are never replaced.
    """
    # Results are held one at a time, so memory of results that are no longer read is freed.
    held = deque(proxy_run(twin, images, activation, time_steps, v_0, training), maxlen=1)
    _, logits = held.pop()
    return logits


def proxy_run(
    twin: SpikingTwin,
    images: Images,
    activation: str | None,
    time_steps: int,
    v_0: float | Callable[[Any], Any],
    training: bool,
) -> Iterator[tuple[int, Any]]:
    """Yield position and result of each call of the ANN; arguments as in `proxy_output`."""
    last = len(twin.graph.calls) - 1
    gains = {place: twin.gains[name] for name, place in twin.activations.items() if place != last}
    run = twin.graph.run(images, training=training, start=twin.start)
    place, result = next(run)
    while place != last:
        if activation is not None and place in gains:
            start = v_0(ops.shape(result)) if callable(v_0) else v_0
            result = response(result, gains[place], activation, time_steps, start)
        yield place, result
        place, result = run.send(result)
    yield last, result


def response(a: Tensor, gain: float, activation: str, time_steps: int, v_0: Tensor) -> Any:
    """Activations that an IF neuron can represent: the firing rate times `gain`.

        "clip":  min(max(0, a), gain)                       (at most one spike per step)
        "qcfs":  gain clip(floor(a T / gain + v_0), 0, T) / T

    `"qcfs"` is the mean output over T steps of a neuron with a constant current that starts at
    v_0 thresholds and is reset by subtraction (Bu et al. 2022, Eq. 15, with v_0 = 1/2). The
    derivative of floor is taken as 1, see `whole`.

    Args:
        a: Activations, any shape.
        gain: The activation that corresponds to one spike per step.
        activation: `"clip"` or `"qcfs"`.
        time_steps: Number T of time steps.
        v_0: Potential before the first step as a fraction of the threshold.

    Returns:
        As `a`, in its dtype.

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn.training.responses import response
    >>> a = np.float32([-1.0, 0.3, 0.5, 3.0])
    >>> keras.ops.convert_to_numpy(response(a, 2.0, "clip", 4, 0.5)).tolist()
    [0.0, 0.30000001192092896, 0.5, 2.0]
    >>> keras.ops.convert_to_numpy(response(a, 2.0, "qcfs", 4, 0.5)).tolist()
    [0.0, 0.5, 0.5, 2.0]
    """
    a = ops.convert_to_tensor(a)
    if activation == "clip":
        return ops.clip(a, 0.0, gain)
    if keras.config.backend() == "torch":
        from . import torch_responses

        if torch_responses.applies(a, v_0):
            return torch_responses.quantised(a, gain, time_steps, v_0)
    # In half precision, levels would not be whole numbers if T is large.
    level = quantisation_level(ops.cast(a, "float32"), gain, time_steps, v_0)
    return ops.cast(gain * (whole(level) / time_steps), a.dtype)


def quantisation_level(x: Tensor, step: Tensor, levels: int, shift: Tensor = 0.5) -> Any:
    """Quantisation level of currents, before it is rounded down.

    (Eq. 15 of Bu et al., "Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency
    spiking neural networks", 2022.)

        clip(x L / lambda + 1/2, 0, L)

    Args:
        x: Currents.
        step: lambda, the output at the highest level.
        levels: Number L of levels.
        shift: Replaces 1/2 in the equation; 1/2 rounds to the nearest level.

    Returns:
        Numbers from 0 to L.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.training.responses import quantisation_level
    >>> np.array(quantisation_level(np.float32([-1, 0.5, 3]), 2.0, 4)).tolist()
    [0.0, 1.5, 4.0]
    """
    return ops.clip(x * levels / step + shift, 0.0, float(levels))


def whole(level: Tensor) -> Any:
    """`floor(level)` with a derivative of 1 (straight-through).

    Example:

    >>> import keras, numpy as np
    >>> from keras_proxy_snn.training.responses import whole
    >>> keras.ops.convert_to_numpy(whole(np.float32([0.0, 1.75, 3.0]))).tolist()
    [0.0, 1.0, 3.0]
    """
    level = ops.convert_to_tensor(level)
    # In this order of additions the result is exactly `floor(level)`.
    return ops.stop_gradient(ops.floor(level)) + (level - ops.stop_gradient(level))
