"""ONNX Runtime for Node, by the script of `examples/node` or by Python, has equal counts."""

import json

import numpy as np
import pytest

import keras_proxy_snn as kps
from keras_proxy_snn.export import export, from_model, onnx
from keras_proxy_snn.export.interpreter import run
from keras_proxy_snn.export.quantise import quantise

from .node import EXAMPLES, call, install, needs_npm, run_script

pytestmark = [pytest.mark.once, pytest.mark.slow, needs_npm]
IMAGES = 20


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A network, images, and a folder with the files of both."""
    install("node")
    folder = tmp_path_factory.mktemp("node")
    program = from_model(kps.build("digits", weights="pretrained"))
    _, (x, _) = kps.datasets.load("digits")
    images = x[:IMAGES]
    (folder / "images.json").write_text(json.dumps(images.reshape(IMAGES, -1).tolist()))
    for form in ("loop", "unrolled", "step"):
        export(program, folder / f"{form}.onnx", form=form, verify=False)
    return program, images, folder


@pytest.mark.parametrize("time_steps", [1, 10, 20, 37])
def test_the_loop_runs_the_steps_that_it_is_told(digits, time_steps):
    program, images, folder = digits
    files = folder / "loop.onnx", folder / "images.json"
    found = run_script("node", "counts.mjs", *files, time_steps)
    expected = run(program, images, time_steps=time_steps).spike_counts
    np.testing.assert_array_equal(found, expected)


def test_the_unrolled_form_has_its_own_steps(digits):
    program, images, folder = digits
    found = run_script("node", "counts.mjs", folder / "unrolled.onnx", folder / "images.json")
    np.testing.assert_array_equal(found, run(program, images).spike_counts)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("loop", "input 'time_steps' is missing in 'feeds'"),
        ("step", "The form must be loop or unrolled"),
    ],
)
def test_what_the_script_cannot_run_is_an_error(digits, form, message):
    _, _, folder = digits
    files = [str(folder / f"{form}.onnx"), str(folder / "images.json")]
    done = call("node", ["node", "counts.mjs", *files])
    assert done.returncode == 1
    assert message in done.stderr


@pytest.mark.parametrize("form", ["loop", "unrolled", "step"])
@pytest.mark.parametrize("bits", [None, 8])
def test_python_runs_a_file_in_node(digits, monkeypatch, form, bits):
    program, images, folder = digits
    images = images[:4]
    monkeypatch.chdir(EXAMPLES / "node")
    assert onnx.has_onnxruntime_node()
    if bits is not None:
        program = quantise(program, images, bits=bits)
    path = folder / f"{form}-{bits}.onnx"
    onnx.write(program, path, form=form)
    found = onnx.run(path, program, images, runtime="onnxruntime-node")
    np.testing.assert_array_equal(found, run(program, images).spike_counts)


def test_python_says_what_node_lacks(digits, monkeypatch, tmp_path):
    program, images, folder = digits
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImportError, match="in this directory, run `npm install onnxruntime-node`"):
        onnx.run(folder / "loop.onnx", program, images, runtime="onnxruntime-node")
    monkeypatch.chdir(EXAMPLES / "node")
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(RuntimeError, match=r"Node ended\. Received: "):
        onnx.run(tmp_path / "empty.onnx", program, images, runtime="onnxruntime-node")


def test_a_script_that_never_ends_shows_what_it_said():
    script = "process.stderr.write('stuck at the server'); setInterval(() => {}, 1000)"
    with pytest.raises(pytest.fail.Exception, match=r"more than 1 s and said:\n\nstuck at"):
        call("node", ["node", "--eval", script], seconds=1)
