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
