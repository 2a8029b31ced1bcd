"""Event-driven sums on the processor: their time depends on the number of spikes."""

import importlib.util
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
from keras import ops

from ..basics.processor import numba_works
from ..basics.types import Tensor
from ..layers.base import SynapticWeights, TiedIF
from .chunks import on_gpu
from .nodes import Node, carry_spikes

__all__ = ["AUTO", "EventDriven", "check_event_driven", "faster", "summers"]

AUTO = "auto"
"""Event-driven sums where they are the faster ones; see `faster`."""

EventDriven = bool | str
Summer = Callable[[Any, SynapticWeights], Any]
# The kernels sum groups of at least this many outputs; other layers use dense sums.
_GROUP = 16
# Shares of spiking inputs of a convolution and of a dense layer up to which event-driven sums are
# faster, see `benchmarks/NOTES.md`.
_FEW_IN_MAPS, _FEW_FEATURES = 0.4, 0.15
# Below this number of multiply-adds, calling a kernel takes longer than dense sums.
_WORTH = 2**25
_UNKNOWN_BATCH = 32


def check_event_driven(value: EventDriven, nodes: Sequence[Node]) -> EventDriven:
    """The value, if the layers can sum in this way.

    Raises:
        TypeError: If it is neither `True` nor `False` nor `"auto"`.
        ValueError: If it is true and a layer's sums are not in float32.
    """
    if not isinstance(value, bool) and value != AUTO:
        raise TypeError(f"`event_driven` must be True, False or {AUTO!r}. Received: {value!r}.")
    for node in nodes if value is True else ():
        if node.has_neurons and node.stage.current_dtype != "float32":
            raise ValueError(
                "`event_driven` sums weights in float32, so `current_dtype` must be 'float32'. "
                f"Received: {node.stage.current_dtype!r} in layer {node.name!r}."
            )
    return value


def summers(nodes: Sequence[Node]) -> dict[str, Summer]:
    """Replacements for `sum_inputs`, one per stage that can sum event by event.

    These stages have `sums_events`, inputs that are only spikes, and a number of outputs that is a
    multiple of 16.
    """
    spikes = carry_spikes(nodes)
    return {
        node.name: partial(_sum, node.stage)
        for node in nodes
        if node.has_neurons and set(node.inputs) <= spikes and _can(node.stage)
    }


def faster(stage: TiedIF, by_events: Summer, inputs: Tensor, weights: SynapticWeights) -> Any:
    """Currents without the bias: event-driven sums where few inputs spike, else dense sums.

    Few means: on average over the steps of a chunk, less than 40 % of the inputs of a convolution,
    or 15 % of the inputs of a dense layer. Sums stay dense in small layers, on GPUs, in bfloat16
    and without Numba. The choice depends on the shapes and spikes of the chunk, and never on a
    measured time, so two runs of the same training are the same.

    Args:
        stage: The layer.
        by_events: Its function from `summers`.
        inputs: Spikes `(batch, ...)` of some steps.
        weights: Weights of the layer.
    """
    dense = partial(stage.sum_inputs, inputs, weights)
    outputs = stage.twin.compute_output_shape((None, *inputs.shape[1:]))[1:-1]
    work = math.prod((inputs.shape[0] or _UNKNOWN_BATCH, *outputs, *weights.kernel.shape))
    exact = stage.current_dtype == "float32"
    if work < _WORTH or not exact or on_gpu(inputs) or not numba_works():
        return dense()
    few = _FEW_FEATURES if stage.window is None else _FEW_IN_MAPS
    return ops.cond(ops.mean(inputs) < few, partial(by_events, inputs, weights), dense)


def _can(stage: TiedIF) -> bool:
    return stage.sums_events and stage.outputs_per_window % _GROUP == 0


def _sum(stage: TiedIF, inputs: Tensor, weights: SynapticWeights) -> Any:
    """Currents without the bias, `(batch, ...)`."""
    if importlib.util.find_spec("numba") is None:
        raise ModuleNotFoundError(
            '`event_driven=True` needs Numba: pip install "keras-proxy-snn[event-driven]". Or set '
            "`event_driven` of the spiking network to False."
        )
    if on_gpu(inputs):
        raise RuntimeError(
            "`event_driven=True` runs on processors. Received: inputs on a GPU. Set `event_driven` "
            "of the spiking network to False."
        )
    # Imported here, because Numba is an optional package.
    from . import event_sums as kernels

    kernel: Callable[..., Any] = kernels.multiply
    shape = tuple(stage.twin.compute_output_shape((None, *inputs.shape[1:]))[1:])
    if (window := stage.window) is not None:
        (top, _), (left, _) = window.pads(inputs.shape[1:3])
        kernel = partial(
            kernels.convolve,
            shape=shape,
            padding=(top, left),
            strides=window.strides,
            dilation=window.dilation,
        )
    return _on_host(kernel, shape, inputs, weights.kernel)


def _on_host(
    function: Callable[..., Any], shape: tuple[int, ...], inputs: Tensor, kernel: Tensor
) -> Any:
    """Call a function of NumPy arrays on tensors of any backend."""
    backend = keras.config.backend()
    if backend == "torch":
        import torch

        return torch.from_numpy(function(inputs.detach().numpy(), kernel.detach().numpy()))
    if backend == "jax":
        import jax
        import numpy as np

        result = jax.ShapeDtypeStruct((inputs.shape[0], *shape), np.float32)
        return jax.pure_callback(
            lambda *arrays: function(*map(np.asarray, arrays)),
            result,
            inputs.astype("int8"),  # JAX copies the array, so it should be small.
            kernel,
        )
    import tensorflow as tf

    sums = tf.numpy_function(function, (inputs, kernel), tf.float32)
    return tf.ensure_shape(sums, (inputs.shape[0], *shape))
