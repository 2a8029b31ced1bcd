"""Models that version 0.1 saved load, and answer as they did."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_proxy_snn  # noqa: F401  (registers the classes)

FILES = Path(__file__).parent / "files"


@pytest.mark.parametrize("name", ["chain", "residual"])
def test_a_file_of_version_0_1_gives_the_answers_of_its_day(name):
    answers = np.load(FILES / "answers_0.1.npz")
    # Compiled they would run as on the backend that saved them, which PyTorch takes minutes for.
    model = keras.models.load_model(FILES / f"{name}_0.1.keras", compile=False)
    np.testing.assert_array_equal(model.predict(answers["x"], verbose=0), answers[name])
