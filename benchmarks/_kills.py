"""Kills for `stress.py`: each function kills one command again and again, and compares its end."""

import json
import time
import zipfile
from pathlib import Path

from _child import Child, LostError, finished, fresh, killed, must_be_clean, must_equal

KILLS = {"train": 4, "fit": 3, "paper": 4, "export": 4}
EPOCHS = 20
PAPER_EPOCHS = 8
COMMAND = ["-m", "keras_proxy_snn"]
EXACT = "weights and optimizer bit for bit"
SAME_FILE = "the same file, byte for byte"


def train_words(output, seed=1, epochs=EPOCHS):
    """`train` on 300 digits, to be gone on with if there is an output."""
    words = [*COMMAND, "train", "4C3-P2-10F", "--dataset", "digits", "--images", "300"]
    words += ["--time-steps", "4", "--batch-size", "32", "--epochs", epochs, "--seed", seed]
    return [*words, "--output", output, *(["--resume"] if output.exists() else [])]


def fit_words(output, epochs=EPOCHS):
    """The script of docs/how-to/resume.md."""
    return [Path(__file__).with_name("_fit_and_go_on.py"), output, epochs]


def paper_words(folder, epochs=PAPER_EPOCHS):
    """`paper headline`: images in an order that every epoch draws anew from its number."""
    words = [*COMMAND, "paper", "headline", "--size", "tiny", "--epochs", epochs]
    return [*words, "--results", folder / "results", "--scratch", folder / "scratch"]


def export_words(model, output):
    """`export` of a trained model; the suffix is the format's."""
    name = {".onnx": "onnx", ".tflite": "litert", ".c": "c"}[output.suffix]
    words = [*COMMAND, "export", model, "--format", name, "--output", output]
    return [*words, *(["--force"] if output.exists() else [])]


def record(path):
    """The record that `train` has put into a file."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("keras_proxy_snn.json"))


def train(backend, folder, rng):
    """Kill `train`, then go on with `--resume` to the end."""
    row = _trained(train_words, backend, folder, rng, KILLS["train"])
    histories = [record(folder / name / "net.keras")["history"] for name in ("whole", "cut")]
    if histories[0] != histories[1]:
        raise LostError("the logs of the epochs differ")
    return row


def fit(backend, folder, rng):
    """Kill a script with `fit` and `ModelCheckpoint`, then run it again to the end."""
    return _trained(fit_words, backend, folder, rng, KILLS["fit"])


def _trained(words, backend, folder, rng, kills):
    uncut, cut = (fresh(folder / name) for name in ("whole", "cut"))
    finished(words(uncut / "net.keras"), uncut, backend)
    path = cut / "net.keras"
    begun, epochs = killed(lambda: Child(words(path), cut, backend), cut, rng, kills)
    epochs += finished(words(path), cut, backend).epochs
    must_equal(path, uncut / "net.keras")
    must_be_clean(cut)
    again = epochs - EPOCHS
    return {"kills": kills, "in_a_write": begun, "again": again, "outcome": EXACT}


def paper(backend, folder, rng):
    """Kill `paper`, then run the same command to the end."""
    uncut, cut = (fresh(folder / name) for name in ("whole", "cut"))
    needed = finished(paper_words(uncut), uncut, backend).epochs
    kills = KILLS["paper"]
    begun, epochs = killed(lambda: Child(paper_words(cut), cut, backend), cut, rng, kills)
    epochs += finished(paper_words(cut), cut, backend).epochs
    models = [next((place / "scratch").glob("*/model.keras")) for place in (uncut, cut)]
    must_equal(*models)
    must_be_clean(cut)
    results = [
        json.loads(next((place / "results").glob("*.json")).read_text()) for place in (uncut, cut)
    ]
    for name in ("accuracy", "activity", "twin_accuracy"):
        if results[0][name] != results[1][name]:
            raise LostError(f"{name} differs")
    outcome = f"{EXACT}, and the same table"
    return {"kills": kills, "in_a_write": begun, "again": epochs - needed, "outcome": outcome}


def export(backend, folder, rng, name):
    """Kill `export` at random moments and as it writes; the file is then written again."""
    uncut, cut = (fresh(folder / name) for name in ("whole", "cut"))
    model = uncut / "net.keras"
    finished(train_words(model, epochs=1), uncut, backend)
    start = time.monotonic()
    finished(export_words(model, uncut / name), uncut, backend)
    seconds = time.monotonic() - start
    begun, kills = 0, KILLS["export"]
    for number in range(kills):
        if number % 2:
            (cut / name).unlink(missing_ok=True)
        child = Child(export_words(model, cut / name), cut, backend)
        if number % 2:
            child.wait_for(lambda child=child: child.drafts(cut) or (cut / name).exists())
        else:
            time.sleep(rng.uniform(0.1, 0.9) * seconds)
        child.kill()
        begun += bool(child.drafts(cut))
        same_bytes(cut / name, uncut / name, may_be_missing=True)
    finished(export_words(model, cut / name), cut, backend)
    same_bytes(cut / name, uncut / name)
    must_be_clean(cut)
    return {"kills": kills, "in_a_write": begun, "again": "-", "outcome": SAME_FILE}


def same_bytes(path, other, may_be_missing=False):
    """Two files must be equal."""
    if may_be_missing and not path.exists():
        return
    if path.read_bytes() != other.read_bytes():
        raise LostError(f"{path.name} differs from a file that was written without a fault")
