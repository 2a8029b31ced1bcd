"""Kill a process that writes a file again and again, at random moments: `python tests/kills.py`.

It prints a line for each writer. The processes are forks, so that Keras is imported once.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
from workers import without_tensorflow

import keras_proxy_snn as kps
from keras_proxy_snn.basics.files import replacing
from keras_proxy_snn.export import export, from_model, litert, load, nir, onnx
from keras_proxy_snn.methods import Training, fit_phase
from keras_proxy_snn.methods._checkpoints import State
from keras_proxy_snn.paper import EXPERIMENTS
from keras_proxy_snn.paper._curve import Curve
from keras_proxy_snn.paper.drawing import draw
from keras_proxy_snn.saving.model_file import read_record, save_model
from keras_proxy_snn.saving.weights import load_weights, save_weights
from keras_proxy_snn.visualization import spike_gif

without_tensorflow()
KILLS = 20
VERSIONS = (3, 4)
MODELS = {t: kps.build("16C3-P2-10F", input_shape=(6, 6, 1), time_steps=t) for t in VERSIONS}
for steps, model in MODELS.items():
    model.set_weights([np.full_like(w, steps) for w in model.get_weights()])
PROGRAMS = {t: from_model(model) for t, model in MODELS.items()}


def written_json(folder):
    def write(version):
        with replacing(folder / "a.json") as draft, draft.open("w") as file:
            for _ in range(100):
                file.write(f"{version}" * 100)
                file.flush()

    return write, lambda: int(set((folder / "a.json").read_text()).pop())


def written_program(folder):
    path = folder / "net.kps"
    return (
        lambda t: PROGRAMS[t].save(path, overwrite=True),
        lambda: load(path).time_steps,
    )


def written_weights(folder):
    card = folder / "net.json"

    def read():
        version = load_weights(MODELS[3], card)["version"]
        assert all((w == version).all() for w in MODELS[3].get_weights())
        MODELS[3].set_weights([np.full_like(w, 3) for w in MODELS[3].get_weights()])
        return version

    return lambda t: save_weights(MODELS[t], card, overwrite=True, version=t), read


def written_model(folder):
    path = folder / "net.keras"

    def read():
        with zipfile.ZipFile(path) as file:
            assert file.testzip() is None
        return read_record(path)["version"]

    return lambda t: save_model(MODELS[t], path, {"version": t}), read


def written_by_model(folder):
    path = folder / "net.keras"

    def read():
        with zipfile.ZipFile(path) as file:
            assert file.testzip() is None
            return json.loads(file.read("config.json"))["config"]["time_steps"]

    return lambda t: MODELS[t].save(path), read


def written_onnx(folder):
    path = folder / "net.onnx"

    def read():
        facts = __import__("onnx").load(path).metadata_props
        return next(int(f.value) for f in facts if f.key == "time_steps")

    return lambda t: onnx.write(PROGRAMS[t], path), read


def written_litert(folder):
    path = folder / "net.tflite"
    return (
        lambda t: export(PROGRAMS[t], path, verify=False, overwrite=True),
        lambda: litert.read_metadata(path)["time_steps"],
    )


def written_nir(folder):
    path = folder / "net.nir"
    return (
        lambda t: nir.write(PROGRAMS[t], path),
        lambda: nir.read(path).time_steps,
    )


def written_gif(folder):
    path, image = folder / "net.gif", np.ones((6, 6, 1))

    def read():
        from PIL import Image

        with Image.open(path) as picture:
            return picture.n_frames

    return lambda t: spike_gif(MODELS[t], image, path, overwrite=True), read


def written_table(folder):
    def write(version):
        return draw(EXPERIMENTS["figure2"], "tiny", folder).text + "\n"

    whole = write(VERSIONS[0])

    def read():
        assert (folder / "figure2-tiny.md").read_text() == whole
        return VERSIONS[0]

    return write, read


WRITERS = {name[8:]: make for name, make in globals().items() if name.startswith("written_")}


def killed_after(wait, work):
    """Run `work` in a fork and kill it when `wait` returns."""
    process = os.fork()
    if process == 0:
        try:
            work()
        finally:
            os._exit(1)
    wait()
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def wait_for(condition):
    """Look again and again, for a while."""
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)


def check_writer(name, rng):
    folder = Path(tempfile.mkdtemp())
    write, read = WRITERS[name](folder)
    start = time.perf_counter()
    write(VERSIONS[0])
    write(VERSIONS[0])
    seconds = (time.perf_counter() - start) / 2

    def work():
        for number in range(10**9):
            write(VERSIONS[number % 2])

    def at_random():
        time.sleep(rng.uniform(0, 4 * min(seconds, 0.1)))

    def in_its_midst():
        wait_for(lambda: list(folder.glob(".draft-*")))
        time.sleep(rng.uniform(0, 0.003))

    cut = 0
    for number in range(KILLS):
        killed_after(in_its_midst if number % 2 else at_random, work)
        assert read() in VERSIONS
        cut += bool(list(folder.glob(".draft-*")))
    write(VERSIONS[1])
    assert not list(folder.glob(".draft-*")), "drafts of killed processes are removed"
    return cut


def small_model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(10, name="readout"))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def check_training(rng, epochs=80):
    """A training that is killed 20 times goes on each time, and ends with every epoch once."""
    folder = Path(tempfile.mkdtemp())
    x, y = np.ones((4, 2, 2, 1), "float32"), np.arange(4)

    def work():
        curve = Curve(folder / "curve.json", x, y, lambda line: None)
        return fit_phase(small_model(), x, y, Training(epochs, 4, None, folder, [curve]), "p")

    record, done = folder / "p_epochs.json", 0

    def next_epoch():
        wait_for(lambda: record.exists() and json.loads(record.read_text())["epochs"] > done)
        time.sleep(rng.uniform(0, 0.02))

    for _ in range(KILLS):
        killed_after(next_epoch, work)
        before = done
        done, logs = State(folder, "p").restore(small_model())
        assert before < done == len(logs["loss"])
    reached = done
    logs = work()
    assert len(logs["loss"]) == epochs
    curve = json.loads((folder / "curve.json").read_text())
    assert [(e["phase"], e["epoch"]) for e in curve] == [(0, epoch) for epoch in range(epochs)]
    assert work() == logs
    assert sorted(p.name for p in folder.iterdir()) == ["curve.json", "p.json", "p.weights.h5"]
    return reached


def main(names):
    rng = random.Random(1)
    for name in names or [*WRITERS, "training"]:
        start = time.perf_counter()
        found = check_training(rng) if name == "training" else check_writer(name, rng)
        seconds = time.perf_counter() - start
        print(f"{name}: whole after {KILLS} kills, {found} in its midst, {seconds:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
