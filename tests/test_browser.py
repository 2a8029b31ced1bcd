"""The page of `examples/browser` in headless Chromium: its counts are the interpreter's."""

import json
import os
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

import keras_proxy_snn as kps
from keras_proxy_snn.basics.pixel_range import in_range
from keras_proxy_snn.export import export, from_model
from keras_proxy_snn.export.interpreter import run
from keras_proxy_snn.export.quantise import quantise

from .node import needs_npm, run_script

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
IMAGES = 20

pytestmark = [
    pytest.mark.once,
    pytest.mark.slow,
    needs_npm,
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium"),
]


@pytest.fixture(scope="module")
def digits():
    """Images of bytes, as pictures hold them, and a float and an integer network."""
    model = kps.build("digits", weights="pretrained", readout="potential")
    (train, _), (x, _) = kps.datasets.load("digits")
    program = from_model(model)
    pixels = np.round(x[:IMAGES] * 255).astype("uint8")
    return pixels, program, quantise(program, train[:200])


def counts_in_browser(jobs, tmp_path):
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    said = run_script("browser", "test/counts.mjs", tmp_path / "jobs.json", CHROMIUM=CHROMIUM)
    assert said["problems"] == []
    return said["results"]


def test_counts_in_the_browser_are_the_interpreters(digits, tmp_path):
    from PIL import Image

    pixels, program, integer = digits
    wide = replace(
        program,
        input_scale=program.input_scale / 255,
        metadata={**program.metadata, "input_range": (0.0, 255.0)},
    )
    images = [str(tmp_path / f"{number:02}.png") for number in range(IMAGES)]
    for picture, path in zip(pixels, images, strict=True):
        Image.fromarray(picture[..., 0]).save(path)
    files = [
        (program, "step.onnx", "step"),
        (program, "loop.onnx", "loop"),
        (integer, "integer.onnx", "step"),
        (program, "step.tflite", "step"),
        (wide, "wide.onnx", "unrolled"),
        (wide, "wide.tflite", "step"),
    ]
    jobs = []
    for source, name, form in files:
        export(source, tmp_path / name, form=form, verify=False)
        jobs.append({"network": str(tmp_path / name), "images": images})
    export(integer, tmp_path / "integer.tflite", form="step", verify=False)
    jobs.append({"network": str(tmp_path / "integer.tflite"), "images": images})
    jobs.append({"network": images[0], "images": images})
    *results, refused, no_network = counts_in_browser(jobs, tmp_path)
    x = (pixels / np.float32(255)).astype("float32")
    for (source, name, _), result in zip(files, results, strict=True):
        expected = run(source, in_range(x, source.input_range))
        found = [re.findall(r"\d+", answer.split("counts:")[1]) for answer in result["answers"]]
        np.testing.assert_array_equal(np.array(found, int), expected.spike_counts, err_msg=name)
    assert "export integer networks as .onnx" in refused["message"]
    assert "must end in .onnx or .tflite. Received: 00.png" in no_network["message"]
