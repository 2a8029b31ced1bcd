"""Peak memory of a training step does not grow with T: measured on Table 1's Fashion-MNIST net.

Each measurement is the peak of a process of its own, a fork of one that has imported the package
and nothing else. It is read from Linux's VmHWM, which starts from the memory at the fork:
`getrusage` would start from the peak of the process that forked it.

By default glibc keeps freed blocks of up to 32 MiB in its heap, and where these fall apart is
chance: on PyTorch, which takes each tensor from there, the peak at T = 50 was 4 to 13 % above
that at T = 5. With a fixed threshold a freed tensor is given back, and the peak is that of what
was alive.
"""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="peak memory is read from Linux's /proc"
)

STEPS = """
import os
import sys
from pathlib import Path
import numpy as np
import keras_proxy_snn
from keras_proxy_snn.basics.quiet import start_tensorflow

start_tensorflow()  # Keras imports it to copy a model: here, and not in each fork


def step(time_steps, chunk_steps):
    settings = {"chunk_steps": chunk_steps} if chunk_steps else {}
    model = keras_proxy_snn.build("fashion_mnist", time_steps=time_steps, **settings)
    x, y = np.random.rand(20, 28, 28, 1).astype("float32"), np.arange(20) % 10
    model.train_on_batch(x, y)
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(line.split()[1] for line in lines if line.startswith("VmHWM")), flush=True)


for words in sys.argv[1:]:
    process = os.fork()
    if not process:
        step(*map(int, words.split(",")))
        os._exit(0)
    if os.waitpid(process, 0)[1]:
        sys.exit(f"failed: {words}")
"""


def peaks(*settings):
    """Peak memory in KiB for pairs of T and steps of a chunk (0: chosen)."""
    done = subprocess.run(
        [sys.executable, "-c", STEPS, *(f"{steps},{chunk}" for steps, chunk in settings)],
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**20)},
        capture_output=True,
        text=True,
        check=True,
    )
    return map(int, done.stdout.splitlines()[-len(settings) :])


@pytest.mark.slow
def test_peak_memory_of_a_training_step_does_not_grow_with_time_steps():
    short, long, unchunked = peaks((5, 0), (25, 0), (75, 75))
    assert long == pytest.approx(short, rel=0.10)
    # The measurement sees what chunks save, far more than that bound, so the line above could fail.
    # Parts of the batch hide some of it on PyTorch, so the chunk is longer than the T above.
    assert unchunked > 1.5 * long
