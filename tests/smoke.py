"""Try an installed package without its source tree: what it does, and what each extra brings.

    python run.py package                   # builds the package, installs it afresh, runs this file
    python smoke.py --require click,onnx    # by itself; these libraries must be there

Needs nothing but the package and the libraries of its extras. Prints a line for each part.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np

import keras_proxy_snn as kps


def core(x, y):
    """Train, predict, save, load; weights that come with the package."""
    model = kps.build("4C3-P2-10F", input_shape=(8, 8, 1), time_steps=4)
    model.fit(x, y, verbose=0)
    counts = model.predict(x, verbose=0)
    model.save("model.keras")
    loaded = keras.models.load_model("model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), counts)
    assert kps.datasets.load("digits")[0][0].shape == (1437, 8, 8, 1)
    assert kps.build("digits", weights="pretrained").predict(x, verbose=0).shape == (len(x), 10)
    return model


def command_line(model, x):
    command = [sys.executable, "-m", "keras_proxy_snn", "presets", "digits"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "16C3-32C3-P2-64F-10F" in done.stdout


def pictures(model, x):
    kps.visualization.spike_raster(model, x[0]).savefig("raster.png")


def export_to(name):
    """Export to a file, which is compared with the model in its runtime."""
    return lambda model, x: model.export(name, images=x)


def event_driven(model, x):
    assert kps.build("digits", event_driven=True).predict(x, verbose=0).shape == (len(x), 10)


# Library of an extra, and what it must then be able to do.
PARTS = {
    "click": command_line,
    "matplotlib": pictures,
    "onnxruntime": export_to("net.onnx"),
    "ai_edge_litert": export_to("net.tflite"),
    "numba": event_driven,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--require", default="", help="libraries that must be there, with commas")
    required = set(filter(None, parser.parse_args().require.split(",")))
    folder = Path(kps.__file__).parent
    print(f"keras-proxy-snn {kps.__version__} in {folder}, Keras on {keras.backend.backend()}")
    assert not (folder.parent / "pyproject.toml").exists(), "this is the source tree"
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 17, (16, 8, 8, 1)).astype("float32") / 16, np.arange(16) % 10
    model = core(x, y)
    print("core: as it should be")
    for library, check in PARTS.items():
        if importlib.util.find_spec(library):
            check(model, x)
            print(f"{library}: as it should be")
        else:
            assert library not in required, f"{library} is not installed"
            print(f"{library}: not installed")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:
        os.chdir(empty)
        main()
