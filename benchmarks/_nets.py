"""A benchmark's network as JSON, with the same weights and images for every library.

The parent describes a network with `describe`. Workers read the description; workers of the peers
do so without Keras. Weights and images are multiples of 1/256, so float32 sums are exact. Without
batch normalisation, all libraries must therefore get equal spike counts.
"""

import math

import numpy as np

GRAIN = 256
# Standard deviation of the currents in thresholds if all inputs were 1: every layer fires.
DRIVE = 1.25
# Values of fields that the peers' networks require; they lack the other options.
PLAIN = {"v_0": 0.0, "learn_threshold": False, "readout": "counts", "use_bias": False}


def describe(name, **overrides):
    """Describe a preset or spec as JSON values, so that a peer can build the same network.

    Args:
        name: A preset's name, or a spec (with `input_shape`).
        **overrides: Fields of `keras_proxy_snn.Preset`.

    Raises:
        ValueError: If the network has a feature that the peers' networks lack.
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
    """Kernel shape (Keras's layout) and height x width of outputs, per layer with weights."""
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
    """Multiply-adds of each layer for one image and one step; padding counts as inputs."""
    return [math.prod(kernel) * places for kernel, places in shapes(net)]


def kernels(net, seed=0):
    """Yield float32 kernels in Keras's layout; with these weights every layer fires."""
    rng = np.random.default_rng(seed)
    for (shape, _), theta in zip(shapes(net), net["thresholds"], strict=True):
        # In place, because copies in float64 would raise the peak memory.
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
