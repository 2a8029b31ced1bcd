"""`keras-proxy-snn verify`: random networks everywhere, and what it says of a wrong count."""

import json
import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from keras_proxy_snn.cli import commands
from keras_proxy_snn.export.layers import Pool
from keras_proxy_snn.verification import oracle, runner, worker
from keras_proxy_snn.verification.files import RUNTIMES, installed
from keras_proxy_snn.verification.networks import draw
from keras_proxy_snn.verification.report import Record, Report, Task

from . import oracle as oracle_of_tests


@pytest.fixture
def here(monkeypatch):
    """Tasks in this very process, so on the suite's backend alone."""
    monkeypatch.setattr(runner, "start", lambda task: list(worker.work(task)))
    return keras.config.backend()


def verify(*arguments):
    return CliRunner().invoke(commands, ["verify", *map(str, arguments)])


# A chain that NIR can hold, and a residual network.
SEEDS = (47, 54)


@pytest.mark.any_backend
def test_nothing_differs(here, tmp_path):
    for seed in SEEDS:
        backend = [here] if seed == SEEDS[0] else []
        report = runner.verify(1, seed=seed, only=[*backend, *installed()])
        assert not report.wrong, report.found
        cells = {(row, form): cell for row, form, *cell in report.table()[1:]}
        counts = draw(seed).images.shape[0] * draw(seed).program.shapes()[-1][0]
        for row in backend:
            assert cells[row, "float"] == ["1", "0", "0", str(counts), "0", "0"]
        for row in installed():
            chains_alone = row in ("nir", "nirtorch", "spikingjelly")
            refused = row == "c" or (chains_alone and seed == SEEDS[1])
            assert cells[row, "float"][:3] == [*"010"] if refused else [*"100"], row
    assert {"interpreter"} <= {*installed()} <= {*RUNTIMES}


def one_more(program, folder, images, number):
    """A runtime that is wrong by one count of the first network."""
    scores = oracle.run(program, images)
    scores[0, 0] += number == 0 and not program.is_integer
    return scores


@pytest.mark.any_backend
@pytest.mark.usefixtures("here")
def test_a_planted_mismatch_is_reported(monkeypatch, tmp_path):
    wrong = replace(RUNTIMES["interpreter"], run=one_more)
    monkeypatch.setitem(RUNTIMES, "interpreter", wrong)
    path = tmp_path / "report.json"
    arguments = ("--only", "interpreter", "--report", path)
    result = verify("--networks", 2, *arguments)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].split("  ")[0] == "runtime"
    assert lines[1].split() == [
        "interpreter",
        "float",
        "2",
        "0",
        "0",
        lines[1].split()[5],
        "1",
        "1",
    ]
    assert lines[2].split()[-2:] == ["0", "0"]
    assert lines[-1].startswith("interpreter, float, network 0: 1 of ")
    # The report goes on, and keeps what it found.
    monkeypatch.undo()
    monkeypatch.setattr(runner, "start", lambda task: list(worker.work(task)))
    result = verify("--networks", 3, *arguments, "--json")
    facts = json.loads(result.stdout)
    assert (result.exit_code, facts["wrong"], facts["done"]) == (1, True, 3)
    assert [found["seed"] for found in facts["found"]] == [0]
    assert json.loads(path.read_text()) == facts
    result = verify("--networks", 3, *arguments, "--weights", "float")
    assert result.exit_code == 2
    assert "weights 'dyadic' in" in result.stderr


@pytest.mark.once
def test_rounding_may_decide_a_spike_of_float_weights_alone():
    for weights, form, wrong in [
        ("dyadic", "float", True),
        ("dyadic", "integer", True),
        ("float", "float", False),
        ("float", "integer", True),
    ]:
        report = Report(0, weights, ["c"])
        report.add([Record("c", form, 0, 30, 1)], 1)
        assert report.wrong is wrong
    report.add([Record("c", "float", 0, error="ValueError: no")], 1)
    assert report.wrong
    assert report.found[-1]["error"] == "ValueError: no"


@pytest.mark.once
def test_a_process_that_dies_is_an_error(monkeypatch):
    monkeypatch.setattr(runner.sys, "executable", shutil.which("false"))
    (record,) = runner.start(Task("files", ["litert"], 7, 1, "dyadic"))
    assert (record.row, record.seed) == ("litert", 7)
    assert record.error == "The process ended with 1: nothing"


@pytest.mark.once
def test_wrong_arguments_are_refused(tmp_path):
    assert "--only must be one of" in verify("--only", "tensorrt").stderr
    (tmp_path / "report.json").write_text("[]")
    message = verify("--only", "interpreter", "--report", tmp_path / "report.json").stderr
    assert message.startswith("error: The file must be a report of `verify`. Received: ")


@pytest.mark.once
def test_networks_are_of_every_kind_and_exact():
    seen = set()
    for seed in range(150):
        network = draw(seed)
        program = network.program
        first = program.neurons[0]
        seen |= {program.readout, first.reset, network.v_0, f"learned {network.learned}"}
        seen |= {layer.kind for layer in program.layers if isinstance(layer, Pool)}
        seen |= {f"residual {bool(program.sources)}", f"bias {first.bias is not None}"}
        for layer in program.neurons:
            for values in (layer.kernel, 0.0 if layer.bias is None else layer.bias):
                np.testing.assert_array_equal(np.rint(values * np.float32(1024)) / 1024, values)
    assert seen >= {"counts", "potential", "zero", "subtract", 0.0, 0.5, "or", "sum"}
    for what in ("learned", "residual", "bias"):
        assert seen >= {f"{what} False", f"{what} True"}


@pytest.mark.once
def test_both_oracles_agree():
    """The package's and the tests', which share no code."""
    compared = 0
    for seed in range(60):
        network = draw(seed)
        program = network.program
        plain = program.neurons[0].bias is None and not program.sources
        sums = any(isinstance(layer, Pool) and layer.kind == "sum" for layer in program.layers)
        if plain and not sums and program.readout == "counts":
            spikes, _ = oracle_of_tests.run(
                program.metadata["spec"],
                [layer.kernel for layer in program.neurons],
                network.images,
                program.time_steps,
                [layer.v_threshold for layer in program.neurons],
                program.neurons[0].reset,
                network.v_0,
            )
            expected = spikes[-1].sum(axis=1)
            np.testing.assert_array_equal(oracle.run(program, network.images), expected)
            compared += 1
    assert compared >= 3
