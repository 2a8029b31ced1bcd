"""The project's files agree with each other, and what is packaged works without the source tree."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

import keras_proxy_snn
from tests import smoke
from tests.scripts import run_script

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINNED = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
)
pytestmark = pytest.mark.once


def test_one_version_is_in_all_files():
    version = keras_proxy_snn.__version__
    assert PROJECT["dynamic"] == ["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    (newest, *_) = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest == version


def test_one_address_is_in_all_files():
    home, site = PROJECT["urls"]["Homepage"], PROJECT["urls"]["Documentation"]
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"repository-code: {home}\n" in citation
    assert f"url: {site}\n" in citation
    own = re.compile(r"https://[\w.]*github[\w.]*/keras-proxy-snn[^\s)>\"]*")
    raw = home.replace("github.com", "raw.githubusercontent.com")
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for address in own.findall((ROOT / name).read_text()):
            assert address.startswith((home, raw)), address


def test_files_that_the_readme_links_to_exist():
    for path in re.findall(r"/(?:blob|tree)/main/([^\s)]+)", (ROOT / "README.md").read_text()):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"keras-proxy-snn/main/([^\s)]+)", (ROOT / "README.md").read_text()):
        assert (ROOT / path).exists(), path


def test_a_commit_is_checked_with_the_linter_of_the_tests():
    assert f"rev: v{PINNED['ruff']}\n" in (ROOT / ".pre-commit-config.yaml").read_text()


def test_tools_of_site_and_package_are_pinned():
    extras = PROJECT["optional-dependencies"]
    for requirement in (*extras["docs"], "build", "hatchling", "twine"):
        assert re.match(r"[\w-]+", requirement)[0] in PINNED, requirement


def test_all_has_what_users_need_and_no_tools_of_ours():
    extras = PROJECT["optional-dependencies"]
    (whole,) = extras["all"]
    named = re.search(r"\[(.+)\]", whole)[1].split(",")
    assert set(extras) - set(named) == {"all", "dev", "docs", "peers"}


def test_one_way_of_quoting_extras_works_in_every_shell():
    """Without quotes zsh takes brackets for a pattern; Windows' cmd knows double ones alone."""
    files = [*ROOT.glob("*.md"), ROOT / "run.py"]
    for folder in ("keras_proxy_snn", "docs", "examples", "benchmarks"):
        files += [*(ROOT / folder).rglob("*.py"), *(ROOT / folder).rglob("*.md")]
    for path in files:
        for before in re.findall(r"pip install (?:-\S+ )*(.?)keras-proxy-snn\[", path.read_text()):
            assert before == '"', path


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_the_oldest_libraries_are_the_lower_bounds(backend):
    run = runpy.run_path(str(ROOT / "run.py"))
    required = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"][backend]]
    assert run["bounds"]("newest", backend) == required
    oldest = run["bounds"]("oldest", backend)
    for bound, version in zip(required, oldest, strict=True):
        assert re.fullmatch(r"[\w-]+>=[\d.]+", bound)
        assert version == bound.replace(">", "=")
    assert all((ROOT / "tests" / f"test_{name}.py").exists() for name in run["SELECTION"])


@pytest.mark.parametrize("words", [[], ["oldest"], ["older", "jax"], ["newest", "numpy"]])
def test_compatibility_says_what_it_needs(words):
    done = run_script("run.py", "compatibility", *words)
    assert done.returncode == 1
    assert "needs 'oldest' or 'newest', and one of" in done.stderr


@pytest.fixture
def run(monkeypatch, tmp_path):
    """`run.py` with an empty folder as its project; commands and environments are only noted."""
    functions = runpy.run_path(str(ROOT / "run.py"))
    place, calls, made = functions["package"].__globals__, [], []

    def create(folder, with_pip):
        made.append(folder)
        python = folder / place["PYTHON"].relative_to(place["ENVIRONMENT"])
        python.parent.mkdir(parents=True)
        python.touch()
        version = f"{sys.version_info[0]}.{sys.version_info[1]}.0"
        (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n")

    def call(*command, **environment):
        calls.append((command, environment))
        if "build" in command:
            (tmp_path / "dist").mkdir()
            for name in ("package.whl", "package.tar.gz"):
                (tmp_path / "dist" / name).touch()

    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.setitem(place, "ROOT", tmp_path)
    monkeypatch.setitem(place, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setitem(place, "ENVIRONMENT", tmp_path / ".venv")
    monkeypatch.setitem(place, "call", call)
    monkeypatch.setitem(place, "venv", SimpleNamespace(create=create))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    return SimpleNamespace(**functions, calls=calls, made=made, place=place)


def test_each_extra_of_users_is_tried_and_each_of_its_libraries_used(run):
    extras = PROJECT["optional-dependencies"]
    (whole,) = extras["all"]
    assert set(run.LIBRARIES) == set(re.search(r"\[(.+)\]", whole)[1].split(","))
    assert {library for libraries in run.LIBRARIES.values() for library in libraries} == {
        *smoke.PARTS
    }
    run.package(["each"])
    installed = [command[-1] for command, _ in run.calls if ".whl[" in command[-1]]
    tried = [(c[c.index("--require") + 1], e) for c, e in run.calls if "tests/smoke.py" in c]
    assert len(installed) == len(tried) == len(run.LIBRARIES)
    for extra, target, (required, environment) in zip(run.LIBRARIES, installed, tried, strict=True):
        named = re.search(r"package\.whl\[(.+)\]$", target)[1].split(",")
        assert named[0] == extra
        (backend,) = {*named} & {*run.BACKENDS}
        assert environment == {"KERAS_BACKEND": backend}
        assert {*run.LIBRARIES[extra], backend} <= {*required.split(",")}


@pytest.mark.parametrize(
    ("words", "backend", "required"),
    [
        ([], "tensorflow", "tensorflow,jax,torch,PIL,tensorflow_datasets,onnxruntime"),
        (["all"], "tensorflow", "tensorflow,jax,torch,PIL,tensorflow_datasets,onnxruntime"),
        (["cli,torch"], "torch", "click,torch"),
        (["cli"], "jax", "click,jax"),
    ],
)
def test_a_package_is_tried_with_the_extras_that_are_named(run, words, backend, required):
    run.package(words)
    ((command, environment),) = [call for call in run.calls if "tests/smoke.py" in call[0]]
    assert environment["KERAS_BACKEND"] == backend
    assert command[-1].startswith(required)
    assert ("PYTHONPATH" in environment) == (not words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("exprot", r"Extras must be of each, all, .*Received: exprot\."),
        ("jax,dev", r"Extras must be of each, all, .*Received: dev\."),
        ("each,jax", r"`each` stands alone\. Received: each,jax\."),
    ],
)
def test_extras_that_there_are_not_are_refused_before_anything_is_built(run, words, message):
    with pytest.raises(SystemExit, match=message):
        run.package([words])
    assert not run.calls


def test_the_environment_is_made_anew_for_another_python(run, capsys):
    """Or the package would be tried with the Python that made the environment first."""
    environment = run.place["ENVIRONMENT"]
    run.set_up("docs")
    run.set_up("docs")
    assert run.made == [environment]
    (environment / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.9.1\n")
    (environment / "mine").touch()
    run.set_up("docs")
    assert run.made == [environment] * 2
    assert not (environment / "mine").exists()
    assert "has Python 3.9, and this is" in capsys.readouterr().out
    installs = [command for command, _ in run.calls if "-e" in command]
    assert len(installs) == 2


def test_a_folder_that_is_no_environment_is_never_removed(run):
    environment = run.place["ENVIRONMENT"]
    environment.mkdir()
    (environment / "notes.txt").touch()
    with pytest.raises(SystemExit, match=r"must be an environment that run\.py made"):
        run.set_up("docs")
    assert (environment / "notes.txt").exists()


@pytest.mark.slow
def test_the_package_works_without_the_source_tree(tmp_path):
    """Built from a copy: no test may write into the checkout."""
    source = tmp_path / "source"
    skipped = shutil.ignore_patterns(
        ".*", "__pycache__", "benchmarks", "dist", "node_modules", "site", "results"
    )
    shutil.copytree(ROOT, source, ignore=skipped)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path / "dist", source]
    subprocess.run(build, check=True, capture_output=True, cwd=tmp_path)
    (wheel,), (sdist,) = (tmp_path / "dist").glob("*.whl"), (tmp_path / "dist").glob("*.tar.gz")
    check = [sys.executable, "-m", "twine", "check", "--strict", wheel, sdist]
    subprocess.run(check, check=True, capture_output=True)
    with tarfile.open(sdist) as archive:
        top = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert {"keras_proxy_snn", "README.md", "LICENSE", "CITATION.cff"} <= top
    assert not top & {".ci", "benchmarks", "docs", "tests"}
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    places = {path.name for path in (tmp_path / "installed").iterdir()}
    assert places == {"keras_proxy_snn", f"keras_proxy_snn-{keras_proxy_snn.__version__}.dist-info"}
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "smoke.py", "--require", "click"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"in {tmp_path / 'installed' / 'keras_proxy_snn'}" in done.stdout


def test_results_name_no_folder_of_one_machine():
    for path in (ROOT / "benchmarks" / "results").rglob("*.json"):
        for found in re.findall(r'"(?:model|file|folder)": "([^"]*)"', path.read_text()):
            assert not Path(found).is_absolute(), f"{path.name}: {found}"
