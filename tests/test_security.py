"""SECURITY.md: each claim names a test that exists, and what no other test says."""

import ast
import json
import re
import zipfile
from pathlib import Path

import keras
import pytest

import keras_proxy_snn as kps
from keras_proxy_snn.saving.model_file import load_model

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "SECURITY.md").read_text()
NAMED = re.compile(r"`(tests/\w+\.py)::(test_\w+)`")


@pytest.mark.once
def test_each_claim_names_tests_that_exist():
    rows = [row for row in TEXT.splitlines() if row.startswith("| ")][1:]
    assert len(rows) >= 15
    for row in rows:
        found = NAMED.findall(row)
        assert found, row
        for file, test in found:
            tree = ast.parse((ROOT / file).read_text())
            names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert test in names, f"{file} has no {test}"


@pytest.mark.any_backend
def test_code_in_a_keras_file_does_not_run(tmp_path):
    """A `Lambda` holds marshalled code; in safe mode Keras refuses it."""
    image = keras.Input((2, 2, 1))
    x = keras.layers.Lambda(lambda pixels: pixels * 1, output_shape=(2, 2, 1))(image)
    x = keras.layers.Dense(3, name="readout")(keras.layers.Flatten()(x))
    model = kps.build("3F", input_shape=(2, 2, 1), time_steps=2)
    model.save(tmp_path / "net.keras")
    keras.Model(image, x).save(tmp_path / "lambda.keras")
    with zipfile.ZipFile(tmp_path / "net.keras") as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(tmp_path / "lambda.keras") as file:
        evil = json.loads(file.read("config.json"))
    config = json.loads(members["config.json"])
    config["config"]["ann"] = evil
    with zipfile.ZipFile(tmp_path / "bad.keras", "w") as file:
        for name, content in {**members, "config.json": json.dumps(config)}.items():
            file.writestr(name, content)
    with pytest.raises(ValueError, match="safe_mode"):
        load_model(tmp_path / "bad.keras")
