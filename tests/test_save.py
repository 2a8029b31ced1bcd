"""Keras's own ways of saving: a file is whole, and none is replaced unasked."""

import keras
import numpy as np
import pytest

import keras_proxy_snn as kps


@pytest.fixture
def model():
    return kps.build("2F", input_shape=(2, 1, 1), time_steps=2)


@pytest.mark.parametrize(
    ("method", "name"), [("save", "a.keras"), ("save_weights", "a.weights.h5")]
)
def test_a_file_is_whole_or_as_it_was(method, name, model, tmp_path, monkeypatch):
    path = tmp_path / name
    getattr(model, method)(path, overwrite=False)
    whole = path.read_bytes()
    with pytest.raises(FileExistsError, match=r"exists already; pass overwrite=True"):
        getattr(model, method)(path, overwrite=False)
    with pytest.raises(TypeError, match=r"`overwrite` must be True or False. Received: 'yes'"):
        getattr(model, method)(path, overwrite="yes")

    def killed(draft):
        assert draft != path
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", lambda number: killed(None))
    with pytest.raises(KeyboardInterrupt):
        getattr(model, method)(path)
    assert path.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [path]


def test_weights_come_back(model, tmp_path):
    model.save_weights(tmp_path / "a.weights.h5")
    other = kps.build("2F", input_shape=(2, 1, 1), time_steps=2)
    other.load_weights(tmp_path / "a.weights.h5")
    assert (other.get_weights()[0] == model.get_weights()[0]).all()


@pytest.mark.parametrize(
    ("method", "name", "options", "message"),
    [
        ("save", "a.keras", {"zipped": False}, "`zipped` must be True: .* Received: False"),
        ("save", "a.h5", {}, r"The file must end in \.keras\. Received: .*a\.h5"),
        ("save_weights", "a.h5", {}, r"must end in \.weights\.h5\. Received: .*a\.h5"),
        (
            *("save_weights", "a.weights.json", {"max_shard_size": 1}),
            "`max_shard_size` must be None: a kill would leave .* Received: 1",
        ),
    ],
)
def test_what_a_kill_would_tear_is_refused(method, name, options, message, model, tmp_path):
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


def test_weights_in_several_files_are_still_read(model, tmp_path):
    """A function of Keras writes them."""
    keras.saving.save_weights(model, tmp_path / "a.weights.json", max_shard_size=1)
    other = kps.build("2F", input_shape=(2, 1, 1), time_steps=2)
    other.load_weights(tmp_path / "a.weights.json")
    assert (other.get_weights()[0] == model.get_weights()[0]).all()


@pytest.mark.parametrize("steps", [0, 2])
def test_the_state_of_the_optimizer_comes_back_where_there_is_one(model, tmp_path, steps):
    x, y = np.ones((4, 2, 1, 1), "float32"), np.array([0, 1, 0, 1])
    model.compile("adam", kps.SpikeCountCrossentropy())
    for _ in range(steps):
        model.train_on_batch(x, y)
    model.save(tmp_path / "a.keras")
    loaded = keras.models.load_model(tmp_path / "a.keras")  # Keras would warn: an error here
    assert loaded.optimizer.built == (steps > 0)
    assert int(loaded.optimizer.iterations) == steps
    for one in (model, loaded):
        one.train_on_batch(x, y)
    for mine, wanted in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, wanted)
