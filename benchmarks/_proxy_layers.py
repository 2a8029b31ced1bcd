"""One layer of the proxy, forward and backward in training, on PyTorch."""

import keras
import torch
from _devices import place
from _workers import Prepared
from keras import ops

from keras_proxy_snn.cnn.torch_layers import fast_call
from keras_proxy_snn.training.responses import response

MAKE = {
    "norm": keras.layers.BatchNormalization,
    "relu": lambda **options: keras.layers.ReLU(2.0, **options),
    "pool": lambda **options: keras.layers.AveragePooling2D(2, **options),
}


def prepare(settings):
    """The result is the sum of the gradient with respect to the input."""
    generator = torch.Generator().manual_seed(0)
    dtype = getattr(torch, settings["dtype"])
    x = torch.randn(settings["batch"], *settings["shape"], generator=generator).to(dtype)
    run = _run(settings, tuple(x.shape))
    weights = torch.randn(run(x).shape, generator=generator).to(dtype)
    x.requires_grad_(True)

    def step():
        x.grad = None
        run(x).backward(weights)
        return float(x.grad.sum(dtype=torch.float32))

    return Prepared(step, *place("torch"))


def _run(settings, shape):
    fast = settings["way"] == "fast"
    if settings["layer"] == "qcfs":
        # A start for each neuron is computed by Keras's operations.
        start = 0.5 if fast else ops.full(shape, 0.5)
        return lambda x: response(x, 2.0, "qcfs", 4, start)
    half = settings["dtype"] == "bfloat16"
    layer = MAKE[settings["layer"]](dtype="mixed_bfloat16" if half else "float32")
    layer.build(shape)
    if fast:
        return lambda x: fast_call(layer, x, training=True)
    return lambda x: layer(x, training=True)
