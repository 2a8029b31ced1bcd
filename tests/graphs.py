"""Random CNNs as graphs: a Keras model, and the same as NumPy functions for the oracle."""

import keras
import numpy as np
from keras import layers

from . import oracle

_WINDOWS = [(1, "valid"), (2, "valid"), (2, "same"), (3, "same")]


class GraphBuilder:
    """Adds random layers on both sides.

    All numbers are multiples of powers of two; `bits` follows how fine each signal is, so that
    no float32 sum can be rounded.
    """

    def __init__(self, rng, input_shape):
        self.rng = rng
        self.image = keras.Input(input_shape)
        self.tensors, self.bits, self.kinds = {-1: self.image}, {-1: 8}, {-1: "image"}
        self.steps, self.weights, self.neurons = [], [], {}

    def add(self, layer, function, inputs, bits, kind, weights=()):
        tensors = [self.tensors[i] for i in inputs]
        place = len(self.steps)
        self.tensors[place] = layer(tensors[0] if len(tensors) == 1 else tensors)
        self.steps.append((function, inputs))
        self.bits[place], self.kinds[place] = bits, kind
        if weights:
            self.weights.append((layer, weights))
        return place

    def shape(self, place):
        return tuple(self.tensors[place].shape[1:])

    def values(self, shape, bits):
        scale = 2**bits
        return self.rng.integers(-scale // 2, scale, shape) / scale

    def weight_bits(self, place):
        """Inputs that are fine already get coarse weights."""
        return 8 if self.bits[place] <= 8 else 2

    def convolution(self, place, kind):
        rng, channels = self.rng, self.shape(place)[-1]
        size, padding = _WINDOWS[rng.integers(4)]
        strides = int(rng.integers(1, 3))
        dilation = 2 if strides == 1 and rng.random() < 0.3 else 1
        bias = bool(rng.random() < 0.5)
        if padding == "valid" and min(self.shape(place)[:2]) < (size - 1) * dilation + 1:
            size = 1
        bits = self.weight_bits(place)
        options = {
            "kernel_size": size,
            "strides": strides,
            "padding": padding,
            "dilation_rate": dilation,
            "use_bias": bias,
        }
        arguments = ((strides, strides), padding, (dilation, dilation))
        # Zeros until `readout` sets weights: JAX compiles a random generator anew for each shape.
        if kind == "depthwise":
            multiplier = int(rng.integers(1, 3))
            kernel = self.values((size, size, channels, multiplier), bits)
            grouped = kernel.reshape(size, size, 1, channels * multiplier)
            layer = layers.DepthwiseConv2D(
                depth_multiplier=multiplier, depthwise_initializer="zeros", **options
            )
            kernels, filters, groups = [kernel], channels * multiplier, channels
        elif kind == "separable":
            filters, groups, bits = int(rng.integers(1, 4)), 1, 2
            depthwise = self.values((size, size, channels, 2), bits)
            pointwise = self.values((1, 1, 2 * channels, filters), bits)
            initial = dict.fromkeys(("depthwise_initializer", "pointwise_initializer"), "zeros")
            layer = layers.SeparableConv2D(filters, depth_multiplier=2, **initial, **options)
            kernels, bits = [depthwise, pointwise], 2 * bits
            wide = depthwise.reshape(size, size, 2 * channels)
            grouped = np.zeros((size, size, channels, filters))
            for c in range(channels):
                pair = slice(2 * c, 2 * c + 2)
                grouped[:, :, c] = wide[:, :, pair] @ pointwise[0, 0, pair]
        else:
            groups = channels if kind == "grouped" else 1
            filters = groups * int(rng.integers(1, 4 if groups == 1 else 3))
            grouped = self.values((size, size, channels // groups, filters), bits)
            layer = layers.Conv2D(filters, groups=groups, kernel_initializer="zeros", **options)
            kernels = [grouped]
        shift = self.values((filters,), bits) if bias else np.zeros(filters)

        def function(x):
            return oracle.convolve(x, grouped, *arguments, groups) + shift

        weights = [*kernels, shift] if bias else kernels
        out = self.bits[place] + bits
        return self.add(layer, function, (place,), out, "currents", weights)

    def normalise(self, place):
        channels = self.shape(place)[-1]
        gamma, beta, mean = (self.values((channels,), 1) for _ in range(3))
        spread = self.rng.choice([0.5, 1.0, 2.0], channels)
        layer = layers.BatchNormalization(epsilon=0.0)
        weights = [gamma, beta, mean, spread**2]

        def function(x):
            return (x - mean) * (gamma / spread) + beta

        return self.add(layer, function, (place,), self.bits[place] + 2, "currents", weights)

    def fire(self, place, theta, layer=None):
        place = self.add(layer or layers.ReLU(), "fire", (place,), 2, "spikes")
        self.neurons[place] = theta
        return place

    def average(self, place):
        if min(self.shape(place)[:2]) < 2:
            return place

        def function(x):
            rows, columns = x.shape[1] // 2, x.shape[2] // 2
            x = x[:, : 2 * rows, : 2 * columns]
            return x.reshape(len(x), rows, 2, columns, 2, -1).mean(axis=(2, 4))

        kind = "image" if self.kinds[place] == "image" else "currents"
        layer = layers.AveragePooling2D(2)
        return self.add(layer, function, (place,), self.bits[place] + 2, kind)

    def maximum(self, place):
        if self.kinds[place] == "currents" or min(self.shape(place)[:2]) < 2:
            return place
        layer = layers.MaxPooling2D(2)
        kind = self.kinds[place]
        return self.add(layer, lambda x: oracle.max_pool(x, 2), (place,), self.bits[place], kind)

    def pad(self, place):
        widths = ((1, 0), (0, 1))
        layer = layers.ZeroPadding2D(widths)
        return self.add(
            layer,
            lambda x: np.pad(x, ((0, 0), *widths, (0, 0))),
            (place,),
            self.bits[place],
            self.kinds[place],
        )

    def join(self, place, kind):
        """Sum or concatenation with a random earlier signal of a fitting shape."""
        mine, axes = self.shape(place), slice(None) if kind == "add" else slice(2)
        fitting = [p for p in self.tensors if self.shape(p)[axes] == mine[axes]]
        other = int(self.rng.choice(fitting))
        bits = max(self.bits[place], self.bits[other])
        if kind == "add":
            return self.add(layers.Add(), lambda a, b: a + b, (place, other), bits, "currents")
        kinds = {self.kinds[place], self.kinds[other]}
        kind = kinds.pop() if len(kinds) == 1 else "currents"
        return self.add(
            layers.Concatenate(),
            lambda a, b: np.concatenate([a, b], axis=-1),
            (place, other),
            bits,
            kind,
        )

    def readout(self, place, classes, theta, softmax):
        flat = self.add(
            layers.Flatten(),
            lambda x: x.reshape(len(x), -1),
            (place,),
            self.bits[place],
            self.kinds[place],
        )
        bits = self.weight_bits(place)
        kernel = self.values((*self.shape(flat), classes), bits)
        layer = layers.Dense(
            classes,
            use_bias=False,
            kernel_initializer="zeros",
            activation="softmax" if softmax else None,
            name="readout",
        )
        dense = self.add(layer, lambda x: x @ kernel, (flat,), 0, "currents", [kernel])
        self.steps.append(("fire", (dense,)))
        self.neurons[len(self.steps) - 1] = theta
        model = keras.Model(self.image, self.tensors[dense])
        for layer, weights in self.weights:
            layer.set_weights(weights)
        return model
