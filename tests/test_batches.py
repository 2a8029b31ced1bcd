"""Functions that look at images take whatever `fit` takes, and say the same of it."""

import keras
import numpy as np
import pytest

import keras_proxy_snn as kps
from keras_proxy_snn import statistics
from keras_proxy_snn.training.batches import ImageBatches

X = np.random.default_rng(0).random((12, 6, 6, 1)).astype("float32")
Y = np.arange(12) % 3
BACKEND = keras.config.backend()


class Batches(keras.utils.PyDataset):
    def __init__(self, endless=False):
        super().__init__()
        self.endless = endless

    @property
    def num_batches(self):
        return None if self.endless else 3

    def __getitem__(self, index):
        return X[5 * index : 5 * index + 5], Y[5 * index : 5 * index + 5]


def generator():
    yield from (Batches()[index] for index in range(3))


def tf_data(endless=False):
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(5)
    return data.repeat() if endless else data


def loader(shuffle=False):
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    return DataLoader(TensorDataset(torch.tensor(X), torch.tensor(Y)), 5, shuffle=shuffle)


def grain_data():
    grain = pytest.importorskip("grain", reason="pip install grain")
    return grain.MapDataset.range(12).map(lambda i: (X[i], Y[i])).batch(5)


# Each library with the backend that has loaded it already.
KINDS = {"tensor": lambda: keras.ops.convert_to_tensor(X), "images": lambda: iter([X[:5], X[5:]])}
KINDS |= {"PyDataset": Batches, "generator": generator}
KINDS |= {
    "tensorflow": {"tf.data": tf_data},
    "jax": {"grain": grain_data, "grain iterator": lambda: grain_data().to_iter_dataset()},
    "torch": {"DataLoader": loader, "shuffled": lambda: loader(shuffle=True)},
}[BACKEND]
each_kind = pytest.mark.parametrize("kind", KINDS)


def model(**options):
    return kps.build("3C3-P2-3F", input_shape=(6, 6, 1), time_steps=4, use_bias=True, **options)


@each_kind
def test_record_report_and_costs(kind):
    net = model()
    of_array, of_kind = statistics.report(net, X), statistics.report(net, KINDS[kind]())
    assert of_kind.images == 12
    for one, other in zip(of_array.layers, of_kind.layers, strict=True):
        assert one.firing_rate == pytest.approx(other.firing_rate, abs=1e-12)
        assert one.dead_maps == other.dead_maps
    assert of_kind.costs.synops == pytest.approx(of_array.costs.synops)
    assert statistics.costs(net, KINDS[kind]()).synops == pytest.approx(of_array.costs.synops)
    spikes = [statistics.record(net, x)["conv1"].spikes for x in (X, KINDS[kind]())]
    if kind != "shuffled":
        np.testing.assert_array_equal(*spikes)


@each_kind
@pytest.mark.parametrize("method", ["percentile", "rnl", "qcfs"])
def test_thresholds(kind, method):
    cnn = model().ann
    wanted = kps.calibrate(cnn, X, method, time_steps=4, percentile=90)
    found = kps.calibrate(cnn, KINDS[kind](), method, time_steps=4, percentile=90)
    assert found == pytest.approx(wanted, abs=1e-7)


@each_kind
def test_conversion_and_biases(kind):
    cnn = model().ann
    start = cnn.get_weights()
    options = {"calibrate": "percentile", "calibration_data": KINDS[kind]()}
    converted = kps.from_keras(cnn, 4, **options)
    assert converted.v_threshold == pytest.approx(kps.calibrate(cnn, X), abs=1e-7)
    assert converted.input_range == (0, 1)
    left = kps.calibrate_biases(converted, KINDS[kind](), rounds=1)
    biases = cnn.get_weights()
    cnn.set_weights(start)
    assert left == pytest.approx(kps.calibrate_biases(converted, X, rounds=1), abs=1e-6)
    for one, other in zip(biases, cnn.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_recordings_are_averaged_batch_by_batch():
    recordings = np.random.default_rng(0).random((6, 4, 6, 6, 1)).astype("float32")
    cnn, batches = model().ann, (recordings[:5], recordings[5:])
    settings = {"calibrate": "percentile", "events": True}
    found = [
        kps.from_keras(cnn, 4, calibration_data=data, **settings).v_threshold
        for data in (recordings, iter(batches))
    ]
    assert found[0] == pytest.approx(found[1], abs=1e-7)
    assert found[0] == pytest.approx(kps.calibrate(cnn, recordings.mean(axis=1)), abs=1e-7)


def test_a_large_batch_is_cut_and_no_more_is_read_than_asked_for():
    read = []

    def endless():
        while True:
            read.append(1)
            yield X

    batches = iter(ImageBatches(endless(), (6, 6, 1), 5))
    assert [len(next(batches)) for _ in range(4)] == [5, 5, 2, 5]
    assert len(read) == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: Batches(endless=True), "must come to an end.*Received: endless"),
        (lambda: iter([]), "At least one image is needed. Received: data without a batch"),
        (lambda: iter([X[:0]]), "At least one image is needed.*Received: an empty array"),
        (lambda: iter([X[..., 0]]), r"shape \(batch, 6, 6, 1\). Received: .*\(12, 6, 6\)"),
        (lambda: iter([{"x": X}]), "Images must be one array.*Received: a dict"),
        (lambda: iter([X[:1] * np.nan]), "Pixels must be finite"),
        (lambda: 3, "batches of images as `fit` takes them. Received: a int"),
        (lambda: X.tolist(), "Images must be one array.*Received: a list"),
    ],
)
def test_what_holds_no_images_is_refused(data, message):
    for look in (lambda x: statistics.report(model(), x), lambda x: kps.calibrate(model().ann, x)):
        with pytest.raises(ValueError, match=message):
            look(data())


@pytest.mark.skipif(BACKEND != "jax", reason="Grain, with the backend that it was made for")
# Keras 3.15 says so at the end of each first epoch of Grain's data, which have a length.
@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
def test_fit_takes_grain_and_notes_the_range_of_its_images():
    nets = [model(), model()]
    nets[1].set_weights(nets[0].get_weights())
    nets[0].fit(X, Y, batch_size=5, shuffle=False, verbose=0)
    nets[1].fit(grain_data(), shuffle=False, verbose=0)  # Keras warns that Grain shuffles itself
    assert nets[1].input_range == (0, 1)
    for one, other in zip(nets[0].get_weights(), nets[1].get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="tf.data, with the backend that loads it")
def test_endless_tf_data_is_refused():
    with pytest.raises(ValueError, match=r"must come to an end.*Received: endless"):
        statistics.report(model(), tf_data(endless=True))
