"""`examples/on_device.py`: exact counts from NumPy and one runtime alone, and when it stops."""

import importlib.util
import itertools
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import onnx as onnx_library
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import keras_proxy_snn
from keras_proxy_snn.export import from_model, interpreter, litert, onnx
from keras_proxy_snn.export.program import Conv, Dense, Flatten, Pool, Program

from . import oracle

pytest.importorskip("ai_edge_litert", reason="pip install keras-proxy-snn[export]")

SCRIPT = Path(__file__).parents[1] / "examples" / "on_device.py"
SPEC = importlib.util.spec_from_file_location("on_device", SCRIPT)
on_device = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(on_device)

WRITERS = {"tflite": litert, "onnx": onnx}
FILES = [f"{form}.{suffix}" for suffix, writer in WRITERS.items() for form in writer.FORMS]


def make_program(number_format, channels=1, time_steps=24):
    """4C3-P2-12F-5F on 8 x 8 images; its sums are exact and its winners mostly clear."""
    rng = np.random.default_rng(3)
    scale = 1 if number_format == "int8" else 256

    def weights(*shape):
        kernel = rng.integers(-60, 90, shape)
        return kernel.astype("int8") if scale == 1 else kernel.astype("float32") / scale

    def theta(integer):
        return integer / scale

    pixels = 12.5 if number_format == "int8" else 1.0
    layers = (
        Conv("conv1", weights(3, 3, channels, 4), None, theta(round(100 * pixels)), "zero"),
        Pool("pool1", (2, 2), (2, 2)),
        Flatten("flatten"),
        Dense("dense1", weights(64, 12), None, theta(600), "zero"),
        Dense("readout", weights(12, 5), None, theta(110), "subtract"),
    )
    return Program(layers, (8, 8, channels), time_steps, number_format, pixels)


@pytest.fixture(scope="module", params=["float32", "int8"])
def network(request, tmp_path_factory):
    """A program, and a folder with its files in all forms and with images."""
    folder = tmp_path_factory.mktemp(request.param)
    program = make_program(request.param)
    for name in FILES:
        form, suffix = name.split(".")
        WRITERS[suffix].write(program, folder / name, form=form)
    rng = np.random.default_rng(0)
    images = oracle.dyadic(rng, (40, 8, 8, 1), low=0, high=257)
    np.save(folder / "images.npy", images)
    # Of the bytes of a picture only black and white are sums without rounding in float32.
    bytes_ = rng.integers(0, 256, (8, 8)).astype("uint8")
    picture = bytes_ if program.is_integer else (bytes_ > 127).astype("uint8") * np.uint8(255)
    Image.fromarray(picture).save(folder / "picture.png")
    every = np.concatenate([images, (picture / np.float32(255))[None, ..., None]])
    return program, folder, every


def run(*arguments, python=(str(SCRIPT),)):
    command = [sys.executable, *python, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rows_of(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def call(capsys, *arguments):
    """The same without a process."""
    on_device.main([*map(str, arguments), "--json"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def spikes_by_step(program, images):
    """`(images, steps, classes)`."""
    counts = [
        interpreter.run(program, images, t).spike_counts for t in range(1, program.time_steps + 1)
    ]
    return np.diff(np.stack(counts, axis=1), axis=1, prepend=0)


@pytest.mark.parametrize("name", FILES)
def test_counts_equal_the_interpreter(network, name):
    program, folder, images = network
    expected = interpreter.run(program, images).spike_counts
    assert len(np.unique(expected.argmax(axis=1))) > 2
    done = run(
        folder / name, folder / "images.npy", folder / "picture.png", "--stop", "never", "--json"
    )
    rows = rows_of(done)
    np.testing.assert_array_equal([row["spike_counts"] for row in rows], expected)
    assert [row["class"] for row in rows] == expected.argmax(axis=1).tolist()
    assert {row["steps"] for row in rows} == {program.time_steps}
    assert all(row["ms"] > 0 for row in rows)
    names = [f"{folder / 'images.npy'}[{n}]" for n in range(40)] + [str(folder / "picture.png")]
    assert [row["image"] for row in rows] == names
