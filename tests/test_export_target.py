"""A new export target: its folder and its line in `FORMATS` bring it wherever files are run."""

import json
import subprocess
import sys

import pytest

# A folder of the package as the recipe in CONTRIBUTING.md asks for, but made up here: its files
# hold nothing, and what runs them is the interpreter. The table is read when modules are imported,
# so this needs a process of its own.
PROGRAM = """
import json, sys, tempfile, types
from pathlib import Path
import numpy as np
from keras_proxy_snn.export import Program, formats, interpreter
from keras_proxy_snn.export.program import Dense, Flatten

def absent(program, path, *, form, weights="float32"):
    raise ImportError("install no-such-library")

def run(path, program, images):
    assert Path(path).read_text() == program.number_format
    trace = interpreter.run(program, images)
    return program.scores(trace.spike_counts, trace.potentials[-1])

def write(program, path, *, form, weights="float32"):
    Path(path).write_text(program.number_format)

for name, write, libraries in (("madeup", write, ()), ("absent", absent, ("no_such_library",))):
    module = types.ModuleType(f"keras_proxy_snn.export.{name}")
    module.write, module.run, module.node_count = write, run, lambda path: 1
    sys.modules[module.__name__] = module
    formats.FORMATS[name] = formats.Format(
        f".{name}", ("plain", "other"), "Mine", libraries, weights=("float32", "float8")
    )

from keras_proxy_snn.cli import _edge_report
from keras_proxy_snn.export.edge_report import measure
from keras_proxy_snn.verification import runner, worker

readout = Dense("readout", np.eye(4, dtype="float32"), None, 1.0, "zero")
program = Program((Flatten("flatten"), readout), (2, 2, 1), time_steps=3)
images = np.random.default_rng(0).random((40, 2, 2, 1)).astype("float32")
formats_of_bench = _edge_report.run.__kwdefaults__["formats"]
with tempfile.TemporaryDirectory() as folder:
    rows = measure(program, folder, calibration=images, formats=["madeup", "absent"]).rows
runner.start = lambda task: list(worker.work(task))
table = runner.verify(1, only=["madeup"]).table()
lines = []
runner.start = lambda task: []
runner.verify(1, tell=lines.append)
print(json.dumps([list(formats_of_bench), rows, table, lines]))
"""


@pytest.mark.any_backend
@pytest.mark.slow
def test_a_new_target_is_run_or_named_as_missing():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    formats, rows, table, lines = json.loads(done.stdout.splitlines()[-1])
    assert {"madeup", "absent"} < set(formats)
    found = {
        (row["format"], row["form"], row["numbers"]): row.get("reason", row.get("mismatches"))
        for row in rows
    }
    for form in ("plain", "other"):
        assert found["madeup", form, "float32"] == found["madeup", form, "int8"] == 0
        reason = found["madeup", form, "float8"]
        assert reason == "Networks of the report are in float32, float16, int8. Received: float8."
        assert found["absent", form, "float32"] == "install no-such-library"
    assert len(found) == 12
    assert {row["runtime"] for row in rows} == {"Mine"}
    cells = {(row, form): cell for row, form, *cell in table[1:]}
    for form in ("float", "integer"):  # a network each, no refusal, no error, no count that differs
        compared, refused, failed, counts, *differing = map(int, cells["madeup", form])
        assert (compared, refused, failed, differing) == (1, 0, 0, [0, 0])
        assert counts > 0
    assert lines[0].startswith("not installed, so left out: ")
    missing = lines[0].partition(": ")[2].split(", ")
    assert "absent" in missing
    assert "madeup" not in missing
