"""`examples/distributed/`: two workers on this machine give what one worker gives."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_proxy_snn.saving.model_file import load_model

ROOT = Path(__file__).resolve().parent.parent
TINY = ["--images", "96", "--epochs", "2", "--batch-size", "32", "--time-steps", "3"]


@pytest.mark.skipif(keras.config.backend() != "jax", reason="a script for JAX")
def test_jax_on_two_devices_of_a_machine(tmp_path):
    weights, told = {}, {}
    for devices in (1, 2):
        path = tmp_path / f"{devices}.keras"
        script = str(ROOT / "examples/distributed/jax_devices.py")
        done = subprocess.run(
            [sys.executable, script, *TINY, "--devices", str(devices), "--output", str(path)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        lines = done.stdout.splitlines()
        assert lines[0].split()[1:] == [f"cpu:{number}" for number in range(devices)]
        told[devices] = lines[-1]
        weights[devices] = load_model(path).get_weights()
    assert told[1] == told[2]
    assert weights[1]
    for one, two in zip(weights[1], weights[2], strict=True):
        np.testing.assert_allclose(two, one, rtol=0, atol=1e-6)
