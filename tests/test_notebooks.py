"""Each notebook runs as it stands, at a tiny size, and shows what a reader should see."""

import ast
import os

import keras
import pytest

from .scripts import ROOT

nbformat = pytest.importorskip("nbformat", reason='pip install "keras-proxy-snn[dev]"')
FOLDER = ROOT / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# The tour of this backend, and two that run once, on the backend that they name.
MARKS = {"deployment": pytest.mark.any_backend, "own_cnn": pytest.mark.any_backend}
OWN = (f"tour_{keras.backend.backend()}", *MARKS)
TINY = {"EPOCHS": 1, "TRAIN": 64, "TEST": 32, "CALIBRATION": 32, "TIME_STEPS": 3, "FEWER": [3]}


def execute(path, folder):
    """Run a notebook in a kernel of its own; return its cells with their outputs."""
    from nbclient import NotebookClient

    notebook = nbformat.read(path, 4)
    (parameters,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", ()))
    names = {n.id for n in ast.walk(ast.parse(parameters.source)) if isinstance(n, ast.Name)}
    assert names <= TINY.keys()
    parameters.source = "\n".join(f"{name} = {TINY[name]}" for name in sorted(names))
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def check_outputs(cells):
    """Pictures and tables appear where a call is the last line; no cell warns."""
    for cell in cells:
        last = cell.source.splitlines()[-1]
        kinds = {kind for output in cell.outputs for kind in output.get("data", ())}
        if last.startswith(("kps.visualization.", "axes.")):
            assert "image/png" in kinds, cell.source
        elif last.startswith("Image("):
            assert "image/gif" in kinds, cell.source
        elif last == "seen" or "statistics.report(" in last:
            assert "text/html" in kinds, cell.source
        said = [output.text for output in cell.outputs if output.get("name") == "stderr"]
        assert "Warning" not in "".join(said), said


# A kernel, Jupyter's and the backend's libraries warn of each other; what the kernel says is read.
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, ())) for name in OWN])
@pytest.mark.slow
def test_a_notebook_runs_and_shows_its_pictures(name, tmp_path, monkeypatch):
    # A notebook chooses its backend itself.
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    check_outputs(execute(FOLDER / f"{name}.ipynb", tmp_path))


@pytest.mark.once
def test_every_notebook_is_run():
    tours = {f"tour_{backend}" for backend in ("tensorflow", "jax", "torch")}
    assert {path.stem for path in NOTEBOOKS} == {*tours, *MARKS}


@pytest.mark.once
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_committed_without_outputs(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)
    assert path.read_text() == nbformat.writes(notebook, indent=1) + "\n"
