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

import pytest

import keras_proxy_snn
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
