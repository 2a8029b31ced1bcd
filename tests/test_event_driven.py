"""Sums spike after spike: the same counts as dense sums, on weights whose sums are exact."""

import importlib.util

import keras
import numpy as np
import pytest
from keras import ops

import keras_proxy_snn as kps
from keras_proxy_snn.layers import IFConv2D, IFDense
from keras_proxy_snn.simulation import event_driven
from keras_proxy_snn.simulation.network import SpikingNetwork

_event_kernels = pytest.importorskip(
    "keras_proxy_snn.simulation.event_kernels", reason='pip install "keras-proxy-snn[event-driven]"'
)


def spikes(rng, *shape, rate=0.3):
    return (rng.random(shape) < rate).astype("float32")


def weights(rng, *shape):
    """Multiples of 1/256, whose sums are exact in any order."""
    return (rng.integers(-64, 65, shape) / 256).astype("float32")


@pytest.mark.parametrize("outputs", [16, 32, 48, 64, 160])
@pytest.mark.parametrize("rate", [0.0, 0.02, 0.5, 1.0])
def test_a_product_is_numpys(rng, outputs, rate):
    x, kernel = spikes(rng, 7, 37, rate=rate), weights(rng, 37, outputs)
    np.testing.assert_array_equal(_event_kernels.multiply(x, kernel), x @ kernel)


def test_sums_are_in_the_order_of_the_inputs(rng):
    x, kernel = spikes(rng, 3, 50), rng.normal(size=(50, 16)).astype("float32")
    expected = np.zeros((3, 16), "float32")
    for place in range(50):
        expected += x[:, place, None] * kernel[place]
    assert not np.array_equal(expected, np.float32(np.float64(x) @ np.float64(kernel)))
    np.testing.assert_array_equal(_event_kernels.multiply(x, kernel), expected)
    np.testing.assert_array_equal(_event_kernels.multiply(x[1:2], kernel), expected[1:2])


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("taps", "strides", "dilation"),
    [(3, 1, 1), (1, 1, 1), ((2, 5), 1, 1), (3, 2, 1), ((4, 3), (3, 2), 1), (3, 1, 2)],
)
@pytest.mark.parametrize("filters", [16, 96])
def test_a_convolution_is_keras_own(rng, filters, taps, strides, dilation, padding):
    layer = IFConv2D(
        filters, taps, strides=strides, dilation_rate=dilation, padding=padding, use_bias=False
    )
    layer.build((None, 2, 9, 8, 5))
    layer.twin.kernel.assign(weights(rng, *layer.twin.kernel.shape))
    x = ops.convert_to_tensor(spikes(rng, 3, 9, 8, 5))
    synapses = layer.synaptic_weights()
    result = event_driven._sum(layer, x, synapses)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(result), ops.convert_to_numpy(layer.sum_inputs(x, synapses))
    )


SPECS = {
    "chain": "16C3-32C3-P2-48C3-P2-64F-10F",
    "average pooling, after which sums stay dense": "16C3-P2-32C3-32F-10F",
    "few outputs, some of which stay dense": "4C3-P2-16C3-7F-10F",
}


@pytest.fixture(params=SPECS, ids=[*SPECS])
def model(request, rng):
    pooling = "average" if request.param.startswith("average") else "max"
    model = kps.build(
        SPECS[request.param],
        input_shape=(9, 9, 2),
        time_steps=5,
        pooling=pooling,
    )
    for layer in model.snn.if_layers:
        layer.twin.kernel.assign(weights(rng, *layer.twin.kernel.shape) + 1 / 32)
    return model


def test_a_network_has_the_same_counts_and_trains_the_same(model, rng):
    x, y = rng.integers(0, 257, (6, 9, 9, 2)).astype("float32") / 256, np.arange(6)
    start, seen = model.get_weights(), []
    for choice in (False, True):
        model.snn.event_driven = choice
        model.set_weights(start)
        model.compile("sgd", kps.SpikeCountCrossentropy(), metrics=[kps.SpikeAccuracy()])
        counts = model.predict(x, verbose=0)
        logs = model.evaluate(x, y, return_dict=True, verbose=0)
        model.train_on_batch(x, y)
        seen.append((counts, logs, model.get_weights()))
    (counts, logs, after), by_event = seen
    assert counts.any()
    np.testing.assert_array_equal(by_event[0], counts)
    assert by_event[1] == logs
    for before, one, other in zip(start, after, by_event[2], strict=True):
        assert not np.array_equal(before, one)
        np.testing.assert_array_equal(other, one)


def test_it_is_for_layers_of_spikes_alone():
    assert min(_event_kernels.WIDTHS) == event_driven._GROUP
    model = kps.build("16C3-P2-32C3-P2-16F-10F", input_shape=(8, 8, 1))
    assert set(event_driven.summers(model.snn.nodes)) == {"if_conv2", "if_dense1"}
    model = kps.build("16C3-P2-32C3-32F-10F", input_shape=(8, 8, 1), pooling="average")
    assert set(event_driven.summers(model.snn.nodes)) == {"if_dense1"}
    stages = [IFConv2D(16, 3), IFConv2D(16, 3, groups=4), IFDense(24, name="odd")]
    network = SpikingNetwork([*stages[:2], kps.layers.SpikeFlatten(), stages[2]], (8, 8, 4), 2)
    assert not event_driven.summers(network.nodes)


def test_it_is_saved_and_can_be_switched(tmp_path, rng):
    model = kps.build("digits", time_steps=3, event_driven=True)
    model.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras", compile=False)
    assert again.snn.event_driven is True
    x = rng.random((2, 8, 8, 1)).astype("float32")
    called = []
    again.snn._wiring._summers = {
        name: lambda *a, f=f, **k: called.append(1) or f(*a, **k)
        for name, f in again.snn._wiring._summers.items()
    }
    again.predict(x, verbose=0)
    assert called
    again.snn.event_driven = False
    called.clear()
    again.predict(x, verbose=0)
    assert not called


def test_bad_values_are_refused():
    with pytest.raises(TypeError, match=r"must be True or False. Received: 'yes'"):
        kps.build("digits", event_driven="yes")
    with pytest.raises(ValueError, match=r"must be 'float32'. Received: 'bfloat16'"):
        kps.build("digits", event_driven=True, current_dtype="bfloat16")


def test_without_numba_it_says_what_to_install(monkeypatch, rng):
    model = kps.build("digits", time_steps=2, event_driven=True)  # loads, so it can be switched
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "numba" else found(name, *a)
    )
    with pytest.raises(ModuleNotFoundError, match=r'pip install "keras-proxy-snn\[event-driven\]"'):
        model.snn.simulate(rng.random((2, 8, 8, 1)).astype("float32"))
    model.snn.event_driven = False
    model.snn.simulate(rng.random((2, 8, 8, 1)).astype("float32"))


def test_a_gpu_is_refused(monkeypatch, rng):
    model = kps.build("digits", time_steps=2, event_driven=True)
    monkeypatch.setattr(event_driven, "on_gpu", lambda inputs: True)
    with pytest.raises(RuntimeError, match="runs on processors"):
        model.snn.simulate(rng.random((2, 8, 8, 1)).astype("float32"))
