"""Random programs for the tests of exporters, and strategies that draw them."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from keras_proxy_snn.export import interpreter
from keras_proxy_snn.export.program import Conv, Dense, Flatten, Pool, Program

from . import oracle


def scores_of(program, images):
    """The interpreter's scores, which a file of the program must give."""
    trace = interpreter.run(program, images)
    return program.scores(trace.spike_counts, trace.potentials[-1])


def random_program(
    rng, layers, input_shape, time_steps, integer=False, reset="zero", v_0=0, **settings
):
    """A program of random weights, large enough to spike, with exact sums.

    `layers` are tuples: `("conv", filters, size, strides, dilation, padding)`,
    `("pool", size, strides, padding)`, `("dense", units)`. `v_0` is the fraction of thresholds.
    """
    made, shape = [], input_shape
    for index, (kind, *numbers) in enumerate([*layers, ("dense", 4)]):
        name = f"{kind}{index}"
        if kind == "pool":
            size, strides, padding = numbers
            made.append(Pool(name, size, strides, fit(size, shape, padding)))
        elif kind == "conv":
            filters, size, strides, dilation, padding = numbers
            span = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
            weights = neurons(rng, (*size, shape[-1], filters), integer, len(made) == 0)
            made.append(Conv(name, *weights, reset, strides, fit(span, shape, padding), dilation))
        else:
            if len(shape) == 3:
                made.append(Flatten(f"flatten{index}"))
                shape = (int(np.prod(shape)),)
            made.append(
                Dense(name, *neurons(rng, (*shape, *numbers), integer, len(made) == 1), reset)
            )
        shape = Program(tuple(made), input_shape, 1).shapes()[-1]
    settings = {"number_format": "int8", "input_scale": 4.0, **settings} if integer else settings
    layers = (started(layer, v_0, integer) for layer in made)
    return Program(tuple(layers), input_shape, time_steps, **settings)


def started(layer, v_0, integer):
    """The layer with neurons that start at a fraction of their threshold."""
    if not isinstance(layer, Conv | Dense):
        return layer
    start = np.multiply(v_0, layer.v_threshold)
    return replace(layer, v_0=np.trunc(start).astype(int) if integer else start)


def fit(span, shape, padding):
    """Windows that are too large for maps need padding."""
    return padding if all(k <= n for k, n in zip(span, shape, strict=False)) else "same"


def neurons(rng, shape, integer, first):
    """Kernel, bias and thresholds: biases or not, one threshold or one per filter."""
    units = shape[-1]
    if integer:
        kernel = rng.integers(-20, 26, shape).astype("int8")
        bias = rng.integers(-10, 15, units) if rng.random() < 0.5 else None
        theta = rng.integers(15, 100, units) * (4 if first else 1)
    else:
        kernel = oracle.dyadic(rng, shape)
        bias = oracle.dyadic(rng, units) if rng.random() < 0.5 else None
        theta = rng.integers(50, 600, units).astype("float32") / 256
    return kernel, bias, theta if rng.random() < 0.5 else theta[0].item()


@st.composite
def layer_lists(draw):
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    padding = st.sampled_from(["same", "valid"])
    ones = st.just((1, 1))
    strided = st.tuples(pair.map(lambda p: (p[0] + 1, p[1])), pair, ones, padding)
    dilated = st.tuples(pair, ones, st.tuples(st.integers(1, 2), st.integers(1, 2)), padding)
    conv = st.tuples(st.integers(1, 4), st.one_of(strided, dilated)).map(
        lambda c: ("conv", c[0], *c[1])
    )
    pool = st.tuples(pair, pair, padding).map(lambda p: ("pool", *p))
    dense = st.tuples(st.just("dense"), st.integers(1, 6))
    body = draw(st.lists(st.one_of(conv, conv, pool), max_size=4))
    return [*body, *draw(st.lists(dense, max_size=2))]


# Arguments of a test that `random_program` takes.
NETWORKS = {
    "layers": layer_lists(),
    "input_shape": st.tuples(st.integers(4, 8), st.integers(4, 8), st.integers(1, 3)),
    "steps": st.integers(1, 10),
    "reset": st.sampled_from(["zero", "subtract"]),
    "v_0": st.sampled_from([0, 0.5]),
    "readout": st.sampled_from(["counts", "potential"]),
    "seed": st.integers(0, 2**16),
}
