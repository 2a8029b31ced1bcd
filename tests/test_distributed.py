"""`examples/distributed/`: two workers on this machine give what one gives on the joined batch.

Weights, logs, evaluation and predictions are compared with Keras's `fit`. In one test per backend a
worker is killed in the middle, and the training goes on from its file to the same end.
"""

import importlib
import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import keras_proxy_snn as kps
from tests.scripts import ROOT
from tests.workers import SECONDS, Workers, free_ports

EXAMPLES = ROOT / "examples" / "distributed"
TINY = ["--network", "8C3-P2-16F-10F", "--images", "96", "--epochs", "3"]
TINY += ["--batch-size", "16", "--time-steps", "6"]
BACKEND = keras.config.backend()
pytestmark = pytest.mark.slow


def of(backend):
    return pytest.mark.skipif(backend != BACKEND, reason=f"a script for {backend}")


@pytest.fixture(scope="module")
def alone():
    """What Keras's `fit` does with the same batches in one process on one device."""
    sys.path.insert(0, str(EXAMPLES))
    task = importlib.import_module("task")
    sys.path.remove(str(EXAMPLES))
    own = task.arguments(task.__doc__).parse_args(TINY)
    digits = task.Digits(own)
    model, first = task.start(own, digits.steps)
    assert first == 0
    start = model.get_weights()
    logs = {}
    for epoch in range(own.epochs):
        x, y = digits.epoch(epoch)
        found = model.fit(x, y, own.batch_size, shuffle=False, verbose=0).history
        logs[f"epoch {epoch + 1}"] = found["loss"][0], found["accuracy"][0]
    x, y = digits.test
    logs["test"] = tuple(model.evaluate(x, y, own.batch_size, verbose=0))
    weights, scores = model.get_weights(), model.predict(x, verbose=0)
    moved = [np.abs(one - other).max() for one, other in zip(weights, start, strict=True)]
    assert min(moved) > 1e-3
    assert scores.any()
    return SimpleNamespace(weights=weights, logs=logs, scores=scores)


def check(alone, folder, printed, workers):
    """The same end, by all workers."""
    found = re.findall(r"worker (\d), (\S+(?: \d)?): loss (\S+), accuracy (\S+)", printed)
    told = {(int(worker), what): (float(loss), float(share)) for worker, what, loss, share in found}
    for worker in range(workers):
        for what, logs in alone.logs.items():
            # A worker that was ended after an epoch may not have told of it.
            if worker == 0 and (worker, what) not in told and what == "epoch 2":
                continue
            assert told[worker, what] == pytest.approx(logs, abs=2e-6), (worker, what, printed)
    weights = keras.models.load_model(folder / "digits.keras").get_weights()
    for one, other in zip(weights, alone.weights, strict=True):
        # Adam divides by the size of a gradient, so the rounding of a tiny one shows.
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(np.load(folder / "digits.npy"), alone.scores)


def on_devices(alone, folder, script, *options):
    words = [*TINY, "--devices", "2", *options]
    printed = Workers(folder, EXAMPLES / script, [words], [{}]).finish()
    check(alone, folder, printed, 1)


def killed_and_resumed(alone, folder, script, words, environments):
    """Two workers, of which the second dies after an epoch; then both go on."""
    names = folder, EXAMPLES / script
    before = Workers(*names, words(), environments(), (1, "epoch 2")).wait_for_death()
    assert "epoch 3" not in before
    again = [[*one, "--resume"] for one in words()]
    printed = Workers(*names, again, environments()).finish()
    assert printed.count("worker 1, epoch 1") == 1  # before the death, and not again
    check(alone, folder, printed, 2)


@of("jax")
def test_jax_on_two_devices(alone, tmp_path):
    on_devices(alone, tmp_path, "jax_devices.py")


@of("jax")
def test_jax_on_two_devices_that_share_weights(alone, tmp_path):
    on_devices(alone, tmp_path, "jax_devices.py", "--share-weights")


@of("jax")
def test_batch_normalisation_of_jax_sees_all_devices_and_predictions_are_filled_up(rng):
    """What the page on several devices says of both."""
    devices = keras.distribution.list_devices()[:2]
    x, y = rng.random((9, 6, 6, 1)).astype("float32"), np.arange(9) % 3
    found = []
    for parallel in (None, keras.distribution.DataParallel(devices=devices)):
        keras.distribution.set_distribution(parallel)
        keras.utils.set_random_seed(0)
        model = kps.build("3C3-P2-3F", input_shape=(6, 6, 1), time_steps=3, batch_norm=True)
        model.fit(x[:8], y[:8], batch_size=8, epochs=2, shuffle=False, verbose=0)
        filled = np.concatenate([x, x[:1] * 0])
        found.append((model.get_weights(), model.predict(filled, verbose=0)[: len(x)]))
    with pytest.raises(ValueError, match="the dimension size is 9"):
        model.predict(x, verbose=0)
    keras.distribution.set_distribution(None)
    for one, other in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found[0][1], found[1][1])


@of("jax")
def test_jax_in_two_processes_one_of_which_dies(alone, tmp_path):
    def words():
        address = ["--address", f"127.0.0.1:{free_ports(1)[0]}", "--processes", "2"]
        return [[*TINY, *address, "--process", number] for number in range(2)]

    killed_and_resumed(alone, tmp_path, "jax_processes.py", words, lambda: [{}, {}])


@of("tensorflow")
def test_tensorflow_on_two_devices(alone, tmp_path):
    on_devices(alone, tmp_path, "tensorflow_devices.py")


@of("tensorflow")
def test_two_workers_of_tensorflow_one_of_which_dies(alone, tmp_path):
    def environments():
        cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
        tasks = ({"type": "worker", "index": number} for number in range(2))
        return [{"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})} for task in tasks]

    killed_and_resumed(alone, tmp_path, "tensorflow_workers.py", lambda: [TINY, TINY], environments)


@of("torch")
def test_torchrun_starts_all_again_when_one_dies(alone, tmp_path):
    options = ["--nproc-per-node", "2", "--max-restarts", "1", "--monitor-interval", "0.2"]
    options += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]
    dying = [ROOT / "tests" / "workers.py", "worker 1, epoch 2", tmp_path / "marker"]
    command = ["-m", "torch.distributed.run", *options, *dying, EXAMPLES / "torch_ddp.py", *TINY]
    done = subprocess.run(
        [sys.executable, *map(str, command), "--resume"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "marker").exists()
    assert done.stdout.count("worker 1, epoch 1") == 1
    check(alone, tmp_path, done.stdout, 2)


@of("torch")
def test_two_processes_of_accelerate(alone, tmp_path):
    pytest.importorskip("accelerate", reason="pip install accelerate")
    # What `accelerate launch` sets.
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_ports(1)[0]), "WORLD_SIZE": "2"}
    common |= {"ACCELERATE_USE_CPU": "true"}
    each = [{**common, "RANK": str(number), "LOCAL_RANK": str(number)} for number in range(2)]
    printed = Workers(tmp_path, EXAMPLES / "torch_accelerate.py", [TINY, TINY], each).finish()
    check(alone, tmp_path, printed, 2)
