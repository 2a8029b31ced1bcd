"""Sums spike after spike: the same counts as dense sums, on weights whose sums are exact."""

import importlib
import importlib.util

import keras
import numpy as np
import pytest
from keras import ops

import keras_proxy_snn as kps
from keras_proxy_snn.basics.compiled import compiled
from keras_proxy_snn.layers import IFConv2D, IFDense
from keras_proxy_snn.simulation import event_driven
from keras_proxy_snn.simulation.event_driven import AUTO
from keras_proxy_snn.simulation.network import SpikingNetwork

numba = pytest.importorskip("numba", reason='pip install "keras-proxy-snn[event-driven]"')
_event_sums = importlib.import_module("keras_proxy_snn.simulation.event_sums")


def spikes(rng, *shape, rate=0.3):
    return (rng.random(shape) < rate).astype("float32")


def weights(rng, *shape):
    """Multiples of 1/256, whose sums are exact in any order."""
    return (rng.integers(-64, 65, shape) / 256).astype("float32")


@pytest.mark.parametrize("outputs", [16, 32, 48, 64, 160])
@pytest.mark.parametrize("rate", [0.0, 0.02, 0.5, 1.0])
def test_a_product_is_numpys(rng, outputs, rate):
    x, kernel = spikes(rng, 7, 300, rate=rate), weights(rng, 300, outputs)
    np.testing.assert_array_equal(_event_sums.multiply(x, kernel), x @ kernel)


def test_sums_have_one_order(rng, monkeypatch):
    x, kernel = spikes(rng, 3, 51), rng.normal(size=(51, 16)).astype("float32")
    expected = np.zeros((3, 16), "float32")
    for row, of_image in zip(expected, x, strict=True):
        (places,) = np.nonzero(of_image)
        pairs = len(places) // 2 * 2
        other = np.zeros(16, "float32")
        for even, odd in zip(places[:pairs:2], places[1:pairs:2], strict=True):
            row += kernel[even]
            other += kernel[odd]
        row += other
        for place in places[pairs:]:
            row += kernel[place]
    assert not np.array_equal(expected, np.float32(np.float64(x) @ np.float64(kernel)))
    np.testing.assert_array_equal(_event_sums.multiply(x, kernel), expected)
    np.testing.assert_array_equal(_event_sums.multiply(x[1:2], kernel), expected[1:2])
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    np.testing.assert_array_equal(_event_sums.multiply(x, kernel), expected)


def test_taps_in_one_go_have_the_bits_of_taps_one_by_one(rng, monkeypatch):
    x, kernel = spikes(rng, 2, 6, 5, 8), weights(rng, 3, 3, 8, 32)
    where = (6, 5, 32), (1, 1), (1, 1), (1, 1)
    joined = _event_sums.convolve(x, kernel, *where)
    monkeypatch.setattr(_event_sums, "_CACHE_BYTES", 0)
    np.testing.assert_array_equal(_event_sums.convolve(x, kernel, *where), joined)


def _one_more(values):
    values += 1


@pytest.mark.once
@pytest.mark.parametrize("fault", ["no folder", "damaged", "none"])
def test_kernels_are_kept_on_disk_where_that_can_be(fault, tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    if fault == "no folder":
        folder.write_text("A file where Numba would make a folder.")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(folder))
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")
    for _ in range(2):
        values = np.zeros(2)
        compiled(_one_more)(values)
        assert values.tolist() == [1.0, 1.0]
        files = [path for path in tmp_path.rglob("*.nb*") if path.is_file()]
        assert len(files) == (0 if fault == "no folder" else 2)  # an index and a program
        for path in files if fault == "damaged" else []:
            path.write_bytes(path.read_bytes()[:20])


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


@pytest.mark.slow
def test_a_network_has_the_same_counts_and_trains_the_same(model, rng, monkeypatch):
    monkeypatch.setattr(event_driven, "_WORTH", 0)
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
    model.event_driven = AUTO
    model.set_weights(start)
    np.testing.assert_array_equal(model.predict(x, verbose=0), counts)


@pytest.mark.parametrize("dense_because", ["", "many spikes", "small", "no Numba", "a GPU"])
@pytest.mark.parametrize("layer", [IFConv2D(16, 1, use_bias=False), IFDense(16, use_bias=False)])
def test_auto_sums_event_by_event_where_that_is_faster(rng, monkeypatch, layer, dense_because):
    inputs = (4, 5, 5, 8) if isinstance(layer, IFConv2D) else (4, 200)
    if not layer.built:
        layer.build((None, 2, *inputs[1:]))
    share = (0.4 if isinstance(layer, IFConv2D) else 0.15) + 0.02 * (dense_because == "many spikes")
    x = np.zeros(inputs, "float32").reshape(-1)
    x[: int(share * x.size) - 1] = 1
    monkeypatch.setattr(event_driven, "_WORTH", 2**40 if dense_because == "small" else 0)
    monkeypatch.setattr(event_driven, "numba_works", lambda: dense_because != "no Numba")
    monkeypatch.setattr(event_driven, "on_gpu", lambda inputs: dense_because == "a GPU")
    x, synapses = ops.convert_to_tensor(x.reshape(inputs)), layer.synaptic_weights()
    dense = layer.sum_inputs(x, synapses)
    result = event_driven.faster(layer, lambda x, weights: dense + 100, x, synapses)
    expected = dense if dense_because else dense + 100
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, (result, expected)))


def test_auto_sums_bfloat16_densely(rng, monkeypatch):
    monkeypatch.setattr(event_driven, "_WORTH", 0)
    model = kps.build("digits", time_steps=2, event_driven=AUTO, current_dtype="bfloat16")
    x = rng.random((2, 8, 8, 1)).astype("float32")
    chosen = model.predict(x, verbose=0)
    model.event_driven = False
    np.testing.assert_array_equal(model.predict(x, verbose=0), chosen)


def test_it_is_for_layers_of_spikes_alone():
    assert min(_event_sums.WIDTHS) == event_driven._GROUP
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
    with pytest.raises(TypeError, match=r"must be True, False or 'auto'. Received: 'yes'"):
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
