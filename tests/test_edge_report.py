"""The edge report of a tiny digits network: every row is there, and says what is so."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import keras_proxy_snn as kps
from keras_proxy_snn.cli import _edge_report, commands
from keras_proxy_snn.export import from_model, litert
from keras_proxy_snn.export.edge_report import Report, _measure
from keras_proxy_snn.export.edge_report._measure import expected_scores, run_file
from keras_proxy_snn.export.edge_report._table import conclusions, render
from keras_proxy_snn.export.interpreter import run as interpret

from .runtimes import needs_micro, needs_vela
from .scripts import run_script

for library in ("ai_edge_litert", "onnxruntime", "nir"):
    pytest.importorskip(library, reason='pip install "keras-proxy-snn[export]"')

# Rows are of files and runtimes, which no backend computes.
pytestmark = pytest.mark.any_backend

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
ONNX = [
    ("onnx", form, numbers, runtime)
    for form in ("unrolled", "step", "loop")
    for numbers in ("float32", "int8")
    for runtime in ("ONNX Runtime", "OpenVINO")
]
LITERT = [
    ("litert", form, numbers, "LiteRT")
    for form in ("unrolled", "step", "stateful")
    for numbers in ("float32", "float16", "int8")
]
NIR = [("nir", "graph", numbers, "NumPy") for numbers in ("float32", "int8")]
C = [("c", "event_driven", "int8", "C99")]
TWINS = [("twin", "one pass", numbers, "LiteRT") for numbers in ("float32", "int8")]
NPUS = ("u55-128", "u65-256", "u85-256")


def tables(markdown):
    """Rows of each table, as dictionaries."""
    found = []
    for block in markdown.split("\n\n"):
        lines = [line.strip("| ").split(" | ") for line in block.splitlines()]
        if block.startswith("| "):
            found.append([dict(zip(lines[0], line, strict=True)) for line in lines[2:]])
    return found


def has(module):
    return importlib.util.find_spec(module) is not None


def save(path, **settings):
    keras.utils.set_random_seed(0)
    model = kps.build("4C3-P2-10F", input_shape=(8, 8, 1), v_threshold=0.3, **settings)
    model.save(path)
    return model


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Markdown, numbers and files of a network in all formats."""
    folder = tmp_path_factory.mktemp("edge_report")
    (folder / "files").mkdir()
    save(folder / "tiny.keras", time_steps=4)
    arguments = ["--images", 16, "--output", folder / "report.md", "--json", folder / "report.json"]
    arguments += ["--files", folder / "files"]
    done = run_script("examples/edge_report.py", folder / "tiny.keras", *arguments)
    assert done.returncode == 0, done.stderr
    markdown = (folder / "report.md").read_text()
    assert markdown in done.stdout
    return folder, markdown, json.loads((folder / "report.json").read_text())


@pytest.mark.slow
def test_every_form_format_and_runtime_has_a_row(report):
    runs, _ = tables(report[1])
    names = [(r["format"], r["form"], r["numbers"], r["runtime"]) for r in runs]
    assert names == [*ONNX, *LITERT, *NIR, *C, *TWINS]


def test_no_count_differs(report):
    runs, _ = tables(report[1])
    networks = [row for row in runs if row["format"] != "twin"]
    ran = [row for row in networks if has("openvino") or row["runtime"] != "OpenVINO"]
    assert len(ran) >= 16
    assert {row["mismatches"] for row in ran} == {"0"}
    assert {row["borderline"] for row in ran if row["numbers"] == "int8"} == {"0"}
    assert "- spike counts that differ and must not: 0\n" in report[1]


def test_sizes_are_those_of_the_files(report):
    folder, markdown, numbers = report
    written = {path.name: path.stat().st_size for path in (folder / "files").iterdir()}
    facts = {row["file"]: row for row in numbers["rows"] if "reason" not in row}
    headers = {name for name in written if name.endswith(".h")}  # beside the C source
    assert set(written) - headers == set(facts)
    written = {name: written[name] for name in facts}
    assert all(1024 * facts[name]["KiB"] == size for name, size in written.items())
    for row, shown in zip(numbers["rows"], tables(markdown)[0], strict=True):
        assert shown["KiB"] == (f"{row['KiB']:.1f}" if "KiB" in row else shown["KiB"])


def test_accuracy_and_latency(report, digits):
    folder, markdown, numbers = report
    program = from_model(keras.models.load_model(folder / "tiny.keras", compile=False))
    x, y = (part[:16] for part in digits[1])
    expected = (interpret(program, x).spike_counts.argmax(axis=1) == y).mean()
    rows = {(r["format"], r["form"], r["numbers"], r["runtime"]): r for r in numbers["rows"]}
    assert rows["litert", "unrolled", "float32", "LiteRT"]["accuracy"] == expected
    integer = rows["litert", "unrolled", "int8", "LiteRT"]["accuracy"]
    verb = "gained" if integer > expected else "lost"
    change = f"{100 * abs(expected - integer):.2f} points"
    assert f"accuracy {verb} by the integer network: {change}" in markdown
    timed = [row for row in rows.values() if row["format"] not in ("nir", "c")]
    timed = [row for row in timed if "accuracy" in row]
    for row in timed:
        for threads in ("1 thread", "2 threads"):
            median, low, high = row[f"ms, {threads}"]
            assert 0 < low <= median <= high


@needs_micro
@needs_vela
def test_devices(report):
    folder, markdown, _ = report
    rows = {(r["format"], r["form"], r["numbers"]): r for r in tables(markdown)[1]}
    assert len(rows) >= 10
    for form in ("unrolled", "step"):
        for npu in NPUS:
            assert rows["litert", form, "float32"][npu] == "-"
            assert rows["litert", form, "int8"][npu].startswith("100%, ")
    assert rows["litert", "step", "float16"]["arena"] == "refused"
    arena = litert.arena_bytes(folder / "files" / "litert-step-int8.tflite") / 1024
    assert rows["litert", "step", "int8"]["arena"] == f"{arena:.1f}"


def test_the_head_says_what_was_run_and_no_path_of_the_machine(report):
    folder, markdown, _ = report
    assert str(folder) not in markdown
    assert "edge_report.py tiny.keras --images 16 --output report.md" in markdown
    assert "the first 16 of the test set of digits" in markdown
    assert "4C3-P2-10F on (8, 8, 1)" in markdown


@pytest.mark.slow
def test_what_cannot_be_written_or_run_is_named(tmp_path):
    save(tmp_path / "net.keras", time_steps=2, reset="subtract")
    # A package that cannot be imported, as where it is not installed.
    (tmp_path / "openvino.py").write_text("raise ImportError('pip install openvino')\n")
    command = [sys.executable, EXAMPLES / "edge_report.py", tmp_path / "net.keras"]
    places = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [*map(str, command), "--formats", "onnx", "nir", "--images", "4"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
    )
    assert done.returncode == 0, done.stderr
    (runs,) = tables(done.stdout)
    reasons = {row["runtime"]: row for row in runs}
    assert "subtract" in reasons["NumPy"]["KiB"]
    assert reasons["OpenVINO"]["mismatches"] == "not installed"
    told = '\n**not installed**: openvino is needed: pip install "openvino"\n'
    assert done.stdout.count("openvino is needed") == done.stdout.count(told) == 1
    assert reasons["ONNX Runtime"]["mismatches"] == "0"


def test_a_wrong_file_is_found_out(tmp_path, digits):
    """The file of another network has other counts, and the report says so."""
    program = from_model(save(tmp_path / "net.keras", time_steps=4))
    litert.write(program.with_time_steps(3), tmp_path / "net.tflite")
    x, y = (part[:16] for part in digits[1])
    expected = expected_scores(program, x)
    np.testing.assert_array_equal(expected, interpret(program, x).spike_counts)
    file = {"format": "litert", "numbers": "float32", "file": "net.tflite"}
    everything = {"float32": program}, {"float32": expected}, tmp_path, x, y
    row = run_file(file, "LiteRT", *everything)
    fewer = interpret(program, x, time_steps=3).spike_counts
    assert row["mismatches"] == (fewer != expected).sum() > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.keras"], "There is no file nothing.keras"),
        ([__file__], "is not a saved Keras model"),
        (["{net}", "--output", "{net}"], "net.keras exists already; --force replaces it"),
        (["{net}", "--output", "{net}.d/report.md"], "does not exist"),
        (["{net}", "--time-steps", "0"], "positive integer. Received: 0"),
        (["{net}", "--images", "0"], "positive integer. Received: 0"),
    ],
)
def test_bad_input_is_one_clear_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import edge_report

    net = tmp_path / "net.keras"
    save(net, time_steps=2)
    before = net.read_bytes()
    monkeypatch.setattr(sys, "argv", ["edge_report.py", *[a.format(net=net) for a in arguments]])
    assert edge_report.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert net.read_bytes() == before


@pytest.fixture
def measured(monkeypatch):
    """What `bench --formats` measures, in place of some minutes of work."""
    calls = []

    def measure(program, folder, **options):
        calls.append((program.time_steps, options["test"]))
        row = {"format": "onnx", "form": "step", "numbers": "float32", "runtime": "ONNX Runtime"}
        return Report([{**row, "KiB": 1.5, "nodes": 3, "mismatches": wrong[0]}], ["all is said"])

    wrong = [0]
    monkeypatch.setattr(_edge_report, "measure", measure)
    return calls, wrong


def test_without_labels_the_training_images_are_compared(tmp_path, measured, monkeypatch):
    images = np.linspace(0, 1, 70 * 64, dtype="float32").reshape(70, 8, 8, 1)
    np.save(tmp_path / "own.npy", images)
    save(tmp_path / "net.keras", time_steps=2)
    arguments = [
        str(tmp_path / "net.keras"),
        "--formats",
        "--calibration",
        str(tmp_path / "own.npy"),
    ]
    done = CliRunner().invoke(commands, ["bench", *arguments])
    assert "images: the first of the training images in own.npy\n" in done.stdout
    compared = []

    def spied(program, x):
        compared.append(x)
        return expected_scores(program, x)

    monkeypatch.setattr(_measure, "expected_scores", spied)
    program = from_model(kps.build("10F", input_shape=(8, 8, 1), time_steps=2))
    _measure.measure(program, tmp_path, calibration=images, formats=["nir"])
    np.testing.assert_array_equal(compared[0], images[:64])


@pytest.mark.parametrize(
    ("right", "change"),
    [
        (1, "lost by the integer network: 25.00"),
        (3, "gained by the integer network: 25.00"),
        (2, "lost by the integer network: 0.00"),
    ],
)
def test_the_summary_names_a_gain_a_gain(right, change):
    """Of four images the float network knows two."""
    labels = np.zeros(4, int)

    def scores(known):
        return np.eye(2)[(np.arange(4) >= known).astype(int)]

    expected = {"float32": scores(2), "int8": scores(right)}
    (_, line) = conclusions([], expected, labels)
    assert line.startswith(f"accuracy {change} points (50.00% to ")


def test_a_package_that_is_missing_is_named_once_below_the_table():
    row = {"format": "litert", "form": "step", "numbers": "int8", "runtime": "LiteRT"}
    row |= {"file": "a.tflite", "KiB": 1.0, "mismatches": 0}
    needed = 'tflite-micro is needed: pip install "tflite-micro"'
    rows = [row | {"arena": needed, "missing": [needed]} for _ in range(2)]
    text = render("net", {}, Report(rows, []))
    assert text.count("tflite-micro") == needed.count("tflite-micro")
    assert f"\n**not installed**: {needed}\n" in text
    assert "| litert | step | int8 | not installed | - | - | - |" in text


@pytest.mark.parametrize(("average", "told"), [(2.0, False), (6.1, True)])
def test_the_summary_tells_that_the_machine_was_busy(tmp_path, monkeypatch, average, told):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (average, 0.0, 0.0), raising=False)
    program = from_model(kps.build("10F", input_shape=(8, 8, 1), time_steps=2))
    report = _measure.measure(program, tmp_path, formats=["nir"])
    busy = "load average 6.1 on 2 processors: other work disturbs these times"
    assert (busy in report.conclusions) == told


@pytest.mark.any_backend
def test_bench_prints_the_report(tmp_path, measured):
    calls, wrong = measured
    net = str(tmp_path / "net.keras")
    save(net, time_steps=2)
    done = CliRunner().invoke(commands, ["bench", net, "--formats", "--time-steps", "3"])
    assert done.exit_code == 0, done.output
    assert "# Edge report: net.keras" in done.stdout
    assert "| onnx | step | float32 | ONNX Runtime | 1.5 | 3 | 0 |" in done.stdout
    ((steps, (x, y)),) = calls
    assert (steps, len(x), len(y)) == (3, 360, 360)
    wrong[0] = 7
    done = CliRunner().invoke(commands, ["bench", net, "--formats", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["rows"][0]["mismatches"] == 7
    assert "7 spike counts differ" in done.stderr


@pytest.mark.once
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--calibration", "digits"], "--calibration is for --formats. Received: digits"),
        (
            ["--formats", "--time-steps", "2", "--time-steps", "3"],
            "--formats takes one --time-steps. Received: (2, 3)",
        ),
        (["--formats", "--repeats", "2"], "--batch-size and --repeats have no effect"),
    ],
)
def test_options_of_bench_that_do_not_fit(options, message):
    done = CliRunner().invoke(commands, ["bench", "digits", *options])
    assert done.exit_code == 2
    assert message in done.stderr
