"""A NumPy loop over steps and layers: what every backend must match, spike for spike.

It shares no code with the package. In float64, with weights and inputs that are multiples
of 1/256, every sum is exact whatever its order, and so it is in the package's float32.
"""

import numpy as np


def conv_same(x, w):
    """Same-padded stride-1 convolution of (batch, height, width, channels)."""
    n, height, width, _ = x.shape
    kh, kw = w.shape[:2]
    top, left = (kh - 1) // 2, (kw - 1) // 2
    padded = np.pad(x, ((0, 0), (top, kh - 1 - top), (left, kw - 1 - left), (0, 0)))
    out = np.zeros((n, height, width, w.shape[-1]))
    for i in range(kh):
        for j in range(kw):
            out += padded[:, i : i + height, j : j + width] @ w[i, j]
    return out


def max_pool(x, size):
    n, height, width, channels = x.shape
    x = x[:, : height // size * size, : width // size * size]
    return x.reshape(n, height // size, size, width // size, size, channels).max(axis=(2, 4))


def fire(v, current, theta, reset):
    v = v + current
    spikes = (v >= theta).astype(float)
    return spikes, np.where(spikes > 0, 0.0 if reset == "zero" else v - theta, v)


def run(spec, weights, x, steps, theta, reset, v_0=0.0):
    """Spikes of every layer at every step, and the potentials after the last one.

    `spec` is a string; `weights` one kernel for each C and F; `theta` a threshold for all or one
    for each of these; `v_0` the fraction of it at which potentials start. Returns a list of
    (batch, time, ...) arrays, one for each token, and a list of potentials.
    """
    x = np.asarray(x, float)
    thetas = np.broadcast_to(np.asarray(theta, float), len(weights))
    potentials = list(v_0 * thetas)
    history = [[] for _ in spec.split("-")]
    for _ in range(steps):
        signal, index = x, 0
        for place, token in enumerate(spec.split("-")):
            if token.startswith("P"):
                signal = max_pool(signal, int(token[1:]))
            else:
                w = np.asarray(weights[index], float)
                if "C" in token:
                    current = conv_same(signal, w)
                else:
                    current = signal.reshape(len(signal), -1) @ w
                v, theta = potentials[index], thetas[index]
                signal, potentials[index] = fire(v, current, theta, reset)
                index += 1
            history[place].append(signal)
    return [np.stack(layer, axis=1) for layer in history], potentials


def dyadic(rng, shape, scale=256, low=-96, high=128):
    """Random multiples of 1/scale."""
    return rng.integers(low, high, shape).astype("float32") / scale


def convolve(x, kernel, strides=(1, 1), padding="valid", dilation=(1, 1), groups=1):
    """Convolution of (batch, height, width, channels), window by window."""
    kh, kw, per_group, filters = kernel.shape
    spans = [(k - 1) * d + 1 for k, d in zip((kh, kw), dilation, strict=True)]
    if padding == "same":
        totals = [
            max((-(-size // s) - 1) * s + span - size, 0)
            for size, s, span in zip(x.shape[1:3], strides, spans, strict=True)
        ]
        x = np.pad(x, ((0, 0), *((t // 2, t - t // 2) for t in totals), (0, 0)))
    rows, columns = (
        (size - span) // s + 1 for size, span, s in zip(x.shape[1:3], spans, strides, strict=True)
    )
    out = np.zeros((len(x), rows, columns, filters))
    for f in range(filters):
        group = f // (filters // groups)
        channels = x[..., group * per_group : (group + 1) * per_group]
        for r in range(rows):
            for c in range(columns):
                top, left = r * strides[0], c * strides[1]
                window = channels[
                    :,
                    top : top + spans[0] : dilation[0],
                    left : left + spans[1] : dilation[1],
                ]
                out[:, r, c, f] = (window * kernel[..., f]).sum(axis=(1, 2, 3))
    return out


def run_graph(steps_of, x, time_steps, theta, reset, v_0=0.0, graded=False):
    """Run a graph of functions, ReLUs replaced by neurons.

    `steps_of` is a list of (function, inputs): inputs are positions in the list, -1 for the image.
    The function "fire" stands for neurons; `graded` gives spikes the height of their threshold.
    Returns the signals of each place, `(batch, time, ...)`, and the neurons' last potentials.
    """
    thetas = dict(theta)
    potentials = {place: v_0 * value for place, value in thetas.items()}
    history = [[] for _ in steps_of]
    for _ in range(time_steps):
        signals = {-1: np.asarray(x, float)}
        for place, (function, inputs) in enumerate(steps_of):
            values = [signals[i] for i in inputs]
            if function == "fire":
                threshold = thetas[place]
                spikes, potentials[place] = fire(potentials[place], values[0], threshold, reset)
                signals[place] = spikes * (threshold if graded else 1.0)
            else:
                signals[place] = function(*values)
            history[place].append(signals[place])
    return [np.stack(signal, axis=1) for signal in history], potentials
