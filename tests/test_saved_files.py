"""Models that version 0.1 saved load, and answer as they did."""

import errno
import os
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_proxy_snn as kps
from keras_proxy_snn.saving.model_file import load_model  # registers the classes, too

FILES = Path(__file__).parent / "files"


@pytest.mark.parametrize("name", ["chain", "residual"])
def test_a_file_of_version_0_1_gives_the_answers_of_its_day(name):
    answers = np.load(FILES / "answers_0.1.npz")
    # Compiled they would run as on the backend that saved them, which PyTorch takes minutes for.
    model = keras.models.load_model(FILES / f"{name}_0.1.keras", compile=False)
    np.testing.assert_array_equal(model.predict(answers["x"], verbose=0), answers[name])


@pytest.mark.any_backend
@pytest.mark.parametrize("softmax", ["activation", "layer", "none"])
def test_a_converted_cnn_is_loaded_with_every_end_that_it_can_have(softmax, tmp_path):
    dense = keras.layers.Dense(3, activation="softmax" if softmax == "activation" else None)
    ends = [keras.layers.Softmax()] if softmax == "layer" else []
    cnn = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), dense, *ends])
    model = kps.from_keras(cnn, time_steps=2)
    model.save(tmp_path / "own.keras")
    x = np.ones((1, 2, 2, 1), "float32")
    same = load_model(tmp_path / "own.keras")
    np.testing.assert_array_equal(same.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.any_backend
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG])
def test_no_space_for_temporary_files_is_told_as_such(number, monkeypatch):
    def unpacked(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(keras.models, "load_model", unpacked)
    with pytest.raises(OSError, match=os.strerror(number)):
        load_model(FILES / "chain_0.1.keras")
