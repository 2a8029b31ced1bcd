"""The proxy gradient against formulas in NumPy that share no code with the package."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_proxy_snn import (
    ProxyModel,
    SpikeCountCrossentropy,
    SpikeCountMeanSquaredError,
    build_ann,
    parse_spec,
)
from keras_proxy_snn.training.gradient import proxy_gradient

from . import oracle

to_numpy = ops.convert_to_numpy
SPEC, SHAPE, STEPS, THETA = "3C3-P2-4C3-5F-4F", (6, 6, 2), 7, 0.5


def gradient(function, *arguments):
    """Gradient of a scalar function with respect to all arguments, on any backend."""
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        arguments = [tf.constant(a) for a in arguments]
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            value = function(*arguments)
        return [to_numpy(g) for g in tape.gradient(value, arguments)]
    if backend == "jax":
        import jax

        return [to_numpy(g) for g in jax.grad(function, tuple(range(len(arguments))))(*arguments)]
    import torch

    arguments = [torch.tensor(a, requires_grad=True) for a in arguments]
    function(*arguments).backward()
    return [to_numpy(a.grad) for a in arguments]


def test_value_is_the_counts_and_gradient_is_the_proxys(rng):
    y = rng.normal(size=(3, 4)).astype("float32")
    counts = rng.integers(0, 9, (3, 4)).astype("float32")
    np.testing.assert_array_equal(to_numpy(proxy_gradient(y, counts)), counts)
    w = rng.normal(size=(3, 4)).astype("float32")
    # L = sum w c^2 / 2, so dL/dc = w c must arrive at y, and nothing at c.
    to_y, to_counts = gradient(
        lambda y, c: ops.sum(ops.multiply(w, proxy_gradient(y, c) ** 2)) / 2, y, counts
    )
    np.testing.assert_array_equal(to_y, w * counts)
    np.testing.assert_array_equal(to_counts, np.zeros_like(counts))


@pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="TensorFlow's graph alone reorders this"
)
def test_in_a_graph_the_counts_wait_for_the_proxy():
    """Else TensorFlow may update the readout's weights before the gradient below has read them."""
    import tensorflow as tf

    like = tf.TensorSpec((3, 4))
    graph = tf.function(proxy_gradient).get_concrete_function(like, like).graph
    y, counts = (tensor.op for tensor in graph.inputs)
    readers = [op for op in graph.get_operations() if counts in [i.op for i in op.inputs]]
    assert any(y in op.control_inputs for op in readers)


def test_every_layer_learns_from_the_weights_before_the_step(rng):
    """Steps of one traced graph, again and again from the same weights, end at the same ones."""
    ann = build_ann(parse_spec(SPEC), SHAPE, v_threshold=THETA, readout_activation="linear")
    model = ProxyModel(ann, STEPS, THETA)
    model.compile(keras.optimizers.SGD(0.5), SpikeCountCrossentropy())
    weights = [rng.normal(0.1, 0.3, w.shape).astype("float32") for w in model.get_weights()]
    x, y = rng.random((5, *SHAPE)).astype("float32"), rng.integers(0, 4, 5)
    ends = []
    for _ in range(100):
        model.set_weights(weights)
        model.train_on_batch(x, y)
        ends.append(model.get_weights())
    for end in ends[1:]:
        for first, other in zip(ends[0], end, strict=True):
            np.testing.assert_array_equal(first, other)


def softmax(c):
    e = np.exp(c - c.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def windows(x, k=3):
    """(n, h, w, k*k*c) patches of the zero-padded input, kernel order."""
    _, height, width, _ = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return np.concatenate(
        [padded[:, i : i + height, j : j + width] for i in range(k) for j in range(k)], axis=-1
    )


def conv_backward(x, w, grad):
    """Gradients of a same-padded 3x3 convolution with respect to its weights and input."""
    patches = windows(x)
    to_w = np.tensordot(patches, grad, axes=((0, 1, 2), (0, 1, 2))).reshape(w.shape)
    flipped = w[::-1, ::-1].transpose(0, 1, 3, 2)
    return to_w, oracle.conv_same(grad, flipped)


def ann_gradient(weights, x, to_output, derivative, activation, readout_mask):
    """NumPy backpropagation of dL/d(output) through conv, pool, conv, dense, dense."""
    w1, w2, w3, w4 = [w.astype(float) for w in weights]
    x = x.astype(float)
    z1 = oracle.conv_same(x, w1)
    a1 = activation(z1)
    p1 = oracle.max_pool(a1, 2)
    z2 = oracle.conv_same(p1, w2)
    f = activation(z2).reshape(len(x), -1)
    z3 = f @ w3
    a3 = activation(z3)
    z4 = a3 @ w4
    d4 = to_output * (derivative(z4) if readout_mask else 1.0)
    d3 = (d4 @ w4.T) * derivative(z3)
    d2 = (d3 @ w3.T).reshape(z2.shape) * derivative(z2)
    g2, to_p1 = conv_backward(p1, w2, d2)
    # Max pooling hands the gradient to the largest input of a window.
    up = lambda t: t.repeat(2, axis=1).repeat(2, axis=2)  # noqa: E731
    d1 = up(to_p1) * (a1 == up(p1)) * derivative(z1)
    g1, _ = conv_backward(x, w1, d1)
    return [g1, g2, f.T @ d3, a3.T @ d4]


PROXIES = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
    "clip": (
        lambda z: np.clip(z / THETA, 0, 1),
        lambda z: ((z > 0) & (z < THETA)).astype(float) / THETA,
    ),
}
LOSSES = {
    "crossentropy": (SpikeCountCrossentropy, lambda c, y: (softmax(c) - y) / len(c)),
    "mse": (SpikeCountMeanSquaredError, lambda c, y: 2 * (c - y) / c.size),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("readout", ["relu", "linear"])
@pytest.mark.parametrize("proxy", PROXIES)
def test_one_step_is_the_anns_gradient_with_its_output_replaced(rng, proxy, readout, loss):
    """Eq. 14 to 16: after one step of plain gradient descent, weights moved by -lr dL/dw."""
    ann = build_ann(
        parse_spec(SPEC),
        SHAPE,
        v_threshold=THETA,
        proxy_activation=proxy,
        readout_activation=readout,
    )
    model = ProxyModel(ann, STEPS, THETA)
    # Weights without ties in pooling windows, so that the subgradient is unique.
    weights = [rng.normal(0.1, 0.3, w.shape).astype("float32") for w in model.get_weights()]
    model.set_weights(weights)
    loss_class, loss_gradient = LOSSES[loss]
    model.compile(keras.optimizers.SGD(0.5), loss_class())
    x, y = rng.random((5, *SHAPE)).astype("float32"), rng.integers(0, 4, 5)
    spikes, _ = oracle.run(SPEC, weights, x, STEPS, THETA, "zero")
    counts = spikes[-1].sum(axis=1)
    np.testing.assert_array_equal(model.predict(x, verbose=0), counts)
    assert counts.std() > 0

    model.train_on_batch(x, y)

    activation, derivative = PROXIES[proxy]
    expected = ann_gradient(
        weights,
        x,
        loss_gradient(counts, np.eye(4)[y]),
        derivative,
        activation,
        readout_mask=readout == "relu",
    )
    for before, after, g in zip(weights, model.get_weights(), expected, strict=True):
        np.testing.assert_allclose((before - after) / 0.5, g, rtol=2e-3, atol=2e-6)


def test_a_custom_loop_gets_the_same_gradient(rng):
    """`model(x, training=True)` outside `fit` has the counts as value and the proxy's gradient."""
    ann = build_ann(parse_spec("6F-4F"), (2, 2, 1))
    model = ProxyModel(ann, 5, 0.5)
    weights = [rng.normal(0.3, 0.4, w.shape).astype("float32") for w in model.get_weights()]
    x = rng.random((3, 2, 2, 1)).astype("float32")
    upstream = rng.normal(size=(3, 4)).astype("float32")

    def loss(*weights):
        variables = model.trainable_variables
        with keras.StatelessScope(state_mapping=list(zip(variables, weights, strict=True))):
            return ops.sum(ops.multiply(model(x, training=True), upstream))

    def proxy_loss(*weights):
        variables = model.trainable_variables
        with keras.StatelessScope(state_mapping=list(zip(variables, weights, strict=True))):
            return ops.sum(ops.multiply(ann(x), upstream))

    both = zip(gradient(loss, *weights), gradient(proxy_loss, *weights), strict=True)
    for ours, reference in both:
        assert np.abs(reference).max() > 0
        np.testing.assert_allclose(ours, reference, rtol=1e-5, atol=1e-6)
