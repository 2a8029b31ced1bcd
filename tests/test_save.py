"""Keras's own ways of saving: a file is whole, and none is replaced unasked."""

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


def test_weights_come_back_and_many_files_are_keras_own(model, tmp_path):
    model.save_weights(tmp_path / "a.weights.h5")
    other = kps.build("2F", input_shape=(2, 1, 1), time_steps=2)
    other.load_weights(tmp_path / "a.weights.h5")
    assert (other.get_weights()[0] == model.get_weights()[0]).all()
    model.save_weights(tmp_path / "b.weights.json", max_shard_size=1)
    assert (tmp_path / "b.weights.json").is_file()
    model.save(tmp_path / "folder", zipped=False)
    assert (tmp_path / "folder" / "config.json").is_file()
