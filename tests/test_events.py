"""Event data: the SNN sees one frame a step, the proxy their average."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_proxy_snn as kps
from keras_proxy_snn import datasets, statistics

from . import oracle

to_numpy = ops.convert_to_numpy
SHAPE = (6, 6, 2)


def cnn(*first, pool=True):
    stack = [
        keras.Input(SHAPE),
        *first,
        layers.Conv2D(3, 3, padding="same", use_bias=False, activation="relu", name="conv"),
        *([layers.MaxPooling2D(2)] if pool else []),
        layers.Flatten(),
        layers.Dense(4, use_bias=False, name="readout"),
    ]
    return keras.Sequential(stack)


def frames(rng, steps, number=3):
    return (rng.random((number, steps, *SHAPE)) < 0.3).astype("float32")


def expected(kernels, x, theta, reset, v_0, scale=1.0):
    """Counts of the network of `cnn`, a step at a time."""
    v, u, counts = v_0 * theta, v_0 * theta, 0
    for t in range(x.shape[1]):
        current = oracle.conv_same(scale * x[:, t].astype(float), kernels[0].astype(float))
        spikes, v = oracle.fire(v, current, theta, reset)
        pooled = oracle.max_pool(spikes, 2).reshape(len(x), -1)
        out, u = oracle.fire(u, pooled @ kernels[1].astype(float), theta, reset)
        counts = counts + out
    return counts


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize(("steps", "chunk"), [(1, 2), (5, 2), (6, 3), (7, 10)])
def test_counts_equal_a_loop_over_frames(rng, reset, steps, chunk):
    settings = {"reset": reset, "chunk_steps": chunk, "v_0": 0.5, "events": True}
    model = kps.ProxyModel(cnn(), steps, 0.5, **settings)
    model.set_weights([oracle.dyadic(rng, w.shape) for w in model.get_weights()])
    x = frames(rng, steps)
    counts = expected(model.get_weights(), x, 0.5, reset, 0.5)
    assert steps == 1 or counts.any()
    np.testing.assert_array_equal(to_numpy(model.snn(x)), counts)
    np.testing.assert_array_equal(model.predict(x, verbose=0), counts)
    spikes, potentials = model.snn.record(x, return_potentials=True)
    np.testing.assert_array_equal(to_numpy(spikes["if_readout"]).sum(axis=1), counts)
    assert potentials["if_conv"].shape == (3, steps, 6, 6, 3)


def test_frames_that_are_all_alike_are_an_image(rng):
    x = frames(rng, 1)
    model = kps.ProxyModel(cnn(), 6, 0.5, events=True)
    image = kps.ProxyModel(model.ann, 6, 0.5)
    np.testing.assert_array_equal(
        to_numpy(model.snn(np.repeat(x, 6, axis=1))), to_numpy(image.snn(x[:, 0]))
    )


def test_the_proxy_sees_the_average_and_the_counts_decide(rng):
    """One layer: the derivative is (softmax(counts) - y) times the average of the frames."""
    dense = layers.Dense(3, use_bias=False, name="readout")
    model = kps.ProxyModel(
        keras.Sequential([keras.Input((2, 2, 1)), layers.Rescaling(2.0), layers.Flatten(), dense]),
        4,
        0.5,
        events=True,
    )
    model.compile(keras.optimizers.SGD(1.0), kps.SpikeCountCrossentropy())
    kernel = oracle.dyadic(rng, (4, 3))
    dense.set_weights([kernel])
    x = (rng.random((5, 4, 2, 2, 1)) < 0.5).astype("uint8")
    y = np.array([0, 1, 2, 0, 1])
    counts = model.predict(x, verbose=0).astype(float)
    model.fit(x, y, batch_size=5, verbose=0)
    error = np.exp(counts) / np.exp(counts).sum(axis=1, keepdims=True) - np.eye(3)[y]
    average = 2.0 * x.mean(axis=1).reshape(5, 4)
    np.testing.assert_allclose(kernel - dense.get_weights()[0], average.T @ error / 5, atol=1e-5)


def test_rescaled_frames_saved_and_loaded(rng, tmp_path):
    model = kps.from_keras(cnn(layers.Rescaling(0.5)), 5, 0.25, events=True, readout="counts")
    weights = [oracle.dyadic(rng, w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    x = frames(rng, 5)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert again.events
    weights[1] = 0.25 * weights[1]  # the height of the spikes
    counts = expected(weights, x, 0.25, "subtract", 0.5, scale=0.5)
    np.testing.assert_array_equal(again.predict(x, verbose=0), counts)


def test_thresholds_are_calibrated_at_the_average(rng):
    x = frames(rng, 4)
    settings = {"calibrate": "percentile", "events": True}
    model = kps.from_keras(cnn(), 4, calibration_data=x, **settings)
    assert model.v_threshold == kps.calibrate(model.ann, x.mean(axis=1))


class Moving(list):
    """Recordings in tonic's form: a bright dot that moves down on the left or on the right."""

    sensor_size = (6, 6, 2)

    def __init__(self, number, rng):
        fields = [("x", "<i8"), ("y", "<i8"), ("t", "<i8"), ("p", "<i8")]
        for index in range(number):
            label = index % 2
            times = np.sort(rng.integers(0, 60_000, 40))
            rows = np.minimum(times // 10_000, 5)
            columns = rng.integers(0, 3, 40) + 3 * label
            polarity = rng.integers(0, 2, 40)
            events = np.zeros(40, fields)
            for name, values in zip("xytp", (columns, rows, times, polarity), strict=True):
                events[name] = values
            self.append((events, label))


def test_recordings_are_learned(rng):
    x, y = datasets.load_events(Moving(60, rng), time_steps=6)
    assert (x.shape, set(np.unique(x))) == ((60, 6, 6, 6, 2), {0.0, 1.0})
    model = kps.ProxyModel(cnn(), 6, 0.25, events=True)
    model.compile(
        keras.optimizers.Adam(0.01), kps.SpikeCountCrossentropy(), metrics=[kps.SpikeAccuracy()]
    )
    model.fit(x, y, batch_size=20, epochs=12, verbose=0)
    new = datasets.load_events(Moving(40, rng), time_steps=6)
    assert model.evaluate(*new, verbose=0)[1] > 0.9


def test_frames_count_events_in_equal_parts_of_time(rng):
    events, _ = Moving(1, rng)[0]
    counted = datasets.event_frames(events, (6, 6, 2), 4, binary=False)
    edges = np.linspace(events["t"].min(), events["t"].max(), 5)
    for index in range(4):
        now = (events["t"] >= edges[index]) & (events["t"] < edges[index + 1])
        now |= (index == 3) & (events["t"] == edges[4])
        assert counted[index].sum() == now.sum()
    for event in events[:5]:
        assert counted[:, event["y"], event["x"], event["p"]].sum() >= 1
    binary = datasets.event_frames(events, (6, 6, 2), 4)
    np.testing.assert_array_equal(binary, np.minimum(counted, 1))
    assert not datasets.event_frames(events[:0], (6, 6, 2), 4).any()


FIELDS = [("x", int), ("y", int), ("t", "i8"), ("p", int)]


def at_times(t, dtype="i8", p=0):
    """Events of one pixel at given times."""
    events = np.zeros(len(t), [(name, dtype if name == "t" else kind) for name, kind in FIELDS])
    events["t"], events["p"] = t, p
    return events


def counted(t, frames, dtype="i8", **more):
    """Number of events in each frame."""
    found = datasets.event_frames(at_times(t, dtype, **more), (1, 1, 1), frames, binary=False)
    return found.ravel().tolist()


@pytest.mark.parametrize("start", [0, -50, 1_700_000_000_000_000_000, -(2**63)])
def test_borders_of_frames_are_exact(start):
    """The event at the middle, 49 of 0 to 98, is of the second half, whatever t begins with."""
    assert counted([start + t for t in range(99)], 2) == [49, 50]
    for steps in (1, 3, 7, 10, 98, 200):
        got = counted([start + t for t in range(99)], steps)
        assert (
            got
            == np.bincount(
                [min(t * steps // 98, steps - 1) for t in range(99)], None, steps
            ).tolist()
        )


def test_borders_of_other_time_stamps():
    assert counted([0, 2**64 - 1, 2**63], 2, "u8") == [1, 2]
    assert counted([-(2**63), 2**63 - 1, -1], 2) == [2, 1]
    assert counted([0, 100, 255], 255, "u1")[100] == 1
    assert counted([0.0, 0.25, 0.5, 1.0], 2, "f8") == [2, 2]
    assert counted([0.0, 0.25, 0.5, 1.0], 4, ">f4") == [1, 1, 1, 1]
    assert counted([7, 7], 3) == [2, 0, 0]


def test_polarities_are_not_merged():
    with pytest.raises(datasets.DatasetError, match=r"the same p.* set p to 0.*Received: \[0, 1\]"):
        counted([0, 5, 9], 1, p=[0, 1, 1])
    assert counted([0, 5, 9], 1, p=1) == [3]
    recordings = Recordings([(at_times([0, 1], p=0), 0), (at_times([0, 1], p=1), 1)])
    with pytest.raises(datasets.DatasetError, match=r"the same p.*Received: \[0, 1\]"):
        datasets.load_events(recordings, 2)
    assert datasets.load_events(recordings, 2, limit=1)[1].tolist() == [0]


class Recordings(list):
    sensor_size = (1, 1, 1)


def test_frames_of_a_data_set_are_taken_as_they_are(rng):
    made = [(rng.integers(0, 3, (4, 2, 5, 6)), label) for label in range(3)]
    x, y = datasets.load_events(made, 4, limit=2, binary=False)
    np.testing.assert_array_equal(x[1], made[1][0].transpose(0, 2, 3, 1))
    assert y.tolist() == [0, 1]


def test_frames_of_tonic(rng):
    transforms = pytest.importorskip(
        "tonic.transforms", reason='pip install "keras-proxy-snn[events]"'
    )
    events, label = Moving(1, rng)[0]
    # tonic rounds the length of a bin down to whole units of time, and leaves the last event out.
    events["t"][[0, -1]] = 0, 60_000
    made = transforms.ToFrame(Moving.sensor_size, n_time_bins=6)(events)
    ours = datasets.event_frames(events, Moving.sensor_size, 6, binary=False)
    last = events[-1]
    ours[-1, last["y"], last["x"], last["p"]] -= 1
    x, y = datasets.load_events([(made, label)], 6, binary=False)
    np.testing.assert_array_equal(x[0], ours)
    assert y.tolist() == [label]


def frames_of(value, width=2):
    return np.full((1, 1, 2, width), value), 0


def recording(**columns):
    events = np.zeros(1, [(name, int) for name in columns])
    for name, value in columns.items():
        events[name] = value
    return events


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: datasets.event_frames(recording(x=0, y=0, t=0), (2, 2, 2), 2), "fields x, y, t"),
        (
            lambda: datasets.event_frames(recording(x=2, y=0, t=0, p=0), (2, 2, 2), 2),
            r"on the sensor.*\(2, 2, 2\). Received: \(2, 0, 0, 0\)",
        ),
        (lambda: datasets.event_frames(recording(x=0, y=0, t=0), (2, 2, 1), 0), "Received: 0"),
        (
            lambda: datasets.event_frames(recording(x=0, y=0, t=0), (2, 0, 1), 2),
            r"positive.*0, 1\)",
        ),
        (lambda: datasets.event_frames(recording(x=0, y=0, t=0), None, 2), "Received: None"),
        (lambda: counted([0.0, np.nan], 2, "f8"), "finite numbers.*not all finite"),
        (lambda: counted([0, 1], 2, "M8[s]"), r"finite numbers. Received: datetime64\[s\]"),
        (
            lambda: datasets.event_frames(
                np.array([(0.5, 0, 0)], [("x", "f4"), ("y", int), ("t", int)]), (2, 2, 1), 2
            ),
            "field x.*integers. Received: .*0.5",
        ),
        (
            lambda: datasets.event_frames(
                np.array([(0, np.nan, 0)], [("x", int), ("y", "f4"), ("t", int)]), (2, 2, 1), 2
            ),
            "field y.*integers. Received: .*nan",
        ),
        (
            lambda: datasets.event_frames(np.ma.array(recording(x=0, y=0, t=0)), (1, 1, 1), 2),
            "Events must have no mask.*Received: a MaskedArray",
        ),
        (lambda: datasets.load_events([], 3), "Received: an empty"),
        (lambda: datasets.load_events([(np.zeros((4, 2, 5, 6)), 0)], 3), r"\(3, polarities"),
        (lambda: datasets.event_frames([(0, 0, 0, 0)], (1, 1, 1), 2), "fields x, y, t"),
        (
            lambda: datasets.event_frames(recording(x=0, y=0, t=0)[None], (1, 1, 1), 2),
            r"one axis. Received: shape \(1, 1\)",
        ),
        (
            lambda: datasets.event_frames(recording(x=0, y=0, t=0), (1, 1, 1), 2, binary="no"),
            "`binary` must be True or False. Received: 'no'",
        ),
        (lambda: datasets.load_events([frames_of(1)], 1, binary=0), "`binary` must be True"),
        (lambda: datasets.load_events([frames_of(1)], 1, limit=-1), "`limit` must be a pos.*-1"),
        (lambda: datasets.load_events([frames_of(1)], 1, limit=1.5), "`limit` must be a pos.*1.5"),
        (lambda: datasets.load_events(iter([frames_of(1)]), 1), "length and items.*list_iterator"),
        (lambda: datasets.load_events([3], 1), r"\(events, label\). Received: a int as item 0"),
        (lambda: datasets.load_events([frames_of(np.nan)], 1), "finite and not neg.*other values"),
        (lambda: datasets.load_events([frames_of(-1)], 1), "finite and not neg.*other values"),
        (lambda: datasets.load_events([frames_of("a")], 1), "finite and not negative.*<U1"),
        (
            lambda: datasets.load_events([frames_of(1), frames_of(1, 3)], 1),
            r"one shape. Received: \(1, 2, 2, 1\), and \(1, 2, 3, 1\) of recording 1",
        ),
        (
            lambda: datasets.load_events([(recording(x=0, y=0, t=0), 0)], 1),
            "`sensor_size` must be.*Received: None",
        ),
    ],
)
def test_bad_recordings_are_refused(act, message):
    with pytest.raises((datasets.DatasetError, ValueError, TypeError), match=message):
        act()


def test_what_knows_only_images_refuses_events(rng, tmp_path):
    model = kps.ProxyModel(cnn(), 4, events=True)
    with pytest.raises(ValueError, match=r"Frames, one for each time step.*\(batch, 4, 6, 6, 2\)"):
        model.snn(np.zeros((1, *SHAPE)))
    with pytest.raises(ValueError, match="which takes events"):
        statistics.report(model, frames(rng, 4))
    with pytest.raises(ValueError, match="model of event data"):
        model.export(tmp_path / "m.onnx")
    with pytest.raises(ValueError, match=r"Augment frames before.*'flip' \(RandomFlip\)"):
        kps.ProxyModel(cnn(layers.RandomFlip(name="flip")), 4, events=True)
