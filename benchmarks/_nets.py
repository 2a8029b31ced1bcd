"""A benchmark's network as JSON, and the same weights and images for everyone who runs it.

The parent describes a network with `describe`; workers, the peers' without Keras, read it. Weights
and images are multiples of 1/256, for which float32 sums are exact: without batch normalisation
everyone has to come to the very same spike counts.
"""

import math

import numpy as np

GRAIN = 256
# Standard deviation of the currents in thresholds if all inputs were 1: every layer fires.
DRIVE = 1.25
# What the peers' networks here do not have.
PLAIN = {"v_0": 0.0, "learn_threshold": False, "readout": "counts", "use_bias": False}


def describe(name, **overrides):
    """A preset or spec and everything that a peer needs to build the same, for JSON.

    Args:
        name: A preset's name, or a spec (with `input_shape`).
        **overrides: Fields of `keras_proxy_snn.Preset`.

    Raises:
        ValueError: If the network has what the peers' here have not.
    """
    from dataclasses import asdict, replace

    import keras_proxy_snn as kps
    from keras_proxy_snn.cnn.build import layer_thresholds, neuron_names

    known = name in kps.PRESETS
    preset = replace(kps.PRESETS[name], **overrides) if known else kps.Preset(name, **overrides)
    for field, value in PLAIN.items():
        if getattr(preset, field) != value:
            raise ValueError(
                f"Networks compared with peers have {field}={value!r}. "
                f"Received: {getattr(preset, field)!r}."
            )
    spec = kps.parse_spec(preset.spec, preset.input_shape)
    thresholds = layer_thresholds(preset.v_threshold, neuron_names(spec))
    if preset.readout_v_threshold is not None:
        thresholds["readout"] = preset.readout_v_threshold
    layers = [[type(part).__name__, *vars(part).values()] for part in spec]
    return {
        "name": name,
        "overrides": overrides,
        "layers": layers,
        "thresholds": list(thresholds.values()),
        **asdict(preset),
    }


def shapes(net):
    """Of each layer with weights: kernel shape in Keras's layout, and height x width of outputs."""
    height, width, maps = net["input_shape"]
    found, inputs = [], None
    for kind, number, *size in net["layers"]:
        if kind == "Pool":
            height, width = height // number, width // number
        elif kind == "Conv":
            found.append(((size[0], size[0], maps, number), height * width))
            maps = number
        else:
            inputs = height * width * maps if inputs is None else inputs
            found.append(((inputs, number), 1))
            inputs = number
    return found


def multiply_adds(net):
    """Multiply-adds of each layer for one image and one step, padding counted as inputs."""
    return [math.prod(kernel) * places for kernel, places in shapes(net)]


def kernels(net, seed=0):
    """Float32 kernels in Keras's layout, one after the other, with which every layer fires."""
    rng = np.random.default_rng(seed)
    for (shape, _), theta in zip(shapes(net), net["thresholds"], strict=True):
        # In place: copies in float64 would be seen in the peak memory.
        kernel = rng.standard_normal(shape, "float32")
        kernel *= np.float32(GRAIN * DRIVE * theta / math.sqrt(math.prod(shape[:-1])))
        np.rint(kernel, out=kernel)
        kernel /= np.float32(GRAIN)
        yield kernel


def batch(net, size, seed=1):
    """Images `(size, height, width, channels)`, float32, and labels."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, GRAIN + 1, (size, *net["input_shape"])) / GRAIN
    return images.astype("float32"), np.arange(size) % net["layers"][-1][1]
