"""Try an installed package without its source tree: what it does, and what each extra brings.

    python run.py package                   # builds the package, installs it afresh, runs this file
    python run.py package each              # the same with each extra alone
    python smoke.py --require click,onnx    # by itself; these libraries must be there

Needs nothing but the package and the libraries of its extras. Prints a line for each part.
"""

import argparse
import importlib
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


def backend(name):
    """Weights that come with the package, on a backend; a process has one backend for ever."""

    def check(model, x):
        program = (
            "import keras, numpy, keras_proxy_snn as kps; x = numpy.ones((2, 8, 8, 1)) / 2;"
            "print(keras.backend.backend(), kps.build('digits', weights='pretrained').predict("
            "x, verbose=0).shape)"
        )
        assert python("-c", program, KERAS_BACKEND=name).endswith(f"{name} (2, 10)\n")

    return check


def python(*words, **environment):
    command = [sys.executable, *words]
    environment = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def command_line(model, x):
    assert "16C3-32C3-P2-64F-10F" in python("-m", "keras_proxy_snn", "presets", "digits")


def pictures(model, x):
    kps.visualization.spike_raster(model, x[0]).savefig("raster.png")


def tensorboard(model, x):
    board = kps.SpikeTensorBoard("logs")
    model.fit(x, np.arange(len(x)) % 10, callbacks=[board], verbose=0)
    assert len(list(Path("logs").glob("events.out.tfevents.*"))) == 1


def own_pictures(model, x):
    from PIL import Image

    for number, image in enumerate(x):
        path = Path("pictures") / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image[..., 0] * 255).astype("uint8")).save(path)
    train, test = kps.datasets.from_folder("pictures", held_out=0.25)
    assert (list(train.class_names), len(train.numbers), len(test.numbers)) == (["a", "b"], 12, 4)


def prepared_data(model, x):
    """A data set of tensorflow-datasets that is made here, for a trial needs no network."""
    os.environ["TFDS_DATA_DIR"] = str(Path("prepared").resolve())
    import tensorflow_datasets as tfds

    class SmokeTrial(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            image = tfds.features.Image(shape=(8, 8, 1))
            label = tfds.features.ClassLabel(names=["a", "b"])
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict({"image": image, "label": label}),
                supervised_keys=("image", "label"),
            )

        def _split_generators(self, manager):
            return {"train": self._generate_examples(), "test": self._generate_examples()}

        def _generate_examples(self):
            for number, image in enumerate(x):
                yield number, {"image": (image * 255).astype("uint8"), "label": number % 2}

    train, test = kps.datasets.from_hub("tfds:smoke_trial")
    assert (list(train.class_names), len(train.numbers), len(test.numbers)) == (["a", "b"], 16, 16)
    inputs, _ = train[0]
    assert inputs.shape[1:] == (8, 8, 1)


def recordings(model, x):
    from tonic import transforms

    events = np.zeros(6, [("x", int), ("y", int), ("t", int), ("p", int)])
    events["t"] = np.arange(6) * 1000
    frames = transforms.ToFrame((8, 8, 2), n_time_bins=3)(events)
    loaded, labels = kps.datasets.load_events([(frames, 1)], 3)
    assert (loaded.shape, labels.tolist()) == ((1, 3, 8, 8, 2), [1])


def export_to(name):
    """Export to a file, which is compared with the model in its runtime."""
    return lambda model, x: model.export(name, images=x)


def converter(model, x):
    """The converter of TensorFlow's graphs, which works on that backend alone."""
    importlib.import_module("tf2onnx")
    if keras.backend.backend() == "tensorflow":
        from keras_proxy_snn.export.converters import tf2onnx

        tf2onnx.write(model, "converted.onnx")
        assert Path("converted.onnx").stat().st_size > 1000


def event_driven(model, x):
    assert kps.build("digits", event_driven=True).predict(x, verbose=0).shape == (len(x), 10)


# Library of an extra, and what it must then be able to do.
PARTS = {
    **{name: backend(name) for name in ("tensorflow", "jax", "torch")},
    "click": command_line,
    "matplotlib": pictures,
    "tensorboardX": tensorboard,
    "PIL": own_pictures,
    "tensorflow_datasets": prepared_data,
    "tonic": recordings,
    "onnxruntime": export_to("net.onnx"),
    "ai_edge_litert": export_to("net.tflite"),
    "nir": export_to("net.nir"),
    "tf2onnx": converter,
    "numba": event_driven,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--require", default="", help="libraries that must be there, with commas")
    required = set(filter(None, parser.parse_args().require.split(",")))
    assert required <= set(PARTS), f"no part uses {required - set(PARTS)}"
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
