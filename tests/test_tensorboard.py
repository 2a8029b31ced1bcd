"""The event file that a training leaves, read back."""

import importlib.util
import io
import struct
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import keras_proxy_snn as kps
from keras_proxy_snn import statistics

# Imported by the tests alone, because it imports PyTorch where that is installed.
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorboardX") is None, reason='pip install "keras-proxy-snn[viz]"'
)

LAYERS = ["conv1", "readout"]


def read(folder):
    """(tag, step) -> a number or the bytes of a PNG; a file is records between checksums."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.iterdir()
    data, found = io.BytesIO(path.read_bytes()), {}
    while header := data.read(12):
        (length,) = struct.unpack("<Q", header[:8])
        event = Event.FromString(data.read(length))
        data.read(4)
        for value in event.summary.value:
            number = value.simple_value
            found[value.tag, event.step] = value.image.encoded_image_string or number
    return found


def train(model, digits, callback, **arguments):
    (x, y), _ = digits
    return model.fit(x[:96], y[:96], callbacks=[callback], verbose=0, **arguments).history


@pytest.fixture
def model():
    return kps.build("4C3-P2-10F", input_shape=(8, 8, 1), time_steps=4, v_threshold=0.5)


@pytest.mark.any_backend
def test_an_epoch_on_the_digits(model, digits, tmp_path):
    (x, y), (images, _) = digits
    board = kps.SpikeTensorBoard(tmp_path / "run", images[:8])
    logs = train(model, digits, board, validation_data=(x[96:128], y[96:128]))
    found = read(tmp_path / "run")
    values = {tag: value for (tag, step), value in found.items() if step == 1}
    assert len(values) == len(found)
    for tag, name in [
        ("training/loss", "loss"),
        ("training/accuracy", "accuracy"),
        ("training/proxy_distance", "proxy_distance"),
        ("validation/accuracy", "val_accuracy"),
        *((f"firing_rate/{layer}", f"rate_{layer}") for layer in LAYERS),
    ]:
        assert values.pop(tag) == pytest.approx(logs[name][0], rel=1e-5)
    for name, layer in statistics.record(model, images[:8]).items():
        dead, saturated = layer.dead_fraction, layer.saturated_fraction
        assert values.pop(f"dead_fraction/{name}") == pytest.approx(dead)
        assert values.pop(f"saturated_fraction/{name}") == pytest.approx(saturated)
    with Image.open(io.BytesIO(values.pop("spike_raster"))) as raster:
        assert raster.width == 900
        assert np.ptp(np.asarray(raster.convert("L"))) == 255
    assert set(values) == {"validation/loss"}


def test_rasters_now_and_then_and_at_the_end(model, digits, tmp_path):
    _, (images, _) = digits
    board = kps.SpikeTensorBoard(tmp_path, images[:2], raster_every=2)
    train(model, digits, board, initial_epoch=1, epochs=5)
    found = read(tmp_path)
    assert [step for tag, step in found if tag == "spike_raster"] == [2, 4, 5]
    assert [step for tag, step in found if tag == "training/loss"] == [2, 3, 4, 5]


def test_without_images_it_writes_the_logs_alone(model, digits, tmp_path):
    train(model, digits, kps.SpikeTensorBoard(tmp_path))
    tags = {tag.split("/")[0] for tag, _ in read(tmp_path)}
    assert tags == {"training", "firing_rate"}


def test_bad_arguments_and_other_models_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"`raster_every` must be a pos.* Received: 0"):
        kps.SpikeTensorBoard(tmp_path, raster_every=0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    board = kps.SpikeTensorBoard(tmp_path)
    with pytest.raises(ValueError, match=r"training of a ProxyModel.*\['loss'\]"):
        model.fit(np.ones((2, 2)), np.ones((2, 1)), verbose=0, callbacks=[board])


def test_without_tensorboardx_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r'pip install "keras-proxy-snn\[viz\]"'):
        kps.SpikeTensorBoard(tmp_path).on_train_begin()
