"""The bare-metal example: a network as C on Cortex-M3 and M4, in QEMU."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_proxy_snn import datasets
from keras_proxy_snn.export import interpreter
from keras_proxy_snn.export.program import Conv, Dense, Flatten, Pool, Program

TOOLS = ("make", "arm-none-eabi-gcc", "qemu-system-arm")
pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(
        not all(map(shutil.which, TOOLS)),
        reason="apt-get install make gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm",
    ),
]
FOLDER = Path(__file__).parents[1] / "examples" / "microcontroller" / "bare_metal"
# Multiplications of the instruction set: mul, mla, mls, smull, umlal, smlabb, ...
MULTIPLICATION = re.compile(r"\t(mul|mla|mls|[su]mul|[su]mla|[su]mm)")


@pytest.fixture(scope="module")
def program():
    rng = np.random.default_rng(0)

    def whole(*shape):
        return rng.integers(-60, 80, shape).astype("int8")

    layers = (
        Conv("conv1", whole(3, 3, 1, 6), rng.integers(-50, 50, 6, "int32"), 900, "zero"),
        Pool("pool1", (2, 2), (2, 2)),
        Conv("conv2", whole(3, 3, 6, 5), None, 400, "subtract"),
        Flatten("flatten"),
        Dense("dense1", whole(80, 6), None, np.arange(300, 306), "zero"),
        Dense("readout", whole(6, 10), rng.integers(0, 9, 10, "int32"), 150, "zero"),
    )
    return Program(layers, (8, 8, 1), 6, "int8", input_scale=16.0)


def make(folder, *arguments):
    command = ["make", "run", f"PYTHON={sys.executable}", "MODEL=tiny.kps", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300
    )


@pytest.fixture(scope="module")
def folder(program, tmp_path_factory):
    """The example's folder, with a network that is not trained."""
    copy = tmp_path_factory.mktemp("bare_metal") / "copy"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("net*", "images.h"))
    program.save(copy / "tiny.kps")
    return copy


@pytest.mark.parametrize("cpu", ["cortex-m3", "cortex-m4"])
def test_every_count_is_the_interpreters(cpu, program, folder):
    done = make(folder, f"CPU={cpu}", "IMAGES=5")
    text = done.stdout + done.stderr  # QEMU prints what the board says to stderr
    assert done.returncode == 0, text
    rows = re.findall(
        r"^image +\d+  counts((?: +\d+)+)  instructions +(\d+)  class (\d)", text, re.M
    )
    counts = np.array([row[0].split() for row in rows], int)
    images = datasets.load("digits")[1][0][:5]
    expected = interpreter.run(program, images).spike_counts
    assert len(np.unique(expected)) > 2
    np.testing.assert_array_equal(counts, expected)
    assert [int(row[2]) for row in rows] == expected.argmax(axis=1).tolist()
    facts = {name: int(n) for name, n in re.findall(r"(flash|RAM|stack)(?: bytes)? (\d+)", text)}
    macros = dict(re.findall(r"#define NET_(\w+_BYTES) (\d+)", (folder / "net.h").read_text()))
    assert facts["RAM"] == int(macros["STATE_BYTES"])
    assert int(macros["TABLE_BYTES"]) < facts["flash"] < int(macros["TABLE_BYTES"]) + 8192
    assert 100 < facts["stack"] < 1024
    assert all(20_000 < int(row[1]) < 1_000_000 for row in rows)
    assert "every count is as on the desktop" in text


def test_no_step_multiplies(folder):
    """Of the network's functions only the one of the image's current may, once an image."""
    listing = subprocess.run(
        ["arm-none-eabi-objdump", "-d", folder / "net-cortex-m3.elf"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    functions = dict(re.findall(r"<(net_\w+)>:\n(.*?)(?=\n\n|\Z)", listing, re.DOTALL))
    multiply = {name for name, body in functions.items() if MULTIPLICATION.search(body)}
    assert {"net_step", "net_class"} <= set(functions)
    assert len(multiply) == 1
    assert multiply <= {"net_reset", "net_conv1_in_current"}


def test_a_differing_count_is_told(folder):
    text = (folder / "images.h").read_text()
    head, tail = text.split("expected[IMAGES]")
    tail = tail.replace("    {", "    {99 + ", 1)
    (folder / "images.h").write_text(f"{head}expected[IMAGES]{tail}")
    done = make(folder, "CPU=cortex-m3")
    assert done.returncode == 2
    assert "DIFFERS" in done.stdout + done.stderr
